//! [`OnGpu`] is a convolution with its gradients on a GPU: by cuDNN where it is built in, else by our kernels, gpu.cu.

use candle_core::{Result, bail};

use autogan_kernels::conv::Problem;

use crate::cuda::{
    Argument, ConvSizes, Convolution, Floats, Gpu, Room, flag, floats, int, narrow, over_elements,
    over_groups, over_planes, over_tiles, shares,
};
use crate::precision::Precision;

/// The sizes as kernels take them.
fn sizes(p: &Problem) -> Result<ConvSizes> {
    let g = p.geometry;
    // The largest number that a kernel counts to; what it is made of is smaller.
    for count in [
        p.n * p.image_in(),
        p.n * p.image_out(),
        p.co * p.k(),
        p.n * p.pixels() * g.stride * g.stride,
    ] {
        narrow(count)?;
    }
    let sizes = [p.n, p.ci, p.h, p.w, p.co, p.kh, p.kw, p.ho, p.wo, g.stride, g.pad_h, g.pad_w];
    let mut narrowed = [0; 12];
    for (to, from) in narrowed.iter_mut().zip(sizes) {
        *to = narrow(from)?;
    }
    Ok(ConvSizes(narrowed))
}

/// A factor of a convolution's products as they take it: f32 values where they lie, or a copy that is rounded to bf16.
pub(super) enum Factor {
    Given(Floats),
    Rounded(Room),
}

impl Factor {
    fn address(&self) -> u64 {
        match self {
            Self::Given(floats) => floats.0,
            Self::Rounded(room) => room.address(),
        }
    }

    fn read(&self) -> Argument {
        match self {
            Self::Given(floats) => floats.read(),
            Self::Rounded(room) => Argument::Bf16(room.address()),
        }
    }
}

/// A convolution on a GPU.
///
/// In bf16 its factors are rounded into copies of two bytes a value, products write their sums as bf16, and a last launch
/// makes f32 of those: the same launches around cuDNN's convolutions and around our own.
pub(super) struct OnGpu<'a> {
    gpu: &'a dyn Gpu,
    p: &'a Problem,
    sizes: ConvSizes,
    precision: Precision,
}

impl<'a> OnGpu<'a> {
    pub fn new(gpu: &'a dyn Gpu, p: &'a Problem, precision: Precision) -> Result<Self> {
        Ok(Self { gpu, p, sizes: sizes(p)?, precision })
    }

    /// The output's gradient, which both gradients take.
    pub fn dy(&self, dy: Floats) -> Result<Factor> {
        self.factor(dy, self.p.n * self.p.image_out())
    }

    fn x(&self, x: Floats) -> Result<Factor> {
        self.factor(x, self.p.n * self.p.image_in())
    }

    fn w(&self, w: Floats) -> Result<Factor> {
        self.factor(w, self.p.co * self.p.k())
    }

    fn factor(&self, given: Floats, count: usize) -> Result<Factor> {
        if self.precision != Precision::Bf16 {
            return Ok(Factor::Given(given));
        }
        let room = self.gpu.room(2 * count)?;
        let arguments = [given.read(), Argument::Bf16Out(room.address()), int(count)?];
        over_elements(self.gpu, "to_bf16", count, &[&arguments])?;
        Ok(Factor::Rounded(room))
    }

    /// The products by a library; false where there is none and ours are to be launched.
    fn by_library(
        &self,
        which: Convolution,
        factors: (&Factor, &Factor),
        out: u64,
    ) -> Result<bool> {
        let addresses = (factors.0.address(), factors.1.address(), out);
        let done = self.gpu.convolve(which, self.precision, &self.sizes, addresses)?;
        if !done && self.precision == Precision::Tf32 {
            bail!(
                "conv2d: TF32 is done by cuDNN, which is not in this build: build with --features cuda,cudnn, or take \
                 f32 or bf16"
            );
        }
        Ok(done)
    }

    /// `out [count]` by `products`, which writes f32 to the address that it is given, or bf16, of which this makes f32.
    fn widened(
        &self,
        out: Floats,
        count: usize,
        products: impl FnOnce(u64) -> Result<()>,
    ) -> Result<()> {
        if self.precision != Precision::Bf16 {
            return products(out.0);
        }
        let sums = self.gpu.room(2 * count)?;
        products(sums.address())?;
        let arguments = [Argument::Bf16(sums.address()), out.write(), int(count)?];
        over_elements(self.gpu, "from_bf16", count, &[&arguments])
    }

    /// `y [n, co, ho, wo]` of `x` and `w`, plus `bias [co]` unless that is null, then ReLU if asked for.
    pub fn forward(
        &self,
        (x, w): (Floats, Floats),
        bias: Floats,
        y: Floats,
        relu: bool,
    ) -> Result<()> {
        let (x, w) = (self.x(x)?, self.w(w)?);
        if self.precision == Precision::Bf16 {
            return self.forward_bf16((&x, &w), bias, y, relu);
        }
        if self.by_library(Convolution::Forward, (&x, &w), y.0)? {
            if bias == Floats::NONE && !relu {
                return Ok(());
            }
            return self.finish("conv_finish", &[y.write(), bias.read()], relu);
        }
        let tensors = [x.read(), w.read(), bias.read(), y.write()];
        self.forward_tiles("conv_forward", &tensors, &[flag(relu)])
    }

    fn forward_bf16(
        &self,
        factors: (&Factor, &Factor),
        bias: Floats,
        y: Floats,
        relu: bool,
    ) -> Result<()> {
        let count = self.p.n * self.p.image_out();
        let products = |sums| {
            if self.by_library(Convolution::Forward, factors, sums)? {
                return Ok(());
            }
            let tensors = [factors.0.read(), factors.1.read(), Argument::Bf16Out(sums)];
            self.forward_tiles("conv_forward_bf16", &tensors, &[])
        };
        if bias == Floats::NONE && !relu {
            return self.widened(y, count, products);
        }
        let sums = self.gpu.room(2 * count)?;
        products(sums.address())?;
        let tensors = [Argument::Bf16(sums.address()), bias.read(), y.write()];
        self.finish("conv_finish_bf16", &tensors, relu)
    }

    fn finish(&self, kernel: &'static str, tensors: &[Argument], relu: bool) -> Result<()> {
        let (planes, pixels) = (self.p.n * self.p.co, self.p.pixels());
        let sizes = [int(planes)?, int(self.p.co)?, int(pixels)?, flag(relu)];
        over_planes(self.gpu, kernel, (planes, pixels), &[tensors, &sizes])
    }

    fn forward_tiles(
        &self,
        kernel: &'static str,
        tensors: &[Argument],
        flags: &[Argument],
    ) -> Result<()> {
        let tiles = (self.p.co, self.p.n * self.p.pixels(), 1);
        over_tiles(self.gpu, kernel, tiles, &[tensors, &[Argument::Conv(self.sizes)], flags])
    }

    /// `dx [n, ci, h, w]` of `dy` and `w`.
    pub fn input_gradient(&self, (dy, w): (&Factor, Floats), dx: Floats) -> Result<()> {
        let (p, w) = (self.p, self.w(w)?);
        self.widened(dx, p.n * p.image_in(), |dx| {
            if self.by_library(Convolution::InputGradient, (dy, &w), dx)? {
                return Ok(());
            }
            let (kernel, out) = match self.precision {
                Precision::Bf16 => ("conv_input_gradient_bf16", Argument::Bf16Out(dx)),
                _ => ("conv_input_gradient", Floats(dx).write()),
            };
            let arguments = [dy.read(), w.read(), out, Argument::Conv(self.sizes)];
            over_tiles(self.gpu, kernel, (p.ci, p.n * p.h * p.w, 1), &[&arguments])
        })
    }

    /// `dw [co, ci, kh, kw]` of `x` and `dy`.
    pub fn weight_gradient(&self, (x, dy): (Floats, &Factor), dw: Floats) -> Result<()> {
        let (p, x) = (self.p, self.x(x)?);
        self.widened(dw, p.co * p.k(), |dw| {
            if self.by_library(Convolution::WeightGradient, (&x, dy), dw)? {
                return Ok(());
            }
            let (rows, columns) = (p.co, p.k());
            let parts = shares(rows, columns, p.n * p.pixels());
            let partial = floats(self.gpu, parts * rows * columns)?;
            let (kernel, sums, out) = match self.precision {
                Precision::Bf16 => {
                    let sums = "sum_partials_bf16";
                    ("conv_weight_gradient_bf16", sums, Argument::Bf16Out(dw))
                }
                _ => ("conv_weight_gradient", "sum_partials", Floats(dw).write()),
            };
            let to = partial.floats();
            let arguments = [x.read(), dy.read(), to.write(), Argument::Conv(self.sizes)];
            over_tiles(self.gpu, kernel, (rows, columns, parts), &[&arguments])?;
            let arguments = [to.read(), out, int(parts)?, int(rows * columns)?];
            over_elements(self.gpu, sums, rows * columns, &[&arguments])
        })
    }
}

/// `out [count]`, the sum of `parts` shares.
pub(crate) fn sum_shares(
    gpu: &dyn Gpu,
    partial: Floats,
    out: Floats,
    (parts, count): (usize, usize),
) -> Result<()> {
    let arguments = [partial.read(), out.write(), int(parts)?, int(count)?];
    over_elements(gpu, "sum_partials", count, &[&arguments])
}

/// `db [c]`, the sums of `dy [n, c, pixels]` over images and pixels.
pub(crate) fn channel_sums(
    gpu: &dyn Gpu,
    dy: Floats,
    db: Floats,
    (n, c, pixels): (usize, usize, usize),
) -> Result<()> {
    narrow(n * c * pixels)?;
    let arguments = [dy.read(), db.write(), int(n)?, int(c)?, int(pixels)?];
    over_groups(gpu, "channel_sums", c, &[&arguments])
}
