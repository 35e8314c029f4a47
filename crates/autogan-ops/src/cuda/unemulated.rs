//! This module stands for the emulation in a build without the feature `emulate`: nothing takes the CPU's place.

use candle_core::{CpuStorage, DType, Layout, Result, bail};

use super::launch::Gpu;

pub(crate) fn stands_in() -> bool {
    false
}

pub(super) fn fill(
    op: &str,
    _: &[(&CpuStorage, &Layout)],
    _: (DType, DType),
    _: &[usize],
    _: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CpuStorage>> {
    bail!("{op}: expected tensors on a GPU, found them on the CPU")
}

pub(super) fn address(op: &str, _: &CpuStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: expected all tensors on a GPU, found one on the CPU")
}

pub(super) fn address_to_change(op: &str, _: &mut CpuStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: expected all tensors on a GPU, found one on the CPU")
}
