//! Operators on NVIDIA cards.
//!
//! An operator says which kernels it launches, and on what: `launch` holds the words for that. `forward` and
//! `make` find the tensors' memory and make the outputs; with the feature `cuda` they do so on a card, which
//! `driver` drives. With the feature `emulate` a thread may let the emulated kernels stand in for the CPU's own, so that
//! tests run every operator as it runs on a card: `stand_in`.
//!
//! On a card operators take f32 alone; those between images and numbers take or make bytes, too: `convert`. Beside them
//! lie f64 vectors: statistics, and what spectral norm keeps.

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

use candle_core::{
    CpuStorage, CudaStorage, DType, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor,
    WithDType, bail,
};

#[cfg(feature = "emulate")]
pub use emulate::stand_in;
pub use launch::{Argument, Card, ConvSizes, Convolution, Launch, Room};
pub(crate) use launch::{
    Bytes, Doubles, Floats, blocks_of, flag, int, narrow, over_elements, over_groups, over_list,
    over_planes, over_tiles, shares,
};
#[cfg(feature = "cuda")]
pub use open::open;
#[cfg(feature = "cuda")]
pub(crate) use pinned::Pinned;

/// Whether operators on this tensor launch kernels.
pub(crate) fn taken(t: &Tensor) -> bool {
    matches!(t.device(), Device::Cuda(_)) || emulate::stands_in()
}

/// What an operator launches: from the addresses of its inputs to those of `N` outputs.
pub(crate) trait Program<const N: usize>:
    FnOnce(&dyn Card, &[Floats], [Floats; N]) -> Result<()>
{
}

impl<const N: usize, F: FnOnce(&dyn Card, &[Floats], [Floats; N]) -> Result<()>> Program<N> for F {}

/// An element type of kernels, with the type of its addresses.
pub(crate) trait Element: WithDType + driver::OnCard {
    /// Where elements of this type are.
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

/// [`forward`] of an operator with one input and an output that may be of another type.
pub(crate) fn convert<X: Element, Y: Element>(
    op: &'static str,
    x: (&CudaStorage, &Layout),
    shape: Shape,
    program: impl FnOnce(&dyn Card, X::Address, Y::Address) -> Result<()>,
) -> Result<(CudaStorage, Shape)> {
    let program = |card: &dyn Card, x, y| program(card, X::address(x), Y::address(y));
    let storage = driver::convert::<X, Y>(op, x, shape.elem_count(), program)?;
    Ok((storage, shape))
}

/// [`convert`] by what stands in for the CPU; `None` where nothing does.
pub(crate) fn convert_emulated<X: Element, Y: Element>(
    op: &'static str,
    x: (&CpuStorage, &Layout),
    shape: Shape,
    program: impl FnOnce(&dyn Card, X::Address, Y::Address) -> Result<()>,
) -> Option<Result<(CpuStorage, Shape)>> {
    let program = |card: &dyn Card, x, y| program(card, X::address(x), Y::address(y));
    emulate::convert::<X, Y>(op, x, shape, program)
}

/// An operator's forward pass on a card: new memory for `shape`, which the program fills.
pub(crate) fn forward(
    op: &'static str,
    inputs: &[(&CudaStorage, &Layout)],
    shape: Shape,
    program: impl Program<1>,
) -> Result<(CudaStorage, Shape)> {
    let storage = driver::forward(op, inputs, shape.elem_count(), program)?;
    Ok((storage, shape))
}

/// An operator's forward pass by what stands in for the CPU; `None` where nothing does.
pub(crate) fn emulated(
    op: &'static str,
    inputs: &[(&CpuStorage, &Layout)],
    shape: Shape,
    program: impl Program<1>,
) -> Option<Result<(CpuStorage, Shape)>> {
    emulate::forward(op, inputs, shape, program)
}

/// New tensors beside the inputs, which the program fills. At least one input is needed, to name the device.
pub(crate) fn make<const N: usize>(
    op: &'static str,
    inputs: &[&Tensor],
    shapes: [Shape; N],
    program: impl Program<N>,
) -> Result<[Tensor; N]> {
    match inputs[0].device() {
        Device::Cuda(device) => driver::make(op, device, inputs, shapes, program),
        _ => emulate::make(op, inputs, shapes, program),
    }
}

/// [`make`] for one output.
pub(crate) fn make_one(
    op: &'static str,
    inputs: &[&Tensor],
    shape: &Shape,
    program: impl FnOnce(&dyn Card, &[Floats], Floats) -> Result<()>,
) -> Result<Tensor> {
    let [y] =
        make(op, inputs, [shape.clone()], |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            program(card, from, y)
        })?;
    Ok(y)
}

/// Launches that change tensors in place or make values for the host; all tensors lie beside `like`.
pub(crate) fn run<R>(
    op: &'static str,
    like: &Tensor,
    inputs: &[&Tensor],
    changed: &[&Tensor],
    program: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<R>,
) -> Result<R> {
    let places = changed
        .iter()
        .map(|t| Ok(Floats(ToChange::address(op, t, DType::F32)?)))
        .collect::<Result<Vec<_>>>()?;
    match like.device() {
        Device::Cuda(device) => driver::run(op, device, inputs, &places, program),
        _ => emulate::run(op, inputs, &places, program),
    }
}

/// Where the values of an f32 tensor begin, for launches that read them while it lives.
pub(crate) fn floats_of(op: &'static str, t: &Tensor) -> Result<Floats> {
    Ok(Floats(address(op, t, DType::F32)?))
}

/// Where the values of an f64 tensor begin, for launches that read them while it lives.
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
        // SAFETY: every kernel writes each element of its output.
        Device::Cuda(_) => unsafe { Tensor::empty(count, DType::F64, like.device())? },
        // What nobody writes shows.
        _ => Tensor::full(f64::NAN, count, like.device())?,
    };
    let place = ToChange::address(op, &t, DType::F64)?;
    Ok((t, Doubles(place)))
}

fn address(op: &'static str, t: &Tensor, dtype: DType) -> Result<u64> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cuda(storage) => driver::address(op, storage, layout, dtype),
        Storage::Cpu(storage) => emulate::address(op, storage, layout, dtype),
        Storage::Metal(_) => bail!("{op}: expected a tensor on an NVIDIA card"),
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

/// Room for f32 values.
pub(crate) fn floats(card: &dyn Card, count: usize) -> Result<Room> {
    card.room(4 * count)
}

/// Room for f64 values.
pub(crate) fn doubles(card: &dyn Card, count: usize) -> Result<Room> {
    card.room(8 * count)
}
