//! Emulated kernels in the CPU's place, for tests.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

use super::{Card, Element, Floats, Program};
use crate::host::slice;

thread_local! {
    static STAND_IN: RefCell<Option<Rc<dyn Card>>> = const { RefCell::new(None) };
}

/// Runs `f`, during which every operator that this thread calls launches its kernels on `card` instead of doing the
/// CPU's work. The card finds tensors in the CPU's memory; they have to be f32, statistics and vectors f64.
pub fn stand_in<R>(card: Rc<dyn Card>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Rc<dyn Card>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STAND_IN.with_borrow_mut(|place| *place = self.0.take());
        }
    }
    let _restore = Restore(STAND_IN.with_borrow_mut(|place| place.replace(card)));
    f()
}

pub(super) fn stands_in() -> bool {
    STAND_IN.with_borrow(Option::is_some)
}

fn card() -> Option<Rc<dyn Card>> {
    STAND_IN.with_borrow(Clone::clone)
}

pub(super) fn forward(
    op: &'static str,
    inputs: &[(&CpuStorage, &Layout)],
    shape: Shape,
    program: impl Program<1>,
) -> Option<Result<(CpuStorage, Shape)>> {
    let card = card()?;
    Some(
        filled(op, &*card, inputs, &[shape.elem_count()], |card, from, to| {
            program(card, from, [to[0]])
        })
        .map(|mut made| (CpuStorage::F32(made.remove(0)), shape)),
    )
}

pub(super) fn convert<X: Element, Y: Element>(
    op: &'static str,
    (x, layout): (&CpuStorage, &Layout),
    shape: Shape,
    program: impl FnOnce(&dyn Card, u64, u64) -> Result<()>,
) -> Option<Result<(CpuStorage, Shape)>> {
    let card = card()?;
    let filled = || {
        let from = slice::<X>(op, x, layout)?.as_ptr() as u64;
        // NaN, of bytes 0.
        let mut made = vec![Y::from_f64(f64::NAN); shape.elem_count()];
        program(&*card, from, made.as_mut_ptr() as u64)?;
        Ok((Y::to_cpu_storage_owned(made), shape))
    };
    Some(filled())
}

pub(super) fn make<const N: usize>(
    op: &'static str,
    inputs: &[&Tensor],
    shapes: [Shape; N],
    program: impl Program<N>,
) -> Result<[Tensor; N]> {
    let Some(card) = card() else { bail!("{op}: nothing stands in for a card") };
    let lengths = shapes.each_ref().map(Shape::elem_count);
    let made = with_storages(op, inputs, |inputs| {
        filled(op, &*card, inputs, &lengths, |card, from, to| {
            program(card, from, std::array::from_fn(|i| to[i]))
        })
    })?;
    let device = inputs[0].device();
    let tensors: Vec<Tensor> = made
        .into_iter()
        .zip(shapes)
        .map(|(values, shape)| Tensor::from_vec(values, shape, device))
        .collect::<Result<_>>()?;
    tensors.try_into().or_else(|_| bail!("{op}: expected {N} outputs"))
}

pub(super) fn run<R>(
    op: &'static str,
    inputs: &[&Tensor],
    changed: &[Floats],
    program: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<R>,
) -> Result<R> {
    let Some(card) = card() else { bail!("{op}: nothing stands in for a card") };
    with_storages(op, inputs, |inputs| {
        let from = addresses(op, inputs)?;
        program(&*card, &from, changed)
    })
}

/// Runs a program on new memory, whose content is NaN before.
fn filled(
    op: &'static str,
    card: &dyn Card,
    inputs: &[(&CpuStorage, &Layout)],
    lengths: &[usize],
    program: impl FnOnce(&dyn Card, &[Floats], &[Floats]) -> Result<()>,
) -> Result<Vec<Vec<f32>>> {
    let from = addresses(op, inputs)?;
    let mut made: Vec<Vec<f32>> = lengths.iter().map(|&n| vec![f32::NAN; n]).collect();
    let to: Vec<Floats> = made.iter_mut().map(|v| Floats(v.as_mut_ptr() as u64)).collect();
    program(card, &from, &to)?;
    Ok(made)
}

fn addresses(op: &'static str, inputs: &[(&CpuStorage, &Layout)]) -> Result<Vec<Floats>> {
    let floats = |&(storage, layout): &(&CpuStorage, &Layout)| {
        Ok(Floats(address(op, storage, layout, DType::F32)?))
    };
    inputs.iter().map(floats).collect()
}

/// Where the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &'static str,
    storage: &CpuStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    if !stands_in() {
        bail!("{op}: expected all tensors on a card, found one on the CPU");
    }
    if storage.dtype() != dtype {
        bail!("{op}: expected {} tensors on a card, found {:?}", dtype.as_str(), storage.dtype());
    }
    match dtype {
        DType::F32 => Ok(slice::<f32>(op, storage, layout)?.as_ptr() as u64),
        DType::F64 => Ok(slice::<f64>(op, storage, layout)?.as_ptr() as u64),
        other => bail!("{op}: kernels take no {} tensors", other.as_str()),
    }
}

/// [`address`] of what is to be changed.
pub(super) fn address_to_change(
    op: &'static str,
    storage: &mut CpuStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    address(op, storage, layout, dtype)?;
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, _))) => Ok(values[start..].as_mut_ptr() as u64),
        (CpuStorage::F64(values), Some((start, _))) => Ok(values[start..].as_mut_ptr() as u64),
        _ => bail!("{op}: expected a contiguous f32 or f64 tensor"),
    }
}

/// Calls `f` with the storages of tensors, which it keeps open meanwhile.
fn with_storages<R>(
    op: &'static str,
    inputs: &[&Tensor],
    f: impl FnOnce(&[(&CpuStorage, &Layout)]) -> Result<R>,
) -> Result<R> {
    let guards: Vec<_> = inputs.iter().map(|t| t.storage_and_layout()).collect();
    let storages: Vec<(&CpuStorage, &Layout)> = guards
        .iter()
        .map(|(guard, layout)| match &**guard {
            Storage::Cpu(storage) => Ok((storage, *layout)),
            _ => bail!("{op}: expected tensors on the CPU"),
        })
        .collect::<Result<_>>()?;
    f(&storages)
}
