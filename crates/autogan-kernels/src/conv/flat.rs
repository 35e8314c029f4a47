//! This module computes convolutions in f32 with any kernel and stride, without column matrices: the image is padded
//! once and read flat.
//!
//! In a padded plane with rows of `row` elements, output position `p = y · row + x` of a convolution at stride 1 reads
//! `p + u · row + v` for tap (u, v): one and the same offset for every position. So a row of outputs, and in fact the
//! whole image, is one long loop over p with contiguous reads, in which the few positions at the ends of rows compute
//! values that nobody takes. With stride s the plane is split into s² planes by row and column modulo s, after which
//! each tap has a fixed offset again.
//!
//! Against columns and GEMM this saves writing, packing and reading each pixel once per tap. Work is split over
//! images; sums over images are taken in groups whose number does not depend on the threads.

use pulp::Arch;
use rayon::prelude::*;

use super::simd::{Correlate, PRODUCT_ROWS, Products, SLACK, block_rows};
use super::{After, Problem};
use crate::memory::{Unwritten, filled_by};
use crate::slices::sum_of_groups;
use crate::units::arch;

/// Partial sums of a weight gradient: one per group of images.
const GROUPS: usize = 8;

/// Elements of inputs and output gradients that one call of [`Products`] goes over: about half a megabyte.
const PRODUCT_ELEMENTS: usize = 1 << 17;

/// One image, padded and split by the stride.
#[derive(Clone, Copy)]
struct Planes {
    /// Elements of a row.
    row: usize,
    /// Elements of a plane.
    plane: usize,
    stride: usize,
    pad_h: usize,
    pad_w: usize,
}

impl Planes {
    /// Lays out images of `h x w` with `(top and left, bottom and right)` zeros around them.
    fn new(
        (h, w): (usize, usize),
        pad_h: (usize, usize),
        pad_w: (usize, usize),
        stride: usize,
    ) -> Self {
        let rows = (h + pad_h.0 + pad_h.1).div_ceil(stride);
        let row = (w + pad_w.0 + pad_w.1).div_ceil(stride);
        Self { row, plane: rows * row, stride, pad_h: pad_h.0, pad_w: pad_w.0 }
    }

    /// Elements of an image with that many channels, with room to read beyond its end.
    fn len(&self, channels: usize) -> usize {
        channels * self.stride * self.stride * self.plane + SLACK
    }

    /// Writes an image `[channels, h, w]` into zeroed memory.
    fn fill(&self, image: &[f32], (h, w): (usize, usize), out: &mut [f32]) {
        let s = self.stride;
        for (c, plane) in image.chunks_exact(h * w).enumerate() {
            for (y, line) in plane.chunks_exact(w).enumerate() {
                let y = y + self.pad_h;
                let base = (c * s + y % s) * s * self.plane + y / s * self.row;
                if s == 1 {
                    out[base + self.pad_w..][..w].copy_from_slice(line);
                    continue;
                }
                for (x, &value) in line.iter().enumerate() {
                    let x = x + self.pad_w;
                    out[base + x % s * self.plane + x / s] = value;
                }
            }
        }
    }

    /// Where tap (u, v) of channel c is read.
    fn offset(&self, c: usize, u: usize, v: usize) -> usize {
        let s = self.stride;
        ((c * s + u % s) * s + v % s) * self.plane + u / s * self.row + v / s
    }

    /// Flat positions of `ho x wo` outputs.
    fn positions(&self, ho: usize, wo: usize) -> usize {
        if ho == 0 || wo == 0 { 0 } else { (ho - 1) * self.row + wo }
    }
}

/// Offsets in the order of a weight's elements `[ci, kh, kw]`.
fn offsets(planes: &Planes, ci: usize, kh: usize, kw: usize) -> Vec<usize> {
    let mut out = Vec::with_capacity(ci * kh * kw);
    for c in 0..ci {
        for u in 0..kh {
            for v in 0..kw {
                out.push(planes.offset(c, u, v));
            }
        }
    }
    out
}

/// Weights as blocks of output channels: `[block][k][rows]`, zeros where the last block has no channel.
struct PackedWeights {
    data: Vec<f32>,
    rows: usize,
    k: usize,
    /// The vector unit whose blocks they are.
    unit: Arch,
}

impl PackedWeights {
    /// Packs `weight(o, k)` for each output channel `0..co` and each index `0..k`.
    fn new(co: usize, k: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let unit = arch();
        let rows = block_rows(unit);
        let mut data = vec![0.0; co.div_ceil(rows) * k * rows];
        for o in 0..co {
            let block = &mut data[o / rows * k * rows..];
            for i in 0..k {
                block[i * rows + o % rows] = weight(o, i);
            }
        }
        Self { data, rows, k, unit }
    }

    fn blocks(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact((self.k * self.rows).max(1))
    }
}

/// Buffers that one thread uses again and again.
#[derive(Default)]
struct Scratch {
    x: Vec<f32>,
    out: Vec<f32>,
}

/// Correlates one padded image with the weights; `take(o, flat)` receives the outputs of each channel at all positions.
fn correlate(
    packed: &PackedWeights,
    offsets: &[usize],
    x: &[f32],
    len: usize,
    out: &mut Vec<f32>,
    mut take: impl FnMut(usize, &[f32]),
) {
    let stride = len + SLACK;
    out.resize(packed.rows * stride, 0.0);
    for (b, weights) in packed.blocks().enumerate() {
        packed.unit.dispatch(Correlate { weights, offsets, x, len, out, stride });
        for (r, flat) in out.chunks_exact(stride).enumerate() {
            take(b * packed.rows + r, &flat[..len]);
        }
    }
}

/// `y [n, co, ho, wo]` of `x [n, ci, h, w]`, `w [co, ci, kh, kw]`.
pub(super) fn forward(p: &Problem, x: &[f32], w: &[f32], after: After<'_, f32>) -> Vec<f32> {
    let g = p.geometry;
    let planes = Planes::new((p.h, p.w), (g.pad_h, g.pad_h), (g.pad_w, g.pad_w), g.stride);
    let offsets = offsets(&planes, p.ci, p.kh, p.kw);
    let packed = PackedWeights::new(p.co, p.k(), |o, k| w[o * p.k() + k]);
    let len = planes.positions(p.ho, p.wo);
    assert!(p.wo <= planes.row, "a line of outputs is longer than one of the padded image");
    let fill = |y: &mut Unwritten<f32>| {
        y.par_chunks_mut(p.image_out().max(1)).enumerate().for_each_init(
            Scratch::default,
            |scratch, (i, y)| {
                scratch.x.resize(planes.len(p.ci), 0.0);
                planes.fill(&x[i * p.image_in()..][..p.image_in()], (p.h, p.w), &mut scratch.x);
                correlate(&packed, &offsets, &scratch.x, len, &mut scratch.out, |o, flat| {
                    if o >= p.co {
                        return;
                    }
                    let b = after.bias(o);
                    let lines = y[o * p.pixels()..][..p.pixels()].chunks_exact_mut(p.wo);
                    for (line, flat) in lines.zip(flat.chunks(planes.row)) {
                        for (y, &v) in line.iter_mut().zip(flat) {
                            y.write(after.activation.apply(v + b));
                        }
                    }
                });
            },
        )
    };
    // SAFETY: `correlate` hands out every output channel of an image, each with a position for every pixel, as no line
    // of outputs is longer than a row of positions.
    unsafe { filled_by(p.n * p.image_out(), fill) }
}

/// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]`: for each row and column modulo the stride, the convolution of the padded
/// `dy` with the mirrored taps that meet there.
pub(super) fn input_gradient(p: &Problem, dy: &[f32], w: &[f32]) -> Vec<f32> {
    let s = p.geometry.stride;
    let phases: Vec<Phase> =
        (0..s * s).filter_map(|phase| Phase::new(p, w, phase / s, phase % s)).collect();
    let mut dx = vec![0.0; p.n * p.image_in()];
    dx.par_chunks_mut(p.image_in().max(1)).enumerate().for_each_init(
        Scratch::default,
        |scratch, (i, dx)| {
            let dy = &dy[i * p.image_out()..][..p.image_out()];
            for phase in &phases {
                phase.run(p, dy, dx, scratch);
            }
        },
    );
    dx
}

/// The pixels of the input whose padded row and column are `a` and `b` modulo the stride.
struct Phase {
    a: usize,
    b: usize,
    /// Pixels of the padded input in this phase.
    rows: usize,
    cols: usize,
    planes: Planes,
    offsets: Vec<usize>,
    packed: PackedWeights,
}

impl Phase {
    /// Returns the phase, or none where no tap reads it: its gradient is 0 then.
    fn new(p: &Problem, w: &[f32], a: usize, b: usize) -> Option<Self> {
        let s = p.geometry.stride;
        let (uh, uw) = (p.kh.saturating_sub(a).div_ceil(s), p.kw.saturating_sub(b).div_ceil(s));
        if uh == 0 || uw == 0 {
            return None;
        }
        let rows = (p.h + 2 * p.geometry.pad_h).saturating_sub(a).div_ceil(s);
        let cols = (p.w + 2 * p.geometry.pad_w).saturating_sub(b).div_ceil(s);
        // Pixel (i, j) of the phase takes tap (u, v) from dy at (i − u, j − v): zeros before, and after up to the size.
        let below = (rows + uh - 1).saturating_sub(p.ho + uh - 1);
        let right = (cols + uw - 1).saturating_sub(p.wo + uw - 1);
        let planes = Planes::new((p.ho, p.wo), (uh - 1, below), (uw - 1, right), 1);
        let k = p.co * uh * uw;
        let packed = PackedWeights::new(p.ci, k, |c, k| {
            let (o, u, v) = (k / (uh * uw), k / uw % uh, k % uw);
            // The offset grows with (uh − 1 − u): the kernel is mirrored.
            let (u, v) = (uh - 1 - u, uw - 1 - v);
            w[((o * p.ci + c) * p.kh + a + s * u) * p.kw + b + s * v]
        });
        let offsets = offsets(&planes, p.co, uh, uw);
        Some(Self { a, b, rows, cols, planes, offsets, packed })
    }

    fn run(&self, p: &Problem, dy: &[f32], dx: &mut [f32], scratch: &mut Scratch) {
        let (g, row) = (p.geometry, self.planes.row);
        scratch.x.clear();
        scratch.x.resize(self.planes.len(p.co), 0.0);
        self.planes.fill(dy, (p.ho, p.wo), &mut scratch.x);
        let len = self.planes.positions(self.rows, self.cols);
        correlate(&self.packed, &self.offsets, &scratch.x, len, &mut scratch.out, |c, flat| {
            if c >= p.ci {
                return;
            }
            for (i, flat) in flat.chunks(row).enumerate().take(self.rows) {
                let y = (i * g.stride + self.a).wrapping_sub(g.pad_h);
                if y >= p.h {
                    continue;
                }
                let line = &mut dx[(c * p.h + y) * p.w..][..p.w];
                // The first pixel of the phase that lies inside the image.
                let first = g.pad_w.saturating_sub(self.b).div_ceil(g.stride);
                let start = first * g.stride + self.b - g.pad_w;
                let flat = flat.get(first..self.cols.min(flat.len())).unwrap_or(&[]);
                for (x, &v) in line.iter_mut().skip(start).step_by(g.stride).zip(flat) {
                    *x = v;
                }
            }
        });
    }
}

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
pub(super) fn weight_gradient(p: &Problem, x: &[f32], dy: &[f32]) -> Vec<f32> {
    sum_of_groups((p.n, GROUPS), p.co * p.k(), |images| group_gradient(p, x, dy, images))
}

/// The part of the weight gradient that the images of one group give: `[co rounded up, k]`.
fn group_gradient(p: &Problem, x: &[f32], dy: &[f32], images: std::ops::Range<usize>) -> Vec<f32> {
    let g = p.geometry;
    let planes = Planes::new((p.h, p.w), (g.pad_h, g.pad_h), (g.pad_w, g.pad_w), g.stride);
    let offsets = offsets(&planes, p.ci, p.kh, p.kw);
    let len = planes.positions(p.ho, p.wo);
    let rows = p.co.next_multiple_of(PRODUCT_ROWS);
    let (a_stride, x_stride) = (len + SLACK, planes.len(p.ci));
    let per = (PRODUCT_ELEMENTS / (rows * a_stride + x_stride)).clamp(1, images.len().max(1));
    let (mut a, mut xs) = (vec![0.0; per * rows * a_stride], vec![0.0; per * x_stride]);
    let mut sums = vec![0.0; rows * offsets.len()];
    let end = images.end;
    for first in images.step_by(per) {
        let count = per.min(end - first);
        for i in 0..count {
            let image = &x[(first + i) * p.image_in()..][..p.image_in()];
            planes.fill(image, (p.h, p.w), &mut xs[i * x_stride..]);
            let dy = &dy[(first + i) * p.image_out()..][..p.image_out()];
            for (o, plane) in dy.chunks_exact(p.pixels()).enumerate() {
                let out = &mut a[(i * rows + o) * a_stride..][..a_stride];
                for (line, out) in plane.chunks_exact(p.wo).zip(out.chunks_mut(planes.row)) {
                    out[..p.wo].copy_from_slice(line);
                }
            }
        }
        arch().dispatch(Products {
            a: &a,
            rows,
            a_stride,
            x: &xs,
            x_stride,
            offsets: &offsets,
            images: count,
            len,
            sums: &mut sums,
        });
    }
    sums.truncate(p.co * p.k());
    sums
}
