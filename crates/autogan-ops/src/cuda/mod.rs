//! Operators on NVIDIA cards.
//!
//! An operator says which kernels it launches, and on what: `launch` holds the words for that. `forward` and
//! `make` find the tensors' memory and make the outputs; with the feature `cuda` they do so on a card, which
//! `driver` drives. With the feature `emulate` a thread may let the emulated kernels stand in for the CPU's own, so that
//! tests run every operator as it runs on a card: `stand_in`.
//!
//! On a card operators take f32 alone.

mod launch;

#[cfg(feature = "cuda")]
mod driver;
#[cfg(not(feature = "cuda"))]
#[path = "absent.rs"]
mod driver;

#[cfg(feature = "cudnn")]
mod cudnn;

#[cfg(feature = "emulate")]
mod emulate;
#[cfg(not(feature = "emulate"))]
#[path = "unemulated.rs"]
mod emulate;

use std::cell::Cell;

use candle_core::{CpuStorage, CudaStorage, Device, InplaceOp1, Layout, Result, Shape, Tensor};

#[cfg(feature = "emulate")]
pub use emulate::stand_in;
pub use launch::{Argument, Card, ConvSizes, Convolution, Launch, Room};
pub(crate) use launch::{
    Doubles, Floats, blocks_of, flag, int, narrow, over_elements, over_groups, over_list,
    over_planes, over_tiles, shares,
};

/// Whether operators on this tensor launch kernels.
pub(crate) fn taken(t: &Tensor) -> bool {
    matches!(t.device(), Device::Cuda(_)) || emulated_here()
}

/// Whether emulated kernels stand in on this thread; other threads know nothing of it.
pub(crate) fn emulated_here() -> bool {
    emulate::stands_in()
}

/// What an operator launches: from the addresses of its inputs to those of `N` outputs.
pub(crate) trait Program<const N: usize>:
    FnOnce(&dyn Card, &[Floats], [Floats; N]) -> Result<()>
{
}

impl<const N: usize, F: FnOnce(&dyn Card, &[Floats], [Floats; N]) -> Result<()>> Program<N> for F {}

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
    let places = changed.iter().map(|t| ToChange::address(op, t)).collect::<Result<Vec<_>>>()?;
    match like.device() {
        Device::Cuda(device) => driver::run(op, device, inputs, &places, program),
        _ => emulate::run(op, inputs, &places, program),
    }
}

/// Finds the address of a tensor that launches change in place.
struct ToChange {
    op: &'static str,
    found: Cell<u64>,
}

impl ToChange {
    fn address(op: &'static str, t: &Tensor) -> Result<Floats> {
        let place = Self { op, found: Cell::new(0) };
        t.inplace_op1(&place)?;
        Ok(Floats(place.found.into_inner()))
    }
}

impl InplaceOp1 for ToChange {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.found.set(emulate::address_to_change(self.op, storage, layout)?.0);
        Ok(())
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
        self.found.set(driver::address(self.op, storage, layout)?.0);
        Ok(())
    }
}

/// A copy of these values on the card.
pub(crate) fn upload(card: &dyn Card, values: &[f64]) -> Result<Room> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
    card.upload(&bytes)
}

/// The first values of some memory; waits for what was launched before.
pub(crate) fn download(card: &dyn Card, from: &Room, count: usize) -> Result<Vec<f64>> {
    let mut bytes = vec![0; 8 * count];
    card.download(from, &mut bytes)?;
    let words = bytes.chunks_exact(8);
    Ok(words.map(|w| f64::from_ne_bytes(w.try_into().unwrap_or_default())).collect())
}

/// Room for f32 values.
pub(crate) fn floats(card: &dyn Card, count: usize) -> Result<Room> {
    card.room(4 * count)
}

/// Room for f64 values.
pub(crate) fn doubles(card: &dyn Card, count: usize) -> Result<Room> {
    card.room(8 * count)
}
