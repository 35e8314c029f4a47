//! This module runs operators on NVIDIA GPUs.
//!
//! An operator says which kernels it launches, and on what, with the types of `launch`. `forward` and `make` find the
//! tensors' memory and make the outputs; with the feature `cuda` they do so on a GPU, which `driver` drives. With the
//! feature `emulate` a thread may let the emulated kernels stand in for the CPU's own, so that tests run every operator
//! as it runs on a GPU: `stand_in`.
//!
//! On a GPU operators take f32 alone; those between images and numbers take or make bytes, too. Beside them lie f64
//! vectors: statistics, and what spectral norm keeps.

mod launch;

#[cfg(feature = "cuda")]
mod driver;
#[cfg(not(feature = "cuda"))]
#[path = "absent.rs"]
mod driver;

#[cfg(feature = "cudnn")]
mod cudnn;
#[cfg(feature = "cuda")]
mod open;
#[cfg(feature = "cuda")]
mod pinned;

#[cfg(feature = "emulate")]
mod emulate;
#[cfg(not(feature = "emulate"))]
#[path = "unemulated.rs"]
mod emulate;

use std::cell::Cell;

use candle_core::backend::BackendStorage;
use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CudaStorage, DType, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor,
    WithDType, bail,
};

#[cfg(feature = "emulate")]
pub use emulate::stand_in;
pub(crate) use emulate::stands_in;
pub use launch::{Argument, ConvSizes, Convolution, Gpu, Launch, Room};
pub(crate) use launch::{
    Bytes, Doubles, Floats, blocks_of, flag, int, narrow, over_elements, over_groups, over_list,
    over_planes, over_tiles, shares,
};
#[cfg(feature = "cuda")]
pub use open::open;
#[cfg(feature = "cuda")]
pub(crate) use pinned::Pinned;

use crate::host::{Storages, with_storages};

/// Whether operators on this tensor launch kernels.
pub(crate) fn taken(t: &Tensor) -> bool {
    matches!(t.device(), Device::Cuda(_)) || emulate::stands_in()
}

/// An element type of kernels, with the type of its addresses.
pub(crate) trait Element: WithDType {
    /// The type of an address of such elements.
    type Address: Copy;
    fn address(at: u64) -> Self::Address;
}

impl Element for f32 {
    type Address = Floats;
    fn address(at: u64) -> Floats {
        Floats(at)
    }
}

impl Element for u8 {
    type Address = Bytes;
    fn address(at: u64) -> Bytes {
        Bytes(at)
    }
}

/// New memory for `count` elements on the GPU of the inputs, which the program fills: it is given the addresses of the
/// inputs, all of the first type, and of the memory, which is of the second.
pub(crate) fn forward(
    op: &str,
    inputs: &[(&CudaStorage, &Layout)],
    types: (DType, DType),
    count: usize,
    program: impl FnOnce(&dyn Gpu, &[u64], u64) -> Result<()>,
) -> Result<CudaStorage> {
    let Some((first, _)) = inputs.first() else { bail!("{op}: expected an input") };
    let program = |gpu: &dyn Gpu, from: &[u64], to: &[u64]| program(gpu, from, to[0]);
    Ok(driver::fill(op, first.device(), inputs, types, &[count], program)?.remove(0))
}

/// [`forward`] by what [stands in](stands_in) for the CPU.
pub(crate) fn emulated(
    op: &str,
    inputs: &[(&CpuStorage, &Layout)],
    types: (DType, DType),
    count: usize,
    program: impl FnOnce(&dyn Gpu, &[u64], u64) -> Result<()>,
) -> Result<CpuStorage> {
    let program = |gpu: &dyn Gpu, from: &[u64], to: &[u64]| program(gpu, from, to[0]);
    Ok(emulate::fill(op, inputs, types, &[count], program)?.remove(0))
}

/// New tensors beside `like`, where all inputs lie; the program fills them.
pub(crate) fn make(
    op: &str,
    like: &Tensor,
    inputs: &[&Tensor],
    shapes: &[&Shape],
    program: impl FnOnce(&dyn Gpu, &[Floats], &[Floats]) -> Result<()>,
) -> Result<Vec<Tensor>> {
    let lengths: Vec<usize> = shapes.iter().map(|shape| shape.elem_count()).collect();
    let floats = |all: &[u64]| all.iter().map(|&at| Floats(at)).collect::<Vec<_>>();
    let program =
        |gpu: &dyn Gpu, from: &[u64], to: &[u64]| program(gpu, &floats(from), &floats(to));
    let (device, types) = (like.device(), (DType::F32, DType::F32));
    let made: Vec<Storage> = with_storages(op, device, inputs, |open| match open {
        Storages::Cpu(from) => {
            let made = emulate::fill(op, &from, types, &lengths, program)?;
            Ok(made.into_iter().map(Storage::Cpu).collect())
        }
        Storages::Cuda(from) => {
            let gpu = device.as_cuda_device()?;
            let made = driver::fill(op, gpu, &from, types, &lengths, program)?;
            Ok(made.into_iter().map(Storage::Cuda).collect())
        }
    })?;
    let tensor = |(made, shape): (Storage, &&Shape)| {
        Tensor::from_storage(made, (*shape).clone(), BackpropOp::none(), false)
    };
    Ok(made.into_iter().zip(shapes).map(tensor).collect())
}

/// Launches that change tensors in place; all tensors lie beside `like`.
pub(crate) fn run(
    op: &'static str,
    like: &Tensor,
    inputs: &[&Tensor],
    changed: &[&Tensor],
    program: impl FnOnce(&dyn Gpu, &[Floats], &[Floats]) -> Result<()>,
) -> Result<()> {
    let places = changed
        .iter()
        .map(|t| Ok(Floats(ToChange::address(op, t, DType::F32)?)))
        .collect::<Result<Vec<_>>>()?;
    make(op, like, inputs, &[], |gpu, from, _| program(gpu, from, &places))?;
    Ok(())
}

/// The address of an f32 tensor's values, for launches that read them while it lives.
pub(crate) fn floats_of(op: &'static str, t: &Tensor) -> Result<Floats> {
    Ok(Floats(address(op, t, DType::F32)?))
}

/// The address of an f64 tensor's values, for launches that read them while it lives.
pub(crate) fn doubles_of(op: &'static str, t: &Tensor) -> Result<Doubles> {
    Ok(Doubles(address(op, t, DType::F64)?))
}

/// A new f64 vector beside `like`, and where it begins; what is launched next writes all of it.
pub(crate) fn new_doubles(
    op: &'static str,
    like: &Tensor,
    count: usize,
) -> Result<(Tensor, Doubles)> {
    let t = match like.device() {
        // SAFETY: the kernels that are launched next write each of the `count` values before any launch reads one, and
        // the host reads none before they have run; the tensor owns the memory.
        Device::Cuda(_) => unsafe { Tensor::empty(count, DType::F64, like.device())? },
        // What nobody writes shows.
        _ => Tensor::full(f64::NAN, count, like.device())?,
    };
    let place = ToChange::address(op, &t, DType::F64)?;
    Ok((t, Doubles(place)))
}

/// The first element of a tensor of type `wanted`, counted from where its memory begins.
#[cfg(any(feature = "cuda", feature = "emulate"))]
fn first_element(op: &str, found: DType, layout: &Layout, wanted: DType) -> Result<usize> {
    if found != wanted {
        bail!("{op}: expected {} tensors on a GPU, found {found:?}", wanted.as_str());
    }
    let Some((start, _)) = layout.contiguous_offsets() else {
        bail!("{op}: expected a contiguous tensor, found strides {:?}", layout.stride());
    };
    Ok(start)
}

fn address(op: &'static str, t: &Tensor, dtype: DType) -> Result<u64> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => driver::address(op, storage, layout, dtype),
        Storage::Cpu(storage) => emulate::address(op, storage, layout, dtype),
        Storage::Metal(_) => bail!("{op}: expected a tensor on an NVIDIA GPU"),
    }
}

/// Finds the address of a tensor that launches change in place.
struct ToChange {
    op: &'static str,
    dtype: DType,
    found: Cell<u64>,
}

impl ToChange {
    fn address(op: &'static str, t: &Tensor, dtype: DType) -> Result<u64> {
        let place = Self { op, dtype, found: Cell::new(0) };
        t.inplace_op1(&place)?;
        Ok(place.found.into_inner())
    }
}

impl InplaceOp1 for ToChange {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.found.set(emulate::address_to_change(self.op, storage, layout, self.dtype)?);
        Ok(())
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
        self.found.set(driver::address(self.op, storage, layout, self.dtype)?);
        Ok(())
    }
}

/// A buffer for f32 values.
pub(crate) fn floats(gpu: &dyn Gpu, count: usize) -> Result<Room> {
    gpu.room(4 * count)
}

/// A buffer for f64 values.
pub(crate) fn doubles(gpu: &dyn Gpu, count: usize) -> Result<Room> {
    gpu.room(8 * count)
}
