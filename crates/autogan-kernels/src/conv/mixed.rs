//! Convolution in f32 in a [`Precision`]: in bf16 by the f32 loops on rounded operands, whose results are rounded.
//!
//! bf16 here is what a GPU's results are compared with; it is slower than f32. 3x3 kernels still run by Winograd's
//! algorithm, whose transforms are f32 like the sums: they cost a few of f32's last digits, far below bf16's.

use super::{After, Kernels, Problem, single};
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
                pixels.iter_mut().for_each(|y| *y = after.activation.apply(rounded(*y) + bias));
            },
        );
        y
    }

    fn input_gradient(p: &Problem, precision: Precision, (dy, w): (&[f32], &[f32])) -> Vec<f32> {
        if precision != Precision::Bf16 {
            return single::input_gradient(p, dy, w);
        }
        round(&single::input_gradient(p, &round(dy), &round(w)))
    }

    fn weight_gradient(p: &Problem, precision: Precision, (x, dy): (&[f32], &[f32])) -> Vec<f32> {
        if precision != Precision::Bf16 {
            return single::weight_gradient(p, x, dy);
        }
        round(&single::weight_gradient(p, &round(x), &round(dy)))
    }
}
