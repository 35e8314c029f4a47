//! [`computing_in`] sets the precision in which convolutions compute: a scope around the code that calls them.
//!
//! In bf16 the operands of each product (x and w; dy and w; x and dy) are rounded to bf16, to the nearest value, ties to
//! the even one; products are summed in f32; the sum (y before its bias, dx, dw) is rounded to bf16 and kept as f32. Bias,
//! activation and the bias's gradient are f32. So cuDNN computes on bf16 tensors, and so does every path here.

use std::cell::RefCell;

pub use autogan_kernels::Precision;

use crate::scope::holding;

thread_local! {
    static SCOPE: RefCell<Precision> = const { RefCell::new(Precision::F32) };
}

/// Runs `f`, in which convolutions (`conv2d` and what is made of it, fused ones included) compute in `precision`, and so
/// do their gradients, whenever those are taken. The innermost scope counts. It holds on this thread and inside of
/// [`join`](crate::join); other threads know nothing of it.
pub fn computing_in<R>(precision: Precision, f: impl FnOnce() -> R) -> R {
    holding(&SCOPE, precision, f)
}

/// The precision of the scope around this call.
pub(crate) fn current() -> Precision {
    SCOPE.with_borrow(|precision| *precision)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use autogan_kernels::precision::round;

    use super::*;

    #[test]
    fn values_are_rounded_as_candle_s_own_bf16() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut bits: Vec<u32> = (0..100_000).map(|_| rng.random_range(0..=u32::MAX)).collect();
        // Ties to either side, signed zeros, subnormal values, the largest ones, infinities, signalling NaN.
        for high in [0, 1, 0x3f80, 0x3f81, 0x7f7f, 0x7f80, 0x7fc0, 0x8000, 0xbf80, 0xff7f, 0xff80] {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                bits.push(high << 16 | low);
            }
        }
        let values: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
        let tensor = Tensor::from_slice(&values, values.len(), &Device::Cpu).unwrap();
        let expected = tensor.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        for ((v, e), f) in values.iter().zip(expected.to_vec1::<f32>().unwrap()).zip(round(&values))
        {
            assert_eq!(f.to_bits(), e.to_bits(), "{v:e} ({:08x})", v.to_bits());
        }
    }

    #[test]
    fn a_scope_ends_with_its_function_however_that_ends() {
        computing_in(Precision::Bf16, || {
            assert_eq!(current(), Precision::Bf16);
            computing_in(Precision::F32, || assert_eq!(current(), Precision::F32));
            assert_eq!(current(), Precision::Bf16);
            let unwound = std::panic::catch_unwind(|| computing_in(Precision::Tf32, || panic!()));
            assert!(unwound.is_err());
            assert_eq!(current(), Precision::Bf16);
        });
        assert_eq!(current(), Precision::F32);
    }

    #[test]
    fn join_hands_the_scope_to_both_sides_on_any_thread() {
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let seen = pool.install(|| {
                // Either side waits for a moment, so that a thread that is free takes the other.
                let look = || {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    current()
                };
                let here = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
                let inside = computing_in(Precision::Bf16, || crate::join(&here, look, look));
                (inside, crate::join(&here, look, look))
            });
            assert_eq!(seen.0, (Precision::Bf16, Precision::Bf16));
            assert_eq!(seen.1, (Precision::F32, Precision::F32));
        }
    }

    #[test]
    fn tf32_on_the_cpu_is_an_error_and_f64_ignores_it() {
        let run = |dtype| {
            let x = Tensor::ones((1, 1, 4, 4), dtype, &Device::Cpu).unwrap();
            let w = Tensor::ones((1, 1, 3, 3), dtype, &Device::Cpu).unwrap();
            computing_in(Precision::Tf32, || crate::conv2d(&x, &w, None))
        };
        let error = run(DType::F32).unwrap_err().to_string();
        assert!(error.contains("TF32") && error.contains("f32 or bf16"), "{error}");
        run(DType::F64).unwrap();
    }
}
