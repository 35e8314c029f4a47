//! This crate holds helpers for the tests of several crates. It is a dev-dependency only, and no release contains it.
//!
//! Without the feature `candle`, which is on by default, it has only what tests of kernels need ([`guard`], [`paths`]):
//! those are built and run without candle.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails
#![allow(clippy::print_stdout)] // and its output is for whoever reads the log

#[cfg(feature = "candle")]
mod device;
#[cfg(all(unix, feature = "candle"))]
mod emulated;
#[cfg(unix)]
pub mod guard;
#[cfg(all(unix, feature = "candle"))]
pub mod kernels;
#[cfg(unix)]
pub mod paths;
pub mod synthetic;
pub mod tiny;

#[cfg(feature = "candle")]
pub use device::device_or;
#[cfg(all(unix, feature = "candle"))]
pub use emulated::EmulatedGpu;
