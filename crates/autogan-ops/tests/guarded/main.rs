//! Every operator on odd sizes, on every path of the processor, with each buffer between two pages that nobody may touch.
//!
//! In f32, with its gradients, it is compared with itself in f64 on ordinary memory. The tests of `operators` check f64,
//! by plain forms and finite differences.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

#[cfg(unix)]
mod operators;
#[cfg(unix)]
mod without_gradient;

#[cfg(unix)]
#[global_allocator]
static MEMORY: autogan_testing::guard::Guarded = autogan_testing::guard::Guarded;

#[cfg(unix)]
mod common {
    //! Numbers and sizes.

    use candle_core::{DType, Device, Shape, Tensor};

    /// Sizes `(n, c, h, w)`: primes, and below, at and above the lanes of vectors.
    pub const SIZES: [(usize, usize, usize, usize); 14] = [
        (1, 1, 1, 1),
        (2, 3, 2, 3),
        (3, 5, 7, 1),
        (1, 15, 1, 9),
        (2, 16, 4, 4),
        (3, 17, 3, 5),
        (1, 33, 8, 7),
        (2, 2, 9, 13),
        (3, 1, 17, 6),
        (1, 7, 5, 17),
        (17, 3, 3, 3),
        (16, 2, 8, 16),
        (33, 1, 2, 2),
        (1, 3, 13, 15),
    ];

    /// A tensor of values in -1..1 that depend on the seed alone.
    pub fn noise(seed: usize, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        let shape = shape.into();
        let step = 0.37 + 0.11 * (seed % 13) as f32;
        let value = |i: usize| (i as f32 * step + seed as f32).sin();
        let data: Vec<f32> = (0..shape.elem_count()).map(value).collect();
        Tensor::from_vec(data, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    }

    /// The elements as f64.
    pub fn values(t: &Tensor) -> Vec<f64> {
        t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Panics unless elements are equal up to `bound`, as a part of the largest element or of 1.
    #[track_caller]
    pub fn assert_near(found: &[f64], expected: &[f64], bound: f64, what: impl Fn() -> String) {
        assert_eq!(found.len(), expected.len(), "{}", what());
        let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            // Written so that NaN fails.
            let near = (f - e).abs() <= bound * scale;
            assert!(near, "{}, element {i}: expected {e}, found {f}", what());
        }
    }
}
