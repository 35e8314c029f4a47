//! [`open`] opens a GPU for candle.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, sys};
use candle_core::{Device, Result};

/// Opens GPU number `gpu`, from 0, with one stream of its own for all threads; memory that it has had, it keeps.
///
/// Candle's `new_cuda` takes the stream that the driver keeps for each thread, so that what one thread launches does not
/// wait for what another did before; here work moves between threads. Each call opens the GPU anew, and tensors of two
/// openings cannot meet: open a GPU once.
///
/// # Errors
/// When there is no such GPU, or the driver refuses.
pub fn open(gpu: usize) -> Result<Device> {
    let device = Device::new_cuda_with_stream(gpu)?;
    let cuda = device.as_cuda_device()?;
    // SAFETY: the device was made here, so all that uses its memory goes through its one stream, and a stream does its work
    // in order. The events that candle would record at each use of a tensor order different streams.
    unsafe { cuda.disable_event_tracking() };
    keep_memory(cuda.cuda_stream().context())?;
    Ok(device)
}

/// Keeps free memory for the next step: by default the driver takes it back whenever something waits for the GPU.
fn keep_memory(context: &CudaContext) -> Result<()> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut pool = std::ptr::null_mut();
    let most = u64::MAX;
    // SAFETY: the driver fills `pool` before it is read, with the pool that the GPU owns as long as the process lives, and
    // copies the number before it returns.
    unsafe {
        sys::cuDeviceGetDefaultMemPool(&mut pool, context.cu_device()).result().w()?;
        let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        let value = std::ptr::from_ref(&most).cast_mut().cast();
        sys::cuMemPoolSetAttribute(pool, threshold, value).result().w()?;
    }
    Ok(())
}
