//! [`Pinned`] is memory of the host that a GPU reads and writes by itself, so that neither waits for the other.
//!
//! It is used again and again: asking the driver for such memory and giving it back may both wait for the GPU.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::CUevent_flags;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, PinnedHostSlice, result};

/// The memory that nobody holds; the GPU may still use some of it.
static FREE: Mutex<Vec<Memory>> = Mutex::new(Vec::new());

struct Memory {
    bytes: PinnedHostSlice<u8>,
    /// The event that says that the GPU is done with it. It is our own: cudarc records that of the memory only while it
    /// tracks events, which a GPU with one stream does not.
    done: CudaEvent,
}

/// A number of the host and of the GPU.
pub(crate) trait Number: Copy {}
impl Number for f32 {}
impl Number for f64 {}

/// Memory that is in use until this is dropped, and, however soon that is, until the GPU is done with it.
pub(crate) struct Pinned(Option<Memory>);

impl Pinned {
    /// Starts a copy of these values to an address of the GPU.
    pub fn upload<T: Number>(stream: &Arc<CudaStream>, values: &[T], to: u64) -> Result<()> {
        let mut memory = Self::take(stream, size_of_val(values))?;
        let staged = memory.values_mut::<T>(values.len())?;
        staged.copy_from_slice(values);
        // SAFETY: the caller owns the memory at `to`, which has room for the values. `memory` owns those that are copied:
        // when it is dropped it is kept in FREE, and `take` gives it to nobody before the event that is recorded next.
        unsafe { result::memcpy_htod_async(to, staged, stream.cu_stream()) }.w()?;
        memory.record(stream)
    }

    /// Starts a copy of `count` values from an address of the GPU.
    pub fn download<T: Number>(stream: &Arc<CudaStream>, from: u64, count: usize) -> Result<Self> {
        let mut memory = Self::take(stream, count * size_of::<T>())?;
        let to = memory.values_mut::<T>(count)?;
        // SAFETY: the caller owns `count` values at `from`, and the stream keeps them until the copy is done. `memory` owns
        // the place that they go to, of as many; `wait` reads it after the event that is recorded next.
        unsafe { result::memcpy_dtoh_async(to, from, stream.cu_stream()) }.w()?;
        memory.record(stream)?;
        Ok(memory)
    }

    /// Waits for the values of [`Pinned::download`], and returns them.
    pub fn wait<T: Number>(&self, count: usize) -> Result<Vec<T>> {
        let Some(memory) = &self.0 else { candle_core::bail!("pinned memory was given back") };
        memory.done.synchronize().w()?;
        let from = memory.bytes.as_ptr().w()?.cast::<T>();
        // SAFETY: `take` made room for as many values, and the event says that the GPU has written them; any bits are a
        // number, and nobody writes while this is borrowed.
        Ok(unsafe { std::slice::from_raw_parts(from, count) }.to_vec())
    }

    /// Takes memory that the GPU does not use.
    fn take(stream: &Arc<CudaStream>, bytes: usize) -> Result<Self> {
        let context = stream.context();
        context.bind_to_thread().w()?;
        let fits = |memory: &Memory| {
            let room = memory.bytes.len();
            Arc::ptr_eq(memory.bytes.context(), context)
                && (bytes..=4 * bytes.max(SMALLEST)).contains(&room)
                && memory.done.is_complete()
        };
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = free.iter().position(fits) {
            return Ok(Self(Some(free.swap_remove(at))));
        }
        drop(free);
        let room = bytes.max(SMALLEST).next_power_of_two();
        // SAFETY: `upload` has the host write it, `download` the GPU, before anything reads.
        let bytes = unsafe { context.alloc_pinned_with_flags::<u8>(room, 0) }.w()?;
        let done = stream.record_event(Some(CUevent_flags::CU_EVENT_DISABLE_TIMING)).w()?;
        Ok(Self(Some(Memory { bytes, done })))
    }

    /// The memory as values, while the GPU does not use it.
    fn values_mut<T: Number>(&mut self, count: usize) -> Result<&mut [T]> {
        let Some(memory) = &mut self.0 else { candle_core::bail!("pinned memory was given back") };
        let at = memory.bytes.as_mut_ptr().w()?.cast::<T>();
        // SAFETY: page-locked memory is aligned for every type, `take` made it large enough and gave it to this alone, and
        // any bits are a number.
        Ok(unsafe { std::slice::from_raw_parts_mut(at, count) })
    }

    /// Notes that the GPU uses the memory until what was launched so far has ended.
    fn record(&mut self, stream: &Arc<CudaStream>) -> Result<()> {
        match &self.0 {
            Some(memory) => memory.done.record(stream).w(),
            None => Ok(()),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(memory) = self.0.take() {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }
}

/// Bytes of the smallest piece.
const SMALLEST: usize = 256;
