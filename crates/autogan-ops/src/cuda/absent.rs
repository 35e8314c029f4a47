//! What stands for the driver in a build without the feature `cuda`: tensors on a GPU cannot exist.

use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, WithDType, bail};

use super::launch::Gpu;

/// What lies in a GPU's memory.
pub(crate) trait OnGpu {}

impl<T: WithDType> OnGpu for T {}

#[expect(clippy::extra_unused_type_parameters, reason = "the types of what a GPU would fill")]
pub(super) fn fill<X, Y>(
    op: &str,
    _: &CudaDevice,
    _: &[(&CudaStorage, &Layout)],
    _: &[usize],
    _: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CudaStorage>> {
    bail!("{op}: this build has no CUDA operators")
}

pub(super) fn address(op: &str, _: &CudaStorage, _: &Layout, _: DType) -> Result<u64> {
    bail!("{op}: this build has no CUDA operators")
}
