//! Arguments that `autogan` refuses, and its error messages.

use std::path::Path;

use crate::common::{CommandOutput, autogan, files, tiny_run, tiny_search, words};

#[test]
fn no_command_and_unknown_ones_are_usage_errors() {
    assert!(words("").fails(2).contains("Usage: autogan"));
    assert!(words("serach").fails(2).contains("'search'"));
    assert!(words("search --pre quick").fails(2).contains("--preset"));
    assert!(words("search --resume --seed 3").fails(2).contains("cannot be used with"));
    assert!(words("--version").ok().starts_with("autogan "));
}

#[test]
fn unknown_presets_and_keys_are_named_with_the_known_ones() {
    let cases = [
        ("search --preset quik", "quick, cifar10-cpu"),
        ("search --set train.d_bach=3", "d_batch"),
        ("search --set trian.d_batch=3", "train"),
        ("search --set train.d_batch", "KEY=VALUE"),
        ("search --set train.d_batch=many", "d_batch"),
        ("search --set train.d_batch=0", "train.d_batch"),
        ("search --set reward.scorer=taste", "compact-shapes"),
        ("search --max-params 9", "budget.max_params: expected 0 (no limit) or at least 44619"),
        ("arch random --max-macs 9", "multiply-accumulates"),
        ("search --set data.dataset=mnist", "cifar10"),
        ("search --device tpu", "expected cpu, cuda (the first NVIDIA GPU) or cuda:N"),
        ("search --device cuda:x", "expected cpu, cuda (the first NVIDIA GPU) or cuda:N"),
        // This machine has no driver, or no program for GPUs lies beside this one. Each gives a single message.
        ("search --device cuda:0", "--device cuda:0: "),
        ("train --arch a --device cuda:1", "--device cuda:1: "),
        ("--threads 0 arch count", "--threads"),
        ("search --config none.toml", "none.toml"),
    ];
    for (line, message) in cases {
        let dir = tempfile::tempdir().unwrap();
        let error = autogan(dir.path(), &line.split(' ').collect::<Vec<_>>()).fails(1);
        assert!(error.starts_with("error: ") && error.contains(message), "{line}: {error}");
        assert!(files(dir.path()).is_empty(), "{line}: something was made");
    }
}

#[test]
fn a_dataset_that_is_not_here_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let error = autogan(dir.path(), &["search", "--preset", "cifar10-cpu", "--offline"]).fails(1);
    for word in ["cifar10", "offline mode is on", "train-NNNNN-of-NNNNN.parquet", "--data DIR"] {
        assert!(error.contains(word), "expected {word:?} in {error}");
    }
    let data = ["search", "--preset", "cifar10-cpu", "--data", "nowhere"];
    let error = autogan(dir.path(), &data).fails(1);
    assert!(error.contains("nowhere") && error.contains("no such directory"), "{error}");
}

#[test]
fn a_directory_that_holds_a_run_or_anything_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (run, _) = tiny_run(dir.path(), "mine", &[]);
    let before = std::fs::read(run.join("run.sqlite")).unwrap();
    let again = |name: &str| -> CommandOutput {
        tiny_search(dir.path(), &["--run-dir", name]).output().unwrap().into()
    };
    let error = again("mine").fails(1);
    assert!(error.contains("mine") && error.contains("--resume"), "{error}");
    assert_eq!(std::fs::read(run.join("run.sqlite")).unwrap(), before);
    std::fs::create_dir(dir.path().join("letters")).unwrap();
    std::fs::write(dir.path().join("letters/a.txt"), "dear").unwrap();
    assert!(again("letters").fails(1).contains("a.txt"));
    assert!(again("letters/a.txt").fails(1).contains("found a file"));
}

#[test]
fn a_run_that_is_not_there_cannot_be_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let error = autogan(dir.path(), &["search", "--resume"]).fails(1);
    assert!(error.contains("runs") && error.contains("autogan search"), "{error}");
    for wanted in ["7", "00007-quick-s0", "some/where"] {
        let error = autogan(dir.path(), &["search", "--resume", wanted]).fails(1);
        assert!(error.contains(wanted), "{error}");
    }
    assert!(!Path::new(&dir.path().join("runs")).exists());
}
