//! This module gives operators tensors on the CPU as slices; the loops over them are those of `autogan_kernels`.

use std::ops::Deref;

pub(crate) use autogan_kernels::slices::{
    CHUNK, dot, for_pieces, map, sum_by, sum_of_groups, vectorised, zeros, zip,
};
use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, DType, Device, Layout, Result, Storage, Tensor, WithDType, bail,
};

use crate::real::Real;

/// The elements of a contiguous tensor inside an operator's CPU path.
pub(crate) fn slice<'a, T: WithDType>(
    op: &str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [T]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("{op}: expected a contiguous tensor, found strides {:?}", layout.stride());
    };
    Ok(&T::cpu_storage_as_slice(storage)?[start..end])
}

/// The elements of a contiguous tensor that an operator changes in place.
pub(crate) fn elements<'a, T: Real>(s: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [T]>
where
    CpuStorage: AsMutSlice<T>,
{
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("in-place update: expected a contiguous tensor, found strides {:?}", layout.stride());
    };
    Ok(&mut s.as_mut_slice()?[start..end])
}

/// Mutable access to the elements of one type.
pub(crate) trait AsMutSlice<T> {
    fn as_mut_slice(&mut self) -> Result<&mut [T]>;
}

macro_rules! as_mut_slice {
    ($t:ty, $variant:ident) => {
        impl AsMutSlice<$t> for CpuStorage {
            fn as_mut_slice(&mut self) -> Result<&mut [$t]> {
                match self {
                    CpuStorage::$variant(v) => Ok(v),
                    other => bail!(
                        "in-place update: expected {}, found {:?}",
                        stringify!($t),
                        other.dtype()
                    ),
                }
            }
        }
    };
}
as_mut_slice!(f32, F32);
as_mut_slice!(f64, F64);

/// A tensor on the CPU, held for reading as a slice.
pub(crate) struct Host<'a, G> {
    guard: G,
    layout: &'a Layout,
    op: &'static str,
}

/// Opens a contiguous CPU tensor for reading. It fails when the tensor is on another device: the operator `op` then has
/// no path there.
pub(crate) fn host<'a>(
    op: &'static str,
    t: &'a Tensor,
) -> Result<Host<'a, impl Deref<Target = Storage> + 'a>> {
    if !matches!(t.device(), Device::Cpu) {
        bail!("{op}: no path on {:?}; run on the CPU", t.device().location());
    }
    let (guard, layout) = t.storage_and_layout();
    Ok(Host { guard, layout, op })
}

impl<G: Deref<Target = Storage>> Host<'_, G> {
    /// The elements, in row-major order.
    pub fn slice<T: Real>(&self) -> Result<&[T]> {
        match &*self.guard {
            Storage::Cpu(s) => slice(self.op, s, self.layout),
            _ => bail!("{}: expected a CPU tensor", self.op),
        }
    }
}

/// The storages of tensors that lie on one device, with their layouts.
pub(crate) enum Storages<'a> {
    Cpu(Vec<(&'a CpuStorage, &'a Layout)>),
    Cuda(Vec<(&'a CudaStorage, &'a Layout)>),
}

/// Returns what `f` makes of the storages of `tensors`, which stay open meanwhile; all of them have to lie on `device`.
/// It fails when a tensor lies elsewhere.
pub(crate) fn with_storages<R>(
    op: &str,
    device: &Device,
    tensors: &[&Tensor],
    f: impl FnOnce(Storages<'_>) -> Result<R>,
) -> Result<R> {
    let open: Vec<_> = tensors.iter().map(|t| t.storage_and_layout()).collect();
    let (mut on_cpu, mut on_gpu) = (Vec::new(), Vec::new());
    for (storage, layout) in &open {
        match (&**storage, device) {
            (Storage::Cpu(storage), Device::Cpu) => on_cpu.push((storage, *layout)),
            (Storage::Cuda(storage), Device::Cuda(_)) => on_gpu.push((storage, *layout)),
            (other, _) => bail!(
                "{op}: expected all tensors on {:?}, found one on {:?}",
                device.location(),
                other.device().location()
            ),
        }
    }
    f(if device.is_cuda() { Storages::Cuda(on_gpu) } else { Storages::Cpu(on_cpu) })
}

/// Checks that a tensor is a vector of `len` f64 values.
pub(crate) fn check_doubles(op: &str, what: &str, t: &Tensor, len: usize) -> Result<()> {
    if t.dtype() != DType::F64 || t.dims() != [len] {
        bail!("{op}: expected {what} [{len}] as F64, found {:?} as {:?}", t.dims(), t.dtype());
    }
    Ok(())
}

/// The values of an f64 vector on the CPU.
pub(crate) fn doubles(op: &'static str, t: &Tensor) -> Result<Vec<f64>> {
    Ok(host(op, &t.contiguous()?)?.slice::<f64>()?.to_vec())
}

/// A new tensor on the CPU.
pub(crate) fn tensor<T: Real>(
    data: Vec<T>,
    shape: impl Into<candle_core::Shape>,
) -> Result<Tensor> {
    Tensor::from_vec(data, shape.into(), &Device::Cpu)
}
