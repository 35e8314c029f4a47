//! The golden controller with emulated CUDA kernels:
//! `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod support;

use std::rc::Rc;

use autogan_ops::cuda;
use autogan_testing::EmulatedGpu;
use candle_core::DType;

#[test]
fn kernels_agree_with_pytorch() {
    cuda::stand_in(Rc::new(EmulatedGpu(0)), || {
        support::check_folder(&support::own_folder(), &[DType::F32]);
    });
}
