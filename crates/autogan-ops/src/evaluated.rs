//! The frame of an operator with one input for networks that are only evaluated: it has no gradient, and refuses an
//! input of which one is wanted.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType, bail,
};

use crate::cuda::{self, Card, Element};
use crate::host::slice;
use crate::real::storage;
use crate::tape::tracked;

/// What such an operator has to say.
pub(crate) trait Evaluated: Send + Sync + 'static {
    /// Its name, for messages.
    const NAME: &'static str;
    /// The element type of its input.
    type From: Element;
    /// The element type of its output.
    type To: Element;
    /// The shape of its output.
    fn shape(&self) -> Shape;
    /// Input elements to output elements.
    fn forward(&self, x: &[Self::From]) -> Vec<Self::To>;
    /// [`Self::forward`] on a card: launches what writes `y`.
    fn launch(
        &self,
        card: &dyn Card,
        x: <Self::From as Element>::Address,
        y: <Self::To as Element>::Address,
    ) -> Result<()>;
}

/// Runs the operator on `x`.
///
/// # Errors
/// When `x` has another element type than the operator takes, or a gradient of it is wanted.
pub(crate) fn apply<E: Evaluated>(x: &Tensor, op: E) -> Result<Tensor> {
    if x.dtype() != E::From::DTYPE {
        bail!("{}: expected {} tensors, found {:?}", E::NAME, E::From::DTYPE.as_str(), x.dtype());
    }
    if tracked(x) {
        bail!(
            "{} has no gradient, and one of its input is wanted: detach the input, or call it outside of `gradients`",
            E::NAME
        );
    }
    x.contiguous()?.apply_op1_no_bwd(&Frame(op))
}

struct Frame<E>(E);

impl<E: Evaluated> CustomOp1 for Frame<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let program = |card: &dyn Card, x, y| self.0.launch(card, x, y);
        let shape = self.0.shape();
        if let Some(y) =
            cuda::convert_emulated::<E::From, E::To>(E::NAME, (x, layout), shape, program)
        {
            return y;
        }
        Ok(storage(self.0.forward(slice::<E::From>(E::NAME, x, layout)?), self.0.shape()))
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let program = |card: &dyn Card, x, y| self.0.launch(card, x, y);
        cuda::convert::<E::From, E::To>(E::NAME, (x, layout), self.0.shape(), program)
    }
}
