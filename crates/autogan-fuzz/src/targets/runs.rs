//! Run directories of others: checkpoints, the store, the files beside it, and the dashboard over them.

use std::sync::OnceLock;

use autogan_report::dashboard::Dashboard;
use autogan_report::report_html;
use autogan_run::{Checkpoint, RunDir, StoreReader, TrialFilter, sealed};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt;

use super::halves;
use crate::scratch;
use crate::seeds::runs::{SECRET, finished_run};

/// A checkpoint: what is accepted is written and read again.
pub(super) fn checkpoint(bytes: &[u8]) -> bool {
    let Ok(read) = Checkpoint::read(&scratch::file("a.safetensors", bytes)) else { return false };
    let path = scratch::path("written.safetensors");
    read.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), read);
    true
}

/// A run directory whose `run.sqlite` is anything.
pub(super) fn store(bytes: &[u8]) -> bool {
    let dir = finished_run("store");
    let path = dir.path().join("run.sqlite");
    for side in ["run.sqlite-wal", "run.sqlite-shm"] {
        let _ = std::fs::remove_file(dir.path().join(side));
    }
    std::fs::write(&path, bytes).unwrap();
    let opened = StoreReader::open(&path);
    let read = opened.is_ok();
    if let Ok(reader) = opened {
        // An intact store can be read.
        reader.trials(TrialFilter::ALL).unwrap();
        reader.events(None).unwrap();
        reader.images().unwrap();
    }
    shown(&dir);
    read
}

/// A run directory with a file that is anything: the first byte says which one, the rest is its content. Files with a
/// checksum get a right one, so that what is behind it is reached.
pub(super) fn files(bytes: &[u8]) -> bool {
    let Some((&which, content)) = bytes.split_first() else { return false };
    let dir = finished_run("files");
    let name = ["config.toml", "host.json", "arch.json", "scores.json"][usize::from(which % 4)];
    let path = dir.path().join(name);
    let value = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(content);
    match value {
        Ok(value) if which < 128 && !value.is_empty() => sealed::write(&path, &value).unwrap(),
        _ => std::fs::write(&path, content).unwrap(),
    }
    shown(&dir)
}

/// Reads a run and draws its report; tells whether all of the run could be shown.
fn shown(dir: &RunDir) -> bool {
    let (page, problems) = report_html(dir);
    assert!(page.ends_with("</html>\n"));
    problems.is_empty()
}

/// A request to the dashboard: method and path up to the first line feed, then headers, one a line. Nothing from outside
/// its directory is in an answer, and no answer is a failure of the server.
pub(super) fn dashboard(bytes: &[u8]) -> bool {
    static DASHBOARD: OnceLock<(Dashboard, tokio::runtime::Runtime)> = OnceLock::new();
    let (dashboard, runtime) = DASHBOARD.get_or_init(|| {
        let run = finished_run("runs/00000-tiny-s0");
        scratch::file("secret.txt", SECRET.as_bytes());
        let dashboard = Dashboard::open(run.path().parent().unwrap()).unwrap();
        (dashboard, tokio::runtime::Builder::new_current_thread().build().unwrap())
    });
    let (line, headers) = halves(bytes, b'\n');
    let (method, path) = halves(line, b' ');
    let mut request = Request::builder().method(method).uri(path);
    for header in headers.split(|&byte| byte == b'\n') {
        let (name, value) = halves(header, b':');
        request = request.header(name, value);
    }
    let Ok(request) = request.body(Body::empty()) else { return false };
    let answer = runtime.block_on(dashboard.router().oneshot(request)).unwrap();
    assert!(!answer.status().is_server_error(), "{}", answer.status());
    assert!(answer.headers().contains_key("content-security-policy"));
    let read = answer.status().is_success();
    let body = runtime.block_on(to_bytes(answer.into_body(), 16 << 20)).unwrap();
    assert!(!body.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    read
}
