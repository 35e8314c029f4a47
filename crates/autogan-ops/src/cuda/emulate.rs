//! Emulated kernels in the CPU's place, for tests.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Layout, Result, WithDType, bail};

use super::launch::Gpu;
use crate::host::slice;

thread_local! {
    static STAND_IN: RefCell<Option<Rc<dyn Gpu>>> = const { RefCell::new(None) };
}

/// Runs `f`, during which every operator that this thread calls launches its kernels on `gpu` instead of doing the
/// CPU's work. The GPU finds tensors in the CPU's memory; they have to be f32, statistics and vectors f64.
pub fn stand_in<R>(gpu: Rc<dyn Gpu>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Rc<dyn Gpu>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            STAND_IN.with_borrow_mut(|place| *place = self.0.take());
        }
    }
    let _restore = Restore(STAND_IN.with_borrow_mut(|place| place.replace(gpu)));
    f()
}

pub(crate) fn stands_in() -> bool {
    STAND_IN.with_borrow(Option::is_some)
}

/// Runs a program from the addresses of inputs to those of new memory, whose content is NaN before, bytes 0.
pub(super) fn fill<X: WithDType, Y: WithDType>(
    op: &str,
    inputs: &[(&CpuStorage, &Layout)],
    lengths: &[usize],
    program: impl FnOnce(&dyn Gpu, &[u64], &[u64]) -> Result<()>,
) -> Result<Vec<CpuStorage>> {
    let Some(gpu) = STAND_IN.with_borrow(Clone::clone) else {
        bail!("{op}: nothing stands in for a GPU")
    };
    let from = inputs
        .iter()
        .map(|(storage, layout)| address(op, storage, layout, X::DTYPE))
        .collect::<Result<Vec<_>>>()?;
    let mut made: Vec<Vec<Y>> =
        lengths.iter().map(|&length| vec![Y::from_f64(f64::NAN); length]).collect();
    let to: Vec<u64> = made.iter_mut().map(|values| values.as_mut_ptr() as u64).collect();
    program(&*gpu, &from, &to)?;
    Ok(made.into_iter().map(Y::to_cpu_storage_owned).collect())
}

/// Where the elements of a contiguous tensor of this type begin.
pub(super) fn address(
    op: &str,
    storage: &CpuStorage,
    layout: &Layout,
    dtype: DType,
) -> Result<u64> {
    if !stands_in() {
        bail!("{op}: expected all tensors on a GPU, found one on the CPU");
    }
    if storage.dtype() != dtype {
        bail!("{op}: expected {} tensors on a GPU, found {:?}", dtype.as_str(), storage.dtype());
    }
    match dtype {
        DType::F32 => Ok(slice::<f32>(op, storage, layout)?.as_ptr() as u64),
        DType::F64 => Ok(slice::<f64>(op, storage, layout)?.as_ptr() as u64),
        DType::U8 => Ok(slice::<u8>(op, storage, layout)?.as_ptr() as u64),
        other => bail!("{op}: kernels take no {} tensors", other.as_str()),
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
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, _))) => Ok(values[start..].as_mut_ptr() as u64),
        (CpuStorage::F64(values), Some((start, _))) => Ok(values[start..].as_mut_ptr() as u64),
        _ => bail!("{op}: expected a contiguous f32 or f64 tensor"),
    }
}
