//! This module stands for the driver in a build without the feature `cuda`: tensors on a GPU cannot exist.

use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, bail};

use super::launch::Gpu;

pub(super) fn fill(
    op: &str,
    _: &CudaDevice,
    _: &[(&CudaStorage, &Layout)],
    _: (DType, DType),
    _: &[usize],
    _: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CudaStorage>> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn address(op: &str, _: &CudaStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: this build has no CUDA operators")
}
