//! Batch norm and instance norm. Statistics are summed in f64 in a fixed order.
//!
//! Both normalise a group of values by its mean and biased variance: a channel over the batch (batch norm), or one
//! plane of one image (instance norm). Running statistics belong to the caller: it is given the batch's. All statistics
//! are f64 vectors that lie beside the input: on a card nothing waits for them.

mod card;
mod running;

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, WithDType, bail,
};

pub use autogan_kernels::norm::Activation;
use autogan_kernels::norm::{Dims, Norm, statistics};
pub(crate) use autogan_kernels::norm::{Normaliser, Parameters};
pub use running::update_running;

use crate::cuda::{self, Card, Floats};
use crate::host::{check_doubles, doubles, host, slice, tensor};
use crate::real::{dispatch, same_dtype, storage};
use crate::tape::{Keep, apply1, apply3, tracked};

const BATCH: &str = "batch_norm";
const INSTANCE: &str = "instance_norm";

/// What batch norm found in a batch, beside its output.
pub struct BatchNormOutput {
    /// Normalised, scaled and shifted, `[N, C, H, W]`.
    pub y: Tensor,
    /// Mean of each channel, `[C]`, f64, beside the input.
    pub mean: Tensor,
    /// Biased variance of each channel (divided by `count`), `[C]`, f64, beside the input.
    pub var: Tensor,
    /// Values per channel, N·H·W. The unbiased variance is `var · count / (count − 1)`.
    pub count: usize,
}

/// Batch norm by the batch's own statistics: `x [N, C, H, W]`, `weight [C]`, `bias [C]`
/// → `(x − mean) / √(var + eps) · weight + bias`, then the activation; the gradient flows through the statistics.
///
/// # Errors
/// When the shapes or element types do not fit each other or the batch is empty.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<BatchNormOutput> {
    let dims = check(x, &[weight, bias])?;
    let x = x.contiguous()?;
    let (mean, var) = measure(&x, dims, false)?;
    let norm = Norm { dims, per_plane: false, eps, own: true, activation };
    let y = affine(&x, (weight, bias), norm, (&mean, &var))?;
    Ok(BatchNormOutput { y, mean, var, count: dims.0 * dims.2 })
}

/// Batch norm by given statistics, which are constants, then the activation: `x [N, C, H, W]`, everything else `[C]`,
/// mean and variance as f64.
///
/// # Errors
/// When the shapes or element types do not fit each other, or the tensors do not lie on one device.
pub fn batch_norm_eval(
    x: &Tensor,
    mean: &Tensor,
    var: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
    activation: Activation,
) -> Result<Tensor> {
    let dims = check(x, &[weight, bias])?;
    check_given((mean, var), dims.1)?;
    let norm = Norm { dims, per_plane: false, eps, own: false, activation };
    affine(&x.contiguous()?, (weight, bias), norm, (mean, var))
}

/// Batch norm of a contiguous tensor.
fn affine(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    norm: Norm,
    statistics: (&Tensor, &Tensor),
) -> Result<Tensor> {
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    let ready = Ready::new(BATCH, norm, statistics, x, &[&weight, &bias])?;
    apply3(x, &weight, &bias, Affine(ready))
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

/// Instance norm without affine parameters: each plane of `x [N, C, H, W]` by its own mean and biased variance, then
/// the activation.
///
/// # Errors
/// When the input is not 4-dimensional or has no pixels.
pub fn instance_norm(x: &Tensor, eps: f64, activation: Activation) -> Result<Tensor> {
    let x = x.contiguous()?;
    let (norm, (mean, var)) = planes(&x, eps, activation)?;
    let ready = Ready::new(INSTANCE, norm, (&mean, &var), &x, &[])?;
    apply1(&x, Planes(ready), Keep::INPUTS)
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

/// Mean and biased variance of each channel, or of each plane, of a contiguous tensor: f64 vectors beside it.
fn measure(x: &Tensor, dims: Dims, per_plane: bool) -> Result<(Tensor, Tensor)> {
    if cuda::taken(x) {
        let op = if per_plane { INSTANCE } else { BATCH };
        return card::measure(op, x, dims, per_plane);
    }
    let (mean, var) = dispatch!(BATCH, x.dtype(), T => {
        statistics::<T>(host(BATCH, x)?.slice()?, dims, per_plane)
    });
    let groups = mean.len();
    Ok((tensor(mean, groups)?, tensor(var, groups)?))
}

/// Refuses given statistics that do not fit the channels.
fn check_given((mean, var): (&Tensor, &Tensor), channels: usize) -> Result<()> {
    check_doubles(BATCH, "means", mean, channels)?;
    check_doubles(BATCH, "variances", var, channels)
}

/// Instance norm of a contiguous tensor: the norm and its statistics.
fn planes(x: &Tensor, eps: f64, activation: Activation) -> Result<(Norm, (Tensor, Tensor))> {
    let (n, c, h, w) = x.dims4()?;
    if h * w == 0 {
        bail!("{INSTANCE}: expected at least one pixel, found {h}x{w}");
    }
    let dims = (n, c, h * w);
    let norm = Norm { dims, per_plane: true, eps, own: true, activation };
    Ok((norm, measure(x, dims, true)?))
}

/// Batch norm of a contiguous tensor on the CPU by its own statistics, and those.
pub(crate) fn by_own(
    x: &Tensor,
    dims: Dims,
    eps: f64,
    activation: Activation,
) -> Result<(Normaliser, (Tensor, Tensor))> {
    let norm = Norm { dims, per_plane: false, eps, own: true, activation };
    let (mean, var) = measure(x, dims, false)?;
    let normaliser = Normaliser::new(norm, doubles(BATCH, &mean)?, &doubles(BATCH, &var)?);
    Ok((normaliser, (mean, var)))
}

/// Batch norm on the CPU by given statistics.
pub(crate) fn by_given(
    (mean, var): (&Tensor, &Tensor),
    dims: Dims,
    eps: f64,
    activation: Activation,
) -> Result<Normaliser> {
    check_given((mean, var), dims.1)?;
    let norm = Norm { dims, per_plane: false, eps, own: false, activation };
    Ok(Normaliser::new(norm, doubles(BATCH, mean)?, &doubles(BATCH, var)?))
}

/// Instance norm of a contiguous tensor on the CPU.
pub(crate) fn by_plane(x: &Tensor, eps: f64, activation: Activation) -> Result<Normaliser> {
    let (norm, (mean, var)) = planes(x, eps, activation)?;
    Ok(Normaliser::new(norm, doubles(INSTANCE, &mean)?, &doubles(INSTANCE, &var)?))
}

/// Batch norm's check of shapes and types; the dimensions.
pub(crate) fn check(x: &Tensor, parameters: &[&Tensor]) -> Result<Dims> {
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

/// A norm and its statistics, where its input lies.
enum Ready {
    Host(Normaliser),
    Card(card::Normaliser),
}

impl Ready {
    fn new(
        op: &'static str,
        norm: Norm,
        (mean, var): (&Tensor, &Tensor),
        x: &Tensor,
        parameters: &[&Tensor],
    ) -> Result<Self> {
        if cuda::taken(x) {
            let norm = card::Normaliser::new(op, norm, (mean, var), x, parameters)?;
            return Ok(Self::Card(norm));
        }
        Ok(Self::Host(Normaliser::new(norm, doubles(op, mean)?, &doubles(op, var)?)))
    }

    fn host(&self) -> Result<&Normaliser> {
        match self {
            Self::Host(norm) => Ok(norm),
            Self::Card(_) => bail!("a norm of a tensor on a card cannot be computed on the CPU"),
        }
    }

    fn card(&self) -> Result<&card::Normaliser> {
        match self {
            Self::Card(norm) => Ok(norm),
            Self::Host(_) => bail!("a norm of a tensor on the CPU cannot be computed on a card"),
        }
    }

    fn program(&self) -> impl cuda::Program<1> {
        |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            self.card()?.launch_forward(card, from[0], y)
        }
    }
}

/// Batch norm.
struct Affine(Ready);

impl CustomOp3 for Affine {
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
        let (inputs, shape) = ([(x, lx), (w, lw), (b, lb)], lx.shape().clone());
        if let Some(y) = cuda::emulated(BATCH, &inputs, shape, self.0.program()) {
            return y;
        }
        dispatch!(BATCH, x.dtype(), T => {
            let (w, b) = (slice::<T>(BATCH, w, lw)?, slice::<T>(BATCH, b, lb)?);
            let y = self.0.host()?.forward(slice::<T>(BATCH, x, lx)?, Some((w, b)));
            Ok(storage(y, lx.shape().clone()))
        })
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let inputs = [(x, lx), (w, lw), (b, lb)];
        cuda::forward(BATCH, &inputs, lx.shape().clone(), self.0.program())
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
        if cuda::taken(&dy) {
            let shapes = [x, weight, bias].map(|t| t.shape().clone());
            let [dx, dw, db] = cuda::make(
                BATCH,
                &[x, &dy, weight],
                shapes,
                |card: &dyn Card, from: &[Floats], [dx, dw, db]: [Floats; 3]| {
                    self.0.card()?.launch_backward(card, (from[0], from[1]), from[2], (dx, dw, db))
                },
            )?;
            let wanted = |of: &Tensor, gradient| tracked(of).then_some(gradient);
            return Ok((wanted(x, dx), wanted(weight, dw), wanted(bias, db)));
        }
        dispatch!(BATCH, x.dtype(), T => {
            let (hx, hd) = (host(BATCH, x)?, host(BATCH, &dy)?);
            let (hw, hb) = (host(BATCH, weight)?, host(BATCH, bias)?);
            let (xs, ds) = (hx.slice::<T>()?, hd.slice::<T>()?);
            let parameters = Some((hw.slice::<T>()?, hb.slice::<T>()?));
            let norm = self.0.host()?;
            let (sum, dot) = norm.sums(xs, ds, parameters);
            let dx = if tracked(x) {
                let dx = norm.input_gradient(xs, ds.to_vec(), parameters, (&sum, &dot));
                Some(tensor(dx, x.shape())?)
            } else {
                None
            };
            let parameter = |of: &Tensor, sums: &[f64]| -> Result<Option<Tensor>> {
                if !tracked(of) {
                    return Ok(None);
                }
                Ok(Some(tensor(sums.iter().map(|&v| T::from_f64(v)).collect(), sums.len())?))
            };
            Ok((dx, parameter(weight, &dot)?, parameter(bias, &sum)?))
        })
    }
}

/// Instance norm.
struct Planes(Ready);

impl CustomOp1 for Planes {
    fn name(&self) -> &'static str {
        INSTANCE
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (inputs, shape) = ([(x, layout)], layout.shape().clone());
        if let Some(y) = cuda::emulated(INSTANCE, &inputs, shape, self.0.program()) {
            return y;
        }
        dispatch!(INSTANCE, x.dtype(), T => {
            let y = self.0.host()?.forward(slice::<T>(INSTANCE, x, layout)?, None);
            Ok(storage(y, layout.shape().clone()))
        })
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda::forward(INSTANCE, &[(x, layout)], layout.shape().clone(), self.0.program())
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        if cuda::taken(&dy) {
            let dx = cuda::make_one(INSTANCE, &[x, &dy], x.shape(), |card, from, dx| {
                let to = (dx, Floats::NONE, Floats::NONE);
                self.0.card()?.launch_backward(card, (from[0], from[1]), Floats::NONE, to)
            })?;
            return Ok(Some(dx));
        }
        dispatch!(INSTANCE, x.dtype(), T => {
            let (hx, hd) = (host(INSTANCE, x)?, host(INSTANCE, &dy)?);
            let (xs, ds) = (hx.slice::<T>()?, hd.slice::<T>()?);
            let norm = self.0.host()?;
            let (sum, dot) = norm.sums(xs, ds, None);
            let dx = norm.input_gradient(xs, ds.to_vec(), None, (&sum, &dot));
            Ok(Some(tensor(dx, x.shape())?))
        })
    }
}
