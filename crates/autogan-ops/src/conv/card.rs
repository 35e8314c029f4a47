//! A convolution and its gradients on a card: by cuDNN where it is built in, else by our own kernels, kernels.cu.

use candle_core::Result;

use super::problem::Problem;
use crate::cuda::{
    Argument, Card, ConvSizes, Convolution, Floats, flag, floats, int, narrow, over_elements,
    over_groups, over_planes, over_tiles, shares,
};

impl Problem {
    /// The sizes as kernels take them.
    fn sizes(&self) -> Result<ConvSizes> {
        let g = self.geometry;
        // The largest number that a kernel counts to; what it is made of is smaller.
        for count in [
            self.n * self.image_in(),
            self.n * self.image_out(),
            self.co * self.k(),
            self.n * self.pixels() * g.stride * g.stride,
        ] {
            narrow(count)?;
        }
        let sizes = [
            self.n, self.ci, self.h, self.w, self.co, self.kh, self.kw, self.ho, self.wo, g.stride,
            g.pad_h, g.pad_w,
        ];
        let mut narrowed = [0; 12];
        for (to, from) in narrowed.iter_mut().zip(sizes) {
            *to = narrow(from)?;
        }
        Ok(ConvSizes(narrowed))
    }
}

/// `y [n, co, ho, wo]` of `x` and `w`, plus `bias [co]` unless that is null, then ReLU if asked for.
pub(super) fn forward(
    card: &dyn Card,
    p: &Problem,
    (x, w, bias): (Floats, Floats, Floats),
    y: Floats,
    relu: bool,
) -> Result<()> {
    let sizes = p.sizes()?;
    if card.convolve(Convolution::Forward, &sizes, (x.0, w.0, y.0))? {
        if bias == Floats::NONE && !relu {
            return Ok(());
        }
        let (planes, pixels) = (p.n * p.co, p.pixels());
        let arguments =
            [y.write(), bias.read(), int(planes)?, int(p.co)?, int(pixels)?, flag(relu)];
        return over_planes(card, "conv_finish", (planes, pixels), &arguments);
    }
    let tensors = [x.read(), w.read(), bias.read(), y.write()];
    let arguments = [&tensors[..], &[Argument::Conv(sizes), flag(relu)]].concat();
    over_tiles(card, "conv_forward", (p.co, p.n * p.pixels(), 1), &arguments)
}

/// `dx [n, ci, h, w]` of `dy` and `w`.
pub(super) fn input_gradient(
    card: &dyn Card,
    p: &Problem,
    (dy, w): (Floats, Floats),
    dx: Floats,
) -> Result<()> {
    let sizes = p.sizes()?;
    if card.convolve(Convolution::InputGradient, &sizes, (dy.0, w.0, dx.0))? {
        return Ok(());
    }
    let arguments = [dy.read(), w.read(), dx.write(), Argument::Conv(sizes)];
    over_tiles(card, "conv_input_gradient", (p.ci, p.n * p.h * p.w, 1), &arguments)
}

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
pub(super) fn weight_gradient(
    card: &dyn Card,
    p: &Problem,
    (x, dy): (Floats, Floats),
    dw: Floats,
) -> Result<()> {
    let sizes = p.sizes()?;
    if card.convolve(Convolution::WeightGradient, &sizes, (x.0, dy.0, dw.0))? {
        return Ok(());
    }
    let (rows, columns) = (p.co, p.k());
    let parts = shares(rows, columns, p.n * p.pixels());
    let partial = floats(card, parts * rows * columns)?;
    let arguments = [x.read(), dy.read(), partial.floats().write(), Argument::Conv(sizes)];
    over_tiles(card, "conv_weight_gradient", (rows, columns, parts), &arguments)?;
    sum_shares(card, partial.floats(), dw, (parts, rows * columns))
}

/// `out [count]`, the sum of `parts` shares.
pub(crate) fn sum_shares(
    card: &dyn Card,
    partial: Floats,
    out: Floats,
    (parts, count): (usize, usize),
) -> Result<()> {
    let arguments = [partial.read(), out.write(), int(parts)?, int(count)?];
    over_elements(card, "sum_partials", count, &arguments)
}

/// `db [c]`, the sums of `dy [n, c, pixels]` over images and pixels.
pub(super) fn channel_sums(
    card: &dyn Card,
    dy: Floats,
    db: Floats,
    (n, c, pixels): (usize, usize, usize),
) -> Result<()> {
    narrow(n * c * pixels)?;
    let arguments = [dy.read(), db.write(), int(n)?, int(c)?, int(pixels)?];
    over_groups(card, "channel_sums", c, &arguments)
}
