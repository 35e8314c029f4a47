//! The messages of a search on stderr: for people, for programs, and with more or less detail.

use serde_json::Value;

use crate::common::{CommandOutput, autogan, tiny_search};

fn ran(args: &[&str]) -> CommandOutput {
    let dir = tempfile::tempdir().unwrap();
    tiny_search(dir.path(), &[&["--run-dir", "run"], args].concat()).output().unwrap().into()
}

#[test]
fn quiet_says_nothing_and_verbose_says_more() {
    let quiet = ran(&["--quiet"]);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.ok().contains("best child"));
    let lines = |text: &str, part: &str| text.lines().filter(|l| l.contains(part)).count();
    let normal = ran(&[]).stderr;
    assert_eq!((lines(&normal, "  step "), lines(&normal, "iteration  ")), (0, 4), "{normal}");
    assert_eq!(lines(&normal, "checkpoints took"), 1, "{normal}");
    let more = ran(&["-v"]).stderr;
    assert_eq!((lines(&more, "  step "), lines(&more, "  controller ")), (4 * 2, 0), "{more}");
    let most = ran(&["-vv"]).stderr;
    assert_eq!(lines(&most, "  controller "), 4 * 2 * 2, "{most}");
    assert_eq!(lines(&most, "  random "), 3, "{most}");
    assert!(!most.contains('\u{1b}'), "colours in a pipe");
    assert!(ran(&["-v", "--quiet"]).fails(2).contains("--quiet"));
}

#[test]
fn events_are_json_lines_for_programs() {
    let json = ran(&["--log-format", "json"]);
    let lines: Vec<Value> = json
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("stage"), count("iteration"), count("controller")), (3, 4, 4 * 2));
    assert_eq!(count("scored"), 4 * 2 * 2 + 2 * 4 + 4 + 3);
    assert_eq!(count("shared"), 4 * 5);
    assert_eq!((count("beam"), count("found")), (2, 1));
    assert!(lines.iter().all(|line| line["level"] == "info"));
    assert!(json.ok().contains("best child"), "results are the same");

    let dir = tempfile::tempdir().unwrap();
    let args = ["trials", "none", "--log-format", "json"];
    let error: Value =
        serde_json::from_str(&autogan(dir.path(), &args).fails(1)).expect("an object");
    assert_eq!(error["level"], "error");
    assert!(error["message"].as_str().unwrap().contains("none"));
}
