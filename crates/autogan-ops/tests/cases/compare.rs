//! Compares an operator at the place under test with the same operator on the CPU in f64.

use autogan_ops::{self as ops, GradientOf};
use candle_core::{DType, Device, Result, Shape, Tensor, Var};

use super::draw::Case;
use crate::place;

/// One of the two sides of a comparison.
#[derive(Clone, Copy)]
pub enum Side {
    /// The CPU in f64, which gives the expected values.
    Reference,
    /// The place under test, in f32.
    Tested,
}

impl Side {
    /// Runs `f` on this side.
    pub fn run<R>(self, case: &Case, f: impl FnOnce() -> R) -> R {
        match self {
            Self::Reference => f(),
            Self::Tested => place::run(case.seed, f),
        }
    }

    /// A tensor of these values on the device and in the type of this side.
    pub fn tensor(self, values: &[f32], shape: impl Into<Shape>) -> Tensor {
        let (dtype, device) = match self {
            Self::Reference => (DType::F64, Device::Cpu),
            Self::Tested => (DType::F32, place::device()),
        };
        let tensor = Tensor::from_slice(values, shape.into(), &Device::Cpu).unwrap();
        tensor.to_dtype(dtype).unwrap().to_device(&device).unwrap()
    }
}

/// The elements of several tensors.
pub type Values = Vec<Vec<f64>>;

/// The shapes and the values of an operator's inputs.
pub type Inputs = Vec<(Vec<usize>, Vec<f32>)>;

/// The output of `f`, and the gradients of its inputs when a nonlinear function follows `f`.
pub fn both_ways(
    inputs: &[(Vec<usize>, Vec<f32>)],
    side: Side,
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Values {
    let var = |(shape, values): &(Vec<usize>, Vec<f32>)| {
        Var::from_tensor(&side.tensor(values, shape.as_slice())).unwrap()
    };
    let vars: Vec<Var> = inputs.iter().map(var).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let mut found = Vec::new();
    let (_, gradients) = ops::gradients(|| {
        let y = f(&tensors)?;
        found.push(y.clone());
        ops::scaled_mean(&ops::tanh(&y)?, y.elem_count() as f64)
    })
    .unwrap();
    let gradient = |v: &Var| gradients.gradient_of(v).expect("a gradient for each input").clone();
    found.extend(vars.iter().map(gradient));
    found.iter().map(read).collect()
}

/// A vector in f64 on the device of another tensor. Statistics and the vectors of spectral norm have this type.
pub fn vector(values: &[f64], beside: &Tensor) -> Result<Tensor> {
    Tensor::from_slice(values, values.len(), beside.device())
}

/// The elements of a tensor, wherever it is.
pub fn read(t: &Tensor) -> Vec<f64> {
    let here = t.to_device(&Device::Cpu).unwrap();
    here.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Panics unless every element lies within `tolerance` of what is expected, relative to the largest or to one.
#[track_caller]
pub fn close(case: &Case, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "case {}", case.seed);
    let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let near = (f - e).abs() <= tolerance * scale;
        assert!(near, "case {}, element {i}: expected {e}, found {f}", case.seed);
    }
}

/// Compares the operator at the place under test with the operator on the CPU, on inputs of these shapes: outputs
/// within 1e-5 of the largest, gradients within `tolerance`.
#[track_caller]
pub fn compare(
    case: &mut Case,
    shapes: &[&[usize]],
    tolerance: f64,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let inputs: Inputs =
        shapes.iter().map(|s| (s.to_vec(), case.floats(s.iter().product()))).collect();
    compare_values(case, &inputs, tolerance, f);
}

/// Like [`compare`], on inputs of these values.
#[track_caller]
pub fn compare_values(
    case: &Case,
    inputs: &[(Vec<usize>, Vec<f32>)],
    tolerance: f64,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let [expected, found] =
        [Side::Reference, Side::Tested].map(|side| side.run(case, || both_ways(inputs, side, &f)));
    close(case, &found[0], &expected[0], place::LEAST_TOLERANCE);
    for (found, expected) in found.iter().zip(&expected).skip(1) {
        close(case, found, expected, tolerance.max(place::LEAST_TOLERANCE));
    }
}
