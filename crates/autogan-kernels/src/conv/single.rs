//! This module computes convolutions in f32: 3x3 kernels by Winograd's algorithm, all others as flat loops.
//!
//! In bf16 the same loops run on rounded operands, and their results are rounded. The results of a GPU are compared
//! with these. This bf16 is slower than f32. The transforms of Winograd's algorithm are f32 like the sums: they cost a
//! few of f32's last digits, far below bf16's.

use super::winograd::{Form, Prologue, Winograd};
use super::{After, Kernels, Problem, flat};
use crate::Activation;
use crate::precision::{Precision, round, rounded};
use crate::slices::for_pieces;

impl Kernels for f32 {
    fn forward(
        p: &Problem,
        precision: Precision,
        (x, w): (&[f32], &[f32]),
        after: After<'_, f32>,
    ) -> Vec<f32> {
        if precision != Precision::Bf16 {
            return forward(p, x, w, after);
        }
        let nothing = After { bias: None, activation: Activation::Linear };
        let mut y = forward(p, &round(x), &round(w), nothing);
        for_pieces(
            &mut y,
            p.pixels(),
            #[inline(always)]
            |plane, pixels| {
                let bias = after.bias(plane % p.co);
                pixels.iter_mut().for_each(|y| *y = after.activation.apply(rounded(*y) + bias));
            },
        );
        y
    }

    fn input_gradient(p: &Problem, precision: Precision, (dy, w): (&[f32], &[f32])) -> Vec<f32> {
        if precision != Precision::Bf16 {
            return input_gradient(p, dy, w);
        }
        round(&input_gradient(p, &round(dy), &round(w)))
    }

    fn weight_gradient(p: &Problem, precision: Precision, (x, dy): (&[f32], &[f32])) -> Vec<f32> {
        if precision != Precision::Bf16 {
            return weight_gradient(p, x, dy);
        }
        round(&weight_gradient(p, &round(x), &round(dy)))
    }
}

/// The 3x3 convolution at stride 1 that keeps the side.
fn winograd(p: &Problem) -> Option<Winograd> {
    p.is_3x3_same().then(|| Winograd::new(Form::Same, p.n, (p.co, p.ci), (p.h, p.w)))
}

/// `y [n, co, ho, wo]` of `x [n, ci, h, w]`, `w [co, ci, kh, kw]`.
fn forward(p: &Problem, x: &[f32], w: &[f32], after: After<'_, f32>) -> Vec<f32> {
    match winograd(p) {
        Some(winograd) => winograd.forward(x, w, after, Prologue::PLAIN),
        None => flat::forward(p, x, w, after),
    }
}

/// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]`.
fn input_gradient(p: &Problem, dy: &[f32], w: &[f32]) -> Vec<f32> {
    match winograd(p) {
        Some(winograd) => winograd.input_gradient(dy, w),
        None => flat::input_gradient(p, dy, w),
    }
}

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
fn weight_gradient(p: &Problem, x: &[f32], dy: &[f32]) -> Vec<f32> {
    match winograd(p) {
        Some(winograd) => winograd.weight_gradient(x, dy, Prologue::PLAIN),
        None => flat::weight_gradient(p, x, dy),
    }
}
