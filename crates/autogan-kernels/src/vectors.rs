//! This module reads and writes vectors of f32 on any vector unit.

use pulp::Simd;

use crate::memory::Unwritten;

/// Reads the vector at element `at`.
#[inline(always)]
pub(crate) fn load<S: Simd>(_simd: S, from: &[f32], at: usize) -> S::f32s {
    let part = &from[at..][..S::F32_LANES];
    // SAFETY: `part` holds as many f32 as the vector; any bytes are f32; the read need not be aligned.
    unsafe { part.as_ptr().cast::<S::f32s>().read_unaligned() }
}

/// Writes a vector at element `at`.
#[inline(always)]
pub(crate) fn store<S: Simd>(_simd: S, to: &mut [f32], at: usize, value: S::f32s) {
    let part = &mut to[at..][..S::F32_LANES];
    // SAFETY: `part` holds as many f32 as the vector, which is made of nothing else; the write need not be aligned.
    unsafe { part.as_mut_ptr().cast::<S::f32s>().write_unaligned(value) }
}

/// Writes a vector at element `at` of memory that may be unwritten.
#[inline(always)]
pub(crate) fn put<S: Simd>(_simd: S, to: &mut Unwritten<f32>, at: usize, value: S::f32s) {
    let part = &mut to[at..][..S::F32_LANES];
    // SAFETY: as in `store`.
    unsafe { part.as_mut_ptr().cast::<S::f32s>().write_unaligned(value) }
}
