//! The operators that take most of the time of a training, on layers as large as the place can compute.

use autogan_ops::{self as ops, Activation, Before, Resize, Statistics};

use super::compare::{Inputs, compare_values};
use super::draw::Case;
use crate::place;

/// The sizes of a convolution layer.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub images: usize,
    pub channels: usize,
    pub outputs: usize,
    /// The side of the square input images, an even number.
    pub side: usize,
}

impl Layer {
    /// The input images, a 3x3 kernel, a bias, and a weight and a bias of a norm for each input channel. The kernel has
    /// the scale of an initialised one, so that its outputs stay near one and no gradient vanishes.
    pub fn inputs(&self, case: &mut Case) -> Inputs {
        let Self { images, channels, outputs, side } = *self;
        let scale = (1.0 / (9 * channels) as f32).sqrt();
        let shapes = [
            vec![images, channels, side, side],
            vec![outputs, channels, 3, 3],
            vec![outputs],
            vec![channels],
            vec![channels],
        ];
        let scales = [1.0, scale, 1.0, 1.0, 1.0];
        let of = |(shape, scale): (Vec<usize>, f32)| {
            let values = case.floats(shape.iter().product());
            (shape, values.iter().map(|v| v * scale).collect())
        };
        shapes.into_iter().zip(scales).map(of).collect()
    }
}

/// Calls `f` with a case and the inputs of each layer.
pub fn layers(f: impl Fn(&mut Case, Inputs)) {
    for (seed, layer) in (0..).zip(place::layers()) {
        let mut case = Case::new(seed);
        let inputs = layer.inputs(&mut case);
        f(&mut case, inputs);
    }
}

#[test]
fn plain_convolutions() {
    layers(|case, inputs| {
        compare_values(case, &inputs[..3], 1e-5, |t| ops::conv2d(&t[0], &t[1], Some(&t[2])));
    });
}

#[test]
fn convolutions_behind_a_norm_of_the_batch() {
    layers(|case, inputs| {
        compare_values(case, &inputs, 1e-4, |t| {
            let (weight, bias, statistics) = (&t[3], &t[4], Statistics::Own);
            let before = Before::BatchNorm { weight, bias, statistics, eps: 1e-5 };
            Ok(ops::conv2d_fused(&t[0], before, Resize::Keep, &t[1], &t[2])?.y)
        });
    });
}

#[test]
fn convolutions_of_a_larger_image_and_averages_of_one() {
    layers(|case, inputs| {
        for resize in [Resize::NearestUp, Resize::AveragePool] {
            compare_values(case, &inputs[..3], 1e-4, |t| {
                Ok(ops::conv2d_fused(&t[0], Before::Relu, resize, &t[1], &t[2])?.y)
            });
        }
    });
}

#[test]
fn norms_of_images() {
    layers(|case, inputs| {
        compare_values(case, &inputs[..1], 1e-4, |t| {
            ops::instance_norm(&t[0], 1e-5, Activation::Linear)
        });
    });
}
