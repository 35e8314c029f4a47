//! Following a run: the server sends new rows once, and reads a resumed run anew.

use autogan_report::dashboard::Dashboard;
use autogan_run::{Checkpoint, Host, RunDir, RunWriter};
use axum::http::StatusCode;

use crate::fixture::{RunInProgress, ask, get};

const RUN: &str = "/api/runs/live";

#[test]
fn new_rows_come_while_the_run_is_written() {
    let home = tempfile::tempdir().unwrap();
    let mut run = RunInProgress::start(&home.path().join("live"));
    let dashboard = Dashboard::open(home.path()).unwrap();
    let empty = get(&dashboard, RUN).json();
    assert_eq!(empty["summary"]["status"]["state"], "running");
    assert_eq!(empty["trials"], serde_json::json!([]));

    run.iteration(0);
    run.iteration(1);
    let first = get(&dashboard, RUN);
    let mark = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.json()["trials"].as_array().unwrap().len(), 4);
    let headers = [("host", "localhost"), ("if-none-match", mark.as_str())];
    assert_eq!(ask(&dashboard, RUN, &headers).status, StatusCode::NOT_MODIFIED);

    run.reset();
    run.iteration(2);
    let second = ask(&dashboard, &format!("{RUN}/since/1"), &headers);
    assert_eq!(second.status, StatusCode::OK);
    let second = second.json();
    assert_eq!((&second["since"], &second["trial_count"]), (&1.into(), &6.into()));
    let ids: Vec<i64> =
        second["trials"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [3, 4, 5, 6]);
    assert_eq!(second["scalars"]["loss/d"]["at"], serde_json::json!([1.25, 1.75, 2.25, 2.75]));
    assert_eq!(second["events"][0]["kind"], "reset");
    assert_eq!(second["images"].as_array().unwrap().len(), 3);

    run.writer.finish().unwrap();
    let list = get(&dashboard, "/api/runs").json();
    assert_eq!(list["runs"][0]["summary"]["status"]["state"], "unfinished");
    assert!(!home.path().join("live/run.sqlite-wal").exists(), "the reader kept nothing open");
}

#[test]
fn what_is_followed_is_what_is_read_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut run = RunInProgress::start(&home.path().join("live"));
    let following = Dashboard::open(home.path()).unwrap();
    for iteration in 0..4 {
        run.iteration(iteration);
        let followed = get(&following, RUN).json();
        let fresh = get(&Dashboard::open(home.path()).unwrap(), RUN).json();
        assert_eq!(followed, fresh, "iteration {iteration}");
    }
}

#[test]
fn a_resumed_run_is_read_anew() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("live");
    let mut run = RunInProgress::start(&path);
    run.iteration(0);
    run.writer.save(Checkpoint::new(2)).unwrap();
    run.iteration(1);
    let dashboard = Dashboard::open(home.path()).unwrap();
    assert_eq!(get(&dashboard, RUN).json()["trials"].as_array().unwrap().len(), 4);
    drop(run);

    // Back to the checkpoint, and then as many rows again, but others.
    let resumed = RunWriter::resume(RunDir::open(&path).unwrap(), &Host::detect("cpu")).unwrap();
    let mut again = RunInProgress::resumed(resumed.writer, 2);
    again.iteration(3);
    let run = get(&dashboard, RUN).json();
    let scores: Vec<f64> =
        run["trials"].as_array().unwrap().iter().map(|t| t["score"].as_f64().unwrap()).collect();
    assert_eq!(scores, [1.0, 1.5, 4.0, 4.5]);
    assert_eq!(run["sessions"].as_array().unwrap().len(), 2, "started and resumed");
}
