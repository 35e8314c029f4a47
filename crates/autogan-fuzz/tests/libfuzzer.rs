//! libFuzzer drives this program, which is no test: the environment variable `AUTOGAN_FUZZ_TARGET` names the target.
//!
//! `cargo xtask fuzz` builds and starts it.

#![no_main]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a program for contributors")]

use std::sync::OnceLock;

use autogan_fuzz::{TARGETS, Target, check, find};
use libfuzzer_sys::fuzz_target;

/// The variable that names the target.
const NAME: &str = "AUTOGAN_FUZZ_TARGET";
/// The variable that names a folder into which the seeds are written, in place of fuzzing.
const SEEDS: &str = "AUTOGAN_FUZZ_SEEDS";

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(init: start(), |bytes: &[u8]| {
    let target = TARGET.get().unwrap();
    if bytes.len() <= target.longest {
        check(target, bytes);
    }
});

/// Finds the target; writes the seeds of all targets and ends, where that is asked for.
fn start() {
    if let Some(folder) = std::env::var_os(SEEDS) {
        for target in TARGETS {
            let folder = std::path::Path::new(&folder).join(target.name);
            std::fs::create_dir_all(&folder).unwrap();
            for (number, seed) in (target.seeds)().into_iter().enumerate() {
                std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
            }
        }
        std::process::exit(0);
    }
    let name = std::env::var(NAME).unwrap_or_default();
    let Some(target) = find(&name) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("{NAME}: expected one of {}, found {name:?}", names.join(", "));
        std::process::exit(1);
    };
    TARGET.set(target).unwrap();
}
