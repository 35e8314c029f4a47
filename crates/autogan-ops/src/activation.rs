//! ReLU and tanh, elementwise and in parallel.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::host::{map, zip};
use crate::operator::{Given, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// `max(x, 0)` for any shape; the gradient at 0 is 0, as PyTorch has it.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply([x], Relu(x.shape().clone()))
}

/// Hyperbolic tangent for any shape.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    apply([x], Tanh(x.shape().clone()))
}

struct Relu(Shape);

impl Operator<1> for Relu {
    const NAME: &'static str = "relu";
    const KEEP: Keep = Keep::OUTPUT;

    fn shape(&self) -> Shape {
        self.0.clone()
    }

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        Ok(map(
            x,
            #[inline(always)]
            |v| if v > T::zero() { v } else { T::zero() },
        ))
    }

    fn backward<T: Real>(&self, Given { y, dy, .. }: Given<&[T], 1>) -> Gradients<T, 1> {
        Ok([Some(zip(
            y,
            dy,
            #[inline(always)]
            |y, d| if y > T::zero() { d } else { T::zero() },
        ))])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let count = self.0.elem_count();
        over_elements(gpu, "relu_forward", count, &[x.read(), y.write(), int(count)?])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Given<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let count = self.0.elem_count();
        let arguments = [at.y.read(), at.dy.read(), dx[0].write(), int(count)?];
        over_elements(gpu, "relu_backward", count, &arguments)
    }
}

/// Elements that a task has at least.
const TANH_CHUNK: usize = 1 << 10;

struct Tanh(Shape);

impl Operator<1> for Tanh {
    const NAME: &'static str = "tanh";
    const KEEP: Keep = Keep::OUTPUT;

    fn shape(&self) -> Shape {
        self.0.clone()
    }

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        // A hundred times the work of a sum: smaller pieces than elsewhere are worth a thread.
        Ok(x.par_iter().with_min_len(TANH_CHUNK).map(|x| x.tanh()).collect())
    }

    fn backward<T: Real>(&self, Given { y, dy, .. }: Given<&[T], 1>) -> Gradients<T, 1> {
        Ok([Some(zip(
            y,
            dy,
            #[inline(always)]
            |y, d| d * (T::one() - y * y),
        ))])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let count = self.0.elem_count();
        over_elements(gpu, "tanh_forward", count, &[x.read(), y.write(), int(count)?])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Given<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let count = self.0.elem_count();
        let arguments = [at.y.read(), at.dy.read(), dx[0].write(), int(count)?];
        over_elements(gpu, "tanh_backward", count, &arguments)
    }
}
