//! The dashboard serves nothing outside of its directory, whatever the request, and changes nothing inside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use autogan_report::dashboard::Dashboard;
use axum::http::StatusCode;

use crate::fixture::{RunInProgress, finished, get};

/// The first bytes of a picture. Only its place keeps the server from serving it.
const SECRET: &[u8] = b"\x89PNG\r\n\x1a\n secret =";

#[test]
fn no_path_leads_out() {
    let (home, runs) = finished();
    fs::write(home.path().join("secret.png"), SECRET).unwrap();
    fs::write(home.path().join("config.toml"), "secret = true\n").unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    for path in [
        "/runs/00000-tiny-s5/samples/../../../secret.png",
        "/runs/00000-tiny-s5/samples/..%2f..%2f..%2fsecret.png",
        "/runs/00000-tiny-s5/samples/%2e%2e%2f%2e%2e%2f%2e%2e%2fsecret.png",
        "/runs/00000-tiny-s5/samples/..%5c..%5csecret.png",
        "/runs/00000-tiny-s5/samples/%252e%252e%252fsecret.png",
        "/runs/00000-tiny-s5/samples/..",
        "/runs/00000-tiny-s5/samples/.",
        "/runs/00000-tiny-s5/samples/%00.png",
        "/runs/00000-tiny-s5/samples/s0-i0000-child.png%00",
        "/runs/../samples/secret.png",
        "/runs/%2e%2e/samples/secret.png",
        "/api/runs/..",
        "/api/runs/%2e%2e",
        "/api/runs/.",
        "/api/runs/%2e",
        "/api/runs/..%2f",
        "/api/runs/00000-tiny-s5%2f..",
        "/api/runs/00000-tiny-s5%2f",
        "/api/runs/%2fetc",
        "/api/runs/%00",
        "/assets/../../secret.png",
        "/assets/..%2fapp.js",
        "/00000-tiny-s5/config.toml",
        "/runs/00000-tiny-s5/config.toml",
        "/runs/00000-tiny-s5/samples/..%2fconfig.toml",
        "/runs/00000-tiny-s5/run.sqlite",
    ] {
        let answer = get(&dashboard, path);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("secret ="), "{path}");
    }
    let absolute = format!("/api/runs/{}", home.path().display().to_string().replace('/', "%2f"));
    assert_eq!(get(&dashboard, &absolute).status, StatusCode::NOT_FOUND);
}

#[cfg(unix)]
#[test]
fn no_link_leads_out() {
    use std::os::unix::fs::symlink;
    let (home, runs) = finished();
    let run = runs.join("00000-tiny-s5");
    fs::write(home.path().join("secret.png"), SECRET).unwrap();
    // A picture, a run, and each file of a run.
    symlink(home.path().join("secret.png"), run.join("samples/out.png")).unwrap();
    symlink(run.join("samples/s0-i0000-child.png"), run.join("samples/in.png")).unwrap();
    let mut elsewhere = RunInProgress::start(&home.path().join("elsewhere"));
    elsewhere.iteration(0);
    elsewhere.writer.finish().unwrap();
    symlink(home.path().join("elsewhere"), runs.join("linked")).unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    let out = get(&dashboard, "/runs/00000-tiny-s5/samples/out.png");
    assert_eq!(out.status, StatusCode::NOT_FOUND);
    let inside = get(&dashboard, "/runs/00000-tiny-s5/samples/in.png");
    assert_eq!(inside.status, StatusCode::OK);
    assert_eq!(get(&dashboard, "/api/runs/linked").status, StatusCode::FORBIDDEN);
    assert_eq!(
        get(&dashboard, "/runs/linked/samples/s0-i0000-child.png").status,
        StatusCode::FORBIDDEN
    );
    let list = get(&dashboard, "/api/runs").json();
    let linked = list["runs"].as_array().unwrap().iter().find(|run| run["name"] == "linked");
    let why = linked.unwrap()["problems"][0].as_str().unwrap();
    assert!(why.contains("link to outside"), "{why}");

    for file in ["config.toml", "host.json", "run.sqlite", "arch.json", "scores.json", "run.lock"] {
        let (path, kept) = (run.join(file), run.join("kept"));
        let had = path.exists();
        if had {
            fs::rename(&path, &kept).unwrap();
        }
        symlink(home.path().join("elsewhere/config.toml"), &path).unwrap();
        let status = get(&dashboard, "/api/runs/00000-tiny-s5").status;
        assert_eq!(status, StatusCode::FORBIDDEN, "{file}");
        fs::remove_file(&path).unwrap();
        if had {
            fs::rename(&kept, &path).unwrap();
        }
    }
    assert_eq!(get(&dashboard, "/api/runs/00000-tiny-s5").status, StatusCode::OK);
}

#[test]
fn looking_changes_no_file() {
    let (_home, runs) = finished();
    // A run that was killed, its store left in WAL mode; and a copy of it with its log.
    let mut killed = RunInProgress::start(&runs.join("killed"));
    killed.iteration(0);
    fs::create_dir(runs.join("copied")).unwrap();
    for file in ["config.toml", "run.sqlite", "run.sqlite-wal"] {
        fs::copy(runs.join("killed").join(file), runs.join("copied").join(file)).unwrap();
    }
    drop(killed);
    let before = files(&runs);
    let dashboard = Dashboard::open(&runs).unwrap();
    let list = get(&dashboard, "/api/runs").json();
    assert_eq!(list["runs"].as_array().unwrap().len(), 3);
    for name in ["killed", "copied", "00000-tiny-s5"] {
        let run = get(&dashboard, &format!("/api/runs/{name}")).json();
        let trials = if name == "00000-tiny-s5" { 4 } else { 2 };
        assert_eq!(run["trials"].as_array().unwrap().len(), trials, "{name}");
    }
    assert_eq!(files(&runs), before);
}

/// Every file below a folder with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}
