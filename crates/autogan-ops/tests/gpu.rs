//! Every operator on a GPU, compared with the CPU: the cases that `emulated` runs by emulation, and layers of real
//! size.
//!
//! `AUTOGAN_TEST_DEVICE` names the GPU, `cuda:0` when unset. Run by `cargo xtask gpu-check`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod cases;

/// The tests that only a GPU can pass, and the place of the cases.
mod gpu {
    pub mod place;
    #[cfg(feature = "cudnn")]
    mod tf32;
    mod transfers;
}

use gpu::place;
