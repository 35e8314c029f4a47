//! The golden controller by the CUDA kernels that it launches, emulated.
//! `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[path = "../golden.rs"]
mod golden;
#[path = "../../../autogan-ops/tests/emulated/gpu.rs"]
mod gpu;
#[expect(dead_code, reason = "what only tests of single kernels need")]
#[path = "../../../autogan-ops/tests/emulated/library.rs"]
mod library;

use std::rc::Rc;

use autogan_ops::cuda;
use candle_core::DType;

use gpu::Emulated;

#[test]
fn kernels_agree_with_pytorch() {
    cuda::stand_in(Rc::new(Emulated(0)), || {
        golden::check_folder(&golden::own_folder(), &[DType::F32]);
    });
}
