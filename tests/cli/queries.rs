//! `autogan trials`, `runs`, `compare`, `completions` and `man`.

use std::fs;

use serde_json::Value;

use crate::common::{autogan, files, tiny_run, words};

#[test]
fn trials_are_listed_filtered_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let (run, _) = tiny_run(dir.path(), "runs/mine", &["--quiet"]);
    let list = |args: &[&str]| autogan(dir.path(), &[&["trials"], args].concat());
    let csv = list(&["mine", "--format", "csv"]).ok();
    let lines: Vec<&str> = csv.lines().collect();
    // 4 iterations of 2 steps of 2 children, 2 growths of 4 candidates, 4 for the result, 3 random.
    assert_eq!(lines.len() - 1, 4 * 2 * 2 + 2 * 4 + 4 + 3);
    assert_eq!(list(&["--format", "csv"]).ok(), csv, "the newest run without a name");
    let json: Value = serde_json::from_str(&list(&["mine", "--format", "json"]).ok()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), lines.len() - 1);
    let only = |args: &[&str]| -> Vec<Value> {
        let text = list(&[&["mine", "--format", "json"], args].concat()).ok();
        serde_json::from_str(&text).unwrap()
    };
    let random = only(&["--kind", "random"]);
    assert!(random.len() == 3 && random.iter().all(|trial| trial["kind"] == "random"));
    let top = only(&["--top", "2", "--stage", "2", "--kind", "controller"]);
    assert_eq!(top.len(), 2);
    assert!(top.iter().all(|trial| trial["stage"] == 2));
    assert!(top[0]["reward"].as_f64() >= top[1]["reward"].as_f64());
    assert_eq!(top[0]["score"], top[0]["reward"], "nothing is taken off for cost");
    let table = list(&["mine", "--top", "1"]).ok();
    assert!(table.starts_with("  id  kind") || table.starts_with("id  kind"), "{table}");
    assert_eq!(table.lines().count(), 1 + 3, "{table}");

    let out = dir.path().join("trials.csv");
    assert_eq!(list(&["mine", "--format", "csv", "--out", out.to_str().unwrap()]).ok(), "");
    assert_eq!(fs::read_to_string(&out).unwrap(), csv);
    assert_eq!(list(&["mine", "--format", "parquet", "--out", "t.parquet"]).ok(), "");
    let bytes = fs::read(dir.path().join("t.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    for (args, message) in [
        (vec!["mine", "--kind", "guess"], "controller, candidate, derive, random"),
        (vec!["mine", "--format", "xml"], "table, csv, json, parquet"),
        (vec!["mine", "--stage", "3"], "0..3"),
    ] {
        let error = list(&args).fails(2);
        assert!(error.contains(message), "{error}");
    }
    assert!(list(&["7"]).fails(1).contains("no run \"7\""));
    assert!(run.join("arch.json").exists());
}

#[test]
fn runs_are_listed_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(autogan(dir.path(), &["runs"]).ok(), "");
    tiny_run(dir.path(), "runs/first", &["--seed", "1"]);
    tiny_run(dir.path(), "runs/second", &["--seed", "1", "--set", "train.g_lr=0.001"]);
    let table = autogan(dir.path(), &["runs"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("run ") && lines[0].contains("best"), "{table}");
    for (line, name) in lines[1..].iter().zip(["first", "second"]) {
        assert!(line.starts_with(name) && line.contains("finished"), "{table}");
        assert!(line.contains("3/3") && line.contains("4/4"), "{table}");
    }
    let compared = autogan(dir.path(), &["compare", "first", "second"]).ok();
    let configuration = compared.split_once("configuration").unwrap().1;
    let keys: Vec<&str> =
        configuration.lines().skip(1).map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(keys, ["train.g_lr"], "differences only: {compared}");
    let same = autogan(dir.path(), &["compare", "first", "runs/first"]).ok();
    assert!(same.contains("The configurations are the same"), "{same}");
    let json = autogan(dir.path(), &["compare", "first", "second", "--format", "json"]).ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["runs"], serde_json::json!(["first", "second"]));
    assert_eq!(json["configuration"]["train.g_lr"][1], 0.001);
    assert!(json["results"]["best"][0].as_f64() > Some(0.0));
    assert!(autogan(dir.path(), &["compare", "first", "third"]).fails(1).contains("third"));
    assert!(autogan(dir.path(), &["compare", "first"]).fails(2).contains("RUN"));

    // An edited configuration is a wrong label on the results.
    let config = dir.path().join("runs/second/config.toml");
    let text = fs::read_to_string(&config).unwrap().replace("seed = 1", "seed = 9");
    fs::write(&config, text).unwrap();
    assert!(autogan(dir.path(), &["compare", "first", "second"]).fails(1).contains("seed = 9"));
    let listed = autogan(dir.path(), &["runs"]);
    assert!(listed.stderr.contains("seed = 9"), "{listed:?}");
    assert!(listed.ok().contains("damaged"));
}

#[test]
fn shells_and_man_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = words(&format!("completions {shell}")).ok();
        for word in ["trials", "compare", "checkpoint-every"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    assert!(words("completions cmd").fails(2).contains("bash"));
    assert!(words("man").ok().contains(".SH NAME"));
    let dir = tempfile::tempdir().unwrap();
    autogan(dir.path(), &["man", "share/man1"]).ok();
    let pages = files(&dir.path().join("share/man1"));
    let names: Vec<&str> = pages.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    for name in ["autogan.1", "autogan-search.1", "autogan-trials.1", "autogan-arch-show.1"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let search = fs::read_to_string(dir.path().join("share/man1/autogan-search.1")).unwrap();
    assert!(search.contains("autogan\\-search") && search.contains("checkpoint\\-every"));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::Stdio;
    let dir = tempfile::tempdir().unwrap();
    tiny_run(dir.path(), "run", &["--quiet"]);
    for line in ["trials run --format json", "arch random -n 100000", "completions bash"] {
        let mut child = crate::common::command(dir.path())
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stderr), "", "{line}");
        assert!(ran.status.success(), "{line}");
    }
    if std::path::Path::new("/dev/full").exists() {
        for line in ["trials run", "arch random -n 100000"] {
            let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
            let mut command = crate::common::command(dir.path());
            let ran = command.args(line.split(' ')).stdout(full).output().unwrap();
            assert_eq!(ran.status.code(), Some(1), "{line}");
            assert!(String::from_utf8_lossy(&ran.stderr).contains("cannot write to stdout"));
        }
    }
}
