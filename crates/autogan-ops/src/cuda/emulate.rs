//! This module lets emulated kernels take the CPU's place, for tests.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Layout, Result, bail};

use super::first_element;
use super::launch::Gpu;
use crate::scope::holding;

thread_local! {
    static STAND_IN: RefCell<Option<Rc<dyn Gpu>>> = const { RefCell::new(None) };
}

/// Runs `f`, during which every operator that this thread calls launches its kernels on `gpu` instead of doing the
/// CPU's work. The GPU finds tensors in the CPU's memory; they have to be f32, statistics and vectors f64.
pub fn stand_in<R>(gpu: Rc<dyn Gpu>, f: impl FnOnce() -> R) -> R {
    holding(&STAND_IN, Some(gpu), f)
}

pub(crate) fn stands_in() -> bool {
    STAND_IN.with_borrow(Option::is_some)
}

/// Runs a program from the addresses of inputs of one type to those of new memory of another, whose content is NaN before,
/// bytes 0.
pub(super) fn fill(
    op: &str,
    inputs: &[(&CpuStorage, &Layout)],
    (from, to): (DType, DType),
    lengths: &[usize],
    program: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CpuStorage>> {
    let Some(gpu) = STAND_IN.with_borrow(Clone::clone) else {
        bail!("{op}: nothing stands in for a GPU")
    };
    let inputs = inputs.iter().map(|(storage, layout)| address(op, storage, layout, from));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let outputs = lengths.iter().map(|&length| {
        let mut made = match to {
            DType::U8 => CpuStorage::U8(vec![0; length]),
            _ => CpuStorage::F32(vec![f32::NAN; length]),
        };
        Ok((address_to_change(op, &mut made, &Layout::contiguous(length), to)?, made))
    });
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let (addresses, made): (Vec<u64>, Vec<CpuStorage>) = outputs.into_iter().unzip();
    program(&*gpu, &inputs, &addresses)?;
    Ok(made)
}

/// The address at which the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &str,
    storage: &CpuStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    if !stands_in() {
        bail!("{op}: expected all tensors on a GPU, found one on the CPU");
    }
    let start = first_element(op, storage.dtype(), layout, dtype)?;
    match storage {
        CpuStorage::F32(values) => Ok(values[start..].as_ptr() as u64),
        CpuStorage::F64(values) => Ok(values[start..].as_ptr() as u64),
        CpuStorage::U8(values) => Ok(values[start..].as_ptr() as u64),
        _ => bail!("{op}: kernels take no {} tensors", dtype.as_str()),
    }
}

/// [`address`] of what is to be changed.
pub(super) fn address_to_change(
    op: &str,
    storage: &mut CpuStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    address(op, storage, layout, dtype)?;
    let start = first_element(op, storage.dtype(), layout, dtype)?;
    match storage {
        CpuStorage::F32(values) => Ok(values[start..].as_mut_ptr() as u64),
        CpuStorage::F64(values) => Ok(values[start..].as_mut_ptr() as u64),
        CpuStorage::U8(values) => Ok(values[start..].as_mut_ptr() as u64),
        _ => bail!("{op}: kernels take no {} tensors", dtype.as_str()),
    }
}
