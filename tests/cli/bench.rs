//! `autogan bench`: one line of JSON, the order in which architectures are taken, refusals.

use std::path::Path;

use serde_json::Value;

use crate::common::{CommandOutput, autogan, words};

const SMALL: [&str; 13] = [
    "bench",
    "supernet",
    "--gf",
    "4",
    "--df",
    "4",
    "--d-batch",
    "3",
    "--g-batch",
    "2",
    "--n-critic",
    "2",
    "--json",
];

fn supernet(dir: &Path, archs: &str, more: &[&str]) -> CommandOutput {
    std::fs::write(dir.join("archs.txt"), archs).unwrap();
    autogan(dir, &[&SMALL[..], &["--archs", "archs.txt"], more].concat())
}

fn json(text: &str) -> Value {
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn cycles_take_architectures_in_turn_and_repeat_on_any_threads() {
    let dir = tempfile::tempdir().unwrap();
    let losses = |archs: &str, threads: &str| {
        let more = ["--stage", "0", "--cycles", "1", "--threads", threads];
        let value = json(&supernet(dir.path(), archs, &more).ok());
        (value["d_loss"].clone(), value["g_loss"].clone())
    };
    // The first cycle is not timed: the second of two steps takes lines 3 and 4.
    let four = losses("0 1 2 1\n1 0 1 0\n0 0 0 1\n1 2 1 1\n", "1");
    assert_eq!(four, losses("0 1 2 1\n1 0 1 0\n0 0 0 1\n1 2 1 1\n1 1 1 1\n", "2"));
    assert_ne!(four.1, losses("0 1 2 1\n1 0 1 0\n", "1").1);
    // The G step has the architecture of the last D step.
    let other = losses("0 1 2 1\n1 0 1 0\n0 0 0 1\n0 1 0 0\n", "1");
    assert_ne!(four.1, other.1);
}

#[test]
fn every_cycle_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let more = ["--stage", "1", "--cycles", "3"];
    let value = json(&supernet(dir.path(), "0 1 2 1 1 0 1 1 1\n", &more).ok());
    for key in ["cycle_s", "d_loss", "g_loss"] {
        let each = value[key].as_array().unwrap();
        assert!(each.len() == 3 && each.iter().all(Value::is_f64), "{key}: {value}");
    }
    let mut seconds: Vec<f64> =
        value["cycle_s"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    seconds.sort_by(f64::total_cmp);
    let rate = value["images_per_s"].as_f64().unwrap();
    assert!((rate * seconds[1] / 6.0 - 1.0).abs() < 1e-9, "{value}");
}

#[test]
fn features_and_distances() {
    let value = json(&words("bench inception --images 3 --batch 2 --json").ok());
    assert!(value["images_per_s"].as_f64().unwrap() > 0.0, "{value}");
    let value = json(&words("bench frechet --dim 40 --samples 90 --repeat 3 --json").ok());
    assert_eq!(value["each_s"].as_array().unwrap().len(), 3);
    assert!(value["distance"].as_f64().unwrap() > 0.0, "{value}");
}

#[test]
fn refusals() {
    let dir = tempfile::tempdir().unwrap();
    let error = supernet(dir.path(), "0 1 2 1\n", &["--stage", "2"]).fails(1);
    assert!(error.contains("archs.txt, line 1: expected an architecture of stage 2"), "{error}");
    let error = supernet(dir.path(), "", &["--stage", "0"]).fails(1);
    assert!(error.contains("expected one released vector a line, found none"), "{error}");
    let error = supernet(dir.path(), "0 1 2 1", &["--stage", "0", "--cycles", "0"]).fails(1);
    assert!(error.contains("--cycles: expected 1 or more"), "{error}");
    let error = words("bench frechet --dim 10 --samples 10").fails(1);
    assert!(error.contains("--samples: expected more than 10"), "{error}");
    assert!(words("bench supernet --stage 3 --archs x").fails(2).contains("0..=2"));
}
