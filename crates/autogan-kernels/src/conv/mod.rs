//! This module computes convolutions and both of their gradients.
//!
//! In f32, 3x3 kernels at stride 1 run by Winograd's algorithm, all others as flat loops. In f64, where gradients are
//! checked, a convolution is a product of the weights with columns of pixels.

mod columns;
mod flat;
mod problem;
mod reference;
mod simd;
mod single;
pub mod winograd;

pub use problem::{ConvGeometry, Problem};
pub use reference::reference;

use rayon::prelude::*;

use crate::slices::sum_by;
use crate::{Activation, Precision, Real};

/// Bias and activation of the outputs.
#[derive(Clone, Copy, Debug)]
pub struct After<'a, T> {
    /// What is added to the outputs of each channel; none adds nothing.
    pub bias: Option<&'a [T]>,
    /// The function that follows the bias.
    pub activation: Activation,
}

impl<T: Real> After<'_, T> {
    /// What is added to the outputs of a channel.
    pub(crate) fn bias(&self, channel: usize) -> T {
        self.bias.map_or(T::zero(), |bias| bias[channel])
    }
}

/// The convolutions of an element type; f64 ignores the precision.
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

/// The gradient of a bias: the sum over images and pixels of each channel of `dy [n, channels, pixels]`.
pub fn bias_gradient<T: Real>(dy: &[T], n: usize, channels: usize, pixels: usize) -> Vec<T> {
    (0..channels)
        .into_par_iter()
        .map(|c| {
            let plane = |i: usize| &dy[(i * channels + c) * pixels..][..pixels];
            T::narrow((0..n).map(|i| sum_by(plane(i), |v| v)).sum())
        })
        .collect()
}
