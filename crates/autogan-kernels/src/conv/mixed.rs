//! Convolutions of f32 tensors on the CPU in a [`Precision`]: in bf16 the f32 kernels on rounded operands, whose results
//! are rounded.
//!
//! This is the plain path that a card's is compared with; it is slower than f32. 3x3 kernels still run by Winograd's
//! algorithm, whose transforms are f32 like the sums: they cost a few of f32's last digits, far below bf16's.

use super::problem::Problem;
use super::{After, single};
use crate::Activation;
use crate::precision::{Precision, round, rounded};
use crate::slices::for_pieces;

/// `y [n, co, ho, wo]` of `x [n, ci, h, w]`, `w [co, ci, kh, kw]`.
pub(super) fn forward(
    p: &Problem,
    precision: Precision,
    (x, w): (&[f32], &[f32]),
    after: After<'_, f32>,
) -> Vec<f32> {
    if precision != Precision::Bf16 {
        return single::forward(p, x, w, after);
    }
    let nothing = After { bias: None, activation: Activation::Linear };
    let mut y = single::forward(p, &round(x), &round(w), nothing);
    for_pieces(
        &mut y,
        p.pixels(),
        #[inline(always)]
        |plane, pixels| {
            let bias = after.bias(plane % p.co);
            pixels.iter_mut().for_each(|y| *y = after.apply(rounded(*y) + bias));
        },
    );
    y
}

/// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]`.
pub(super) fn input_gradient(
    p: &Problem,
    precision: Precision,
    (dy, w): (&[f32], &[f32]),
) -> Vec<f32> {
    if precision != Precision::Bf16 {
        return single::input_gradient(p, dy, w);
    }
    round(&single::input_gradient(p, &round(dy), &round(w)))
}

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
pub(super) fn weight_gradient(
    p: &Problem,
    precision: Precision,
    (x, dy): (&[f32], &[f32]),
) -> Vec<f32> {
    if precision != Precision::Bf16 {
        return single::weight_gradient(p, x, dy);
    }
    round(&single::weight_gradient(p, &round(x), &round(dy)))
}
