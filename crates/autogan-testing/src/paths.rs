//! [`on_every_path`] runs a kernel on every path that the processor has, between guard pages.
//!
//! Two variables limit it. `AUTOGAN_KERNEL_PATHS` names the paths, as in `scalar,avx2`; without it, all are taken that
//! the processor has. With `AUTOGAN_KERNEL_MEMORY=plain`, memory is that of the system, without guard pages: valgrind
//! then sees each buffer. `cargo xtask kernels` sets both.

use std::sync::{Mutex, PoisonError};

use autogan_kernels::units::{self, Unit};

use crate::guard::{Edge, between_pages};

/// The variable that names the paths.
const PATHS: &str = "AUTOGAN_KERNEL_PATHS";

/// The variable that takes the guard pages away.
const MEMORY: &str = "AUTOGAN_KERNEL_MEMORY";

/// The paths that tests take, the plain one first.
///
/// Panics when the variable names none, or one that this processor lacks: a test that skips its path would pass unseen.
pub fn paths() -> Vec<Unit> {
    let all = Unit::available();
    let Ok(names) = std::env::var(PATHS) else { return all };
    let mut wanted: Vec<Unit> = names
        .split(',')
        .map(|name| name.parse().unwrap_or_else(|error| panic!("{PATHS}: {error}")))
        .collect();
    wanted.sort();
    for unit in &wanted {
        assert!(all.contains(unit), "{PATHS}: this processor has no {unit}; it has {all:?}");
    }
    wanted
}

/// Whether memory is that of the system, without guard pages.
pub fn memory_is_plain() -> bool {
    match std::env::var(MEMORY).as_deref() {
        Err(_) | Ok("guarded") => false,
        Ok("plain") => true,
        Ok(other) => panic!("{MEMORY}: expected guarded or plain, found {other:?}"),
    }
}

/// All of the cases, or a fifth of them where valgrind makes each one slow.
pub fn cases<T>(all: Vec<T>) -> Vec<T> {
    let step = if memory_is_plain() { 5 } else { 1 };
    all.into_iter().step_by(step).collect()
}

/// What `run` gives on each path. It runs twice on each: with forbidden pages behind all buffers that it makes, and with
/// forbidden pages before them. Prints which path is taken, so that the last line before a fault names it.
pub fn on_every_path<R: PartialEq>(kernel: &str, run: impl Fn() -> R) -> Vec<(Unit, R)> {
    /// The path is that of the whole program.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    /// Ends the choice also when a kernel panics.
    struct Widest;
    impl Drop for Widest {
        fn drop(&mut self) {
            units::choose(None).unwrap();
        }
    }

    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _widest = Widest;
    let on = |unit: Unit| {
        units::choose(Some(unit)).unwrap();
        assert_eq!(units::lanes(), unit.lanes(), "{kernel} does not run on {unit}");
        if memory_is_plain() {
            println!("{kernel}: {unit}, memory of the system");
            return (unit, run());
        }
        let [end, start] = Edge::BOTH.map(|edge| {
            println!("{kernel}: {unit}, forbidden at the {edge:?} of each buffer");
            between_pages(edge, &run)
        });
        assert!(
            end == start,
            "{kernel} on {unit}: expected the same numbers from both runs. Either a result holds memory that nobody wrote \
             (NaN here, which equals nothing), or it depends on where a buffer lies"
        );
        (unit, end)
    };
    paths().into_iter().map(on).collect()
}
