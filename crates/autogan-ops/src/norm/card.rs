//! Both norms on a card: affine.cu.
//!
//! Statistics go through the host once, where their owner keeps them: a norm by a batch's own waits for them.

use candle_core::{Result, Tensor};

use super::affine::{Activation, Dims, Normaliser};
use crate::cuda::{
    self, Argument, Card, Floats, Room, doubles, download, flag, floats, int, narrow,
    over_elements, over_groups, over_planes, upload,
};

/// Mean and biased variance of each channel, or of each plane.
pub(super) fn measure(
    op: &'static str,
    x: &Tensor,
    (n, c, pixels): Dims,
    per_plane: bool,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let groups = if per_plane { n * c } else { c };
    cuda::run(op, x, &[x], &[], |card, from, _| {
        narrow(n * c * pixels)?;
        let (mean, var) = (doubles(card, groups)?, doubles(card, groups)?);
        let arguments = [
            from[0].read(),
            mean.doubles().write(),
            var.doubles().write(),
            int(n)?,
            int(c)?,
            int(pixels)?,
            flag(per_plane),
        ];
        over_groups(card, "norm_statistics", groups, &arguments)?;
        Ok((download(card, &mean, groups)?, download(card, &var, groups)?))
    })
}

/// A norm's factors and shifts by group, and what they are made from.
struct Factors {
    mean: Room,
    inv_std: Room,
    a: Room,
    b: Room,
}

/// A norm's weight and bias; null for 1 and 0.
type Affine = (Floats, Floats);

/// A norm's weight and bias among the inputs of a program, where it has them.
pub(super) fn affine(from: &[Floats], first: usize) -> Affine {
    let at = |i: usize| from.get(i).copied().unwrap_or(Floats::NONE);
    (at(first), at(first + 1))
}

impl Normaliser {
    fn factors_on_card(&self, card: &dyn Card, (weight, bias): Affine) -> Result<Factors> {
        let (groups, c) = (self.mean.len(), self.dims.1);
        let (mean, var) = (upload(card, &self.mean)?, upload(card, &self.var)?);
        let (a, b) = (floats(card, groups)?, floats(card, groups)?);
        let inv_std = doubles(card, groups)?;
        let arguments = [
            mean.doubles().read(),
            var.doubles().read(),
            weight.read(),
            bias.read(),
            a.floats().write(),
            b.floats().write(),
            inv_std.doubles().write(),
            int(groups)?,
            int(c)?,
            Argument::Double(self.eps),
        ];
        over_elements(card, "norm_factors", groups, &arguments)?;
        Ok(Factors { mean, inv_std, a, b })
    }

    fn relu_flag(&self) -> Argument {
        flag(self.activation == Activation::Relu)
    }

    /// What every kernel over planes takes last.
    fn plane_sizes(&self) -> Result<[Argument; 5]> {
        let (n, c, pixels) = self.dims;
        Ok([int(n * c)?, int(c)?, int(pixels)?, flag(self.per_plane), self.relu_flag()])
    }

    /// The whole norm.
    pub(super) fn launch_forward(
        &self,
        card: &dyn Card,
        x: Floats,
        parameters: Affine,
        y: Floats,
    ) -> Result<()> {
        let (n, c, pixels) = self.dims;
        let Factors { a, b, .. } = self.factors_on_card(card, parameters)?;
        let tensors = [x.read(), a.floats().read(), b.floats().read(), y.write()];
        let arguments = [&tensors[..], &self.plane_sizes()?].concat();
        over_planes(card, "norm_forward", (n * c, pixels), &arguments)
    }

    /// The gradients of the input and, unless those are null, of weight and bias.
    pub(super) fn launch_backward(
        &self,
        card: &dyn Card,
        (x, dy): (Floats, Floats),
        parameters: Affine,
        (dx, dweight, dbias): (Floats, Floats, Floats),
    ) -> Result<()> {
        let (n, c, pixels) = self.dims;
        let factors = self.factors_on_card(card, parameters)?;
        let (slope, shift) =
            self.launch_sums(card, (x, dy), parameters, &factors, (dweight, dbias))?;
        let through = |room: &Room| if self.own { room.floats() } else { Floats::NONE };
        let tensors = [
            x.read(),
            dy.read(),
            dx.write(),
            factors.a.floats().read(),
            factors.b.floats().read(),
            through(&slope).read(),
            through(&shift).read(),
        ];
        let arguments = [&tensors[..], &self.plane_sizes()?].concat();
        over_planes(card, "norm_input_gradient", (n * c, pixels), &arguments)
    }

    /// The sums behind the gradients: slope and shift by group, and the gradients of weight and bias.
    fn launch_sums(
        &self,
        card: &dyn Card,
        (x, dy): (Floats, Floats),
        (weight, _): Affine,
        factors: &Factors,
        (dweight, dbias): (Floats, Floats),
    ) -> Result<(Room, Room)> {
        let ((n, c, pixels), groups) = (self.dims, self.mean.len());
        let (sum, dot) = (doubles(card, groups)?, doubles(card, groups)?);
        let arguments = [
            x.read(),
            dy.read(),
            factors.a.floats().read(),
            factors.b.floats().read(),
            factors.mean.doubles().read(),
            factors.inv_std.doubles().read(),
            sum.doubles().write(),
            dot.doubles().write(),
            int(n)?,
            int(c)?,
            int(pixels)?,
            flag(self.per_plane),
            self.relu_flag(),
        ];
        over_groups(card, "norm_gradient_sums", groups, &arguments)?;
        let (slope, shift) = (floats(card, groups)?, floats(card, groups)?);
        let count = if self.per_plane { pixels } else { n * pixels };
        let arguments = [
            sum.doubles().read(),
            dot.doubles().read(),
            factors.mean.doubles().read(),
            factors.inv_std.doubles().read(),
            weight.read(),
            slope.floats().write(),
            shift.floats().write(),
            dweight.write(),
            dbias.write(),
            int(groups)?,
            int(c)?,
            int(count)?,
        ];
        over_elements(card, "norm_gradient_factors", groups, &arguments)?;
        Ok((slope, shift))
    }
}
