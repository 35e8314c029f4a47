//! The whole `autogan` binary: what it prints, writes and refuses.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod arch;
mod bad_sets;
mod bench;
mod claim;
mod common;
mod crash;
mod damage;
mod dashboard;
mod dry_run;
mod eval;
mod export;
mod extractors;
#[path = "../../crates/autogan-hub/tests/hub/server.rs"]
#[allow(dead_code)] // the tests of the hub use more of it
mod hub_server;
mod outcome;
mod pictures;
mod queries;
mod refusals;
mod released;
mod report;
mod repro;
mod run_dir;
mod sample;
mod score;
mod score_inputs;
mod score_pipe;
mod score_stats;
mod stopping;
mod strategies;
mod switches;
mod table;
mod terminal;
#[cfg(unix)]
mod train;
mod weights;
