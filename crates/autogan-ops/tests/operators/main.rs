//! The operators, compared with finite differences, with plain forms, and with other numbers of threads.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod bf16;
mod common;
mod fused;
mod gradients;
mod references;
mod tape;
mod threads;
