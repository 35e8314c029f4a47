//! Convolution in f32 by the faster algorithm: Winograd's where it applies, flat loops elsewhere.

use super::winograd::{Form, Prologue, Winograd};
use super::{After, Problem, flat};

/// The 3x3 convolution at stride 1 that keeps the side.
fn winograd(p: &Problem) -> Option<Winograd> {
    p.is_3x3_same().then(|| Winograd::new(Form::Same, p.n, (p.co, p.ci), (p.h, p.w)))
}

/// `y [n, co, ho, wo]` of `x [n, ci, h, w]`, `w [co, ci, kh, kw]`.
pub(super) fn forward(p: &Problem, x: &[f32], w: &[f32], after: After<'_, f32>) -> Vec<f32> {
    match winograd(p) {
        Some(winograd) => winograd.forward(x, w, after, Prologue::PLAIN),
        None => flat::forward(p, x, w, after),
    }
}

/// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]`.
pub(super) fn input_gradient(p: &Problem, dy: &[f32], w: &[f32]) -> Vec<f32> {
    match winograd(p) {
        Some(winograd) => winograd.input_gradient(dy, w),
        None => flat::input_gradient(p, dy, w),
    }
}

/// Input channels that are too few to fill the vectors of Winograd's weight gradient.
const FEW: usize = 4;

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
pub(super) fn weight_gradient(p: &Problem, x: &[f32], dy: &[f32]) -> Vec<f32> {
    match winograd(p).filter(|_| p.ci > FEW) {
        Some(winograd) => winograd.weight_gradient(x, dy, Prologue::PLAIN),
        None => flat::weight_gradient(p, x, dy),
    }
}
