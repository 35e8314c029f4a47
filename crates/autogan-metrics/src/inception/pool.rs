//! 3x3 pools of the network, for evaluation only: maxima, and averages that do not count padding.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Kernel side of all pools.
const KERNEL: usize = 3;

/// 3x3 maximum: `[N, C, H, W]` → `[N, C, (H + 2·pad − 3) / stride + 1, …]`; padding never wins.
///
/// # Errors
/// When the input is not 4-dimensional `f32`, or smaller than the kernel with its padding.
pub(super) fn maximum(x: &Tensor, stride: usize, pad: usize) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1_no_bwd(&Pool::new(x, Kind::Maximum, stride, pad)?);
    }
    // Inputs come from a ReLU, so zeros cannot win against them.
    let padded = x.pad_with_zeros(2, pad, pad)?.pad_with_zeros(3, pad, pad)?;
    padded.max_pool2d_with_stride(KERNEL, stride)
}

/// 3x3 average at stride 1 over the pixels that exist: `[N, C, H, W]` → `[N, C, H, W]`.
///
/// # Errors
/// When the input is not 4-dimensional `f32`.
pub(super) fn average(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.contiguous()?.apply_op1_no_bwd(&Pool::new(x, Kind::Average, 1, 1)?);
    }
    let mean = |x: &Tensor| {
        let padded = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
        padded.avg_pool2d_with_stride(KERNEL, 1)
    };
    let (_, _, h, w) = x.dims4()?;
    let share = Tensor::ones((1, 1, h, w), x.dtype(), x.device())?;
    mean(x)?.broadcast_div(&mean(&share)?)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Maximum,
    Average,
}

/// One pool over planes of `h` x `w` pixels.
struct Pool {
    kind: Kind,
    stride: usize,
    pad: usize,
    from: (usize, usize),
    shape: (usize, usize, usize, usize),
}

impl Pool {
    fn new(x: &Tensor, kind: Kind, stride: usize, pad: usize) -> Result<Self> {
        let (n, c, h, w) = x.dims4()?;
        if h + 2 * pad < KERNEL || w + 2 * pad < KERNEL {
            bail!(
                "3x3 pool: expected at least {KERNEL}x{KERNEL} pixels with padding {pad}, found {h}x{w}"
            );
        }
        let side = |len: usize| (len + 2 * pad - KERNEL) / stride + 1;
        Ok(Pool { kind, stride, pad, from: (h, w), shape: (n, c, side(h), side(w)) })
    }

    /// One output row: rows of the window are reduced first, then columns of the result.
    fn row(&self, plane: &[f32], y: usize, reduced: &mut [f32], out: &mut [f32]) {
        let (h, w) = self.from;
        let rows = window(y, self.stride, self.pad, h);
        let count = rows.len();
        let first = rows.start;
        reduced.copy_from_slice(&plane[first * w..][..w]);
        for r in first + 1..rows.end {
            for (a, b) in reduced.iter_mut().zip(&plane[r * w..][..w]) {
                *a = self.reduce(*a, *b);
            }
        }
        // Outputs whose window lies inside the row need no bounds.
        let inner = self.pad.div_ceil(self.stride)
            ..((w + self.pad).saturating_sub(KERNEL) / self.stride + 1).min(out.len());
        let scale = 1.0 / (count * KERNEL) as f32;
        let from = &reduced[inner.start * self.stride - self.pad.min(inner.start * self.stride)..];
        for (o, seen) in
            out[inner.clone()].iter_mut().zip(from.windows(KERNEL).step_by(self.stride))
        {
            let value = self.reduce(self.reduce(seen[0], seen[1]), seen[2]);
            *o = match self.kind {
                Kind::Maximum => value,
                Kind::Average => value * scale,
            };
        }
        for x in (0..inner.start.min(out.len())).chain(inner.end..out.len()) {
            let columns = window(x, self.stride, self.pad, w);
            let pixels = count * columns.len();
            let seen = &reduced[columns];
            let value = seen[1..].iter().fold(seen[0], |a, b| self.reduce(a, *b));
            out[x] = match self.kind {
                Kind::Maximum => value,
                Kind::Average => value / pixels as f32,
            };
        }
    }

    fn reduce(&self, a: f32, b: f32) -> f32 {
        match self.kind {
            Kind::Maximum if b > a || b.is_nan() => b,
            Kind::Maximum => a,
            Kind::Average => a + b,
        }
    }
}

/// Input indices under output `i`, without padding; never empty for padding below the kernel.
fn window(i: usize, stride: usize, pad: usize, len: usize) -> std::ops::Range<usize> {
    let start = i * stride;
    start.saturating_sub(pad)..(start + KERNEL - pad).min(len)
}

impl CustomOp1 for Pool {
    fn name(&self) -> &'static str {
        "3x3 pool"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F32(x), Some((start, end))) = (x, layout.contiguous_offsets()) else {
            bail!("3x3 pool: expected a contiguous f32 tensor, found {:?}", layout);
        };
        let (n, c, ho, wo) = self.shape;
        let (h, w) = self.from;
        let mut y = vec![0f32; n * c * ho * wo];
        y.par_chunks_mut(ho * wo).zip(x[start..end].par_chunks(h * w)).for_each_init(
            || vec![0f32; w],
            |reduced, (out, plane)| {
                for (i, row) in out.chunks_mut(wo).enumerate() {
                    self.row(plane, i, reduced, row);
                }
            },
        );
        Ok((CpuStorage::F32(y), self.shape.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn sample(h: usize, w: usize) -> Tensor {
        let values: Vec<f32> = (0..2 * 3 * h * w).map(|i| (i * 37 % 101) as f32).collect();
        Tensor::from_vec(values, (2, 3, h, w), &Device::Cpu).unwrap()
    }

    fn close(a: &Tensor, b: &Tensor) {
        assert_eq!(a.dims(), b.dims());
        let gap = (a - b).unwrap().abs().unwrap().max_all().unwrap();
        assert!(gap.to_scalar::<f32>().unwrap() < 1e-4);
    }

    #[test]
    fn maxima_equal_candles() {
        for (h, w, stride, pad) in [(9, 9, 2, 0), (8, 5, 2, 0), (8, 8, 1, 1), (3, 4, 1, 0)] {
            let x = sample(h, w);
            let padded = x.pad_with_zeros(2, pad, pad).unwrap().pad_with_zeros(3, pad, pad);
            let expected = padded.unwrap().max_pool2d_with_stride(3, stride).unwrap();
            close(&maximum(&x, stride, pad).unwrap(), &expected);
        }
    }

    #[test]
    fn averages_do_not_count_padding() {
        let x = sample(5, 4);
        let y = average(&x).unwrap();
        let at = |t: &Tensor, h: usize, w: usize| {
            t.get(1)
                .unwrap()
                .get(2)
                .unwrap()
                .get(h)
                .unwrap()
                .get(w)
                .unwrap()
                .to_scalar::<f32>()
                .unwrap()
        };
        let corner = (at(&x, 0, 0) + at(&x, 0, 1) + at(&x, 1, 0) + at(&x, 1, 1)) / 4.0;
        assert!((at(&y, 0, 0) - corner).abs() < 1e-4);
        let inner: f32 =
            (1..4).flat_map(|h| (1..4).map(move |w| (h, w))).map(|(h, w)| at(&x, h, w)).sum();
        assert!((at(&y, 2, 2) - inner / 9.0).abs() < 1e-4);
        // A constant stays itself, also at the border.
        let ones = Tensor::ones((1, 1, 4, 6), candle_core::DType::F32, &Device::Cpu).unwrap();
        close(&average(&ones).unwrap(), &ones);
    }

    #[test]
    fn an_image_below_the_kernel_is_an_error() {
        assert!(maximum(&sample(2, 9), 2, 0).is_err());
    }
}
