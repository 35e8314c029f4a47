//! [`conv2d`] is the 2-D convolution with gradient for input, weight and bias (the 3x3 and 1x1 layers of generator and
//! discriminator); [`conv2d_strided`] is the general form (Inception's strided and one-sided kernels).
//!
//! In f32, 3x3 kernels at stride 1 run by Winograd's algorithm, all others as flat loops. In f64, where gradients are
//! checked: columns (im2col) times weights, tile by tile. An operator notes the precision of the scope that it is
//! called in ([`computing_in`](crate::computing_in)), for its backward pass too; `precision.rs` says what bf16 is.

use autogan_kernels::conv::{After, Problem, bias_gradient};
use autogan_kernels::{Activation, ConvGeometry};
use candle_core::{DType, Error, Result, Tensor, bail};

use super::gpu::{OnGpu, channel_sums};
use crate::cuda::{self, Floats, Gpu};
use crate::evaluated::check_constant;
use crate::operator::{Basis, Gradients, Keep, Operator, apply, evaluate};
use crate::precision::{Precision, current};
use crate::real::{Real, same_dtype};

/// Convolution at stride 1 that keeps the side: `x [N, Ci, H, W]`, `w [Co, Ci, k, k]` with odd k, `b [Co]`
/// → `[N, Co, H, W]`, zero padding k/2.
///
/// # Errors
/// When k is even, or the shapes or element types do not fit each other.
pub fn conv2d(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let (_, _, kh, kw) = w.dims4()?;
    if kh % 2 == 0 || kw % 2 == 0 {
        bail!("conv2d: expected an odd kernel, found {kh}x{kw}");
    }
    let geometry = ConvGeometry { stride: 1, pad_h: kh / 2, pad_w: kw / 2 };
    conv2d_strided(x, w, b, geometry)
}

/// Convolution with any stride and zero padding: `x [N, Ci, H, W]`, `w [Co, Ci, kh, kw]`, `b [Co]`
/// → `[N, Co, (H + 2·pad_h − kh) / stride + 1, (W + 2·pad_w − kw) / stride + 1]`.
///
/// # Errors
/// When the shapes or element types do not fit each other, or the kernel is larger than the padded image.
pub fn conv2d_strided(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    geometry: ConvGeometry,
) -> Result<Tensor> {
    let problem = problem("conv2d", x, w, geometry)?;
    same_dtype("conv2d", &[&[x, w], b.as_slice()].concat())?;
    let (shape, op) = Conv::new(problem, Activation::Linear, x)?;
    match b {
        None => apply([x, w], &shape, op),
        Some(b) => {
            check_bias(&problem, b)?;
            apply([x, w, b], &shape, op)
        }
    }
}

/// [`conv2d_strided`] and ReLU in one pass, for networks that are only evaluated: it has no gradient.
///
/// # Errors
/// As [`conv2d_strided`]; when a gradient of an input is wanted.
pub fn conv2d_relu(x: &Tensor, w: &Tensor, b: &Tensor, geometry: ConvGeometry) -> Result<Tensor> {
    let problem = problem("conv2d_relu", x, w, geometry)?;
    same_dtype("conv2d_relu", &[x, w, b])?;
    check_bias(&problem, b)?;
    check_constant("conv2d_relu", &[x, w, b])?;
    let (shape, op) = Conv::new(problem, Activation::Relu, x)?;
    evaluate([x, w, b], &shape, op)
}

/// The sizes of a convolution of `x` with `w`.
pub(super) fn problem(op: &str, x: &Tensor, w: &Tensor, geometry: ConvGeometry) -> Result<Problem> {
    Problem::new(op, x.dims(), w.dims(), geometry).map_err(Error::wrap)
}

fn check_bias(problem: &Problem, b: &Tensor) -> Result<()> {
    if b.dims() != [problem.co] {
        bail!("conv2d: expected a bias of shape [{}], found {:?}", problem.co, b.dims());
    }
    Ok(())
}

/// The precision in which an operator that is called now on `x` computes. TF32 on the CPU is an error.
pub(super) fn precision_of(op: &str, x: &Tensor) -> Result<Precision> {
    match current() {
        _ if x.dtype() != DType::F32 => Ok(Precision::F32),
        Precision::Tf32 if !cuda::taken(x) => {
            bail!("{op}: TF32 is a precision of GPUs, by cuDNN; on the CPU take f32 or bf16")
        }
        precision => Ok(precision),
    }
}

/// A convolution of `x` and `w` and, where there are three inputs, a bias.
struct Conv {
    problem: Problem,
    activation: Activation,
    precision: Precision,
}

impl Conv {
    /// Returns the shape of the output, and the operator on `x` in the precision of the scope around this call.
    fn new(problem: Problem, activation: Activation, x: &Tensor) -> Result<([usize; 4], Self)> {
        let shape = [problem.n, problem.co, problem.ho, problem.wo];
        Ok((shape, Self { problem, activation, precision: precision_of("conv2d", x)? }))
    }

    fn on<'a>(&'a self, gpu: &'a dyn Gpu) -> Result<OnGpu<'a>> {
        OnGpu::new(gpu, &self.problem, self.precision)
    }
}

impl<const N: usize> Operator<N> for Conv {
    const NAME: &'static str = "conv2d";
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, x: [&[T]; N]) -> Result<Vec<T>> {
        let after = After { bias: x.get(2).copied(), activation: self.activation };
        Ok(T::forward(&self.problem, self.precision, (x[0], x[1]), after))
    }

    fn backward<T: Real>(&self, Basis { x, dy, wanted, .. }: Basis<&[T], N>) -> Gradients<T, N> {
        let (p, precision) = (&self.problem, self.precision);
        // Neither needs the other; together they keep all threads busy to their ends.
        let (mut dx, mut dw) = rayon::join(
            || wanted[0].then(|| T::input_gradient(p, precision, (dy, x[1]))),
            || wanted[1].then(|| T::weight_gradient(p, precision, (x[0], dy))),
        );
        Ok(std::array::from_fn(|i| match i {
            0 => dx.take(),
            1 => dw.take(),
            _ => wanted[i].then(|| bias_gradient(dy, p.n, p.co, p.pixels())),
        }))
    }

    fn launch_forward(&self, gpu: &dyn Gpu, x: [Floats; N], y: Floats) -> Result<()> {
        let bias = x.get(2).copied().unwrap_or(Floats::NONE);
        let relu = self.activation == Activation::Relu;
        self.on(gpu)?.forward((x[0], x[1]), bias, y, relu)
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, N>, dx: [Floats; N]) -> Result<()> {
        let (p, wanted) = (&self.problem, at.wanted);
        if wanted[0] || wanted[1] {
            let conv = self.on(gpu)?;
            let dy = conv.dy(at.dy)?;
            if wanted[0] {
                conv.input_gradient((&dy, at.x[1]), dx[0])?;
            }
            if wanted[1] {
                conv.weight_gradient((at.x[0], &dy), dx[1])?;
            }
        }
        if wanted.get(2) == Some(&true) {
            channel_sums(gpu, at.dy, dx[2], (p.n, p.co, p.pixels()))?;
        }
        Ok(())
    }
}
