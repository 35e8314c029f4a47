//! The dashboard's server: its answers, its refusals, and how it follows a run.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
mod crowd;
mod damage;
mod fixture;
mod hostile;
mod live;
mod outside;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use autogan_report::dashboard::Dashboard;
use autogan_run::{Host, RunDir, RunWriter, Scalar, TrialKind};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use fixture::{answer, ask, finished, get};

#[test]
fn every_path_of_the_table_is_answered() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs).unwrap();
    let page = get(&dashboard, "/");
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let script = get(&dashboard, "/assets/app.js");
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(script.body.starts_with(b"// "));

    let list = get(&dashboard, "/api/runs").json();
    assert_eq!(list["directory"], runs.display().to_string());
    let run = &list["runs"][0];
    assert_eq!(run["name"], "00000-tiny-s5");
    assert_eq!(run["problems"], serde_json::json!([]));
    let summary = &run["summary"];
    assert_eq!((&summary["preset"], &summary["seed"]), (&"tiny".into(), &5.into()));
    assert_eq!(summary["status"]["state"], "unfinished");
    assert_eq!((&summary["iterations_done"], &summary["iterations"]), (&2.into(), &4.into()));
    assert_eq!(summary["best"]["score"], 2.5);

    let run = get(&dashboard, "/api/runs/00000-tiny-s5").json();
    assert_eq!(run["trials"].as_array().unwrap().len(), 4);
    assert_eq!(run["trials"][3]["at"], 1.75);
    assert!(run["trials"][0]["advantage"].is_null(), "JSON has no NaN");
    assert_eq!(run["scalars"]["loss/d"]["value"][3], 2.5);
    let line = run["resume"]["line"].as_str().unwrap();
    assert!(line.starts_with("autogan search --resume ") && line.ends_with("00000-tiny-s5"));

    let arch = get(&dashboard, "/api/runs/00000-tiny-s5/arch/1%200%201%201").json();
    assert_eq!(arch["view"]["named"], "pre-none-nearest-sc");
    assert_eq!(arch["view"]["params"], 24_387, "of the run's own sizes");
    let none = get(&dashboard, "/api/runs/00000-tiny-s5/arch/7%207");
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    assert!(none.json()["error"].as_str().is_some_and(|why| !why.is_empty()));

    let picture = get(&dashboard, "/runs/00000-tiny-s5/samples/s0-i0001-child.png");
    assert_eq!(picture.headers["content-type"], "image/png");
    assert!(picture.body.starts_with(b"\x89PNG"));
    for absent in ["/x", "/assets/x.js", "/api/runs/x", "/runs/00000-tiny-s5/samples/x.png"] {
        assert_eq!(get(&dashboard, absent).status, StatusCode::NOT_FOUND, "{absent}");
    }
}

#[test]
fn a_search_by_trainings_shows_them_in_their_order() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("00000-led");
    let config = fixture::config().replace("name = \"supernet\"", "name = \"led_halving\"");
    let (dir, lock) = RunDir::create_at(&path, &config, &Host::detect("cpu")).unwrap();
    let mut writer = RunWriter::start(dir, lock).unwrap();
    let (tag, value) = ("score/real/stage2".to_owned(), -1.0);
    writer.scalar(&Scalar { tick: 0, step: 0, tag, value, seconds: 0.0 }).unwrap();
    // Lengths of the preset: 40, 80 and 160. The short one has the highest value.
    for (step, (length, value)) in [(40, -2.0), (160, -4.0), (160, -3.0)].into_iter().enumerate() {
        let mut row = fixture::trial(step as u64 + 1, length, step as u32, value);
        (row.kind, row.stage) = (TrialKind::Trained, 2);
        row.arch = "1 0 1 0 1 0 1 1 1 1 0 1 0 3".parse().unwrap();
        writer.trial(&row).unwrap();
    }
    writer.finish().unwrap();
    let dashboard = Dashboard::open(home.path()).unwrap();
    let run = get(&dashboard, "/api/runs/00000-led").json();
    let at: Vec<f64> =
        run["trials"].as_array().unwrap().iter().map(|row| row["at"].as_f64().unwrap()).collect();
    assert_eq!(at, [0.5, 1.5, 2.5]);
    let stage = serde_json::json!([
        { "stage": 2, "side": 32, "first": 0, "end": 3, "real": -1.0 },
    ]);
    assert_eq!(run["stages"], stage);
    assert_eq!(run["plan"]["strategy"]["lengths"], serde_json::json!([40, 80, 160]));
    let summary = &run["summary"];
    assert_eq!(summary["best"]["score"], -3.0, "values of other lengths do not compare");
    assert_eq!((&summary["iterations_done"], summary["iterations"].is_null()), (&3.into(), true));
}

#[test]
fn the_page_knows_every_kind_of_trial() {
    let home = tempfile::tempdir().unwrap();
    let dashboard = Dashboard::open(home.path()).unwrap();
    let line = |path: &str, start: &str| {
        let text = String::from_utf8(get(&dashboard, path).body).unwrap();
        text.lines().find(|line| line.starts_with(start)).unwrap().to_owned()
    };
    let filter = line("/assets/trials.js", "const KINDS = ");
    for kind in TrialKind::ALL {
        assert!(filter.contains(&format!("\"{kind}\"")), "{kind}: {filter}");
    }
    let best = line("/assets/curves.js", "const SEARCHED = ");
    for kind in [TrialKind::Controller, TrialKind::Candidate, TrialKind::Trained] {
        assert!(best.contains(&format!("\"{kind}\"")), "{kind}: {best}");
    }
}

#[test]
fn one_run_can_be_looked_at_alone() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs.join("00000-tiny-s5")).unwrap();
    let list = get(&dashboard, "/api/runs").json();
    assert_eq!(list["runs"][0]["name"], "00000-tiny-s5");
    let run = get(&dashboard, "/api/runs/00000-tiny-s5");
    assert_eq!(run.status, StatusCode::OK);
    assert_eq!(get(&dashboard, "/api/runs/other").status, StatusCode::NOT_FOUND);
}

#[test]
fn a_directory_has_to_be_there_and_may_be_empty() {
    let home = tempfile::tempdir().unwrap();
    let error = Dashboard::open(&home.path().join("absent")).unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
    let dashboard = Dashboard::open(home.path()).unwrap();
    assert_eq!(get(&dashboard, "/api/runs").json()["runs"], serde_json::json!([]));
}

#[test]
fn every_answer_carries_the_policy() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs).unwrap();
    let paths = ["/", "/assets/style.css", "/api/runs", "/nowhere", "/runs/a/samples/..%2f"];
    for path in paths {
        let headers = get(&dashboard, path).headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
}

#[test]
fn other_names_of_this_machine_get_nothing() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs).unwrap();
    let status = |headers: &[(&str, &str)]| ask(&dashboard, "/api/runs", headers).status;
    assert_eq!(status(&[("host", "localhost:9000")]), StatusCode::OK, "a forwarded port");
    for host in ["evil.example:8765", "127.0.0.1.evil.example", "192.168.0.1:8765", ""] {
        let refused = ask(&dashboard, "/api/runs", &[("host", host)]);
        assert_eq!(refused.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("tiny"));
    }
    assert_eq!(status(&[]), StatusCode::MISDIRECTED_REQUEST, "no host");
    let both = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(status(&both), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn pages_of_other_sites_get_nothing() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs).unwrap();
    let status = |path: &str, more: &[(&str, &str)]| {
        let headers = [&[("host", "127.0.0.1:8765")], more].concat();
        ask(&dashboard, path, &headers).status
    };
    let site = "sec-fetch-site";
    let picture = "/runs/00000-tiny-s5/samples/s0-i0001-child.png";
    for path in ["/", "/api/runs", "/api/runs/00000-tiny-s5", "/assets/app.js", picture] {
        for own in ["same-origin", "none"] {
            assert_eq!(status(path, &[(site, own)]), StatusCode::OK, "{path}, {own}");
        }
        // Another port of this machine is of the same site, and yet another program.
        for foreign in ["cross-site", "same-site", "", "nonsense"] {
            assert_eq!(
                status(path, &[(site, foreign)]),
                StatusCode::FORBIDDEN,
                "{path}, {foreign}"
            );
        }
        let own = [("origin", "http://127.0.0.1:8765")];
        assert_eq!(status(path, &own), StatusCode::OK, "{path}");
        let foreign = ["http://evil.example", "null", "http://127.0.0.1:9", "127.0.0.1:8765", ""];
        for foreign in foreign {
            assert_eq!(status(path, &[("origin", foreign)]), StatusCode::FORBIDDEN, "{foreign}");
        }
    }
    let link = |path| {
        let mode = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        status(path, &[&[(site, "cross-site")], &mode[..]].concat())
    };
    assert_eq!(link("/"), StatusCode::OK, "a link that somebody follows");
    assert_eq!(link("/api/runs"), StatusCode::FORBIDDEN);
    let frame =
        [(site, "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(status("/", &frame), StatusCode::FORBIDDEN);
}

#[test]
fn the_page_reads_no_text_as_markup() {
    let home = tempfile::tempdir().unwrap();
    let dashboard = Dashboard::open(home.path()).unwrap();
    let page = String::from_utf8(get(&dashboard, "/").body).unwrap();
    let first = get(&dashboard, "/assets/app.js");
    let mut texts = vec![("app.js".to_owned(), String::from_utf8(first.body).unwrap())];
    let mut at = 0;
    while let Some((_, text)) = texts.get(at).cloned() {
        for name in text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            if texts.iter().all(|(known, _)| known != name) {
                let asset = get(&dashboard, &format!("/assets/{name}"));
                texts.push((name.to_owned(), String::from_utf8(asset.body).unwrap()));
            }
        }
        at += 1;
    }
    assert!(texts.len() > 10 && page.contains("/assets/app.js"), "{}", texts.len());
    for (name, text) in texts {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "srcdoc",
            "new Function",
            "javascript:",
        ] {
            assert!(!text.contains(way), "{name} has {way}");
        }
        // The drawing of an architecture, which the server makes of numbers.
        assert_eq!(text.matches("DOMParser").count(), usize::from(name == "dom.js"), "{name}");
    }
}

#[test]
fn nothing_can_be_changed() {
    let (_home, runs) = finished();
    let dashboard = Dashboard::open(&runs).unwrap();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(&method).uri("/api/runs/00000-tiny-s5");
        let request = request.header("host", "localhost").body(Body::empty()).unwrap();
        assert_eq!(answer(&dashboard, request).status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}

#[test]
fn it_answers_on_a_socket() {
    let (_home, runs) = finished();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    std::thread::spawn(move || dashboard.serve(listener));
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!("GET /api/runs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(text.contains("00000-tiny-s5"), "{text}");
}
