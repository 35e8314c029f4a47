//! Convolutions in TF32, which cuDNN alone computes.

use autogan_ops::{self as ops, GradientOf, Precision, computing_in};
use candle_core::{DType, Device, Result, Tensor, Var};

use crate::cases::draw::Case;
use crate::place;

/// The allowed difference: both factors have ten bits of fraction.
const APART: f64 = 2.0 / 1024.0;

#[test]
fn convolutions_in_tf32_are_near_to_those_in_f64() {
    for (seed, layer) in (0..).zip(place::layers()) {
        let inputs = &layer.inputs(&mut Case::new(seed))[..3];
        let run = |device: &Device, dtype: DType| -> Result<Vec<Vec<f64>>> {
            let var = |(shape, values): &(Vec<usize>, Vec<f32>)| {
                let t = Tensor::from_slice(values, shape.as_slice(), device)?;
                Var::from_tensor(&t.to_dtype(dtype)?)
            };
            let vars = inputs.iter().map(var).collect::<Result<Vec<_>>>()?;
            let mut found = Vec::new();
            let (_, gradients) = ops::gradients(|| {
                let y = computing_in(Precision::Tf32, || {
                    ops::conv2d(&vars[0], &vars[1], Some(vars[2].as_tensor()))
                })?;
                found.push(y.clone());
                ops::scaled_mean(&ops::tanh(&y)?, y.elem_count() as f64)
            })?;
            let gradient = |v: &Var| gradients.gradient_of(v).expect("a gradient").clone();
            found.extend(vars.iter().map(gradient));
            let read = |t: &Tensor| {
                t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
            };
            found.iter().map(read).collect()
        };
        let expected = run(&Device::Cpu, DType::F64).unwrap();
        let found = run(&place::device(), DType::F32).unwrap();
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let scale = expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            for (f, e) in found.iter().zip(expected) {
                // Written so that NaN fails.
                assert!(
                    (f - e).abs() <= APART * scale,
                    "{layer:?}, tensor {i}: expected {e}, found {f}"
                );
            }
        }
    }
}
