//! Convolutions with both gradients.
//!
//! In f32, 3x3 kernels at stride 1 run by Winograd's algorithm, all others as flat loops. In f64, where gradients are
//! checked: columns (im2col) times weights, tile by tile.

mod columns;
mod flat;
mod kernels;
mod mixed;
mod problem;
mod reference;
mod simd;
pub mod single;
pub mod winograd;

pub use kernels::bias_gradient;
pub use problem::{ConvGeometry, Problem};
pub use reference::reference;

use crate::{Activation, Precision, Real};

/// Bias and activation of the outputs.
#[derive(Clone, Copy, Debug)]
pub struct After<'a, T> {
    /// What is added to the outputs of each channel; none adds nothing.
    pub bias: Option<&'a [T]>,
    /// What follows.
    pub activation: Activation,
}

impl<T: Real> After<'_, T> {
    /// What is added to the outputs of a channel.
    fn bias(&self, channel: usize) -> T {
        self.bias.map_or(T::zero(), |bias| bias[channel])
    }

    #[inline(always)]
    fn apply(&self, v: T) -> T {
        // Written so that NaN passes.
        if self.activation == Activation::Relu && v < T::zero() { T::zero() } else { v }
    }
}

/// The kernels of an element type: Winograd and flat loops in f32, columns and GEMM in f64, where speed matters less, and
/// which knows no other precision.
pub trait Kernels: Real {
    /// `y [n, co, ho, wo]` of `x [n, ci, h, w]` and `w [co, ci, kh, kw]`.
    fn forward(
        p: &Problem,
        precision: Precision,
        factors: (&[Self], &[Self]),
        after: After<'_, Self>,
    ) -> Vec<Self>;
    /// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]` and `w`.
    fn input_gradient(p: &Problem, precision: Precision, factors: (&[Self], &[Self])) -> Vec<Self>;
    /// `dw [co, ci, kh, kw]` of `x` and `dy`.
    fn weight_gradient(p: &Problem, precision: Precision, factors: (&[Self], &[Self]))
    -> Vec<Self>;
}

impl Kernels for f32 {
    fn forward(
        p: &Problem,
        precision: Precision,
        factors: (&[f32], &[f32]),
        after: After<'_, f32>,
    ) -> Vec<f32> {
        mixed::forward(p, precision, factors, after)
    }
    fn input_gradient(p: &Problem, precision: Precision, factors: (&[f32], &[f32])) -> Vec<f32> {
        mixed::input_gradient(p, precision, factors)
    }
    fn weight_gradient(p: &Problem, precision: Precision, factors: (&[f32], &[f32])) -> Vec<f32> {
        mixed::weight_gradient(p, precision, factors)
    }
}

impl Kernels for f64 {
    fn forward(
        p: &Problem,
        _: Precision,
        (x, w): (&[f64], &[f64]),
        after: After<'_, f64>,
    ) -> Vec<f64> {
        kernels::forward(p, x, w, after)
    }
    fn input_gradient(p: &Problem, _: Precision, (dy, w): (&[f64], &[f64])) -> Vec<f64> {
        kernels::input_gradient(p, dy, w)
    }
    fn weight_gradient(p: &Problem, _: Precision, (x, dy): (&[f64], &[f64])) -> Vec<f64> {
        kernels::weight_gradient(p, x, dy)
    }
}
