//! Every operator on a GPU against the CPU: the cases that `emulated` runs by the emulation, and layers of real size.
//!
//! `AUTOGAN_TEST_DEVICE` names the GPU, `cuda:0` when unset. Run by `cargo xtask gpu-check`.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../../../../tests/device.rs"]
mod device;
mod place;
#[cfg(feature = "cudnn")]
mod tf32;
mod transfers;
