//! A small run, written as a search writes it, and requests to the dashboard.

use std::path::{Path, PathBuf};

use autogan_config::{Configuration, SearchConfig};
use autogan_report::dashboard::Dashboard;
use autogan_run::{Event, Host, Picture, RunDir, RunWriter, Scalar, Trial, TrialKind};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

pub fn config() -> String {
    let settings = ["preset=tiny", "seed=5", "search.iterations=4", "search.grow_at=[2, 3]"];
    SearchConfig::preset("quick", &settings.map(str::to_owned)).unwrap().to_toml().unwrap()
}

/// A run that a test writes: each iteration has two children of the first stage.
pub struct RunInProgress {
    pub writer: RunWriter,
    tick: u64,
}

impl RunInProgress {
    pub fn start(path: &Path) -> RunInProgress {
        let (dir, lock) = RunDir::create_at(path, &config(), &Host::detect("cpu")).unwrap();
        RunInProgress { writer: RunWriter::start(dir, lock).unwrap(), tick: 0 }
    }

    /// A run that continues after `tick`.
    pub fn resumed(writer: RunWriter, tick: u64) -> RunInProgress {
        RunInProgress { writer, tick }
    }

    /// Writes an iteration with its losses, two children and a picture.
    pub fn iteration(&mut self, iteration: u32) {
        for (step, score) in [(0, 1.0), (1, 1.5)] {
            self.tick += 1;
            let score = score + f64::from(iteration);
            self.scalar("loss/d", score);
            self.writer.trial(&trial(self.tick, iteration, step, score)).unwrap();
        }
        let picture = Picture { width: 1, height: 1, pixels: vec![1, 2, 3] };
        let place = (0, iteration, "child");
        self.writer.picture(&picture, self.tick, place, self.tick as f64).unwrap();
        self.writer.flush().unwrap();
    }

    pub fn scalar(&mut self, tag: &str, value: f64) {
        let (tick, tag) = (self.tick, tag.to_owned());
        let scalar = Scalar { tick, step: tick, tag, value, seconds: tick as f64 };
        self.writer.scalar(&scalar).unwrap();
    }

    pub fn reset(&mut self) {
        let event = Event {
            tick: self.tick,
            kind: "reset".into(),
            json: "{\"step\":1}".into(),
            seconds: 0.0,
        };
        self.writer.event(&event).unwrap();
        self.writer.flush().unwrap();
    }
}

pub fn trial(tick: u64, iteration: u32, step: u32, score: f64) -> Trial {
    Trial {
        tick,
        kind: TrialKind::Controller,
        stage: 0,
        iteration,
        step,
        arch: "1 0 1 1".parse().unwrap(),
        named: "pre-none-nearest-sc".into(),
        score,
        spread: 0.1,
        entropy: Some(0.5),
        advantage: Some(f64::NAN),
        baseline: None,
        params: 24_387,
        macs: 754_176,
        seconds: tick as f64,
        reward: Some(score),
    }
}

/// A temporary directory, and in it a directory of runs with one finished run of two iterations.
pub fn finished() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    let mut run = RunInProgress::start(&runs.join("00000-tiny-s5"));
    run.iteration(0);
    run.iteration(1);
    run.writer.finish().unwrap();
    (home, runs)
}

/// An answer of the dashboard.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Requests a path as a browser on this machine does.
pub fn get(dashboard: &Dashboard, path: &str) -> Answer {
    ask(dashboard, path, &[("host", "127.0.0.1:8765")])
}

/// Requests a path with these headers.
pub fn ask(dashboard: &Dashboard, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(dashboard, request.body(Body::empty()).unwrap())
}

pub fn answer(dashboard: &Dashboard, request: Request<Body>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let response = dashboard.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    })
}
