//! The golden training by the CUDA kernels that it launches, emulated.
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

use autogan_nn::ops::cuda;

use gpu::Emulated;

#[test]
fn kernels_agree_with_pytorch() {
    // They stand in on one thread, so that thread does all of the work.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for seed in [0, 1] {
        pool.install(|| {
            cuda::stand_in(Rc::new(Emulated(seed)), || {
                golden::assert_all_agree(&golden::own_files());
            });
        });
    }
}
