//! This module drives a GPU by CUDA's driver and candle's device: in one stream, so that everything has one order.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, bail};

use super::first_element;
#[cfg(feature = "cudnn")]
use super::launch::Convolution;
use super::launch::{Argument, ConvSizes, Gpu, Launch, Room};
#[cfg(feature = "cudnn")]
use crate::precision::Precision;

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

// SAFETY: the type is `repr(C)` around twelve `i32`, and the kernels' struct is twelve `int`: the bytes that the driver
// copies mean the same on both sides.
unsafe impl DeviceRepr for ConvSizes {}

struct Driver<'a>(&'a CudaDevice);

impl Gpu for Driver<'_> {
    fn launch(&self, launch: &Launch) -> Result<()> {
        let name = launch.kernel;
        let Some((module, ptx)) = module_of(name) else { bail!("there is no kernel {name}") };
        let function = self.0.get_or_load_custom_func(name, module, ptx)?;
        let mut builder = function.builder();
        for argument in &launch.arguments {
            match argument {
                Argument::Floats(address)
                | Argument::FloatsOut(address)
                | Argument::Doubles(address)
                | Argument::DoublesOut(address)
                | Argument::Bytes(address)
                | Argument::BytesOut(address)
                | Argument::Bf16(address)
                | Argument::Bf16Out(address)
                | Argument::Adam(address)
                | Argument::Ema(address) => builder.arg(address),
                Argument::Int(v) => builder.arg(v),
                Argument::Float(v) => builder.arg(v),
                Argument::Double(v) => builder.arg(v),
                Argument::Conv(v) => builder.arg(v),
            };
        }
        let [x, y, z] = launch.grid;
        let config = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (launch.threads, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the arguments are those of the kernel, in number, order and type: the emulation compares each launch
        // with the kernel's definition. A kernel stays within the sizes that it is given, and the operator checked that
        // its tensors have them. The tensors and rooms behind the addresses live until the launch is queued, and their
        // memory is given back in the stream's order, behind it.
        unsafe { builder.launch(config) }.w()?;
        Ok(())
    }

    #[cfg(feature = "cudnn")]
    fn convolve(
        &self,
        which: Convolution,
        precision: Precision,
        sizes: &ConvSizes,
        addresses: (u64, u64, u64),
    ) -> Result<bool> {
        super::cudnn::convolve(self, self.0, (which, precision), sizes, addresses)?;
        Ok(true)
    }

    fn room(&self, bytes: usize) -> Result<Room> {
        // SAFETY: no launch reads bytes of a room that none before it wrote; the room that is returned owns the memory.
        let memory = unsafe { self.0.alloc::<u8>(bytes.max(1))? };
        Ok(self.own(memory))
    }

    fn upload(&self, bytes: &[u8]) -> Result<Room> {
        Ok(self.own(self.0.clone_htod(bytes)?))
    }
}

impl Driver<'_> {
    /// Memory, freed in the stream's order.
    fn own(&self, memory: CudaSlice<u8>) -> Room {
        let stream = self.0.cuda_stream();
        let address = memory.device_ptr(&stream).0;
        Room::new(address, memory)
    }
}

/// Runs a program from the addresses of inputs of one type to those of new memory of another, all of which it writes.
pub(super) fn fill(
    op: &str,
    device: &CudaDevice,
    inputs: &[(&CudaStorage, &Layout)],
    (from, to): (DType, DType),
    lengths: &[usize],
    program: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CudaStorage>> {
    let inputs = inputs.iter().map(|(storage, layout)| address(op, storage, layout, from));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let outputs = lengths.iter().map(|&length| match to {
        DType::F32 => output::<f32>(device, length),
        DType::U8 => output::<u8>(device, length),
        other => bail!("{op}: kernels make no {} tensors", other.as_str()),
    });
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let (addresses, made): (Vec<u64>, Vec<CudaStorage>) = outputs.into_iter().unzip();
    program(&Driver(device), &inputs, &addresses)?;
    Ok(made)
}

/// New memory, and where it begins.
fn output<T: CudaDType + DeviceRepr>(
    device: &CudaDevice,
    length: usize,
) -> Result<(u64, CudaStorage)> {
    // SAFETY: the program that is given the address launches kernels that write every element, before any launch reads
    // one; the storage that is returned owns the memory.
    let mut memory = unsafe { device.alloc::<T>(length)? };
    let address = memory.device_ptr_mut(&device.cuda_stream()).0;
    Ok((address, CudaStorage::wrap_cuda_slice(memory, device.clone())))
}

/// The address at which the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &str,
    storage: &CudaStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    let start = first_element(op, storage.dtype(), layout, dtype)?;
    let stream = storage.device().cuda_stream();
    let begin = match dtype {
        DType::F32 => f32::as_cuda_slice(storage)?.device_ptr(&stream).0,
        DType::F64 => f64::as_cuda_slice(storage)?.device_ptr(&stream).0,
        DType::U8 => u8::as_cuda_slice(storage)?.device_ptr(&stream).0,
        other => bail!("{op}: kernels take no {} tensors", other.as_str()),
    };
    Ok(begin + (dtype.size_in_bytes() * start) as u64)
}
