//! This module runs loops over slices on all threads without changing any sum.

use std::ops::Range;

use rayon::prelude::*;

use crate::Real;
use crate::memory::{filled, write};

/// Runs `f` compiled for the vector unit that kernels run on, the widest; `f` has to be inlined for that.
#[inline(always)]
pub fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    crate::units::arch().dispatch(f)
}

/// Tells the processor that `data` is read soon. Where planes are read a few rows at a time, it does not guess so.
#[inline(always)]
pub(crate) fn prefetch<T>(data: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in data.chunks((64 / size_of::<T>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint about an address inside the slice; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = data;
}

/// Elements that one task of an elementwise loop handles; a loop over fewer stays on the calling thread.
pub const CHUNK: usize = 1 << 14;

/// A zeroed vector.
pub fn zeros<T: Real>(len: usize) -> Vec<T> {
    vec![T::zero(); len]
}

/// Fills `dst` in pieces of `size` elements, in parallel: `f(piece index, piece)`. Small pieces go to a thread
/// together.
///
/// The pieces depend on `size` alone, never on the number of threads. `f` is best inlined always.
pub fn for_pieces<T: Send>(dst: &mut [T], size: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
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
    if dst.len() <= CHUNK.max(size) {
        dst.chunks_mut(per * size).enumerate().for_each(|(i, pieces)| group(i, pieces));
    } else {
        dst.par_chunks_mut(per * size).enumerate().for_each(|(i, pieces)| group(i, pieces));
    }
}

/// Returns `f(a[i])` for each i.
pub fn map<A: Copy + Sync, B: Copy + Send>(a: &[A], f: impl Fn(A) -> B + Sync + Send) -> Vec<B> {
    filled(
        a.len(),
        CHUNK,
        #[inline(always)]
        |i, out| write(out, a[i * CHUNK..].iter().map(|&x| f(x))),
    )
}

/// Returns `f(a[i], b[i])` for each i.
pub fn zip<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync + Send) -> Vec<T> {
    filled(
        a.len(),
        CHUNK,
        #[inline(always)]
        |i, out| {
            let pairs = a[i * CHUNK..].iter().zip(&b[i * CHUNK..]);
            write(out, pairs.map(|(&x, &y)| f(x, y)))
        },
    )
}

/// The sum of `f(a[i])` in eight lanes of `f64`, always in the same order.
pub fn sum_by<T: Real>(a: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let [sum] = sums_by(
        a,
        a,
        #[inline(always)]
        |a, _| [f(a.wide())],
    );
    sum
}

/// The inner product of two slices of one length, summed as in [`sum_by`].
pub fn dot<A: Real, B: Real>(a: &[A], b: &[B]) -> f64 {
    let [sum] = sums_by(
        a,
        b,
        #[inline(always)]
        |a, b| [a.wide() * b.wide()],
    );
    sum
}

/// The sums of the numbers `f(a[i], b[i])` over two slices of one length, each in eight lanes of `f64` and always in
/// the same order.
pub fn sums_by<A: Real, B: Real, const N: usize>(
    a: &[A],
    b: &[B],
    f: impl Fn(A, B) -> [f64; N],
) -> [f64; N] {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [[0f64; 8]; N];
            let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
            for (i, (&a, &b)) in a.remainder().iter().zip(b.remainder()).enumerate() {
                let found = f(a, b);
                lanes.iter_mut().zip(found).for_each(|(lanes, v)| lanes[i] += v);
            }
            for (a, b) in a.zip(b) {
                for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
                    for (lanes, v) in lanes.iter_mut().zip(f(a, b)) {
                        lanes[i] += v;
                    }
                }
            }
            lanes.map(|lanes| lanes.iter().sum())
        },
    )
}

/// The sum over groups of at most `n / groups` images, rounded up, of what `part(images)` gives for each, `len`
/// numbers. The groups depend on sizes alone, and so does the order of the sum.
pub fn sum_of_groups<T: Real>(
    (n, groups): (usize, usize),
    len: usize,
    part: impl Fn(Range<usize>) -> Vec<T> + Sync + Send,
) -> Vec<T> {
    let per_group = n.div_ceil(groups).max(1);
    let parts: Vec<Vec<T>> = (0..n.div_ceil(per_group))
        .into_par_iter()
        .map(|group| part(group * per_group..((group + 1) * per_group).min(n)))
        .collect();
    let mut sums = zeros(len);
    for part in &parts {
        for (sum, &v) in sums.iter_mut().zip(part) {
            *sum += v;
        }
    }
    sums
}
