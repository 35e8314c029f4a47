//! Batch norm and instance norm. Statistics are summed in f64 in a fixed order.
//!
//! Both normalise a group of values by its mean and biased variance: a channel over the batch (batch norm), or one
//! plane of one image (instance norm). Running statistics belong to the caller: it is given the batch's.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, WithDType, bail};
use rayon::prelude::*;

use crate::host::{for_pieces, host, slice, sum_by, sum_by2, tensor, zeros};
use crate::real::{Real, dispatch, same_dtype, storage};
use crate::unary::{Unary, apply};

const BATCH: &str = "batch_norm";
const INSTANCE: &str = "instance_norm";

/// What batch norm found in a batch, beside its output.
pub struct BatchNormOutput {
    /// Normalised, scaled and shifted, `[N, C, H, W]`.
    pub y: Tensor,
    /// Mean of each channel, `[C]`, f64.
    pub mean: Vec<f64>,
    /// Biased variance of each channel (divided by `count`), `[C]`, f64.
    pub var: Vec<f64>,
    /// Values per channel, N·H·W. The unbiased variance is `var · count / (count − 1)`.
    pub count: usize,
}

/// Batch norm by the batch's own statistics: `x [N, C, H, W]`, `weight [C]`, `bias [C]`
/// → `(x − mean) / √(var + eps) · weight + bias`; the gradient flows through the statistics.
///
/// # Errors
/// When the shapes or element types do not fit each other or the batch is empty.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<BatchNormOutput> {
    let dims = check(x, &[weight, bias])?;
    let x = x.contiguous()?;
    let (mean, var) = dispatch!(BATCH, x.dtype(), T => {
        let view = host(BATCH, &x)?;
        statistics::<T>(view.slice()?, dims)
    });
    let op = BatchNorm::new(dims, mean.clone(), &var, eps, true);
    let y = x.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)?;
    Ok(BatchNormOutput { y, mean, var, count: dims.0 * dims.2 })
}

/// Batch norm by given statistics, which are constants: `x [N, C, H, W]`, everything else `[C]`.
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn batch_norm_eval(
    x: &Tensor,
    mean: &[f64],
    var: &[f64],
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let dims = check(x, &[weight, bias])?;
    if mean.len() != dims.1 || var.len() != dims.1 {
        bail!(
            "{BATCH}: expected {} means and variances, found {} and {}",
            dims.1,
            mean.len(),
            var.len()
        );
    }
    let op = BatchNorm::new(dims, mean.to_vec(), var, eps, false);
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

/// [`batch_norm_train`] from candle's elementary operators, with candle's gradient.
///
/// # Errors
/// As [`batch_norm_train`].
pub fn batch_norm_ref(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let c = x.dim(1)?;
    let centred = x.broadcast_sub(&x.mean_keepdim((0, 2, 3))?)?;
    let var = centred.sqr()?.mean_keepdim((0, 2, 3))?;
    let y = centred.broadcast_div(&(var + eps)?.sqrt()?)?;
    y.broadcast_mul(&weight.reshape((1, c, 1, 1))?)?.broadcast_add(&bias.reshape((1, c, 1, 1))?)
}

/// Instance norm without affine parameters: each plane of `x [N, C, H, W]` by its own mean and biased variance.
///
/// # Errors
/// When the input is not 4-dimensional or has no pixels.
pub fn instance_norm(x: &Tensor, eps: f64) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if h * w == 0 {
        bail!("{INSTANCE}: expected at least one pixel, found {h}x{w}");
    }
    let shape = x.shape().clone();
    apply(x, InstanceNorm { planes: n * c, pixels: h * w, shape, eps })
}

/// [`instance_norm`] from candle's elementary operators, with candle's gradient.
///
/// # Errors
/// As [`instance_norm`].
pub fn instance_norm_ref(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim((2, 3))?)?;
    let var = centred.sqr()?.mean_keepdim((2, 3))?;
    centred.broadcast_div(&(var + eps)?.sqrt()?)
}

/// Images, channels, pixels.
type Dims = (usize, usize, usize);

fn check(x: &Tensor, parameters: &[&Tensor]) -> Result<Dims> {
    let (n, c, h, w) = x.dims4()?;
    for p in parameters {
        same_dtype(BATCH, &[x, p])?;
        if p.dims() != [c] {
            bail!("{BATCH}: expected parameters of shape [{c}], found {:?}", p.dims());
        }
    }
    if n * h * w == 0 {
        bail!("{BATCH}: expected a batch with at least one value a channel, found {:?}", x.dims());
    }
    Ok((n, c, h * w))
}

/// Mean and biased variance of each channel, in two passes.
fn statistics<T: Real>(x: &[T], (n, c, pixels): Dims) -> (Vec<f64>, Vec<f64>) {
    let count = (n * pixels) as f64;
    (0..c)
        .into_par_iter()
        .map(|ch| {
            let planes = || (0..n).map(move |i| &x[(i * c + ch) * pixels..][..pixels]);
            let mean = planes().map(|p| sum_by(p, |v| v)).sum::<f64>() / count;
            let var = planes().map(|p| sum_by(p, |v| (v - mean) * (v - mean))).sum::<f64>() / count;
            (mean, var)
        })
        .unzip()
}

struct BatchNorm {
    dims: Dims,
    mean: Vec<f64>,
    inv_std: Vec<f64>,
    /// The statistics are the batch's own, so the gradient flows through them.
    own: bool,
}

impl BatchNorm {
    fn new(dims: Dims, mean: Vec<f64>, var: &[f64], eps: f64, own: bool) -> Self {
        let inv_std = var.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        Self { dims, mean, inv_std, own }
    }

    /// `y = a·x + b` with `a = weight / std`, `b = bias − mean · a`.
    fn forward<T: Real>(&self, x: &[T], weight: &[T], bias: &[T]) -> Vec<T> {
        let (_, c, pixels) = self.dims;
        let mut y = zeros(x.len());
        for_pieces(&mut y, pixels, |plane, out| {
            let ch = plane % c;
            let a = weight[ch].to_f64() * self.inv_std[ch];
            let b = bias[ch].to_f64() - self.mean[ch] * a;
            let (a, b) = (T::from_f64(a), T::from_f64(b));
            for (o, &v) in out.iter_mut().zip(&x[plane * pixels..][..pixels]) {
                *o = v * a + b;
            }
        });
        y
    }

    /// Sums over each channel of `dy` and of `dy · x̂`: the gradients of bias and weight.
    fn parameter_sums<T: Real>(&self, x: &[T], dy: &[T]) -> (Vec<f64>, Vec<f64>) {
        let (n, c, pixels) = self.dims;
        (0..c)
            .into_par_iter()
            .map(|ch| {
                let (mean, inv) = (self.mean[ch], self.inv_std[ch]);
                let plane = |i: usize| (i * c + ch) * pixels..(i * c + ch + 1) * pixels;
                let sum: f64 = (0..n).map(|i| sum_by(&dy[plane(i)], |d| d)).sum();
                let dot = |i| sum_by2(&dy[plane(i)], &x[plane(i)], |d, x| d * (x - mean) * inv);
                (sum, (0..n).map(dot).sum::<f64>())
            })
            .unzip()
    }

    fn input_gradient<T: Real>(
        &self,
        x: &[T],
        weight: &[T],
        dy: &[T],
        (sum, dot): (&[f64], &[f64]),
    ) -> Vec<T> {
        let (n, c, pixels) = self.dims;
        let count = (n * pixels) as f64;
        let mut dx = zeros(x.len());
        for_pieces(&mut dx, pixels, |plane, out| {
            let ch = plane % c;
            let scale = weight[ch].to_f64() * self.inv_std[ch];
            // dx = scale · (dy − mean(dy) − x̂ · mean(dy · x̂)) = scale·dy + slope·x + shift
            let (slope, shift) = if self.own {
                let slope = -scale * self.inv_std[ch] * dot[ch] / count;
                (slope, -scale * sum[ch] / count - slope * self.mean[ch])
            } else {
                (0.0, 0.0)
            };
            let (scale, slope, shift) =
                (T::from_f64(scale), T::from_f64(slope), T::from_f64(shift));
            let range = plane * pixels..(plane + 1) * pixels;
            for ((o, &d), &v) in out.iter_mut().zip(&dy[range.clone()]).zip(&x[range]) {
                *o = d * scale + v * slope + shift;
            }
        });
        dx
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        BATCH
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!(BATCH, x.dtype(), T => {
            let (w, b) = (slice::<T>(BATCH, w, lw)?, slice::<T>(BATCH, b, lb)?);
            Ok(storage(self.forward(slice::<T>(BATCH, x, lx)?, w, b), lx.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        dispatch!(BATCH, x.dtype(), T => {
            let (hx, hw, hd) = (host(BATCH, x)?, host(BATCH, weight)?, host(BATCH, &dy)?);
            let (xs, ws, ds) = (hx.slice::<T>()?, hw.slice::<T>()?, hd.slice::<T>()?);
            let (sum, dot) = self.parameter_sums(xs, ds);
            let dx = if x.track_op() {
                Some(tensor(self.input_gradient(xs, ws, ds, (&sum, &dot)), x.shape())?)
            } else {
                None
            };
            let parameter = |of: &Tensor, sums: &[f64]| -> Result<Option<Tensor>> {
                if !of.track_op() {
                    return Ok(None);
                }
                Ok(Some(tensor(sums.iter().map(|&v| T::from_f64(v)).collect(), sums.len())?))
            };
            Ok((dx, parameter(weight, &dot)?, parameter(bias, &sum)?))
        })
    }
}

struct InstanceNorm {
    planes: usize,
    pixels: usize,
    shape: Shape,
    eps: f64,
}

impl InstanceNorm {
    /// Mean and reciprocal standard deviation of one plane.
    fn moments<T: Real>(&self, plane: &[T]) -> (f64, f64) {
        let mean = sum_by(plane, |v| v) / self.pixels as f64;
        let var = sum_by(plane, |v| (v - mean) * (v - mean)) / self.pixels as f64;
        (mean, 1.0 / (var + self.eps).sqrt())
    }
}

impl Unary for InstanceNorm {
    const NAME: &'static str = INSTANCE;

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn forward<T: Real>(&self, x: &[T]) -> Vec<T> {
        let mut y = zeros(self.planes * self.pixels);
        for_pieces(&mut y, self.pixels, |i, out| {
            let x = &x[i * self.pixels..][..self.pixels];
            let (mean, inv) = self.moments(x);
            let (a, b) = (T::from_f64(inv), T::from_f64(-mean * inv));
            for (o, &v) in out.iter_mut().zip(x) {
                *o = v * a + b;
            }
        });
        y
    }

    fn backward<T: Real>(&self, x: &[T], _y: &[T], dy: &[T]) -> Vec<T> {
        let mut dx = zeros(self.planes * self.pixels);
        let count = self.pixels as f64;
        for_pieces(&mut dx, self.pixels, |i, out| {
            let range = i * self.pixels..(i + 1) * self.pixels;
            let (x, dy) = (&x[range.clone()], &dy[range]);
            let (mean, inv) = self.moments(x);
            let sum = sum_by(dy, |d| d) / count;
            let dot = sum_by2(dy, x, |d, x| d * (x - mean) * inv) / count;
            let slope = -inv * inv * dot;
            let shift = T::from_f64(-inv * sum - slope * mean);
            let (scale, slope) = (T::from_f64(inv), T::from_f64(slope));
            for ((o, &d), &v) in out.iter_mut().zip(dy).zip(x) {
                *o = d * scale + v * slope + shift;
            }
        });
        dx
    }
}
