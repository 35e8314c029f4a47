//! This module holds batch norm and instance norm. Statistics are summed in f64 in a fixed order.
//!
//! Both normalise a group of values by its mean and biased variance: a channel over the batch (batch norm), or one
//! plane of one image (instance norm). Running statistics belong to the caller: it is given the batch's. All statistics
//! are f64 vectors that lie beside the input: on a GPU nothing waits for them.

mod gpu;
mod running;

pub use autogan_kernels::Activation;
use autogan_kernels::norm::{Dims, Norm, statistics};
pub(crate) use autogan_kernels::norm::{Normaliser, Parameters};
use candle_core::{Result, Tensor, bail};

pub use running::update_running;

use crate::cuda::{self, Floats, Gpu};
use crate::host::{check_doubles, doubles, host, tensor};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::{Real, dispatch, same_dtype};

const BATCH: &str = "batch_norm";
const INSTANCE: &str = "instance_norm";

/// The output of batch norm, and the statistics that it found in the batch.
pub struct BatchNormOutput {
    /// The output: normalised, scaled and shifted, `[N, C, H, W]`.
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
    let norm = MeasuredNorm::own(x, [weight, bias], eps, activation)?;
    let (n, _, pixels) = norm.norm.dims;
    let y = apply([x, weight, bias], x.dims(), norm.operator(BATCH, x, &[weight, bias])?)?;
    Ok(BatchNormOutput { y, mean: norm.mean, var: norm.var, count: n * pixels })
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
    let norm = MeasuredNorm::given(x, [weight, bias], (mean, var), eps, activation)?;
    apply([x, weight, bias], x.dims(), norm.operator(BATCH, x, &[weight, bias])?)
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
    apply([x], x.dims(), MeasuredNorm::plane(x, eps, activation)?.operator(INSTANCE, x, &[])?)
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
        return gpu::measure(op, x, dims, per_plane);
    }
    let (mean, var) = dispatch!(BATCH, x.dtype(), T => {
        statistics::<T>(host(BATCH, x)?.slice()?, dims, per_plane)
    });
    let groups = mean.len();
    Ok((tensor(mean, groups)?, tensor(var, groups)?))
}

/// A norm of a tensor, with mean and variance of each group: f64 vectors beside the tensor.
pub(crate) struct MeasuredNorm {
    norm: Norm,
    pub mean: Tensor,
    pub var: Tensor,
}

impl MeasuredNorm {
    /// Batch norm by the batch's own statistics.
    pub fn own(x: &Tensor, affine: [&Tensor; 2], eps: f64, activation: Activation) -> Result<Self> {
        let dims = check(x, &affine)?;
        let (mean, var) = measure(&x.contiguous()?, dims, false)?;
        Ok(Self { norm: Norm { dims, per_plane: false, eps, own: true, activation }, mean, var })
    }

    /// Batch norm by given statistics.
    pub fn given(
        x: &Tensor,
        affine: [&Tensor; 2],
        (mean, var): (&Tensor, &Tensor),
        eps: f64,
        activation: Activation,
    ) -> Result<Self> {
        let dims = check(x, &affine)?;
        check_doubles(BATCH, "means", mean, dims.1)?;
        check_doubles(BATCH, "variances", var, dims.1)?;
        let norm = Norm { dims, per_plane: false, eps, own: false, activation };
        Ok(Self { norm, mean: mean.clone(), var: var.clone() })
    }

    /// Instance norm.
    pub fn plane(x: &Tensor, eps: f64, activation: Activation) -> Result<Self> {
        let (n, c, h, w) = x.dims4()?;
        if h * w == 0 {
            bail!("{INSTANCE}: expected at least one pixel, found {h}x{w}");
        }
        let dims = (n, c, h * w);
        let (mean, var) = measure(&x.contiguous()?, dims, true)?;
        Ok(Self { norm: Norm { dims, per_plane: true, eps, own: true, activation }, mean, var })
    }

    /// The norm on the CPU.
    pub fn on_cpu(&self) -> Result<Normaliser> {
        Ok(Normaliser::new(self.norm, doubles(BATCH, &self.mean)?, &doubles(BATCH, &self.var)?))
    }

    /// The operator, beside `x`; `parameters` are weight and bias, or nothing.
    fn operator(&self, op: &'static str, x: &Tensor, parameters: &[&Tensor]) -> Result<Operation> {
        if !cuda::taken(x) {
            return Ok(Operation::Cpu(self.on_cpu()?));
        }
        let statistics = (&self.mean, &self.var);
        Ok(Operation::Gpu(gpu::Normaliser::new(op, self.norm, statistics, x, parameters)?))
    }
}

/// Checks shapes and types for batch norm; returns the dimensions.
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

/// A norm with its statistics, where its input lies.
enum Operation {
    Cpu(Normaliser),
    Gpu(gpu::Normaliser),
}

impl Operation {
    fn on_cpu(&self) -> Result<&Normaliser> {
        match self {
            Self::Cpu(norm) => Ok(norm),
            Self::Gpu(_) => bail!("a norm of a tensor on a GPU cannot be computed on the CPU"),
        }
    }

    fn on_gpu(&self) -> Result<&gpu::Normaliser> {
        match self {
            Self::Gpu(norm) => Ok(norm),
            Self::Cpu(_) => bail!("a norm of a tensor on the CPU cannot be computed on a GPU"),
        }
    }
}

/// Batch norm of the input, its weight and its bias; instance norm of the input alone.
impl<const N: usize> Operator<N> for Operation {
    const NAME: &'static str = if N == 1 { INSTANCE } else { BATCH };
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, x: [&[T]; N]) -> Result<Vec<T>> {
        Ok(self.on_cpu()?.forward(x[0], parameters(&x)))
    }

    fn backward<T: Real>(&self, Basis { x, dy, wanted, .. }: Basis<&[T], N>) -> Gradients<T, N> {
        let (norm, parameters) = (self.on_cpu()?, parameters(&x));
        let (sum, dot) = norm.sums(x[0], dy, parameters);
        let mut dx =
            wanted[0].then(|| norm.input_gradient(x[0], dy.to_vec(), parameters, (&sum, &dot)));
        let narrow = |sums: &[f64]| sums.iter().map(|&v| T::from_f64(v)).collect();
        Ok(std::array::from_fn(|i| match i {
            0 => dx.take(),
            1 => wanted[1].then(|| narrow(&dot)),
            _ => wanted[i].then(|| narrow(&sum)),
        }))
    }

    fn launch_forward(&self, gpu: &dyn Gpu, x: [Floats; N], y: Floats) -> Result<()> {
        self.on_gpu()?.launch_forward(gpu, x[0], y)
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, N>, dx: [Floats; N]) -> Result<()> {
        let or_none = |all: [Floats; N], i: usize| all.get(i).copied().unwrap_or(Floats::NONE);
        let to = (dx[0], or_none(dx, 1), or_none(dx, 2));
        self.on_gpu()?.launch_backward(gpu, (at.x[0], at.dy), or_none(at.x, 1), to)
    }
}

/// A norm's weight and bias among its inputs, where it has them.
fn parameters<'a, T>(x: &[&'a [T]]) -> Parameters<'a, T> {
    Some((x.get(1)?, x.get(2)?))
}
