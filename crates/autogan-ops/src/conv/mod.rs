//! 2-D convolution with gradient for input, weight and bias (the 3x3 and 1x1 layers of generator and
//! discriminator; Inception's strided and one-sided kernels).
//!
//! In f32, 3x3 kernels at stride 1 run by Winograd's algorithm, all others as flat loops. In f64, where gradients are
//! checked: columns (im2col) times weights, tile by tile. An operator notes the precision of the scope that it is called
//! in ([`computing_in`](crate::computing_in)), for its way back too; `mixed` says what bf16 is.

mod card;
mod fused;
mod phases;
mod pooled;
mod reference;

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Tensor, bail,
};

pub use autogan_kernels::ConvGeometry;
use autogan_kernels::conv::{After, Kernels, Problem, bias_gradient};
use card::OnCard;
pub(crate) use card::sum_shares;
pub use fused::{Before, FusedOutput, Resize, Statistics, conv2d_fused, conv2d_fused_ref};
pub use pooled::{conv2d_avg_pool2, conv2d_avg_pool2_ref};
pub use reference::conv2d_ref;

use crate::Activation;
use crate::cuda::{self, Card, Floats};
use crate::host::{host, slice, tensor};
use crate::precision::{self, Precision};
use crate::real::{Real, dispatch, same_dtype, storage};
use crate::tape::{Keep, apply2, apply3, tracked};

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
    let (x, w) = (x.contiguous()?, w.contiguous()?);
    match b {
        None => {
            same_dtype("conv2d", &[&x, &w])?;
            apply2(&x, &w, Conv::new(problem, Activation::Linear, &x)?, Keep::INPUTS)
        }
        Some(b) => {
            same_dtype("conv2d", &[&x, &w, b])?;
            check_bias(&problem, b)?;
            let op = Conv::new(problem, Activation::Linear, &x)?;
            apply3(&x, &w, &b.contiguous()?, op)
        }
    }
}

/// [`conv2d_strided`] and ReLU in one pass, for networks that are only evaluated: it takes no part in gradients.
///
/// # Errors
/// As [`conv2d_strided`].
pub fn conv2d_relu(x: &Tensor, w: &Tensor, b: &Tensor, geometry: ConvGeometry) -> Result<Tensor> {
    let problem = problem("conv2d_relu", x, w, geometry)?;
    same_dtype("conv2d_relu", &[x, w, b])?;
    check_bias(&problem, b)?;
    let (x, w, b) = (x.contiguous()?, w.contiguous()?, b.contiguous()?);
    x.apply_op3_no_bwd(&w, &b, &Conv::new(problem, Activation::Relu, &x)?)
}

/// The sizes of a convolution of `x` with `w`.
fn problem(op: &str, x: &Tensor, w: &Tensor, geometry: ConvGeometry) -> Result<Problem> {
    Problem::new(op, x.dims(), w.dims(), geometry).map_err(Error::wrap)
}

fn check_bias(problem: &Problem, b: &Tensor) -> Result<()> {
    if b.dims() != [problem.co] {
        bail!("conv2d: expected a bias of shape [{}], found {:?}", problem.co, b.dims());
    }
    Ok(())
}

struct Conv {
    problem: Problem,
    activation: Activation,
    precision: Precision,
}

impl Conv {
    /// On `x`, in the precision of the scope around this call.
    fn new(problem: Problem, activation: Activation, x: &Tensor) -> Result<Self> {
        Ok(Self { problem, activation, precision: precision::of("conv2d", x)? })
    }

    fn shape(&self) -> (usize, usize, usize, usize) {
        let p = &self.problem;
        (p.n, p.co, p.ho, p.wo)
    }

    fn on_cpu<T: Kernels>(&self, factors: (&[T], &[T]), bias: Option<&[T]>) -> Vec<T> {
        let after = After { bias, activation: self.activation };
        T::forward(&self.problem, self.precision, factors, after)
    }

    fn gradients(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (p, precision) = (&self.problem, self.precision);
        let dy = dy.contiguous()?;
        if cuda::taken(&dy) {
            return self.gradients_on_card(x, w, &dy);
        }
        dispatch!("conv2d", x.dtype(), T => {
            let (hx, hw, hd) = (host("conv2d", x)?, host("conv2d", w)?, host("conv2d", &dy)?);
            let (xs, ws, ds) = (hx.slice::<T>()?, hw.slice::<T>()?, hd.slice::<T>()?);
            let (wants_x, wants_w) = (tracked(x), tracked(w));
            // Neither needs the other; together they keep all threads busy to their ends.
            let (dx, dw) = rayon::join(
                || wants_x.then(|| T::input_gradient(p, precision, (ds, ws))),
                || wants_w.then(|| T::weight_gradient(p, precision, (xs, ds))),
            );
            let dx = dx.map(|dx| tensor(dx, x.shape())).transpose()?;
            Ok((dx, dw.map(|dw| tensor(dw, w.shape())).transpose()?))
        })
    }
}

impl Conv {
    fn on<'a>(&'a self, card: &'a dyn Card) -> Result<OnCard<'a>> {
        OnCard::new(card, &self.problem, self.precision)
    }

    fn program(&self) -> impl cuda::Program<1> {
        |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            let bias = from.get(2).copied().unwrap_or(Floats::NONE);
            let relu = self.activation == Activation::Relu;
            self.on(card)?.forward((from[0], from[1]), bias, y, relu)
        }
    }

    fn gradients_on_card(
        &self,
        x: &Tensor,
        w: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (sx, sw) = (x.shape(), w.shape());
        Ok(match (tracked(x), tracked(w)) {
            (true, true) => {
                let shapes = [sx.clone(), sw.clone()];
                let program = |card: &dyn Card, from: &[Floats], [dx, dw]: [Floats; 2]| {
                    let conv = self.on(card)?;
                    let dy = conv.dy(from[0])?;
                    conv.input_gradient((&dy, from[1]), dx)?;
                    conv.weight_gradient((from[2], &dy), dw)
                };
                let [dx, dw] = cuda::make("conv2d", &[dy, w, x], shapes, program)?;
                (Some(dx), Some(dw))
            }
            (true, false) => {
                let dx = cuda::make_one("conv2d", &[dy, w], sx, |card, from, dx| {
                    let conv = self.on(card)?;
                    conv.input_gradient((&conv.dy(from[0])?, from[1]), dx)
                })?;
                (Some(dx), None)
            }
            (false, true) => {
                let dw = cuda::make_one("conv2d", &[x, dy], sw, |card, from, dw| {
                    let conv = self.on(card)?;
                    conv.weight_gradient((from[0], &conv.dy(from[1])?), dw)
                })?;
                (None, Some(dw))
            }
            (false, false) => (None, None),
        })
    }
}

impl CustomOp2 for Conv {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(x, lx), (w, lw)];
        if let Some(y) = cuda::emulated("conv2d", &inputs, self.shape().into(), self.program()) {
            return y;
        }
        dispatch!("conv2d", x.dtype(), T => {
            let (x, w) = (slice::<T>("conv2d", x, lx)?, slice::<T>("conv2d", w, lw)?);
            Ok(storage(self.on_cpu::<T>((x, w), None), self.shape()))
        })
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        w: &CudaStorage,
        lw: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::forward("conv2d", &[(x, lx), (w, lw)], self.shape().into(), self.program())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients(x, w, dy)
    }
}

impl CustomOp3 for Conv {
    fn name(&self) -> &'static str {
        "conv2d"
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
        let inputs = [(x, lx), (w, lw), (b, lb)];
        if let Some(y) = cuda::emulated("conv2d", &inputs, self.shape().into(), self.program()) {
            return y;
        }
        dispatch!("conv2d", x.dtype(), T => {
            let (x, w) = (slice::<T>("conv2d", x, lx)?, slice::<T>("conv2d", w, lw)?);
            let b = slice::<T>("conv2d", b, lb)?;
            Ok(storage(self.on_cpu((x, w), Some(b)), self.shape()))
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
        cuda::forward("conv2d", &inputs, self.shape().into(), self.program())
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dw) = self.gradients(x, w, dy)?;
        let db = if tracked(b) { Some(channel_sums(dy)?) } else { None };
        Ok((dx, dw, db))
    }
}

/// The sum over everything but the channels: `[N, C, H, W]` → `[C]`.
pub(crate) fn channel_sums(dy: &Tensor) -> Result<Tensor> {
    let (n, c, h, w) = dy.dims4()?;
    let dy = dy.contiguous()?;
    if cuda::taken(&dy) {
        return cuda::make_one("bias gradient", &[&dy], &c.into(), |card, from, db| {
            card::channel_sums(card, from[0], db, (n, c, h * w))
        });
    }
    dispatch!("bias gradient", dy.dtype(), T => {
        let view = host("bias gradient", &dy)?;
        tensor(sums::<T>(view.slice()?, n, c, h * w), c)
    })
}

fn sums<T: Real>(dy: &[T], n: usize, c: usize, pixels: usize) -> Vec<T> {
    bias_gradient(dy, n, c, pixels)
}
