//! A search that Ctrl-C stops, and that is resumed.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{
    CommandOutput, autogan, command, interrupt_command, last_checkpoint, tiny_run, tiny_search,
};

/// Starts a tiny search, sends `signal` once a line on stderr starts with `when`, and waits for its end.
pub fn interrupted(dir: &Path, args: &[&str], when: &str, signal: &str) -> CommandOutput {
    interrupt_command(tiny_search(dir, args), when, signal)
}

#[test]
fn an_interrupted_search_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, summary) = tiny_run(dir.path(), "whole", &["--seed", "2"]);
    let args = ["--seed", "2", "--run-dir", "cut"];
    let cut = interrupted(dir.path(), &args, "iteration  1/4", "-INT");
    let stderr = cut.fails(130);
    let advice = "continue with: autogan search --resume cut";
    assert!(stderr.contains(advice), "{stderr}");
    let run = dir.path().join("cut");
    assert!(!run.join("arch.json").exists(), "it was not stopped in time");

    let resumed = autogan(dir.path(), &["search", "--resume", "cut"]);
    assert!(resumed.stderr.contains("resumed at stage"), "{resumed:?}");
    let resumed = resumed.ok();
    let scores = |text: &str| {
        text.lines().filter(|l| l.starts_with("  ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        scores(&resumed.replace("cut", "whole")),
        scores(&summary),
        "the same result is printed"
    );
    assert!(
        fs::read(last_checkpoint(&run)).unwrap() == fs::read(last_checkpoint(&whole)).unwrap(),
        "the last checkpoints differ"
    );
    assert_eq!(
        fs::read(run.join("arch.json")).unwrap(),
        fs::read(whole.join("arch.json")).unwrap()
    );
}

#[test]
fn the_newest_run_is_resumed_and_a_finished_one_stays_finished() {
    let dir = tempfile::tempdir().unwrap();
    let cut = interrupted(dir.path(), &[], "stage 1/3", "-TERM");
    let stderr = cut.fails(143);
    assert!(stderr.contains("autogan search --resume 00000-quick-s0"), "{stderr}");
    autogan(dir.path(), &["search", "--resume", "--quiet"]).ok();
    let run = dir.path().join("runs/00000-quick-s0");
    let (arch, last) = (fs::read(run.join("arch.json")).unwrap(), last_checkpoint(&run));
    let again = autogan(dir.path(), &["search", "--resume", "0"]).ok();
    assert!(again.contains("real images"), "{again}");
    assert_eq!(fs::read(run.join("arch.json")).unwrap(), arch);
    assert_eq!(last_checkpoint(&run), last);
}

#[test]
fn a_run_without_a_checkpoint_starts_from_its_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, _) = tiny_run(dir.path(), "whole", &[]);
    // A process that is killed right after its start leaves this file behind.
    let bare = dir.path().join("bare");
    fs::create_dir(&bare).unwrap();
    fs::copy(whole.join("config.toml"), bare.join("config.toml")).unwrap();
    CommandOutput::from(command(dir.path()).args(["search", "--resume", "bare"]).output().unwrap())
        .ok();
    assert_eq!(
        fs::read(bare.join("arch.json")).unwrap(),
        fs::read(whole.join("arch.json")).unwrap()
    );
}

/// A search in which each unit of work takes long.
fn slow(dir: &Path, args: &[&str]) -> Child {
    let mut search = tiny_search(dir, &["--set", "reward.images=400000", "--run-dir", "slow"]);
    search.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    search.spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Reads stderr up to a line that contains `text`.
fn read_until(child: &mut Child, text: &str) {
    let mut stderr = BufReader::new(child.stderr.as_mut().unwrap());
    let mut seen = String::new();
    while !seen.contains(text) {
        assert_ne!(stderr.read_line(&mut seen).unwrap(), 0, "it ended without {text:?}: {seen}");
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = slow(dir.path(), &[]);
    read_until(&mut child, "search quick");
    send(&child, "-INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the first one waits for the unit of work");
    let begun = Instant::now();
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn the_second_process_is_told_who_holds_the_run_and_a_kill_leaves_nothing_to_clean() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = slow(dir.path(), &["--runs-dir", "."]);
    read_until(&mut child, "search quick");
    let error = autogan(dir.path(), &["search", "--resume", "slow"]).fails(1);
    let holder = format!("process {} on ", child.id());
    assert!(error.contains(&holder) && error.contains(" since 20"), "{error}");
    let again = tiny_search(dir.path(), &["--run-dir", "slow"]).output().unwrap();
    assert!(CommandOutput::from(again).fails(1).contains("already holds a run"));
    assert!(autogan(dir.path(), &["runs", "."]).ok().contains("running"));
    autogan(dir.path(), &["trials", "slow"]).ok();
    child.kill().unwrap();
    child.wait().unwrap();
    let left = autogan(dir.path(), &["runs", "."]).ok();
    assert!(!left.contains("running"), "{left}");
    let mut resumed = command(dir.path());
    resumed.args(["search", "--resume", "slow"]).stderr(Stdio::piped());
    let mut resumed = resumed.spawn().unwrap();
    read_until(&mut resumed, "search quick");
    resumed.kill().unwrap();
    resumed.wait().unwrap();
}

#[test]
fn a_changed_configuration_is_refused_unless_its_keys_are_named() {
    let dir = tempfile::tempdir().unwrap();
    interrupted(dir.path(), &["--run-dir", "cut"], "iteration  1/4", "-INT").fails(130);
    let resume =
        |more: &[&str]| autogan(dir.path(), &[&["search", "--resume", "cut"], more].concat());
    let change = ["--set", "train.g_lr=0.01"];
    let error = resume(&change).fails(1);
    assert!(error.contains("train.g_lr (was 0.002, is 0.01)"), "{error}");
    assert!(error.contains("--may-change"), "{error}");
    let error = resume(&["--set", "model.gf=8", "--may-change", "model.gf"]).fails(1);
    assert!(error.contains("unlike model"), "{error}");
    resume(&[&change[..], &["--may-change", "train.g_lr"]].concat()).ok();
    let config = fs::read_to_string(dir.path().join("cut/config.toml")).unwrap();
    assert!(config.contains("g_lr = 0.01\n"), "{config}");
    assert!(
        autogan(dir.path(), &["search", "--may-change", "train"]).fails(2).contains("--resume")
    );
}
