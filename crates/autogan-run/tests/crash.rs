//! Killed processes and full disks: a child process is really killed, and its file sizes are really limited.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use autogan_run::samples::GridLayout;
use autogan_run::{
    Checkpoint, Dtype, Picture, Record, RunDir, RunWriter, StoreReader, TensorData, Trial,
    TrialFilter, lock,
};
use common::{child, child_dir, host, scalar, trial};

const LAST: u64 = 150;

/// The state of a miniature search: a number, on which the next number depends.
fn advance(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

fn checkpoint(tick: u64, state: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(tick);
    checkpoint.metadata.insert("state".into(), state.to_string());
    checkpoint.tensors.push(TensorData {
        name: "weights".into(),
        dtype: Dtype::U8,
        shape: vec![40_000],
        bytes: state.to_le_bytes().repeat(5_000),
    });
    checkpoint
}

/// Starts or resumes the run at `path`, and runs it to its end.
fn search(path: &Path) -> autogan_run::Result<()> {
    let (mut writer, found) = match RunDir::open(path) {
        Ok(dir) => {
            let resumed = RunWriter::resume(dir, &host())?;
            assert_eq!(resumed.warnings, Vec::<String>::new());
            (resumed.writer, resumed.checkpoint)
        }
        Err(_) => {
            let (dir, lock) = RunDir::create_at(path, "seed = 0\n", &host())?;
            (RunWriter::start(dir, lock)?, None)
        }
    };
    let (mut tick, mut state) = (0, 1);
    if let Some(found) = found {
        tick = found.tick;
        state = found.text("state")?.parse().unwrap();
    }
    while tick < LAST {
        tick += 1;
        state = advance(state);
        writer.trial(&trial(tick, 0, (state >> 40) as f64))?;
        for tag in ["loss/g", "loss/d"] {
            writer.scalar(&scalar(tick, tag, (state >> 50) as f64))?;
        }
        if tick.is_multiple_of(50) {
            let layout = GridLayout::square(4, 4);
            let picture = Picture::grid(&state.to_le_bytes().repeat(24), [4, 3, 4, 4], layout)?;
            writer.picture(&picture, tick, (0, (tick / 50) as u32, "best"), 1.0)?;
        }
        if tick.is_multiple_of(5) {
            writer.save(checkpoint(tick, state))?;
        }
    }
    writer.finish()
}

/// The child processes of other tests run this function. It is not a test of its own.
#[test]
fn child_searches() {
    if let Some(Err(error)) = child_dir().map(|path| search(&path)) {
        panic!("search failed: {error}");
    }
}

fn outcome(path: &Path) -> (Vec<Record<Trial>>, Vec<u8>, Vec<u64>) {
    let run = RunDir::open(path).unwrap();
    let reader = StoreReader::open(&run.store_path()).unwrap();
    (
        reader.trials(TrialFilter::ALL).unwrap(),
        fs::read(run.checkpoints().path(LAST)).unwrap(),
        autogan_run::tensorboard::ticks(&run.events_path()).unwrap(),
    )
}

#[test]
fn killed_at_random_moments_ends_as_if_never_killed() {
    let home = tempfile::tempdir().unwrap();
    let (whole, broken) = (home.path().join("whole"), home.path().join("broken"));
    search(&whole).unwrap();
    let (mut random, mut kills) = (7_u64, 0_u64);
    let started = Instant::now();
    loop {
        let mut process = child("child_searches", &broken)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        random = advance(random);
        // Longer with every kill, so that the run gets to its end on a slow machine as well.
        let patience = Duration::from_millis((random >> 33) % (15 + 5 * kills));
        let begun = Instant::now();
        let ended = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break Some(status);
            }
            if begun.elapsed() >= patience {
                process.kill().unwrap();
                process.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        match ended {
            Some(status) => {
                assert!(status.success(), "after {kills} kills");
                break;
            }
            None => kills += 1,
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{kills} kills, no end");
    }
    assert!(kills >= 3, "only {kills} kills");
    assert_eq!(outcome(&whole), outcome(&broken), "{kills} kills");
    for dir in [&broken, &broken.join("checkpoints")] {
        for entry in fs::read_dir(dir).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with('.'), "{name} was left behind");
        }
    }
}

/// Holds a lock until its input ends, in a child process. It is not a test of its own.
#[test]
fn child_holds_the_lock() {
    if let Some(path) = child_dir() {
        let _lock = lock::RunLock::acquire(&path).unwrap();
        fs::write(path.join("held"), "").unwrap();
        std::io::read_to_string(std::io::stdin()).unwrap();
    }
}

#[test]
fn the_lock_names_another_process_and_dies_with_it() {
    let home = tempfile::tempdir().unwrap();
    let mut process = child("child_holds_the_lock", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !home.path().join("held").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the child does not lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let owner = format!("process {} on ", process.id());
    let error = lock::RunLock::acquire(home.path()).unwrap_err().to_string();
    assert!(error.contains(&owner), "{error}");
    assert!(lock::holder(home.path()).unwrap().unwrap().contains(&owner));
    process.kill().unwrap();
    process.wait().unwrap();
    lock::RunLock::acquire(home.path()).unwrap();
}

#[test]
fn a_full_disk_ends_clearly_and_the_run_goes_on_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let (whole, limited) = (home.path().join("whole"), home.path().join("limited"));
    search(&whole).unwrap();
    // Writes beyond a file size fail, as on a full device: first even the run cannot be made,
    // then its database cannot grow, then its checkpoints cannot be written. In units of 512
    // bytes (or 1024, as some shells count).
    for blocks in [0, 8, 40, 60] {
        let exe = child("child_searches", &limited);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact child_searches --nocapture"
        ));
        let output = shell
            .arg(exe.get_program())
            .env("AUTOGAN_RUN_TEST_CHILD", &limited)
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{blocks} blocks were enough");
        if let Ok(run) = RunDir::open(&limited) {
            let kept = run.checkpoints().ticks().unwrap();
            assert!(kept.len() <= 2);
            if let Some(loaded) = run.checkpoints().load_newest().unwrap() {
                assert!(loaded.warnings.is_empty());
            }
        }
    }
    search(&limited).unwrap();
    assert_eq!(outcome(&whole), outcome(&limited));
}
