//! A [`Precision`] is the number format that a convolution computes in. This module also rounds to bf16.

use crate::slices::map;

/// What the convolutions of f32 tensors compute in. Tensors in f64 are for checking and ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 throughout.
    F32,
    /// f32, but a GPU may round the factors to TF32's ten bits of fraction. Only cuDNN does; elsewhere it is an error.
    Tf32,
    /// Operands and results rounded to bf16, sums in f32.
    Bf16,
}

/// The nearest bf16 value, the even one of two; what is no number stays none.
#[inline(always)]
pub fn rounded(v: f32) -> f32 {
    const QUIET: u32 = 1 << 22;
    let bits = v.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    f32::from_bits(if v.is_nan() { bits | QUIET } else { nearest } & 0xffff_0000)
}

/// Returns all values, each [`rounded`].
pub fn round(values: &[f32]) -> Vec<f32> {
    map(values, rounded)
}
