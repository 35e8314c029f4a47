//! This module runs both norms on a GPU (gpu.cu). Statistics stay there.

use candle_core::{Result, Shape, Tensor, bail};

use autogan_kernels::Activation;
use autogan_kernels::norm::{Dims, Norm};

use crate::cuda::{
    self, Argument, Doubles, Floats, Gpu, Room, doubles, flag, floats, int, narrow, over_elements,
    over_groups, over_planes,
};

/// Mean and biased variance of each channel, or of each plane.
pub(super) fn measure(
    op: &'static str,
    x: &Tensor,
    (n, c, pixels): Dims,
    per_plane: bool,
) -> Result<(Tensor, Tensor)> {
    let groups = if per_plane { n * c } else { c };
    let (mean, to_mean) = cuda::new_doubles(op, x, groups)?;
    let (var, to_var) = cuda::new_doubles(op, x, groups)?;
    cuda::run(op, x, &[x], &[], |gpu, from, _| {
        narrow(n * c * pixels)?;
        let arguments = [
            from[0].read(),
            to_mean.write(),
            to_var.write(),
            int(n)?,
            int(c)?,
            int(pixels)?,
            flag(per_plane),
        ];
        over_groups(gpu, "norm_statistics", groups, &[&arguments])
    })?;
    Ok((mean, var))
}

/// Moves running mean and variance towards a batch's, by channel, the variance times `correction`.
pub(super) fn update_running(
    op: &'static str,
    (running_mean, running_var): (&Tensor, &Tensor),
    (mean, var): (&Tensor, &Tensor),
    (momentum, correction): (f64, f64),
) -> Result<()> {
    let (from_mean, from_var) = (cuda::doubles_of(op, mean)?, cuda::doubles_of(op, var)?);
    cuda::run(op, running_mean, &[], &[running_mean, running_var], |gpu, _, to| {
        let c = running_mean.elem_count();
        let arguments = [
            from_mean.read(),
            from_var.read(),
            to[0].write(),
            to[1].write(),
            int(c)?,
            Argument::Double(momentum),
            Argument::Double(correction),
        ];
        over_elements(gpu, "norm_running", c, &[&arguments])
    })
}

/// A norm with the factors that its statistics and its parameters give, by group.
pub(super) struct Normaliser {
    op: &'static str,
    norm: Norm,
    mean: Tensor,
    inv_std: Tensor,
    a: Tensor,
    b: Tensor,
}

/// The addresses of a [`Normaliser`]'s tensors.
struct Factors {
    mean: Doubles,
    inv_std: Doubles,
    a: Floats,
    b: Floats,
}

/// A norm's weight and bias among the inputs of a program, where it has them; null for 1 and 0.
fn affine(from: &[Floats], first: usize) -> (Floats, Floats) {
    let at = |i: usize| from.get(i).copied().unwrap_or(Floats::NONE);
    (at(first), at(first + 1))
}

impl Normaliser {
    /// The norm of `x` by given or measured statistics; `parameters` are weight and bias, or nothing.
    pub fn new(
        op: &'static str,
        norm: Norm,
        (mean, var): (&Tensor, &Tensor),
        x: &Tensor,
        parameters: &[&Tensor],
    ) -> Result<Self> {
        let (groups, c) = (norm.groups(), norm.dims.1);
        let (mean, var) = (mean.contiguous()?, var.contiguous()?);
        let inputs = [&[x], parameters].concat();
        let inputs = inputs.iter().map(|t| t.contiguous()).collect::<Result<Vec<_>>>()?;
        let (from_mean, from_var) = (cuda::doubles_of(op, &mean)?, cuda::doubles_of(op, &var)?);
        let (inv_std, to_inv_std) = cuda::new_doubles(op, x, groups)?;
        let (inputs, shape) = (inputs.iter().collect::<Vec<_>>(), Shape::from(groups));
        let launch = |gpu: &dyn Gpu, from: &[Floats], to: &[Floats]| {
            let (weight, bias) = affine(from, 1);
            let arguments = [
                from_mean.read(),
                from_var.read(),
                weight.read(),
                bias.read(),
                to[0].write(),
                to[1].write(),
                to_inv_std.write(),
                int(groups)?,
                int(c)?,
                Argument::Double(norm.eps),
            ];
            over_elements(gpu, "norm_factors", groups, &[&arguments])
        };
        let mut made = cuda::make(op, x, &inputs, &[&shape, &shape], launch)?;
        let (Some(b), Some(a)) = (made.pop(), made.pop()) else {
            bail!("{op}: expected two outputs")
        };
        Ok(Self { op, norm, mean, inv_std, a, b })
    }

    fn factors(&self) -> Result<Factors> {
        Ok(Factors {
            mean: cuda::doubles_of(self.op, &self.mean)?,
            inv_std: cuda::doubles_of(self.op, &self.inv_std)?,
            a: cuda::floats_of(self.op, &self.a)?,
            b: cuda::floats_of(self.op, &self.b)?,
        })
    }

    fn relu_flag(&self) -> Argument {
        flag(self.norm.activation == Activation::Relu)
    }

    /// The last arguments of every kernel over planes.
    fn plane_sizes(&self) -> Result<[Argument; 5]> {
        let (n, c, pixels) = self.norm.dims;
        Ok([int(n * c)?, int(c)?, int(pixels)?, flag(self.norm.per_plane), self.relu_flag()])
    }

    /// Launches the whole norm.
    pub fn launch_forward(&self, gpu: &dyn Gpu, x: Floats, y: Floats) -> Result<()> {
        let (n, c, pixels) = self.norm.dims;
        let Factors { a, b, .. } = self.factors()?;
        let tensors = [x.read(), a.read(), b.read(), y.write()];
        over_planes(gpu, "norm_forward", (n * c, pixels), &[&tensors, &self.plane_sizes()?])
    }

    /// Launches the gradients of the input, of weight and of bias, each unless it is null.
    pub fn launch_backward(
        &self,
        gpu: &dyn Gpu,
        (x, dy): (Floats, Floats),
        weight: Floats,
        (dx, dweight, dbias): (Floats, Floats, Floats),
    ) -> Result<()> {
        let (n, c, pixels) = self.norm.dims;
        let factors = self.factors()?;
        let (slope, shift) = self.launch_sums(gpu, (x, dy), weight, &factors, (dweight, dbias))?;
        if dx == Floats::NONE {
            return Ok(());
        }
        let through = |room: &Room| if self.norm.own { room.floats() } else { Floats::NONE };
        let tensors = [
            x.read(),
            dy.read(),
            dx.write(),
            factors.a.read(),
            factors.b.read(),
            through(&slope).read(),
            through(&shift).read(),
        ];
        over_planes(gpu, "norm_input_gradient", (n * c, pixels), &[&tensors, &self.plane_sizes()?])
    }

    /// Launches the sums behind the gradients: slope and shift by group, and the gradients of weight and bias.
    fn launch_sums(
        &self,
        gpu: &dyn Gpu,
        (x, dy): (Floats, Floats),
        weight: Floats,
        factors: &Factors,
        (dweight, dbias): (Floats, Floats),
    ) -> Result<(Room, Room)> {
        let ((n, c, pixels), groups) = (self.norm.dims, self.norm.groups());
        let (sum, dot) = (doubles(gpu, groups)?, doubles(gpu, groups)?);
        let arguments = [
            x.read(),
            dy.read(),
            factors.a.read(),
            factors.b.read(),
            factors.mean.read(),
            factors.inv_std.read(),
            sum.doubles().write(),
            dot.doubles().write(),
            int(n)?,
            int(c)?,
            int(pixels)?,
            flag(self.norm.per_plane),
            self.relu_flag(),
        ];
        over_groups(gpu, "norm_gradient_sums", groups, &[&arguments])?;
        let (slope, shift) = (floats(gpu, groups)?, floats(gpu, groups)?);
        let count = if self.norm.per_plane { pixels } else { n * pixels };
        let arguments = [
            sum.doubles().read(),
            dot.doubles().read(),
            factors.mean.read(),
            factors.inv_std.read(),
            weight.read(),
            slope.floats().write(),
            shift.floats().write(),
            dweight.write(),
            dbias.write(),
            int(groups)?,
            int(c)?,
            int(count)?,
        ];
        over_elements(gpu, "norm_gradient_factors", groups, &[&arguments])?;
        Ok((slope, shift))
    }
}
