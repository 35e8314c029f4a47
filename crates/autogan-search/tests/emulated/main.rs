//! A search and a training from scratch on the CPU, step by step beside the same by every CUDA kernel that they launch,
//! emulated. `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[path = "../beside/mod.rs"]
mod beside;
#[path = "../../../autogan-ops/tests/emulated/gpu.rs"]
mod gpu;
#[expect(dead_code, reason = "what only tests of single kernels need")]
#[path = "../../../autogan-ops/tests/emulated/library.rs"]
mod library;
mod place;
#[path = "../search/tiny.rs"]
mod tiny;
