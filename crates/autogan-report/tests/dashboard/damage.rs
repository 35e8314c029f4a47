//! Damaged runs: the list names the problem, nothing crashes, and no number is wrong.

use std::fs;
use std::path::Path;

use autogan_report::dashboard::Dashboard;
use axum::http::StatusCode;
use serde_json::Value;

use crate::fixture::{finished, get};

/// The run's entry in the list.
fn line(dashboard: &Dashboard) -> Value {
    let list = get(dashboard, "/api/runs");
    assert_eq!(list.status, StatusCode::OK);
    list.json()["runs"][0].clone()
}

#[test]
fn every_file_truncated_zeroed_or_flipped_is_an_error_in_the_list() {
    let (_home, runs) = finished();
    let run = runs.join("00000-tiny-s5");
    let good = line(&Dashboard::open(&runs).unwrap());
    let trials =
        get(&Dashboard::open(&runs).unwrap(), "/api/runs/00000-tiny-s5").json()["trials"].clone();
    for file in ["run.sqlite", "config.toml", "host.json", "run.lock"] {
        let path = run.join(file);
        let whole = fs::read(&path).unwrap();
        for (how, bytes) in damages(&whole) {
            fs::write(&path, bytes).unwrap();
            let dashboard = Dashboard::open(&runs).unwrap();
            let found = line(&dashboard);
            let said = found["problems"].as_array().unwrap();
            // Of config.toml and run.lock, which have no checksum, the content may merely differ.
            if matches!(file, "run.sqlite" | "host.json") && how != "a flipped bit" {
                assert!(!said.is_empty(), "{file}, {how}: {found}");
            }
            let answer = get(&dashboard, "/api/runs/00000-tiny-s5");
            assert_eq!(answer.status, StatusCode::OK, "{file}, {how}");
            let shown = answer.json()["trials"].clone();
            assert!(shown == trials || shown == serde_json::json!([]), "{file}, {how}: {shown}");
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(line(&Dashboard::open(&runs).unwrap()), good);
}

/// Damaged copies of a file: cut, zeroed, and with a bit flipped at several places.
fn damages(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = vec![
        ("empty", Vec::new()),
        ("cut in half", whole[..whole.len() / 2].to_vec()),
        ("zeroed", vec![0; whole.len().max(1)]),
    ];
    for part in 0..24 {
        let mut bytes = whole.to_vec();
        if let Some(byte) = bytes.get_mut(whole.len() * part / 24) {
            *byte ^= 0x10;
            found.push(("a flipped bit", bytes));
        }
    }
    found
}

#[test]
fn a_changed_row_is_found_and_the_rest_is_shown() {
    let (_home, runs) = finished();
    let store = runs.join("00000-tiny-s5/run.sqlite");
    let change = rusqlite::Connection::open(&store).unwrap();
    change.execute("UPDATE trials SET score = 99.0 WHERE id = 2", []).unwrap();
    drop(change);
    let dashboard = Dashboard::open(&runs).unwrap();
    let problem = line(&dashboard)["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.contains("row 2 of trials does not match its checksum"), "{problem}");
    let run = get(&dashboard, "/api/runs/00000-tiny-s5").json();
    assert_eq!(run["trials"], serde_json::json!([]));
    assert_eq!(run["scalars"]["loss/d"]["value"].as_array().unwrap().len(), 4);
}

#[test]
fn a_directory_in_place_of_a_file_is_refused() {
    let (_home, runs) = finished();
    let store = runs.join("00000-tiny-s5/run.sqlite");
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    let problem = line(&dashboard)["problems"][0].as_str().unwrap().to_owned();
    assert_eq!(problem, "run.sqlite is not a plain file");
    assert_eq!(get(&dashboard, "/api/runs/00000-tiny-s5").status, StatusCode::FORBIDDEN);
}

#[test]
fn what_is_no_picture_is_not_served_as_one() {
    let (_home, runs) = finished();
    let samples: &Path = &runs.join("00000-tiny-s5/samples");
    fs::write(samples.join("page.png"), "<script>alert(1)</script>").unwrap();
    fs::write(samples.join("page.html"), "\u{89}PNG\r\n").unwrap();
    let dashboard = Dashboard::open(&runs).unwrap();
    for file in ["page.png", "page.html"] {
        let answer = get(&dashboard, &format!("/runs/00000-tiny-s5/samples/{file}"));
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{file}");
    }
}
