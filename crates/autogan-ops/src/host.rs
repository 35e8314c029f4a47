//! Reading tensors as slices on the CPU, and splitting work over threads without changing any sum.

use std::ops::Deref;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Device, Layout, Result, Storage, Tensor, WithDType, bail};
use rayon::prelude::*;

use crate::real::Real;

/// Runs `f` compiled for the processor's widest vectors; `f` has to be inlined for that.
#[inline(always)]
pub(crate) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Asks for `data` to be in the nearest cache soon; where planes are read a few rows at a time, no processor guesses it.
#[inline(always)]
pub(crate) fn prefetch(data: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in data.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint about an address inside the slice; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}

/// Below this many elements a loop stays on the calling thread.
const SMALL: usize = 1 << 14;

/// Elements that one task of an elementwise loop handles.
pub(crate) const CHUNK: usize = 1 << 14;

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

/// Opens a contiguous CPU tensor for reading.
///
/// # Errors
/// When the tensor is on another device: the operator `op` then has no path there.
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

/// A zeroed buffer; the operating system hands large ones out without touching them.
pub(crate) fn zeros<T: Real>(len: usize) -> Vec<T> {
    vec![T::zero(); len]
}

/// A buffer whose elements the caller writes, all of them, before anybody reads one.
///
/// Zeroing a large output that is overwritten at once costs as much as many operators themselves.
#[allow(clippy::uninit_vec)]
pub(crate) fn fresh<T: WithDType>(len: usize) -> Vec<T> {
    let mut data = Vec::with_capacity(len);
    // SAFETY: the capacity is there, and every operator writes all elements of its output before it hands it on.
    unsafe { data.set_len(len) };
    data
}

/// At least `len` elements of a buffer that is used again and again; the caller writes what it reads.
pub(crate) fn room<T: Real>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    if buffer.len() < len {
        *buffer = fresh(len);
    }
    buffer
}

/// Fills `dst` in pieces of `size` elements, in parallel: `f(piece index, piece)`. Small pieces go to a thread together.
///
/// The pieces depend on `size` alone, never on the number of threads. `f` is best inlined always.
pub(crate) fn for_pieces<T: WithDType>(
    dst: &mut [T],
    size: usize,
    f: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let size = size.max(1);
    let per = (CHUNK / size).max(1);
    let group = |i: usize, group: &mut [T]| {
        vectorised(
            #[inline(always)]
            || {
                for (p, piece) in group.chunks_mut(size).enumerate() {
                    f(i * per + p, piece);
                }
            },
        );
    };
    if dst.len() <= SMALL || dst.len() <= size {
        dst.chunks_mut(per * size).enumerate().for_each(|(i, pieces)| group(i, pieces));
    } else {
        dst.par_chunks_mut(per * size).enumerate().for_each(|(i, pieces)| group(i, pieces));
    }
}

/// `dst[i] = f(a[i])`.
pub(crate) fn map<A: WithDType, B: WithDType>(a: &[A], f: impl Fn(A) -> B + Sync + Send) -> Vec<B> {
    let mut out = fresh(a.len());
    for_pieces(
        &mut out,
        CHUNK,
        #[inline(always)]
        |i, piece| {
            let a = &a[i * CHUNK..][..piece.len()];
            for (o, &x) in piece.iter_mut().zip(a) {
                *o = f(x);
            }
        },
    );
    out
}

/// `dst[i] = f(a[i], b[i])`.
pub(crate) fn zip<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync + Send) -> Vec<T> {
    let mut out = fresh(a.len());
    for_pieces(
        &mut out,
        CHUNK,
        #[inline(always)]
        |i, piece| {
            let (a, b) = (&a[i * CHUNK..][..piece.len()], &b[i * CHUNK..][..piece.len()]);
            for ((o, &x), &y) in piece.iter_mut().zip(a).zip(b) {
                *o = f(x, y);
            }
        },
    );
    out
}

/// The sum of `f(i)` over a slice in eight lanes of `f64`, always in the same order.
pub(crate) fn sum_by<T: Real>(a: &[T], f: impl Fn(f64) -> f64) -> f64 {
    vectorised(
        #[inline(always)]
        || lanes_of(a, f),
    )
}

#[inline(always)]
fn lanes_of<T: Real>(a: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0f64; 8];
    let chunks = a.chunks_exact(8);
    for (i, &x) in chunks.remainder().iter().enumerate() {
        lanes[i] += f(x.to_f64());
    }
    for c in chunks {
        for (lane, &x) in lanes.iter_mut().zip(c) {
            *lane += f(x.to_f64());
        }
    }
    lanes.iter().sum()
}

/// The sum of `f(a[i], b[i])` over two slices of one length in eight lanes of `f64`, always in the same order.
pub(crate) fn sum_by_pairs<A: Real, B: Real>(a: &[A], b: &[B], f: impl Fn(f64, f64) -> f64) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [0f64; 8];
            let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
            let rest = a.remainder().iter().zip(b.remainder());
            for (lane, (&a, &b)) in lanes.iter_mut().zip(rest) {
                *lane += f(a.to_f64(), b.to_f64());
            }
            for (a, b) in a.zip(b) {
                for i in 0..8 {
                    lanes[i] += f(a[i].to_f64(), b[i].to_f64());
                }
            }
            lanes.iter().sum()
        },
    )
}
