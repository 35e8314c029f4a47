//! A card behind CUDA's driver, by way of candle's device: one stream, so that everything has one order.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

#[cfg(feature = "cudnn")]
use super::launch::Convolution;
use super::launch::{Argument, Card, ConvSizes, Launch, Room};
use super::{Element, Floats, Program};
#[cfg(feature = "cudnn")]
use crate::precision::Precision;

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

// SAFETY: twelve `int`, laid out as in C.
unsafe impl DeviceRepr for ConvSizes {}

/// What lies in a card's memory.
pub(crate) trait OnCard: CudaDType + DeviceRepr {}

impl<T: CudaDType + DeviceRepr> OnCard for T {}

struct Driver<'a>(&'a CudaDevice);

impl Card for Driver<'_> {
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

pub(super) fn forward(
    op: &'static str,
    inputs: &[(&CudaStorage, &Layout)],
    length: usize,
    program: impl Program<1>,
) -> Result<CudaStorage> {
    let Some((first, _)) = inputs.first() else { bail!("{op}: expected an input") };
    let device = first.device().clone();
    let mut made =
        filled(op, &device, inputs, &[length], |card, from, to| program(card, from, [to[0]]))?;
    Ok(CudaStorage::wrap_cuda_slice(made.remove(0), device))
}

pub(super) fn convert<X: Element, Y: Element>(
    op: &'static str,
    (x, layout): (&CudaStorage, &Layout),
    length: usize,
    program: impl FnOnce(&dyn Card, u64, u64) -> Result<()>,
) -> Result<CudaStorage> {
    let device = x.device().clone();
    let from = address(op, x, layout, X::DTYPE)?;
    // SAFETY: every kernel writes each element of its output.
    let mut made = unsafe { device.alloc::<Y>(length)? };
    let to = made.device_ptr_mut(&device.cuda_stream()).0;
    program(&Driver(&device), from, to)?;
    Ok(CudaStorage::wrap_cuda_slice(made, device))
}

pub(super) fn make<const N: usize>(
    op: &'static str,
    device: &CudaDevice,
    inputs: &[&Tensor],
    shapes: [Shape; N],
    program: impl Program<N>,
) -> Result<[Tensor; N]> {
    let lengths = shapes.each_ref().map(Shape::elem_count);
    let made = with_storages(op, inputs, |inputs| {
        filled(op, device, inputs, &lengths, |card, from, to| {
            program(card, from, std::array::from_fn(|i| to[i]))
        })
    })?;
    let tensor = |(memory, shape): (CudaSlice<f32>, Shape)| {
        let storage = Storage::Cuda(CudaStorage::wrap_cuda_slice(memory, device.clone()));
        Tensor::from_storage(storage, shape, BackpropOp::none(), false)
    };
    let tensors: Vec<Tensor> = made.into_iter().zip(shapes).map(tensor).collect();
    tensors.try_into().or_else(|_| bail!("{op}: expected {N} outputs"))
}

pub(super) fn run<R>(
    op: &'static str,
    device: &CudaDevice,
    inputs: &[&Tensor],
    changed: &[Floats],
    program: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<R>,
) -> Result<R> {
    with_storages(op, inputs, |inputs| {
        let from = addresses(op, inputs)?;
        program(&Driver(device), &from, changed)
    })
}

/// Runs a program on new memory, all of which it writes.
fn filled(
    op: &'static str,
    device: &CudaDevice,
    inputs: &[(&CudaStorage, &Layout)],
    lengths: &[usize],
    program: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<()>,
) -> Result<Vec<CudaSlice<f32>>> {
    let from = addresses(op, inputs)?;
    let stream = device.cuda_stream();
    let mut made = Vec::with_capacity(lengths.len());
    for &length in lengths {
        // SAFETY: every kernel writes each element of its output.
        made.push(unsafe { device.alloc::<f32>(length)? });
    }
    let to: Vec<Floats> =
        made.iter_mut().map(|memory| Floats(memory.device_ptr_mut(&stream).0)).collect();
    program(&Driver(device), &from, &to)?;
    Ok(made)
}

fn addresses(op: &'static str, inputs: &[(&CudaStorage, &Layout)]) -> Result<Vec<Floats>> {
    let floats = |&(storage, layout): &(&CudaStorage, &Layout)| {
        Ok(Floats(address(op, storage, layout, DType::F32)?))
    };
    inputs.iter().map(floats).collect()
}

/// Where the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &'static str,
    storage: &CudaStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    if storage.dtype() != dtype {
        bail!("{op}: expected {} tensors on a card, found {:?}", dtype.as_str(), storage.dtype());
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

/// Calls `f` with the storages of tensors, which it keeps open meanwhile.
fn with_storages<R>(
    op: &'static str,
    inputs: &[&Tensor],
    f: impl FnOnce(&[(&CudaStorage, &Layout)]) -> Result<R>,
) -> Result<R> {
    let guards: Vec<_> = inputs.iter().map(|t| t.storage_and_layout()).collect();
    let storages: Vec<(&CudaStorage, &Layout)> = guards
        .iter()
        .map(|(guard, layout)| match &**guard {
            Storage::Cuda(storage) => Ok((storage, *layout)),
            _ => bail!("{op}: expected all tensors on one card, found one elsewhere"),
        })
        .collect::<Result<_>>()?;
    f(&storages)
}
