//! An [`Activation`] is the function that follows a norm or a convolution.

use pulp::Simd;

use crate::Real;

/// The function that follows a norm or a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// No function: the value stays.
    Linear,
    /// `max(·, 0)`.
    Relu,
}

impl Activation {
    /// Applies the function to one number; NaN passes.
    #[inline(always)]
    pub fn apply<T: Real>(self, v: T) -> T {
        if self == Activation::Relu && v < T::zero() { T::zero() } else { v }
    }

    /// Applies the function to each lane of a vector; NaN passes.
    #[inline(always)]
    pub(crate) fn lanes<S: Simd>(self, simd: S, value: S::f32s) -> S::f32s {
        match self {
            Activation::Linear => value,
            Activation::Relu => {
                let zero = simd.splat_f32s(0.0);
                simd.select_f32s(simd.less_than_f32s(value, zero), zero, value)
            }
        }
    }
}
