//! This module holds ReLU and tanh, elementwise and in parallel.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::host::{map, zip};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// `max(x, 0)` for any shape; the gradient at 0 is 0, as PyTorch has it.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply([x], x.dims(), Relu(x.elem_count()))
}

/// Hyperbolic tangent for any shape.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    apply([x], x.dims(), Tanh(x.elem_count()))
}

/// ReLU of a tensor with this number of elements.
struct Relu(usize);

impl Operator<1> for Relu {
    const NAME: &'static str = "relu";
    const KEEP: Keep = Keep::Output;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        Ok(map(
            x,
            #[inline(always)]
            |v| if v > T::zero() { v } else { T::zero() },
        ))
    }

    fn backward<T: Real>(&self, Basis { y, dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        Ok([Some(zip(
            y,
            dy,
            #[inline(always)]
            |y, d| if y > T::zero() { d } else { T::zero() },
        ))])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        over_elements(gpu, "relu_forward", self.0, &[&[x.read(), y.write(), int(self.0)?]])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let arguments = [at.y.read(), at.dy.read(), dx[0].write(), int(self.0)?];
        over_elements(gpu, "relu_backward", self.0, &[&arguments])
    }
}

/// The least number of elements of a task.
const TANH_CHUNK: usize = 1 << 10;

/// Hyperbolic tangent of a tensor with this number of elements.
struct Tanh(usize);

impl Operator<1> for Tanh {
    const NAME: &'static str = "tanh";
    const KEEP: Keep = Keep::Output;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        // A hundred times the work of a sum: smaller pieces than elsewhere are worth a thread.
        Ok(x.par_iter().with_min_len(TANH_CHUNK).map(|x| x.tanh()).collect())
    }

    fn backward<T: Real>(&self, Basis { y, dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        Ok([Some(zip(
            y,
            dy,
            #[inline(always)]
            |y, d| d * (T::one() - y * y),
        ))])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        over_elements(gpu, "tanh_forward", self.0, &[&[x.read(), y.write(), int(self.0)?]])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let arguments = [at.y.read(), at.dy.read(), dx[0].write(), int(self.0)?];
        over_elements(gpu, "tanh_backward", self.0, &[&arguments])
    }
}
