//! What stands for the emulation in a build without the feature `emulate`: nothing takes the CPU's place.

use candle_core::{CpuStorage, DType, Layout, Result, Shape, Tensor, bail};

use super::{Card, Element, Floats, Program};

pub(super) fn stands_in() -> bool {
    false
}

pub(super) fn forward(
    _: &'static str,
    _: &[(&CpuStorage, &Layout)],
    _: Shape,
    _: impl Program<1>,
) -> Option<Result<(CpuStorage, Shape)>> {
    None
}

pub(super) fn convert<X: Element, Y: Element>(
    _: &'static str,
    _: (&CpuStorage, &Layout),
    _: Shape,
    _: impl FnOnce(&dyn Card, u64, u64) -> Result<()>,
) -> Option<Result<(CpuStorage, Shape)>> {
    None
}

pub(super) fn make<const N: usize>(
    op: &'static str,
    _: &[&Tensor],
    _: [Shape; N],
    _: impl Program<N>,
) -> Result<[Tensor; N]> {
    bail!("{op}: expected tensors on a card, found them on the CPU")
}

pub(super) fn run<R>(
    op: &'static str,
    _: &[&Tensor],
    _: &[Floats],
    _: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<R>,
) -> Result<R> {
    bail!("{op}: expected tensors on a card, found them on the CPU")
}

pub(super) fn address(op: &'static str, _: &CpuStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: expected all tensors on a card, found one on the CPU")
}

pub(super) fn address_to_change(
    op: &'static str,
    _: &mut CpuStorage,
    _: &Layout,
    _: DType,
) -> Result<u64> {
    bail!("{op}: expected all tensors on a card, found one on the CPU")
}
