//! The golden training with emulated CUDA kernels:
//! `cargo test --release --workspace --features emulate --test emulated`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod support;

use std::rc::Rc;

use autogan_nn::ops::cuda;
use autogan_testing::EmulatedGpu;

#[test]
fn kernels_agree_with_pytorch() {
    // The emulated GPU stands in on one thread only, so that thread does all of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for seed in [0, 1] {
        pool.install(|| {
            cuda::stand_in(Rc::new(EmulatedGpu(seed)), || {
                support::assert_all_agree(&support::own_files());
            });
        });
    }
}
