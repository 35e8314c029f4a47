//! Every file of a run directory is damaged in turn: each command falls back or names the fault. None panics, and none
//! gives a wrong result.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{CommandOutput, autogan, files, tiny_run};
use crate::outcome::{Outcome, assert_same, outcome, trials};

/// Copies a run, as if to another machine.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// The paths of the files in a run, with only one of the pictures.
fn parts(run: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    for path in files(run) {
        match path.file_name().unwrap().to_str().unwrap() {
            "samples" => all.extend(files(&path).into_iter().take(1)),
            _ if path.is_dir() => all.extend(files(&path)),
            _ => all.push(path),
        }
    }
    all.into_iter().map(|path| path.strip_prefix(run).unwrap().to_owned()).collect()
}

/// The bytes of a file, damaged in several ways, each with its description.
fn damages(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = |at: usize| {
        let mut bytes = good.to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 4;
        }
        bytes
    };
    vec![
        ("emptied", Vec::new()),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("zeroed", vec![0; good.len()]),
        ("with a bit flipped early", flipped(good.len() / 5)),
        ("with a bit flipped late", flipped(good.len() * 4 / 5)),
    ]
}

/// The text on stdout if the command succeeded. Otherwise panics unless it failed with an explanation.
fn done(ran: CommandOutput, what: &str) -> Option<String> {
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
    match ran.code {
        Some(0) => Some(ran.stdout),
        code => {
            assert_eq!(code, Some(1), "{what}: {ran:?}");
            assert!(ran.stderr.contains("error: "), "{what}: {ran:?}");
            None
        }
    }
}

/// The run's entry in `autogan runs`, if that reports no problem.
fn listed(dir: &Path) -> Option<Value> {
    let text = done(autogan(dir, &["runs", ".", "--format", "json"]), "runs").unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let run = all.as_array().unwrap().iter().find(|run| run["summary"]["name"] == "run")?.clone();
    run["problems"].as_array().unwrap().is_empty().then(|| run["summary"].clone())
}

/// The results of all commands on the undamaged run.
struct GoodResults {
    trials: Vec<String>,
    listed: Value,
    compared: Value,
    outcome: Outcome,
}

fn compared(dir: &Path) -> Option<Value> {
    let text = done(autogan(dir, &["compare", "run", "../other", "--format", "json"]), "compare")?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Damages every file of a copy of `original` in every way, and checks every command on it.
fn check(home: &Path, original: &Path, good: &GoodResults, keep: &str) {
    for (number, part) in parts(original).into_iter().enumerate() {
        for (how, bytes) in damages(&fs::read(original.join(&part)).unwrap()) {
            let what = format!("{keep}: {} {how}", part.display());
            let dir = home.join(format!("{keep}-{number}"));
            let run = dir.join("run");
            copy(original, &run);
            fs::write(run.join(&part), bytes).unwrap();
            let list = autogan(&dir, &["trials", "run", "--format", "csv"]);
            if let Some(csv) = done(list, &what) {
                assert_eq!(trials(&csv), good.trials, "{what}");
            }
            if let Some(line) = listed(&dir) {
                assert_eq!(line, good.listed, "{what}");
            }
            if let Some(table) = compared(&dir) {
                assert_eq!(table, good.compared, "{what}");
            }
            done(autogan(&dir, &["report", "run", "--out", "page.html"]), &what);
            let resumed = autogan(&dir, &["search", "--resume", "run", "--quiet"]);
            if done(resumed, &what).is_some() && !part.starts_with("samples") {
                assert_same(&good.outcome, &outcome(&run), &what);
            }
            fs::remove_dir_all(&dir).unwrap();
        }
    }
}

fn good(home: &Path, run: &Path, whole: &Path) -> GoodResults {
    let dir = run.parent().unwrap();
    GoodResults {
        trials: trials(&autogan(dir, &["trials", "run", "--format", "csv"]).ok()),
        listed: listed(dir).unwrap(),
        compared: compared(dir).unwrap(),
        outcome: outcome(&home.join(whole)),
    }
}

#[test]
fn a_finished_run_with_any_file_damaged() {
    let home = tempfile::tempdir().unwrap();
    tiny_run(home.path(), "other", &["--seed", "8"]);
    let (run, _) = tiny_run(home.path(), "good/run", &["--seed", "7"]);
    let answers = good(home.path(), &run, &run);
    check(home.path(), &run, &answers, "finished");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_with_any_file_damaged() {
    let home = tempfile::tempdir().unwrap();
    tiny_run(home.path(), "other", &["--seed", "8"]);
    let (whole, _) = tiny_run(home.path(), "whole", &["--seed", "7"]);
    let args = ["--seed", "7", "--run-dir", "good/run", "--checkpoint-every", "0s"];
    crate::stopping::interrupted(home.path(), &args, "iteration  2/4", "-INT").fails(130);
    let run = home.path().join("good/run");
    let answers = good(home.path(), &run, &whole);
    check(home.path(), &run, &answers, "interrupted");
}
