//! `autogan report` and `autogan arch show --svg`: the files that they write, and the arguments that they refuse.

use std::fs;

use autogan_run::{Host, RunDir};

use crate::common::{CommandOutput, autogan, tiny_run, tiny_search, tiny_training, words};

#[test]
fn a_search_leaves_its_report_and_the_command_makes_it_anew() {
    let dir = tempfile::tempdir().unwrap();
    let ran: CommandOutput =
        tiny_search(dir.path(), &["--seed", "2", "--quiet"]).output().unwrap().into();
    assert!(ran.ok().contains("report.html"));
    let run = dir.path().join("runs/00000-quick-s2");
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for text in [
        "00000-quick-s2",
        "compact-shapes",
        "Which operations help",
        "data:image/png;base64,",
        "autogan sample runs/00000-quick-s2",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<img").count(), 5, "four iterations and the best");

    // By name, by number, and the newest: the same page.
    for wanted in [&["00000-quick-s2"][..], &["0"], &[]] {
        fs::remove_file(run.join("report.html")).unwrap();
        let out = autogan(dir.path(), &[&["report"], wanted].concat()).ok();
        assert_eq!(out, "runs/00000-quick-s2/report.html\n");
        assert_eq!(fs::read_to_string(run.join("report.html")).unwrap(), page);
    }
    let out = autogan(dir.path(), &["report", "0", "--out", "elsewhere.html"]).ok();
    assert_eq!(out, "elsewhere.html\n");
    assert_eq!(fs::read_to_string(dir.path().join("elsewhere.html")).unwrap(), page);

    // The commands that the page names work.
    let commands: Vec<&str> = page
        .split("<code>autogan ")
        .skip(1)
        .map(|rest| rest.split_once("</code>").unwrap().0)
        .collect();
    assert_eq!(commands.len(), 6, "{commands:?}");
    for line in commands {
        // A training at its full length takes minutes.
        let more = if line.starts_with("train ") { tiny_training(&[]) } else { vec![] };
        autogan(dir.path(), &line.split(' ').chain(more).collect::<Vec<_>>()).ok();
    }
    assert!(dir.path().join("runs/00000-quick-s2-trained/winner.json").exists());
    assert!(dir.path().join("grid.png").exists() && dir.path().join("arch.svg").exists());
}

#[test]
fn what_is_missing_or_damaged_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let error = autogan(dir.path(), &["report"]).fails(1);
    assert!(error.contains("no run at all under runs"), "{error}");
    let error = autogan(dir.path(), &["report", "17"]).fails(1);
    assert!(error.contains("no run \"17\" under runs"), "{error}");

    // A run that was killed at once has a page.
    let made = RunDir::create_at(&dir.path().join("young"), "seed = 1\n", &Host::detect("cpu"));
    drop(made.unwrap());
    autogan(dir.path(), &["report", "young"]).ok();
    let page = fs::read_to_string(dir.path().join("young/report.html")).unwrap();
    assert!(page.contains("has not stored anything yet"));

    let (run, _) = tiny_run(dir.path(), "run", &["--quiet"]);
    let store = run.join("run.sqlite");
    let whole = fs::read(&store).unwrap();
    fs::write(&store, &whole[..whole.len() / 2]).unwrap();
    let ran = autogan(dir.path(), &["report", "run"]);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("run.sqlite"), "{ran:?}");
    ran.ok();
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("Not everything could be read."));

    let error = autogan(dir.path(), &["report", "run", "--out", "none/page.html"]).fails(1);
    assert!(error.contains("none/page.html"), "{error}");
}

#[test]
fn an_architecture_is_drawn_into_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.svg");
    fs::write(&file, "old").unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(words(&format!("arch show autogan-a --svg {path}")).ok(), format!("{path}\n"));
    let drawn = fs::read_to_string(&file).unwrap();
    assert!(drawn.starts_with("<?xml") && drawn.trim_end().ends_with("</svg>"));
    assert_eq!(drawn.matches("class=\"a-skip\"").count(), 3);
    assert!(drawn.contains("linear 4×4"));
    let wide = words(&format!("arch show 1 0 1 1 --bottom 6 --svg {path}"));
    wide.ok();
    assert!(fs::read_to_string(&file).unwrap().contains("12×12"));
    words(&format!("arch show autogan-a --json --svg {path}")).fails(2);
    words("arch show autogan-a --svg /nowhere/a.svg").fails(1);
}
