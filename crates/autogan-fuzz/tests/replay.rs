//! Every kept input is fed to its target again: the seeds, the corpus, and what once broke a reader.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use autogan_fuzz::{TARGETS, Target, check};

/// The folders of kept inputs.
const FOLDERS: [&str; 2] = ["corpus", "regressions"];

/// Held by a test that runs targets: memory is counted for the whole process, which also has one scratch folder.
static RUNNING: Mutex<()> = Mutex::new(());

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The entries of a folder, sorted; none where there is no such folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The kept inputs of a target, with names.
fn inputs(target: &Target) -> Vec<(String, Vec<u8>)> {
    let seeds = (target.seeds)().into_iter().enumerate();
    let mut inputs: Vec<_> = seeds.map(|(at, bytes)| (format!("seed {at}"), bytes)).collect();
    for kept in FOLDERS {
        for path in entries(&folder(kept).join(target.name)) {
            inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    inputs
}

#[test]
fn every_kept_input_is_read_or_refused() {
    let _running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = Vec::new();
    for target in TARGETS {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{} has no input", target.name);
        for (name, bytes) in inputs {
            if catch_unwind(|| check(target, &bytes)).is_err() {
                failed.push(format!("{}: {name}", target.name));
            }
        }
    }
    assert!(failed.is_empty(), "{} inputs failed:\n{}", failed.len(), failed.join("\n"));
}

/// Without a seed that its reader takes, a target would fuzz the first check of the reader alone.
#[test]
fn every_reader_takes_a_seed() {
    let _running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let takes = |target: &&Target| (target.seeds)().iter().any(|seed| (target.run)(seed));
    let refused: Vec<&str> =
        TARGETS.iter().filter(|target| !takes(target)).map(|target| target.name).collect();
    assert!(refused.is_empty(), "no seed is taken by {}", refused.join(", "));
}

#[test]
fn every_folder_of_inputs_has_a_target() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names.len(), TARGETS.len(), "a name is there twice");
    for kept in FOLDERS {
        for path in entries(&folder(kept)) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(names.contains(&*name), "{}: no target has this name", path.display());
        }
    }
}
