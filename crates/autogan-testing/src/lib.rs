//! This crate holds helpers for the tests of several crates. It is a dev-dependency only, and no release contains it.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

mod device;
#[cfg(unix)]
mod emulated;
#[cfg(unix)]
pub mod kernels;
pub mod synthetic;
pub mod tiny;

pub use device::device_or;
#[cfg(unix)]
pub use emulated::EmulatedGpu;
