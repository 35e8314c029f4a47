//! Vectors of f32 on any vector unit: how they are read, written and activated.

use pulp::Simd;

use crate::Activation;

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
    // SAFETY: as in `load`.
    unsafe { part.as_mut_ptr().cast::<S::f32s>().write_unaligned(value) }
}

/// Applies the activation to each lane.
#[inline(always)]
pub(crate) fn activate<S: Simd>(simd: S, value: S::f32s, activation: Activation) -> S::f32s {
    match activation {
        Activation::Linear => value,
        Activation::Relu => {
            // A select, not a maximum: NaN passes.
            let zero = simd.splat_f32s(0.0);
            simd.select_f32s(simd.less_than_f32s(value, zero), zero, value)
        }
    }
}
