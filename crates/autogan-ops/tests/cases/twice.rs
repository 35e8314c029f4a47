//! The same operator on the same inputs gives the same bits each time, whatever the order of blocks.

use autogan_ops::{self as ops, Activation, Before, Resize, Statistics};
use candle_core::{Result, Tensor};

use super::compare::{Side, both_ways};
use super::layers::layers;
use crate::place;

/// Computes output and gradients twice, with two seeds for the order of the blocks, and panics unless all bits agree.
#[track_caller]
fn same_bits(inputs: &[(Vec<usize>, Vec<f32>)], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let [first, second] =
        [0, 7].map(|seed| place::run(seed, || both_ways(inputs, Side::Tested, &f)));
    for (i, (first, second)) in first.iter().zip(&second).enumerate() {
        let same = first.iter().zip(second).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "value {i} of {}: the second run gave other bits", inputs.len() + 1);
    }
}

#[test]
fn convolutions_and_their_gradients() {
    layers(|_, inputs| {
        same_bits(&inputs[..3], |t| ops::conv2d(&t[0], &t[1], Some(&t[2])));
        same_bits(&inputs[..3], |t| ops::conv2d_avg_pool2(&t[0], &t[1], Some(&t[2])));
        same_bits(&inputs[..3], |t| {
            Ok(ops::conv2d_fused(&t[0], Before::Relu, Resize::NearestUp, &t[1], &t[2])?.y)
        });
        same_bits(&inputs, |t| {
            let (weight, bias, statistics) = (&t[3], &t[4], Statistics::Own);
            let before = Before::BatchNorm { weight, bias, statistics, eps: 1e-5 };
            Ok(ops::conv2d_fused(&t[0], before, Resize::Keep, &t[1], &t[2])?.y)
        });
    });
}

#[test]
fn sums_of_images_and_products() {
    layers(|_, inputs| {
        same_bits(&inputs[..1], |t| ops::sum_pool(&t[0]));
        same_bits(&inputs[..1], |t| ops::hinge_mean(&t[0], -1.0));
        same_bits(&inputs[..1], |t| ops::instance_norm(&t[0], 1e-5, Activation::Relu));
        let (shape, values) = &inputs[1];
        let matrix = (vec![shape[0], values.len() / shape[0]], values.clone());
        same_bits(&[matrix.clone(), matrix], |t| ops::linear(&t[0], &t[1], None));
    });
}
