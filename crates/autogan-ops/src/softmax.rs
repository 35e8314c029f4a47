//! This module holds log-softmax and cross-entropy with gradient (candle-nn's `softmax_last_dim` has none).

use candle_core::{Result, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, over_groups};
use crate::host::zeros;
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// `x − log Σ exp x` along the last of two dimensions: `[N, K]` → `[N, K]`.
///
/// # Errors
/// When the input is not 2-dimensional or K is 0.
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let (rows, classes) = x.dims2()?;
    if classes == 0 {
        bail!("log_softmax: expected at least one class");
    }
    apply([x], (rows, classes), LogSoftmax { rows, classes })
}

/// [`log_softmax`] from candle's elementary operators, with candle's gradient.
///
/// # Errors
/// As [`log_softmax`].
pub fn log_softmax_ref(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(1)?.log()?)
}

/// Mean over the batch of `−Σ target · log softmax(logits)`: both `[N, K]`, rows of `target` sum to 1 → scalar.
///
/// # Errors
/// When the shapes differ.
pub fn cross_entropy(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    let (n, _) = logits.dims2()?;
    log_softmax(logits)?.mul(target)?.sum_all()?.affine(-1.0 / n as f64, 0.0)
}

struct LogSoftmax {
    rows: usize,
    classes: usize,
}

impl Operator<1> for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const KEEP: Keep = Keep::Output;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let mut y = zeros(x.len());
        for (out, row) in y.chunks_exact_mut(self.classes).zip(x.chunks_exact(self.classes)) {
            let max = row.iter().map(|v| v.to_f64()).fold(f64::NEG_INFINITY, f64::max);
            let log_sum = row.iter().map(|v| (v.to_f64() - max).exp()).sum::<f64>().ln() + max;
            for (o, v) in out.iter_mut().zip(row) {
                *o = T::from_f64(v.to_f64() - log_sum);
            }
        }
        Ok(y)
    }

    fn backward<T: Real>(&self, Basis { y, dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let mut dx = zeros(y.len());
        let rows = y.chunks_exact(self.classes).zip(dy.chunks_exact(self.classes));
        for (out, (y, dy)) in dx.chunks_exact_mut(self.classes).zip(rows) {
            let sum: f64 = dy.iter().map(|d| d.to_f64()).sum();
            for ((o, y), d) in out.iter_mut().zip(y).zip(dy) {
                *o = T::from_f64(d.to_f64() - y.to_f64().exp() * sum);
            }
        }
        Ok([Some(dx)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let arguments = [x.read(), y.write(), int(self.rows)?, int(self.classes)?];
        over_groups(gpu, "log_softmax_forward", self.rows, &[&arguments])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let sizes = [int(self.rows)?, int(self.classes)?];
        let tensors = [at.y.read(), at.dy.read(), dx[0].write()];
        over_groups(gpu, "log_softmax_backward", self.rows, &[&tensors, &sizes])
    }
}
