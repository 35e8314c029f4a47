//! Whole searches, small enough for a test, and the configuration that they start from.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod tiny;

mod search {
    mod precision;
    mod released;
    mod reward;
    mod runs;
    mod scratch;
    mod scratch_runs;
    mod strategies;
    mod switches;
}
