//! ReLU and tanh, elementwise and in parallel.

use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;

use crate::cuda::{Card, Floats, int, over_elements};
use crate::host::{map, zip};
use crate::real::Real;
use crate::tape::Keep;
use crate::unary::{Given, Unary, apply};

/// `max(x, 0)` for any shape; the gradient at 0 is 0, as PyTorch has it.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    apply(x, Relu(x.shape().clone()))
}

/// Hyperbolic tangent for any shape.
///
/// # Errors
/// When the element type is neither f32 nor f64.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    apply(x, Tanh(x.shape().clone()))
}

struct Relu(Shape);

impl Unary for Relu {
    const NAME: &'static str = "relu";
    const KEEP: Keep = Keep { inputs: false, output: true };

    fn shape(&self) -> Shape {
        self.0.clone()
    }

    fn forward<T: Real>(&self, x: &[T]) -> Vec<T> {
        map(
            x,
            #[inline(always)]
            |v| if v > T::zero() { v } else { T::zero() },
        )
    }

    fn backward<T: Real>(&self, _x: &[T], y: &[T], dy: &[T]) -> Vec<T> {
        zip(
            y,
            dy,
            #[inline(always)]
            |y, d| if y > T::zero() { d } else { T::zero() },
        )
    }

    fn launch_forward(&self, card: &dyn Card, x: Floats, y: Floats) -> Result<()> {
        let count = self.0.elem_count();
        over_elements(card, "relu_forward", count, &[x.read(), y.write(), int(count)?])
    }

    fn launch_backward(&self, card: &dyn Card, given: Given, dx: Floats) -> Result<()> {
        let count = self.0.elem_count();
        let arguments = [given.y.read(), given.dy.read(), dx.write(), int(count)?];
        over_elements(card, "relu_backward", count, &arguments)
    }
}

/// Elements that a task has at least.
const TANH_CHUNK: usize = 1 << 10;

struct Tanh(Shape);

impl Unary for Tanh {
    const NAME: &'static str = "tanh";
    const KEEP: Keep = Keep { inputs: false, output: true };

    fn shape(&self) -> Shape {
        self.0.clone()
    }

    fn forward<T: Real>(&self, x: &[T]) -> Vec<T> {
        // A hundred times the work of a sum: smaller pieces than elsewhere are worth a thread.
        x.par_iter().with_min_len(TANH_CHUNK).map(|x| x.tanh()).collect()
    }

    fn backward<T: Real>(&self, _x: &[T], y: &[T], dy: &[T]) -> Vec<T> {
        zip(
            y,
            dy,
            #[inline(always)]
            |y, d| d * (T::one() - y * y),
        )
    }

    fn launch_forward(&self, card: &dyn Card, x: Floats, y: Floats) -> Result<()> {
        let count = self.0.elem_count();
        over_elements(card, "tanh_forward", count, &[x.read(), y.write(), int(count)?])
    }

    fn launch_backward(&self, card: &dyn Card, given: Given, dx: Floats) -> Result<()> {
        let count = self.0.elem_count();
        let arguments = [given.y.read(), given.dy.read(), dx.write(), int(count)?];
        over_elements(card, "tanh_backward", count, &arguments)
    }
}
