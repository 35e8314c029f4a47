//! The whole `autogan` binary: what it prints, writes and refuses.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod arch;
mod bench;
mod common;
mod dry_run;
mod refusals;
mod run_dir;
mod sample;
mod score;
mod stopping;
