//! Run directories that somebody made to do harm: each is shown as far as it is one, says what is wrong, and takes neither
//! time nor memory without bound. The report reads them too.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use autogan_files::Sha256;
use autogan_report::dashboard::Dashboard;
use autogan_report::report_html;
use autogan_run::{Event, Host, Image, RunDir, Scalar, Store};
use axum::http::StatusCode;
use roxmltree::{Document, ParsingOptions};
use rusqlite::Connection;

use crate::fixture::{RunInProgress, config, finished, get, trial};

const RUN: &str = "/api/runs/00000-tiny-s5";
/// Much longer than any of these takes: a test that takes as long hangs.
const HANG: Duration = Duration::from_secs(300);

/// The result of `look`, which has to come to an end.
fn ends<T: Send + 'static>(what: &str, look: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(look()));
    told.recv_timeout(HANG).unwrap_or_else(|_| panic!("{what}: it does not end, or it panicked"))
}

/// What is wrong with the run, as list, run and report say; all three have to be answered.
fn problems(runs: &Path) -> String {
    let dashboard = Dashboard::open(runs).unwrap();
    let list = get(&dashboard, "/api/runs");
    assert_eq!(list.status, StatusCode::OK, "{}", String::from_utf8_lossy(&list.body));
    let listed = list.json()["runs"][0]["problems"].to_string();
    let run = get(&dashboard, RUN);
    let (_, reported) = report_html(&RunDir::open(&runs.join("00000-tiny-s5")).unwrap());
    if run.status == StatusCode::FORBIDDEN {
        return listed;
    }
    assert_eq!(run.status, StatusCode::OK, "{}", String::from_utf8_lossy(&run.body));
    assert_eq!(listed, run.json()["problems"].to_string());
    format!("{listed} {}", reported.join("; "))
}

fn store(runs: &Path) -> PathBuf {
    runs.join("00000-tiny-s5/run.sqlite")
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    for file in
        ["host.json", "arch.json", "scores.json", "run.sqlite", "run.lock", "run.sqlite-wal"]
    {
        let (_home, runs) = finished();
        let path = runs.join("00000-tiny-s5").join(file);
        let _ = fs::remove_file(&path);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let dashboard = Dashboard::open(&runs).unwrap();
        let list = ends(file, move || get(&dashboard, "/api/runs")).json();
        let said = list["runs"][0]["problems"].to_string();
        assert!(said.contains(&format!("{file} is not a plain file")), "{file}: {said}");
        if file != "run.sqlite-wal" {
            let run = RunDir::open(&runs.join("00000-tiny-s5")).unwrap();
            ends(file, move || report_html(&run));
        }
    }
    let (_home, runs) = finished();
    let pipe = runs.join("00000-tiny-s5/samples/s0-i0001-child.png");
    fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = ends("a picture", move || {
        let dashboard = Dashboard::open(&runs).unwrap();
        let picture = get(&dashboard, "/runs/00000-tiny-s5/samples/s0-i0001-child.png");
        assert_eq!(picture.status, StatusCode::NOT_FOUND);
        problems(&runs)
    });
    assert!(said.contains("expected a plain file, found a pipe"), "{said}");
}

#[test]
fn a_file_without_end_is_not_read() {
    for file in ["config.toml", "host.json", "arch.json", "scores.json"] {
        let (_home, runs) = finished();
        File::create(runs.join("00000-tiny-s5").join(file)).unwrap().set_len(1 << 40).unwrap();
        let said = ends(file, move || problems(&runs));
        assert!(said.contains("expected at most"), "{file}: {said}");
        assert!(said.contains("found 1099511627776"), "{file}: {said}");
    }
    let (_home, runs) = finished();
    let picture = runs.join("00000-tiny-s5/samples/s0-i0001-child.png");
    File::options().write(true).open(&picture).unwrap().set_len(1 << 40).unwrap();
    let said = ends("a picture", move || {
        let dashboard = Dashboard::open(&runs).unwrap();
        let picture = get(&dashboard, "/runs/00000-tiny-s5/samples/s0-i0001-child.png");
        assert_eq!(picture.status, StatusCode::NOT_FOUND);
        problems(&runs)
    });
    assert!(said.contains("expected at most 16777216 bytes"), "{said}");
}

#[test]
fn brackets_without_end_are_an_error() {
    let (_home, runs) = finished();
    let run = runs.join("00000-tiny-s5");
    let deep = "[".repeat(500_000);
    let body = format!("{{\n  \"top\": {deep}\n}}");
    let sealed = format!(
        "{},\n  \"checksum\": \"sha256:{}\"\n}}\n",
        body.strip_suffix("\n}").unwrap(),
        Sha256::of(&body)
    );
    fs::write(run.join("arch.json"), sealed).unwrap();
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), format!("{config}\na = {deep}\n")).unwrap();
    let mut store = Store::open(&store(&runs)).unwrap();
    let event = |json: String| Event { tick: 9, kind: "beam".into(), json, seconds: 0.0 };
    for _ in 0..200 {
        store.add(&event("[".repeat(1000))).unwrap();
    }
    store.add(&event("[".repeat(100_000) + &"]".repeat(100_000))).unwrap();
    store.finish().unwrap();
    let said = ends("brackets", move || problems(&runs));
    assert!(said.contains("arch.json is damaged"), "{said}");
    assert!(said.contains("config.toml"), "{said}");
    assert!(said.contains("an event of the store holds no JSON"), "{said}");
    assert!(said.contains("more problems") && said.len() < 40_000, "{said}");
}

#[test]
fn toml_without_end_is_an_error() {
    let (_home, runs) = finished();
    let run = runs.join("00000-tiny-s5");
    // Without a store, nothing says which configuration is the right one.
    fs::remove_file(run.join("run.sqlite")).unwrap();
    for deep in ["[".repeat(500_000), "{a=".repeat(200_000)] {
        fs::write(run.join("config.toml"), format!("a = {deep}")).unwrap();
        let runs = runs.clone();
        let said = ends("toml", move || problems(&runs));
        assert!(said.contains("config.toml cannot be read"), "{said}");
    }
}

#[test]
fn only_the_tables_of_a_store_are_read() {
    // Each of these would give rows without end, or run an expression of whoever wrote the file.
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    for change in [
        format!("DROP TABLE trials; CREATE VIEW trials AS {rows} SELECT i AS id, i AS tick FROM n"),
        format!(
            "DROP TABLE scalars_crc; CREATE VIEW scalars_crc AS {rows} SELECT i AS id, i AS crc FROM n"
        ),
        format!("CREATE VIEW more AS {rows} SELECT i FROM n"),
        "CREATE TABLE more (id INTEGER)".to_owned(),
        "CREATE TRIGGER more AFTER INSERT ON trials BEGIN DELETE FROM trials; END".to_owned(),
        "CREATE INDEX more ON trials (hex(named))".to_owned(),
        "ALTER TABLE events ADD COLUMN more TEXT AS (hex(zeroblob(1000000000)))".to_owned(),
        "DROP TABLE sessions".to_owned(),
        "DROP INDEX scalars_tag".to_owned(),
    ] {
        let (_home, runs) = finished();
        Connection::open(store(&runs)).unwrap().execute_batch(&change).unwrap();
        let looked = change.clone();
        let said = ends(&change, move || {
            assert!(Store::open(&store(&runs)).is_err(), "{looked}");
            problems(&runs)
        });
        assert!(said.contains("is missing, or not as autogan makes it"), "{change}: {said}");
    }
    // SQLite itself makes a table for its statistics.
    let (_home, runs) = finished();
    Connection::open(store(&runs)).unwrap().execute_batch("ANALYZE").unwrap();
    assert_eq!(problems(&runs), "[] ");
}

#[test]
fn a_text_without_end_is_not_read() {
    let (_home, runs) = finished();
    let change = Connection::open(store(&runs)).unwrap();
    let long = "UPDATE trials SET named = hex(zeroblob(32 << 20)) WHERE id = 2";
    assert_eq!(change.execute(long, []).unwrap(), 1);
    drop(change);
    let said = ends("a long text", move || problems(&runs));
    assert!(said.contains("too big"), "{said}");
}

#[test]
fn numbers_without_measure_do_no_harm() {
    let (_home, runs) = finished();
    let mut store = Store::open(&store(&runs)).unwrap();
    let last = i64::MAX.cast_unsigned();
    for (stage, iteration) in [(u32::MAX, 1), (2, 1), (0, u32::MAX), (3, 7)] {
        let mut row = trial(6, iteration, u32::MAX, f64::MAX);
        row.stage = stage;
        store.add(&row).unwrap();
        let (path, tag) = ("samples/a.png".to_owned(), "child".to_owned());
        store.add(&Image { tick: 6, path, stage, iteration, tag, seconds: -1e308 }).unwrap();
    }
    for score in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN, -0.0] {
        let mut row = trial(7, 1_000_000_000, 0, score);
        (row.params, row.macs, row.seconds) = (last, last, score);
        row.reward = Some(score);
        store.add(&row).unwrap();
        let tag = "loss/g".to_owned();
        store.add(&Scalar { tick: 7, step: last, tag, value: score, seconds: score }).unwrap();
    }
    for tag in ["policy/", "policy//", "policy/conv", "score/real/stage99999999999", ""] {
        let tag = tag.to_owned();
        store.add(&Scalar { tick: 7, step: 0, tag, value: 1.0, seconds: 1.0 }).unwrap();
    }
    for at in 0..2000 {
        let tag = format!("policy/{}/{at}", at % 90);
        store.add(&Scalar { tick: 7, step: at, tag, value: 1.0, seconds: 1.0 }).unwrap();
    }
    for stage in [u64::MAX, 2, 3] {
        let json = format!("{{\"stage\": {stage}, \"entries\": [{{\"arch\": [1, 0, 1, 0]}}, 7]}}");
        store.add(&Event { tick: 9, kind: "beam".into(), json, seconds: f64::MAX }).unwrap();
    }
    let (kind, json) = ("reset".to_owned(), "{\"step\": 18446744073709551615}".to_owned());
    store.add(&Event { tick: last, kind, json, seconds: 1.0 }).unwrap();
    store.finish().unwrap();
    let said = ends("numbers", move || problems(&runs));
    assert!(said.contains("4 rows of trials are left out, row 5 first"), "{said}");
    assert!(said.contains("3 rows of images are left out, row 3 first"), "{said}");
    assert!(said.contains("tokens of the policy"), "{said}");
}

/// What a browser would run, wherever it stood: in an element, in an attribute, in a style, in a script.
const MARKUP: &str = "'\"></style></script><script>alert(1)</script><img src=x onerror=alert(2)>";

#[test]
fn names_are_never_markup() {
    let home = tempfile::tempdir().unwrap();
    let name = MARKUP.replace('/', "");
    let host = Host { hostname: MARKUP.into(), cpu: MARKUP.into(), ..Host::detect(MARKUP) };
    let (dir, lock) = RunDir::create_at(&home.path().join(&name), &config(), &host).unwrap();
    let mut run =
        RunInProgress::resumed(autogan_run::RunWriter::start(dir.clone(), lock).unwrap(), 0);
    run.iteration(0);
    run.iteration(1);
    for tag in [MARKUP, "policy/x/", "policy/", "loss/"] {
        run.scalar(&format!("{tag}{}", MARKUP.replace('/', "")), 1.0);
    }
    let mut row = trial(9, 1, 2, 9.0);
    row.named = MARKUP.to_owned();
    run.writer.trial(&row).unwrap();
    run.writer.finish().unwrap();
    let mut store = Store::open(&dir.store_path()).unwrap();
    let json = serde_json::json!({ "word": MARKUP, "stage": 0 }).to_string();
    for kind in [MARKUP, "beam", "reset", "stage", "config"] {
        let (kind, json) = (kind.to_owned(), json.clone());
        store.add(&Event { tick: 99, kind, json, seconds: 0.0 }).unwrap();
    }
    let (path, tag) = (format!("samples/{MARKUP}.png"), "child".to_owned());
    store.add(&Image { tick: 99, path, stage: 0, iteration: 1, tag, seconds: 0.0 }).unwrap();
    store.finish().unwrap();

    let (html, problems) = report_html(&RunDir::open(dir.path()).unwrap());
    assert!(problems.iter().any(|problem| problem.contains("onerror")), "{problems:?}");
    assert!(html.contains("&lt;script"), "the names are shown");
    assert!(!html.contains("<script") && !html.contains("<img src=x"));
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let page = Document::parse_with_options(&html, options).unwrap();
    for node in page.descendants() {
        assert_ne!(node.tag_name().name(), "script");
        assert!(node.attributes().all(|one| !one.name().starts_with("on")), "{node:?}");
    }

    // The page gets JSON, which no browser takes for anything else, and shows it as text.
    let dashboard = Dashboard::open(home.path()).unwrap();
    let name: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for path in ["/api/runs".to_owned(), format!("/api/runs/{name}"), format!("/api/runs/x{name}")]
    {
        let answer = get(&dashboard, &path);
        assert!(String::from_utf8_lossy(&answer.body).contains("onerror"), "{path}");
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
}
