//! A GPU behind CUDA's driver, by way of candle's device: one stream, so that everything has one order.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, WithDType, bail};

#[cfg(feature = "cudnn")]
use super::launch::Convolution;
use super::launch::{Argument, ConvSizes, Gpu, Launch, Room};
#[cfg(feature = "cudnn")]
use crate::precision::Precision;

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

// SAFETY: twelve `int`, laid out as in C.
unsafe impl DeviceRepr for ConvSizes {}

/// What lies in a GPU's memory.
pub(crate) trait OnGpu: CudaDType + DeviceRepr {}

impl<T: CudaDType + DeviceRepr> OnGpu for T {}

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
        // SAFETY: arguments have the kernel's types, which the emulation checks launch by launch, and memory as large as
        // the operator's shapes, which it checked.
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
        // SAFETY: kernels write what they read.
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

/// Runs a program from the addresses of inputs to those of new memory, all of which it writes.
pub(super) fn fill<X: WithDType, Y: WithDType + OnGpu>(
    op: &str,
    device: &CudaDevice,
    inputs: &[(&CudaStorage, &Layout)],
    lengths: &[usize],
    program: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CudaStorage>> {
    let from = inputs
        .iter()
        .map(|(storage, layout)| address(op, storage, layout, X::DTYPE))
        .collect::<Result<Vec<_>>>()?;
    let stream = device.cuda_stream();
    let mut made = Vec::with_capacity(lengths.len());
    for &length in lengths {
        // SAFETY: every kernel writes each element of its output.
        made.push(unsafe { device.alloc::<Y>(length)? });
    }
    let to: Vec<u64> = made.iter_mut().map(|memory| memory.device_ptr_mut(&stream).0).collect();
    program(&Driver(device), &from, &to)?;
    let storage = |memory| CudaStorage::wrap_cuda_slice(memory, device.clone());
    Ok(made.into_iter().map(storage).collect())
}

/// Where the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &str,
    storage: &CudaStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    if storage.dtype() != dtype {
        bail!("{op}: expected {} tensors on a GPU, found {:?}", dtype.as_str(), storage.dtype());
    }
    let Some((start, _)) = layout.contiguous_offsets() else {
        bail!("{op}: expected a contiguous tensor, found strides {:?}", layout.stride());
    };
    let stream = storage.device().cuda_stream();
    let begin = match dtype {
        DType::F32 => f32::as_cuda_slice(storage)?.device_ptr(&stream).0,
        DType::F64 => f64::as_cuda_slice(storage)?.device_ptr(&stream).0,
        DType::U8 => u8::as_cuda_slice(storage)?.device_ptr(&stream).0,
        other => bail!("{op}: kernels take no {} tensors", other.as_str()),
    };
    Ok(begin + (dtype.size_in_bytes() * start) as u64)
}
