//! Random tensors, comparison, and gradients by finite differences.

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A tensor of values in -1..1 that depend on the seed alone.
pub fn random(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let data: Vec<f64> = (0..shape.elem_count()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// A vector of equal values, f64.
pub fn constant(value: f64, len: usize) -> Tensor {
    Tensor::full(value, len, &Device::Cpu).unwrap()
}

/// The elements of a tensor as f64.
pub fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Panics unless shapes are equal and all elements within `tolerance` of each other.
#[track_caller]
pub fn assert_close(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}: shapes differ");
    for (i, (x, y)) in values(a).into_iter().zip(values(b)).enumerate() {
        assert!(
            (x - y).abs() <= tolerance * (1.0 + y.abs()),
            "{what}: element {i} is {x}, expected {y}"
        );
    }
}

/// Compares candle's gradient of `Σ r · f(inputs)`, r random, with central differences, for every input element.
#[track_caller]
pub fn check_gradient(what: &str, inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    let weights = random(99, y.shape().clone());
    let grads = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
    let loss = |inputs: &[Tensor]| -> f64 {
        values(&f(inputs).unwrap()).iter().zip(values(&weights)).map(|(a, b)| a * b).sum()
    };
    let step = 1e-5;
    for (k, var) in vars.iter().enumerate() {
        let analytic =
            values(grads.get(var).unwrap_or_else(|| panic!("{what}: input {k} has no gradient")));
        let base = values(&inputs[k]);
        for i in 0..base.len() {
            let moved = |by: f64| {
                let mut data = base.clone();
                data[i] += by;
                let mut all = inputs.to_vec();
                all[k] = Tensor::from_vec(data, inputs[k].shape(), &Device::Cpu).unwrap();
                loss(&all)
            };
            let numeric = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (analytic[i] - numeric).abs() <= 1e-6 * (1.0 + numeric.abs()),
                "{what}: gradient of input {k}, element {i} is {}, finite differences give {numeric}",
                analytic[i]
            );
        }
    }
}
