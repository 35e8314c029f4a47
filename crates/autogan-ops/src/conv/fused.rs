//! [`conv2d_fused`] is norm, ReLU and 3x3 convolution in one operator; it can upsample before or average after.
//!
//! What precedes the convolution is an affine map of each plane and a ReLU, which is done to a pixel when the
//! convolution reads it, in both directions: no tensor is kept for it. In f64, where gradients are checked, on a GPU
//! and in bf16 the same is put together from the single operators.

use autogan_kernels::conv::winograd::{Form, Pixel, Prologue, Winograd};
use autogan_kernels::conv::{After, bias_gradient};
use candle_core::{DType, Result, Tensor, bail};

use super::conv2d::{conv2d, precision_of};
use super::phases;
use super::pooled::conv2d_avg_pool2;
use crate::activation::relu;
use crate::cuda::{self, Floats, Gpu};
use crate::norm::{
    Activation, MeasuredNorm, Normaliser, Parameters, batch_norm_eval, batch_norm_train,
    instance_norm,
};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::pool::avg_pool2;
use crate::precision::Precision;
use crate::real::{Real, same_dtype};
use crate::upsample::upsample_nearest;
use crate::views::concat;

const OP: &str = "conv2d_fused";

/// The operation on the input of a fused convolution.
#[derive(Clone, Copy, Debug)]
pub enum Before<'a> {
    /// Nothing.
    Nothing,
    /// ReLU.
    Relu,
    /// Batch norm, then ReLU; `weight` and `bias` are `[Ci]`.
    BatchNorm {
        /// Scale of each channel.
        weight: &'a Tensor,
        /// Shift of each channel.
        bias: &'a Tensor,
        /// The statistics that the norm uses.
        statistics: Statistics<'a>,
        /// The number that is added to every variance.
        eps: f64,
    },
    /// Instance norm without parameters, then ReLU.
    InstanceNorm {
        /// The number that is added to every variance.
        eps: f64,
    },
}

/// The statistics that batch norm uses.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a> {
    /// The batch's own; the gradient flows through them.
    Own,
    /// Given statistics, which are constants: mean and biased variance of each channel, f64 `[Ci]` beside the input.
    Given(&'a Tensor, &'a Tensor),
}

/// The change of the image's side by a fused convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The side stays.
    Keep,
    /// Nearest upsampling by two before the convolution.
    NearestUp,
    /// 2x2 averages of its outputs.
    AveragePool,
}

/// The output of a fused convolution, and the statistics that it found.
#[derive(Debug)]
pub struct FusedOutput {
    /// The output, `[N, Co, ·, ·]`.
    pub y: Tensor,
    /// Mean and biased variance of each input channel, f64 `[Ci]` beside the input, where batch norm took the batch's
    /// own.
    pub statistics: Option<(Tensor, Tensor)>,
}

/// `resize(conv2d(before(x), w, b))`: `x [N, Ci, H, W]`, `w [Co, Ci, 3, 3]`, `b [Co]`, one zero around the image.
///
/// # Errors
/// When the kernel is not 3x3, a side is odd that is to be halved, or shapes or element types do not fit each other.
pub fn conv2d_fused(
    x: &Tensor,
    before: Before<'_>,
    resize: Resize,
    w: &Tensor,
    b: &Tensor,
) -> Result<FusedOutput> {
    same_dtype(OP, &[x, w, b])?;
    let (n, ci, h, width) = x.dims4()?;
    let co = match *w.dims() {
        [co, wi, 3, 3] if wi == ci && b.dims() == [co] => co,
        _ => bail!(
            "{OP}: for an input {:?} expected a weight [Cout, {ci}, 3, 3] and a bias [Cout], found {:?} and {:?}",
            x.dims(),
            w.dims(),
            b.dims()
        ),
    };
    if ci == 0 || co == 0 {
        bail!("{OP}: expected at least one input and one output channel, found {ci} and {co}");
    }
    if resize == Resize::AveragePool && (h % 2 != 0 || width % 2 != 0) {
        bail!("{OP}: expected even sides, found {h}x{width}");
    }
    let precision = precision_of(OP, x)?;
    if x.dtype() != DType::F32 || cuda::taken(x) || precision != Precision::F32 {
        return composed(x, before, resize, w, b);
    }
    let x = x.contiguous()?;
    let (norm, parameters, statistics) = normaliser(&x, before)?;
    let form = match resize {
        Resize::Keep => Form::Same,
        Resize::NearestUp => Form::Up,
        Resize::AveragePool => Form::Pool,
    };
    let winograd = Winograd::new(form, n, (co, ci), (h, width));
    let affine = parameters.is_some();
    let vectors = match parameters {
        Some((weight, bias)) => concat(&[b, weight, bias])?,
        None => b.clone(),
    };
    let (rows, columns) = winograd.output();
    let op = FusedConv { winograd, norm, affine };
    let y = apply([&x, w, &vectors], (n, co, rows, columns), op)?;
    Ok(FusedOutput { y, statistics })
}

/// [`conv2d_fused`] from the single operators.
///
/// # Errors
/// As [`conv2d_fused`].
pub fn conv2d_fused_ref(
    x: &Tensor,
    before: Before<'_>,
    resize: Resize,
    w: &Tensor,
    b: &Tensor,
) -> Result<FusedOutput> {
    let (z, statistics) = prepared(x, before)?;
    let y = match resize {
        Resize::Keep => conv2d(&z, w, Some(b))?,
        Resize::NearestUp => conv2d(&upsample_nearest(&z, 2)?, w, Some(b))?,
        Resize::AveragePool => avg_pool2(&conv2d(&z, w, Some(b))?)?,
    };
    Ok(FusedOutput { y, statistics })
}

/// The path in f64, on a GPU and in bf16: as the reference, but pooling inside the convolution, and on a GPU and in bf16
/// upsampling, too: it is the kernels of the phases that are rounded, wherever they run.
fn composed(
    x: &Tensor,
    before: Before<'_>,
    resize: Resize,
    w: &Tensor,
    b: &Tensor,
) -> Result<FusedOutput> {
    let as_phases = cuda::taken(x) || precision_of(OP, x)? != Precision::F32;
    let up = resize == Resize::NearestUp && as_phases;
    if !up && resize != Resize::AveragePool {
        return conv2d_fused_ref(x, before, resize, w, b);
    }
    let (z, statistics) = prepared(x, before)?;
    let y = if up { phases::conv2d_up(&z, w, b)? } else { conv2d_avg_pool2(&z, w, Some(b))? };
    Ok(FusedOutput { y, statistics })
}

type OwnStatistics = Option<(Tensor, Tensor)>;

/// `before(x)`.
fn prepared(x: &Tensor, before: Before<'_>) -> Result<(Tensor, OwnStatistics)> {
    match before {
        Before::Nothing => Ok((x.clone(), None)),
        Before::Relu => Ok((relu(x)?, None)),
        Before::BatchNorm { weight, bias, statistics: Statistics::Own, eps } => {
            let out = batch_norm_train(x, weight, bias, eps, Activation::Relu)?;
            Ok((out.y, Some((out.mean, out.var))))
        }
        Before::BatchNorm { weight, bias, statistics: Statistics::Given(mean, var), eps } => {
            Ok((batch_norm_eval(x, mean, var, weight, bias, eps, Activation::Relu)?, None))
        }
        Before::InstanceNorm { eps } => Ok((instance_norm(x, eps, Activation::Relu)?, None)),
    }
}

type Norm<'a> = (Option<Normaliser>, Option<(&'a Tensor, &'a Tensor)>, OwnStatistics);

/// What the convolution does to each pixel, the parameters of that, and the batch's statistics.
fn normaliser<'a>(x: &Tensor, before: Before<'a>) -> Result<Norm<'a>> {
    Ok(match before {
        Before::Nothing => (None, None, None),
        Before::Relu => {
            let (n, c, h, w) = x.dims4()?;
            (Some(Normaliser::relu((n, c, h * w))), None, None)
        }
        Before::InstanceNorm { eps } => {
            (Some(MeasuredNorm::plane(x, eps, Activation::Relu)?.on_cpu()?), None, None)
        }
        Before::BatchNorm { weight, bias, statistics: Statistics::Given(mean, var), eps } => {
            let affine = [weight, bias];
            let norm = MeasuredNorm::given(x, affine, (mean, var), eps, Activation::Relu)?;
            (Some(norm.on_cpu()?), Some((weight, bias)), None)
        }
        Before::BatchNorm { weight, bias, statistics: Statistics::Own, eps } => {
            let norm = MeasuredNorm::own(x, [weight, bias], eps, Activation::Relu)?;
            (Some(norm.on_cpu()?), Some((weight, bias)), Some((norm.mean, norm.var)))
        }
    })
}

/// The operator on `x`, `w` and the vectors `[bias, norm's weight, norm's bias]`, one after the other.
struct FusedConv {
    winograd: Winograd,
    norm: Option<Normaliser>,
    /// The norm has parameters.
    affine: bool,
}

impl FusedConv {
    /// The convolution's bias, and the norm's parameters.
    fn split<'a>(&self, vectors: &'a [f32]) -> (&'a [f32], Parameters<'a, f32>) {
        let (bias, rest) = vectors.split_at(self.winograd.co);
        (bias, self.affine.then(|| rest.split_at(self.winograd.ci)))
    }

    /// Norm and ReLU as functions of pixels: one for each channel, or for each plane.
    fn before(&self, parameters: Parameters<'_, f32>) -> Vec<Pixel> {
        let Some(norm) = &self.norm else { return Vec::new() };
        let images = if norm.by_channel() { 1 } else { self.winograd.n };
        let pixel = |plane| {
            let (a, b) = norm.factors(plane, parameters);
            Pixel { a, b, floor: 0.0 }
        };
        (0..images * self.winograd.ci).map(pixel).collect()
    }

    fn weight_gradient(&self, x: &[f32], dy: &[f32], parameters: Parameters<'_, f32>) -> Vec<f32> {
        let before = self.before(parameters);
        self.winograd.weight_gradient(x, dy, Prologue::new(&before, self.winograd.ci))
    }

    /// Gradients of the input, and of the norm's weight and bias.
    fn through_norm(
        &self,
        x: &[f32],
        dz: Vec<f32>,
        parameters: Parameters<'_, f32>,
        wants_x: bool,
    ) -> (Option<Vec<f32>>, Vec<f32>) {
        let Some(norm) = &self.norm else { return (wants_x.then_some(dz), Vec::new()) };
        let (sum, dot) = if norm.needs_sums() || self.affine {
            norm.sums(x, &dz, parameters)
        } else {
            (Vec::new(), Vec::new())
        };
        let vectors = if self.affine {
            dot.iter().chain(&sum).map(|&v| v as f32).collect()
        } else {
            Vec::new()
        };
        (wants_x.then(|| norm.input_gradient(x, dz, parameters, (&sum, &dot))), vectors)
    }
}

impl Operator<3> for FusedConv {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, [x, w, vectors]: [&[T]; 3]) -> Result<Vec<T>> {
        let (x, w, vectors) = (T::as_f32(x)?, T::as_f32(w)?, T::as_f32(vectors)?);
        let (bias, parameters) = self.split(vectors);
        let after = After { bias: Some(bias), activation: Activation::Linear };
        let before = self.before(parameters);
        let prologue = Prologue::new(&before, self.winograd.ci);
        T::from_f32(self.winograd.forward(x, w, after, prologue))
    }

    fn backward<T: Real>(&self, given: Basis<&[T], 3>) -> Gradients<T, 3> {
        let Basis { x: [x, w, vectors], dy, wanted: [to_x, to_w, to_vectors], .. } = given;
        let (x, w, dy) = (T::as_f32(x)?, T::as_f32(w)?, T::as_f32(dy)?);
        let (_, parameters) = self.split(T::as_f32(vectors)?);
        let through = to_x || (self.affine && to_vectors);
        // Neither needs the other; together they keep all threads busy to their ends.
        let (dw, dz) = rayon::join(
            || to_w.then(|| self.weight_gradient(x, dy, parameters)),
            || through.then(|| self.winograd.input_gradient(dy, w)),
        );
        let (dx, norm) = match dz {
            Some(dz) => self.through_norm(x, dz, parameters, to_x),
            None => (None, Vec::new()),
        };
        let dvectors = to_vectors.then(|| {
            let (h, width) = self.winograd.output();
            let sums = bias_gradient(dy, self.winograd.n, self.winograd.co, h * width);
            [sums, norm].concat()
        });
        let made = |gradient: Option<Vec<f32>>| gradient.map(T::from_f32).transpose();
        Ok([made(dx)?, made(dw)?, made(dvectors)?])
    }

    fn launch_forward(&self, _: &dyn Gpu, _: [Floats; 3], _: Floats) -> Result<()> {
        bail!("{OP}: expected the single operators on a GPU")
    }

    fn launch_backward(&self, _: &dyn Gpu, _: Basis<Floats, 3>, _: [Floats; 3]) -> Result<()> {
        bail!("{OP}: expected the single operators on a GPU")
    }
}
