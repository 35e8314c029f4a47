//! The frame of an operator with one input whose two directions are functions on slices.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::host::{host, slice, tensor};
use crate::real::{Real, dispatch, storage};
use crate::tape::{Keep, apply1};

/// What an operator with one input has to say.
pub(crate) trait Unary: Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;
    /// What [`Self::backward`] reads; the rest it is given empty.
    const KEEP: Keep;
    /// The shape of its output.
    fn shape(&self) -> Shape;
    /// Input elements to output elements.
    fn forward<T: Real>(&self, x: &[T]) -> Vec<T>;
    /// Gradient of the input from input, output and gradient of the output.
    fn backward<T: Real>(&self, x: &[T], y: &[T], dy: &[T]) -> Vec<T>;
}

/// Runs the operator on `x`, in candle's graph or on the tape.
pub(crate) fn apply<U: Unary>(x: &Tensor, op: U) -> Result<Tensor> {
    apply1(&x.contiguous()?, Frame(op), U::KEEP)
}

struct Frame<U>(U);

impl<U: Unary> CustomOp1 for Frame<U> {
    fn name(&self) -> &'static str {
        U::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!(U::NAME, x.dtype(), T => {
            Ok(storage(self.0.forward(slice::<T>(U::NAME, x, layout)?), self.0.shape()))
        })
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        dispatch!(U::NAME, x.dtype(), T => {
            let (hx, hy, hd) = (host(U::NAME, x)?, host(U::NAME, y)?, host(U::NAME, &dy)?);
            let xs = if U::KEEP.inputs { hx.slice::<T>()? } else { &[] };
            let ys = if U::KEEP.output { hy.slice::<T>()? } else { &[] };
            let dx = self.0.backward(xs, ys, hd.slice::<T>()?);
            Ok(Some(tensor(dx, x.shape())?))
        })
    }
}
