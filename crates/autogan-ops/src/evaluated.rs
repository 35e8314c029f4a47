//! [`Evaluation`] is the frame of an operator with one input for networks that are only evaluated: it has no gradient,
//! and refuses an input of which one is wanted.

use candle_core::op::BackpropOp;
use candle_core::{Result, Shape, Storage, Tensor, WithDType, bail};

use crate::cuda::{self, Element, Gpu};
use crate::host::{Storages, slice, with_storages};
use crate::tape::tracked;

/// An operator for evaluation only: what it has to define.
pub(crate) trait Evaluation {
    /// Its name, for messages.
    const NAME: &'static str;
    /// The element type of its input.
    type From: Element;
    /// The element type of its output.
    type To: Element;
    /// Computes the output's elements from the input's.
    fn forward(&self, x: &[Self::From]) -> Vec<Self::To>;
    /// [`Self::forward`] on a GPU: launches what writes `y`.
    fn launch(
        &self,
        gpu: &dyn Gpu,
        x: <Self::From as Element>::Address,
        y: <Self::To as Element>::Address,
    ) -> Result<()>;
}

/// Runs the operator on `x`; its output has this shape. It fails when `x` has another element type than the operator
/// takes, or a gradient of it is wanted.
pub(crate) fn apply<E: Evaluation>(x: &Tensor, shape: impl Into<Shape>, op: E) -> Result<Tensor> {
    if x.dtype() != E::From::DTYPE {
        bail!("{}: expected {} tensors, found {:?}", E::NAME, E::From::DTYPE.as_str(), x.dtype());
    }
    check_constant(E::NAME, &[x])?;
    let (x, shape) = (x.contiguous()?, shape.into());
    let (types, count) = ((E::From::DTYPE, E::To::DTYPE), shape.elem_count());
    let launch =
        |gpu: &dyn Gpu, x: &[u64], y| op.launch(gpu, E::From::address(x[0]), E::To::address(y));
    let made = with_storages(E::NAME, x.device(), &[&x], |open| {
        Ok(match open {
            Storages::Cpu(x) if cuda::stands_in() => {
                Storage::Cpu(cuda::emulated(E::NAME, &x, types, count, launch)?)
            }
            Storages::Cpu(x) => {
                let (x, layout) = x[0];
                let y = op.forward(slice::<E::From>(E::NAME, x, layout)?);
                Storage::Cpu(E::To::to_cpu_storage_owned(y))
            }
            Storages::Cuda(x) => Storage::Cuda(cuda::forward(E::NAME, &x, types, count, launch)?),
        })
    })?;
    Ok(Tensor::from_storage(made, shape, BackpropOp::none(), false))
}

/// Refuses inputs of which a gradient is wanted, for an operator that has none.
pub(crate) fn check_constant(op: &str, inputs: &[&Tensor]) -> Result<()> {
    if inputs.iter().any(|t| tracked(t)) {
        bail!(
            "{op} has no gradient, and one of its input is wanted: detach the input, or call it outside of `gradients`"
        );
    }
    Ok(())
}
