//! The frame of an operator with one input whose two directions are functions on slices.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::cuda::{self, Card, Floats};
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
    /// [`Self::forward`] on a card: launches what writes `y`.
    fn launch_forward(&self, card: &dyn Card, x: Floats, y: Floats) -> Result<()>;
    /// [`Self::backward`] on a card: launches what writes `dx`.
    fn launch_backward(&self, card: &dyn Card, given: Given, dx: Floats) -> Result<()>;
}

/// What a gradient on a card is made from; addresses of what [`Unary::KEEP`] leaves out are null.
#[derive(Clone, Copy)]
pub(crate) struct Given {
    pub x: Floats,
    pub y: Floats,
    pub dy: Floats,
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
        let program =
            |card: &dyn Card, x: &[Floats], [y]: [Floats; 1]| self.0.launch_forward(card, x[0], y);
        if let Some(y) = cuda::emulated(U::NAME, &[(x, layout)], self.0.shape(), program) {
            return y;
        }
        dispatch!(U::NAME, x.dtype(), T => {
            Ok(storage(self.0.forward(slice::<T>(U::NAME, x, layout)?), self.0.shape()))
        })
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        cuda::forward(
            U::NAME,
            &[(x, layout)],
            self.0.shape(),
            |card: &dyn Card, x: &[Floats], [y]: [Floats; 1]| self.0.launch_forward(card, x[0], y),
        )
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        if cuda::taken(&dy) {
            // What is not kept is not contiguous; the gradient stands in its place, and its address is left out.
            let (keep_x, keep_y) = (U::KEEP.inputs, U::KEEP.output);
            let inputs = [if keep_x { x } else { &dy }, if keep_y { y } else { &dy }, &dy];
            let dx = cuda::make_one(U::NAME, &inputs, x.shape(), |card, from, dx| {
                let given = Given {
                    x: if keep_x { from[0] } else { Floats::NONE },
                    y: if keep_y { from[1] } else { Floats::NONE },
                    dy: from[2],
                };
                self.0.launch_backward(card, given, dx)
            })?;
            return Ok(Some(dx));
        }
        dispatch!(U::NAME, x.dtype(), T => {
            let (hx, hy, hd) = (host(U::NAME, x)?, host(U::NAME, y)?, host(U::NAME, &dy)?);
            let xs = if U::KEEP.inputs { hx.slice::<T>()? } else { &[] };
            let ys = if U::KEEP.output { hy.slice::<T>()? } else { &[] };
            let dx = self.0.backward(xs, ys, hd.slice::<T>()?);
            Ok(Some(tensor(dx, x.shape())?))
        })
    }
}
