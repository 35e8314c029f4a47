//! This module computes convolutions and pools of networks that are only evaluated, on images with the channels last.
//!
//! Training keeps `[N, C, H, W]`, where the pixels of a plane are the lanes of vectors. Where weights are fixed, they
//! are packed once, channels are the lanes, and nothing is ever shuffled: every tap of every kernel, and every
//! component of Winograd's algorithm, is a run of contiguous channels. f32, no gradients. Each output is summed alone
//! and in one order, so results depend neither on the number of threads nor on the other images of the batch.

mod axis;
mod convolution;
mod fast;
mod images;
mod pool;
mod product;
#[cfg(test)]
mod tests;

pub use convolution::Convolution;
pub use images::{Buffer, Images, ImagesMut, Shape};
pub use pool::{average_pixels, average_pool3, max_pool3, max_pool3_output};

use pulp::Simd;

use crate::conv::After;
use crate::vectors::{load, store};

/// Adds the bias of outputs from channel `o` on, which is padded with zeros to whole vectors, and applies the
/// activation.
#[inline(always)]
fn finish<S: Simd>(simd: S, after: After<'_, f32>, o: usize, value: S::f32s) -> S::f32s {
    let value = match after.bias {
        Some(bias) => simd.add_f32s(value, load(simd, bias, o)),
        None => value,
    };
    after.activation.lanes(simd, value)
}

/// Pieces of one task, where `total` pieces are dealt to tasks of at most `most` in equal shares for two or four
/// threads. No result depends on it.
fn share(total: usize, most: usize) -> usize {
    let tasks = total.div_ceil(most.max(1));
    total.div_ceil(tasks.next_multiple_of(if tasks <= 2 { 2 } else { 4 })).max(1)
}

/// Reads at most `left` elements at `at`; zeros follow them.
#[inline(always)]
fn load_part<S: Simd>(simd: S, from: &[f32], at: usize, left: usize) -> S::f32s {
    if left >= S::F32_LANES {
        load(simd, from, at)
    } else {
        simd.partial_load_f32s(&from[at..][..left])
    }
}

/// Writes at most `left` elements at `at`.
#[inline(always)]
fn store_part<S: Simd>(simd: S, to: &mut [f32], at: usize, left: usize, value: S::f32s) {
    if left >= S::F32_LANES {
        store(simd, to, at, value);
    } else {
        simd.partial_store_f32s(&mut to[at..][..left], value);
    }
}
