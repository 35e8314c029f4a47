//! Helpers of this crate's tests: sample rows, damaged files, a child process.
#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::path::Path;
use std::process::Command;

use autogan_run::{Event, Host, Scalar, Trial, TrialKind};

pub fn host() -> Host {
    Host::detect("cpu")
}

pub fn trial(tick: u64, stage: u32, score: f64) -> Trial {
    Trial {
        tick,
        kind: TrialKind::Controller,
        stage,
        iteration: 4,
        step: u32::try_from(tick).unwrap(),
        arch: format!("1 0 {} {}", tick % 3, tick % 2).parse().unwrap(),
        named: "pre-none-nearest-sc".into(),
        score,
        spread: 0.1,
        entropy: Some(2.5),
        advantage: Some(score - 1.0),
        baseline: None,
        params: 4_405_251,
        macs: 1_765_015_552,
        seconds: 1.5,
        reward: Some(score),
    }
}

pub fn scalar(tick: u64, tag: &str, value: f64) -> Scalar {
    Scalar { tick, step: tick * 10, tag: tag.into(), value, seconds: 0.25 }
}

pub fn event(tick: u64, kind: &str) -> Event {
    Event { tick, kind: kind.into(), json: "{}".into(), seconds: 0.5 }
}

/// Damages the file in every way in turn, calls `check` each time, and restores the file. It is emptied, cut, zeroed as
/// a whole and in part, and has one bit flipped in bytes all over it.
pub fn for_each_damage(path: &Path, flips: usize, mut check: impl FnMut(&str)) {
    let good = fs::read(path).unwrap();
    let mut attempt = |what: String, bad: &[u8]| {
        if bad != good {
            fs::write(path, bad).unwrap();
            check(&what);
        }
    };
    for cut in [0, 1, good.len() / 3, good.len() / 2, good.len() - 1] {
        attempt(format!("cut to {cut}"), &good[..cut]);
        let mut zeroed = good.clone();
        zeroed[cut..].fill(0);
        attempt(format!("zeros from {cut}"), &zeroed);
    }
    let stride = good.len().div_ceil(flips).max(1) | 1;
    for (at, bit) in (0..good.len()).step_by(stride).zip((0..8).cycle()) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << bit;
        attempt(format!("bit {bit} of byte {at}"), &flipped);
    }
    fs::write(path, good).unwrap();
}

/// A command that runs this test program with only the test `name`, which gets `dir` from [`child_dir`].
pub fn child(name: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("AUTOGAN_RUN_TEST_CHILD", dir);
    command
}

/// The directory that a child process works in; `None` in an ordinary test run.
pub fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os("AUTOGAN_RUN_TEST_CHILD").map(Into::into)
}
