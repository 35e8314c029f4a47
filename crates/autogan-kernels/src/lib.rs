//! This crate holds the loops that AutoGAN computes with on the CPU: slices in, slices out, without any tensor type.
//!
//! [`conv`] holds convolutions with both gradients, [`norm`] batch norm and instance norm, [`inference`] networks that
//! are only evaluated, and [`slices`] loops that use all threads. `autogan-ops` makes operators for candle of them.
//!
//! Arrays are row-major. Images are `[N, C, H, W]`, but in [`inference`] `[N, H, W, C]`. Each kernel runs on the widest
//! vector unit that the processor has ([`units`]). Every result has the same bits for any number of threads, because work is cut
//! into pieces, and sums into groups, by sizes alone.

mod activation;
pub mod conv;
mod error;
mod gemm;
pub mod inference;
pub mod memory;
pub mod norm;
pub mod precision;
mod real;
pub mod slices;
#[cfg(test)]
mod testing;
pub mod units;
mod vectors;

pub use activation::Activation;
pub use conv::ConvGeometry;
pub use error::{Result, SizeError};
pub use gemm::{Mat, gemm};
pub use precision::Precision;
pub use real::Real;
