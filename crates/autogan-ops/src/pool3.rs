//! These 3x3 pools are for networks that are only evaluated: maxima, and averages that skip padding; no gradients.
//!
//! With the channels last, [`autogan_kernels::inference`] has its own.

use autogan_kernels::memory::{filled, write, write_pieces};
use candle_core::{Result, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, narrow, over_planes};
use crate::evaluated::{Evaluation, apply};

/// Side of the kernels.
const KERNEL: usize = 3;

/// 3x3 maximum: `[N, C, H, W]` → `[N, C, (H + 2·pad − 3) / stride + 1, …]`, f32; padding never wins, NaN does. It takes no
/// part in gradients.
///
/// # Errors
/// When the input is not 4-dimensional f32 or smaller than the kernel with its padding, the stride is 0 or `pad` above 2,
/// or a gradient of it is wanted.
pub fn max_pool3(x: &Tensor, stride: usize, pad: usize) -> Result<Tensor> {
    let pool = Pool::new("max_pool3", x, stride, pad)?;
    apply(x, pool.shape(), Maximum(pool))
}

/// [`max_pool3`] by candle's pool, of an image with its outermost pixels repeated: each is in a window already.
///
/// # Errors
/// As [`max_pool3`], but for the element type.
pub fn max_pool3_ref(x: &Tensor, stride: usize, pad: usize) -> Result<Tensor> {
    Pool::new("max_pool3", x, stride, pad)?;
    let padded = x.pad_with_same(2, pad, pad)?.pad_with_same(3, pad, pad)?;
    padded.max_pool2d_with_stride(KERNEL, stride)
}

/// Average over the pixels that exist in each 3x3 neighbourhood, at stride 1: `[N, C, H, W]` → `[N, C, H, W]`, f32. It
/// takes no part in gradients.
///
/// # Errors
/// When the input is not 4-dimensional f32, has no pixels, or a gradient of it is wanted.
pub fn avg_pool3(x: &Tensor) -> Result<Tensor> {
    let pool = Pool::new("avg_pool3", x, 1, 1)?;
    apply(x, pool.shape(), Average(pool))
}

/// [`avg_pool3`] by candle's pool, which counts padding, divided by the share of it that is image.
///
/// # Errors
/// As [`avg_pool3`], but for the element type.
pub fn avg_pool3_ref(x: &Tensor) -> Result<Tensor> {
    let pool = Pool::new("avg_pool3", x, 1, 1)?;
    let mean = |x: &Tensor| {
        let padded = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
        padded.avg_pool2d_with_stride(KERNEL, 1)
    };
    let share = Tensor::ones((1, 1, pool.from.0, pool.from.1), x.dtype(), x.device())?;
    mean(x)?.broadcast_div(&mean(&share)?)
}

/// One pool over planes.
struct Pool {
    n: usize,
    c: usize,
    from: (usize, usize),
    to: (usize, usize),
    stride: usize,
    pad: usize,
}

impl Pool {
    fn new(op: &str, x: &Tensor, stride: usize, pad: usize) -> Result<Self> {
        let (n, c, h, w) = x.dims4()?;
        if stride == 0 || pad >= KERNEL {
            bail!("{op}: expected a stride above 0 and padding below 3, found {stride} and {pad}");
        }
        if h * w == 0 || h + 2 * pad < KERNEL || w + 2 * pad < KERNEL {
            bail!("{op}: expected at least 3x3 pixels with padding {pad}, found {h}x{w}");
        }
        let side = |len: usize| (len + 2 * pad - KERNEL) / stride + 1;
        Ok(Self { n, c, from: (h, w), to: (side(h), side(w)), stride, pad })
    }

    /// The shape of the output.
    fn shape(&self) -> (usize, usize, usize, usize) {
        (self.n, self.c, self.to.0, self.to.1)
    }

    /// Pixels under output `i` along a side of `len`, without padding.
    fn window(&self, i: usize, len: usize) -> std::ops::Range<usize> {
        let start = i * self.stride;
        start.saturating_sub(self.pad)..(start + KERNEL - self.pad).min(len)
    }

    /// Computes each output from its window: `join` puts two values together, `finish` has the number of pixels.
    fn forward(
        &self,
        x: &[f32],
        join: impl Fn(f32, f32) -> f32 + Copy + Sync + Send,
        finish: impl Fn(f32, usize) -> f32 + Sync + Send,
    ) -> Vec<f32> {
        let ((h, w), (ho, wo)) = (self.from, self.to);
        let columns: Vec<_> = (0..wo).map(|j| self.window(j, w)).collect();
        filled(self.n * self.c * ho * wo, ho * wo, |plane, out| {
            let x = &x[plane * h * w..][..h * w];
            let mut reduced = vec![0.0; w];
            write_pieces(out, wo, |i, line| {
                // Rows of the window first, then columns of the result.
                let rows = self.window(i, h);
                let count = rows.len();
                reduced.copy_from_slice(&x[rows.start * w..][..w]);
                for row in rows.skip(1) {
                    for (a, &b) in reduced.iter_mut().zip(&x[row * w..][..w]) {
                        *a = join(*a, b);
                    }
                }
                let pixel = |columns: &std::ops::Range<usize>| {
                    let seen = &reduced[columns.clone()];
                    let value = seen[1..].iter().fold(seen[0], |a, &b| join(a, b));
                    finish(value, count * seen.len())
                };
                write(line, columns.iter().map(pixel))
            })
        })
    }
}

struct Maximum(Pool);

impl Evaluation for Maximum {
    const NAME: &'static str = "max_pool3";
    type From = f32;
    type To = f32;

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.0.forward(x, |a, b| if b > a || b.is_nan() { b } else { a }, |value, _| value)
    }

    fn launch(&self, gpu: &dyn Gpu, x: Floats, y: Floats) -> Result<()> {
        let Pool { n, c, from: (h, w), to: (ho, wo), stride, pad } = self.0;
        narrow(n * c * h * w)?;
        let tensors = [x.read(), y.write()];
        let sizes = [int(n * c)?, int(h)?, int(w)?, int(ho)?, int(wo)?, int(stride)?, int(pad)?];
        over_planes(gpu, "max_pool3", (n * c, ho * wo), &[&tensors, &sizes])
    }
}

struct Average(Pool);

impl Evaluation for Average {
    const NAME: &'static str = "avg_pool3";
    type From = f32;
    type To = f32;

    fn forward(&self, x: &[f32]) -> Vec<f32> {
        self.0.forward(x, |a, b| a + b, |sum, pixels| sum / pixels as f32)
    }

    fn launch(&self, gpu: &dyn Gpu, x: Floats, y: Floats) -> Result<()> {
        let Pool { n, c, from: (h, w), .. } = self.0;
        let arguments = [x.read(), y.write(), int(n * c)?, int(h)?, int(w)?];
        over_planes(gpu, "avg_pool3", (n * c, h * w), &[&arguments])
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    /// Values of both signs, so that zeros would win against some.
    fn sample(h: usize, w: usize) -> Tensor {
        let values: Vec<f32> = (0..2 * 3 * h * w).map(|i| (i * 37 % 101) as f32 - 80.0).collect();
        Tensor::from_vec(values, (2, 3, h, w), &Device::Cpu).unwrap()
    }

    fn close(a: &Tensor, b: &Tensor, tolerance: f32) {
        assert_eq!(a.dims(), b.dims());
        let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(gap <= tolerance, "{gap}");
    }

    #[test]
    fn maxima_equal_the_reference() {
        for (h, w, stride, pad) in
            [(9, 9, 2, 0), (8, 5, 2, 0), (8, 8, 1, 1), (3, 4, 1, 0), (1, 1, 1, 1), (7, 4, 3, 2)]
        {
            let x = sample(h, w);
            let expected = max_pool3_ref(&x, stride, pad).unwrap();
            close(&max_pool3(&x, stride, pad).unwrap(), &expected, 0.0);
        }
    }

    #[test]
    fn averages_equal_the_reference() {
        for (h, w) in [(9, 9), (8, 5), (2, 3), (1, 1), (1, 6)] {
            let x = sample(h, w);
            let expected = avg_pool3_ref(&x.to_dtype(DType::F64).unwrap()).unwrap();
            close(&avg_pool3(&x).unwrap(), &expected.to_dtype(DType::F32).unwrap(), 1e-4);
        }
        // A constant stays itself, also at the border.
        let ones = Tensor::ones((1, 1, 4, 6), DType::F32, &Device::Cpu).unwrap();
        close(&avg_pool3(&ones).unwrap(), &ones, 0.0);
    }

    #[test]
    fn what_is_not_a_number_wins() {
        let mut values = [1f32; 16];
        values[5] = f32::NAN;
        let x = Tensor::from_slice(&values, (1, 1, 4, 4), &Device::Cpu).unwrap();
        let y = max_pool3(&x, 1, 0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(y.iter().all(|v| v.is_nan()), "{y:?}");
    }

    #[test]
    fn an_image_below_the_kernel_is_an_error() {
        assert!(max_pool3(&sample(2, 9), 2, 0).is_err());
        assert!(max_pool3(&sample(4, 4), 0, 0).is_err());
        assert!(max_pool3(&sample(4, 4), 1, 3).is_err());
        let error = avg_pool3(&sample(2, 2).to_dtype(DType::F64).unwrap()).unwrap_err();
        assert!(error.to_string().contains("expected f32 tensors, found F64"), "{error}");
    }
}
