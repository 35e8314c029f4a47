//! This crate holds the fuzz targets: each feeds bytes that nobody trusts to one reader of the workspace.
//!
//! A [`Target`] must not panic, and must stay within its [`Bound`] of memory, whatever the bytes are; some also compare
//! what they read with what was written. [`check`] runs one and holds it to this. The inputs are in three places:
//!
//! - [`Target::seeds`]: small valid files, made by code;
//! - `corpus/TARGET`: what libFuzzer found from them, one input for each part of the code that it reached;
//! - `regressions/TARGET`: inputs that once broke a reader.
//!
//! `cargo test` replays all of them. `cargo xtask fuzz` looks for new ones. No release contains this crate.

#![allow(clippy::unwrap_used)] // an unwrap is how a target fails

mod memory;
mod scratch;
mod seeds;
mod targets;

pub use memory::Bound;

/// A reader under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name on the command line and of the folders of inputs.
    pub name: &'static str,
    /// Feeds bytes to the reader, and tells whether it took them for what it reads. It panics where the reader breaks a
    /// promise.
    pub run: fn(&[u8]) -> bool,
    /// The memory that the reader may take.
    pub bound: Bound,
    /// The longest input that is tried, in bytes.
    pub longest: usize,
    /// Small valid inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target, in the order in which they run.
pub const TARGETS: &[Target] = targets::ALL;

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs `target` on `bytes`, and tells whether the reader took them for what it reads.
///
/// # Panics
/// When the reader panics, breaks a promise, or takes more memory than its bound allows.
pub fn check(target: &Target, bytes: &[u8]) -> bool {
    let (read, taken) = memory::peak_of(|| (target.run)(bytes));
    let allowed = target.bound.bytes(bytes.len());
    assert!(
        taken <= allowed,
        "{}: {} bytes of input took {taken} bytes of memory; its bound is {} bytes and {} for each byte of input, which \
         makes {allowed}",
        target.name,
        bytes.len(),
        target.bound.base,
        target.bound.each,
    );
    read
}
