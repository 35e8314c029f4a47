//! What stands for the driver in a build without the feature `cuda`: no tensor can be on a card, so nothing gets here
//! but by mistake.

use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Card, Element, Floats, Program};

/// What lies in a card's memory.
pub(crate) trait OnCard {}

impl<T> OnCard for T {}

pub(super) fn forward(
    op: &'static str,
    _: &[(&CudaStorage, &Layout)],
    _: usize,
    _: impl Program<1>,
) -> Result<CudaStorage> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn convert<X: Element, Y: Element>(
    op: &'static str,
    _: (&CudaStorage, &Layout),
    _: usize,
    _: impl FnOnce(&dyn Card, u64, u64) -> Result<()>,
) -> Result<CudaStorage> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn make<const N: usize>(
    op: &'static str,
    _: &CudaDevice,
    _: &[&Tensor],
    _: [Shape; N],
    _: impl Program<N>,
) -> Result<[Tensor; N]> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn run<R>(
    op: &'static str,
    _: &CudaDevice,
    _: &[&Tensor],
    _: &[Floats],
    _: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<R>,
) -> Result<R> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn address(op: &'static str, _: &CudaStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: this build has no CUDA operators")
}
