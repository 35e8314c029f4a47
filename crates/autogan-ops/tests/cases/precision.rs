//! Convolutions in bf16 at the place under test, compared with those of the CPU in bf16.

use autogan_ops::{self as ops, Before, Precision, Resize, computing_in};
use candle_core::{DType, Device, Result, Tensor, Var};

use super::compare::{Inputs, Values, read};
use super::draw::Case;
use crate::place;

/// The allowed difference, relative to the largest value: the distance of two neighbouring bf16 values. Sums in another
/// order may be rounded to the other neighbour, and gradients depend on such outputs.
const APART: f64 = 1.0 / 128.0;

/// The output of `f` in bf16, and the gradients of its inputs for a fixed gradient of the output.
fn both_ways(inputs: &Inputs, device: &Device, f: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Values {
    let var = |(shape, values): &(Vec<usize>, Vec<f32>)| {
        Var::from_tensor(&Tensor::from_slice(values, shape.as_slice(), device).unwrap()).unwrap()
    };
    let vars: Vec<Var> = inputs.iter().map(var).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let mut found = Vec::new();
    let (_, gradients) = ops::gradients(|| {
        let y = computing_in(Precision::Bf16, || f(&tensors))?;
        found.push(y.clone());
        ops::scaled_mean(&y, y.elem_count() as f64)
    })
    .unwrap();
    let gradient = |v: &Var| ops::GradientOf::gradient_of(&gradients, v).unwrap().clone();
    found.extend(vars.iter().map(gradient));
    assert!(found.iter().all(|t| t.dtype() == DType::F32));
    found.iter().map(read).collect()
}

#[test]
fn convolutions_in_bf16_are_the_cpu_s() {
    if !place::has_bf16() {
        // The documentation promises this error on such GPUs.
        let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &place::device()).unwrap();
        let w = Tensor::zeros((1, 1, 3, 3), DType::F32, &place::device()).unwrap();
        let error = computing_in(Precision::Bf16, || ops::conv2d(&x, &w, None)).unwrap_err();
        assert!(error.to_string().contains("8.0"), "{error}");
        return;
    }
    for (seed, layer) in (0..).zip(place::layers()) {
        let inputs = layer.inputs(&mut Case::new(seed))[..3].to_vec();
        for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
            let f = |t: &[Tensor]| {
                Ok(ops::conv2d_fused(&t[0], Before::Nothing, resize, &t[1], &t[2])?.y)
            };
            let expected = both_ways(&inputs, &Device::Cpu, &f);
            let found = place::run(seed, || both_ways(&inputs, &place::device(), &f));
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let scale = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
                for (f, e) in found.iter().zip(expected) {
                    // Written so that NaN fails.
                    let near = (f - e).abs() <= APART * scale;
                    assert!(near, "{layer:?}, {resize:?}, tensor {i}: expected {e}, found {f}");
                }
            }
        }
    }
}
