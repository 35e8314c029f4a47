//! [`Fast`] convolves by Winograd's algorithm along one side or both, with channels as lanes.
//!
//! A task takes some lines of tiles, makes the components of all input channels, and then for one panel of outputs
//! after the other their products and the outputs, while those lie in the nearest cache.

use std::cell::RefCell;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::axis::Axis;
use super::product::{Panels, Product};
use super::{Buffer, Images, ImagesMut, Shape, finish, load_part, share, store_part};
use crate::ConvGeometry;
use crate::conv::After;

/// Components that a task holds at a time, at most if the least number of tiles allows: half a megabyte.
const COMPONENTS: usize = 1 << 17;

/// Tiles that a task has at least, where there are as many.
const TILES: usize = 24;

/// A convolution at stride 1 with its weights in the transformed domain.
pub(super) struct Fast {
    rows: Axis,
    cols: Axis,
    pad: (usize, usize),
    ci: usize,
    /// Panels of each component.
    panels: Vec<Panels>,
    unit: Arch,
}

impl Fast {
    /// Packs the weights; none where no algorithm is faster than the definition.
    pub fn new(
        unit: Arch,
        weights: &[f32],
        (co, ci, kh, kw): (usize, usize, usize, usize),
        geometry: ConvGeometry,
    ) -> Option<Self> {
        let (rows, cols) = (Axis::new(kh)?, Axis::new(kw)?);
        let sides = (rows.components(), cols.components());
        if geometry.stride != 1 || !matches!(sides, (6, 6) | (1, 6 | 8) | (6 | 8, 1)) {
            return None;
        }
        let (down, across) = (rows.weights(), cols.weights());
        let component = |down: &[f64], across: &[f64]| {
            Panels::new(unit, co, ci, |o, c| {
                let kernel = &weights[(o * ci + c) * kh * kw..][..kh * kw];
                let lines = kernel.chunks_exact(kw).zip(down);
                let sum: f64 = lines
                    .map(|(line, d)| {
                        d * line.iter().zip(across).map(|(&w, a)| f64::from(w) * a).sum::<f64>()
                    })
                    .sum();
                sum as f32
            })
        };
        let panels = down
            .iter()
            .flat_map(|down| across.iter().map(move |across| (down, across)))
            .map(|(down, across)| component(down, across))
            .collect();
        Some(Self { rows, cols, pad: (geometry.pad_h, geometry.pad_w), ci, panels, unit })
    }

    fn components(&self) -> usize {
        self.panels.len()
    }

    /// Writes all pixels of `y`.
    pub fn run(&self, x: Images<'_>, y: ImagesMut<'_>, after: After<'_, f32>) {
        let (shape, pitch) = (y.shape, y.pitch);
        let per_image = shape.h.div_ceil(self.rows.outputs);
        let cols = shape.w.div_ceil(self.cols.outputs);
        let tile = self.components() * self.ci.next_multiple_of(16);
        let tiles = (COMPONENTS / tile).max(TILES);
        let lines = shape.n * per_image;
        let per_task = share(lines, (tiles / cols).max(1));
        // The first row of a line of tiles, counted over all images.
        let row = |line: usize| {
            line / per_image * shape.h + (line % per_image * self.rows.outputs).min(shape.h)
        };
        let tasks: Vec<Range<usize>> =
            (0..lines).step_by(per_task).map(|at| at..(at + per_task).min(lines)).collect();
        let counts = tasks.iter().map(|task| (row(task.end) - row(task.start)) * shape.w);
        let parts = y.split(counts);
        tasks.into_par_iter().zip(parts).for_each(|(lines, y)| {
            SCRATCH.with_borrow_mut(|scratch| {
                self.unit.dispatch(Task {
                    fast: self,
                    x,
                    first: row(lines.start),
                    tiles: tiles_of(lines, per_image, cols),
                    shape,
                    y,
                    pitch,
                    after,
                    scratch,
                });
            });
        });
    }
}

/// Image, line and column of each tile.
fn tiles_of(lines: Range<usize>, per_image: usize, cols: usize) -> Vec<(usize, usize, usize)> {
    lines
        .flat_map(|line| (0..cols).map(move |col| (line / per_image, line % per_image, col)))
        .collect()
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Buffers that one thread uses again and again.
#[derive(Default)]
struct Scratch {
    /// Components `[tile][component][input channels]`.
    v: Buffer,
    /// Products `[tile][component][outputs of a panel]`.
    m: Buffer,
}

struct Task<'a> {
    fast: &'a Fast,
    x: Images<'a>,
    /// Number of the first row of `y`.
    first: usize,
    tiles: Vec<(usize, usize, usize)>,
    /// The shape of all outputs.
    shape: Shape,
    y: &'a mut [f32],
    pitch: usize,
    after: After<'a, f32>,
    scratch: &'a mut Scratch,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, cols) = (&self.fast.rows, &self.fast.cols);
        match (rows.components(), cols.components(), rows.outputs, cols.outputs) {
            (6, 6, 4, 4) => self.run::<S, 6, 6, 4, 4>(simd),
            (6, 6, 4, 2) => self.run::<S, 6, 6, 4, 2>(simd),
            (6, 6, 2, 4) => self.run::<S, 6, 6, 2, 4>(simd),
            (6, 6, 2, 2) => self.run::<S, 6, 6, 2, 2>(simd),
            (6, 1, 4, 1) => self.run::<S, 6, 1, 4, 1>(simd),
            (6, 1, 2, 1) => self.run::<S, 6, 1, 2, 1>(simd),
            (1, 6, 1, 4) => self.run::<S, 1, 6, 1, 4>(simd),
            (1, 6, 1, 2) => self.run::<S, 1, 6, 1, 2>(simd),
            (8, 1, 2, 1) => self.run::<S, 8, 1, 2, 1>(simd),
            (1, 8, 1, 2) => self.run::<S, 1, 8, 1, 2>(simd),
            sizes => unreachable!("no algorithm was chosen for {sizes:?}"),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const H: usize, const W: usize, const P: usize, const Q: usize>(
        mut self,
        simd: S,
    ) {
        let width = self.fast.ci.next_multiple_of(S::F32_LANES);
        let tile = H * W * width;
        let Scratch { mut v, mut m } = std::mem::take(self.scratch);
        let parts = v.room(self.tiles.len() * tile);
        for (&at, parts) in self.tiles.iter().zip(parts.chunks_exact_mut(tile)) {
            self.source::<S, H, W>(simd, at, parts, width);
        }
        let bases: Vec<usize> = (0..self.tiles.len()).map(|t| t * tile).collect();
        for panel in 0..self.fast.panels[0].len() {
            let columns = self.fast.panels[0].width(panel);
            let products = m.room(self.tiles.len() * H * W * columns);
            for (part, panels) in self.fast.panels.iter().enumerate() {
                let product = Product {
                    x: &v,
                    bases: &bases,
                    runs: &[part * width],
                    len: self.fast.ci,
                    weights: panels.weights(panel),
                    vectors: columns / S::F32_LANES,
                };
                product.run(
                    simd,
                    #[inline(always)]
                    |t, vector, sum| {
                        let at = (t * H * W + part) * columns + vector * S::F32_LANES;
                        super::store(simd, products, at, sum);
                    },
                );
            }
            let outputs = self.fast.panels[0].outputs(panel);
            for t in 0..self.tiles.len() {
                let products = &products[t * H * W * columns..][..H * W * columns];
                self.output::<S, H, W, P, Q>(simd, self.tiles[t], products, outputs.clone());
            }
        }
        *self.scratch = Scratch { v, m };
    }

    /// Computes the components `[H · W][width]` of one tile.
    #[inline(always)]
    fn source<S: Simd, const H: usize, const W: usize>(
        &self,
        simd: S,
        (image, row, col): (usize, usize, usize),
        parts: &mut [f32],
        width: usize,
    ) {
        let (x, Fast { rows, cols, pad, .. }) = (&self.x, self.fast);
        let (h, w) = (x.shape.h, x.shape.w);
        // Where pixels are read, and nothing outside of the image.
        let (top, left) = (row * rows.outputs, col * cols.outputs);
        let inside = |at: usize, pad: usize, len: usize| at >= pad && at - pad < len;
        let lines: [Option<usize>; H] = std::array::from_fn(|i| {
            inside(top + i, pad.0, h).then(|| ((image * h + top + i - pad.0) * w) * x.pitch)
        });
        let columns: [Option<usize>; W] = std::array::from_fn(|j| {
            inside(left + j, pad.1, w).then(|| (left + j - pad.1) * x.pitch)
        });
        for c in (0..x.channels).step_by(S::F32_LANES) {
            let mut down = [[simd.splat_f32s(0.0); H]; W];
            for (down, column) in down.iter_mut().zip(columns) {
                let Some(column) = column else { continue };
                let mut pixels = [simd.splat_f32s(0.0); H];
                for (pixel, line) in pixels.iter_mut().zip(lines) {
                    if let Some(line) = line {
                        *pixel = load_part(simd, x.data, line + column + c, x.channels - c);
                    }
                }
                *down = rows.source::<S, H>(simd, pixels);
            }
            for i in 0..H {
                let mut line = [down[0][i]; W];
                for (to, down) in line.iter_mut().zip(&down) {
                    *to = down[i];
                }
                let line = cols.source::<S, W>(simd, line);
                for (j, &part) in line.iter().enumerate() {
                    super::store(simd, parts, (i * W + j) * width + c, part);
                }
            }
        }
    }

    /// Computes `P x Q` pixels of a panel from the products `[H · W][columns]` of one tile.
    #[inline(always)]
    fn output<S: Simd, const H: usize, const W: usize, const P: usize, const Q: usize>(
        &mut self,
        simd: S,
        (image, row, col): (usize, usize, usize),
        products: &[f32],
        outputs: Range<usize>,
    ) {
        let columns = products.len() / (H * W);
        let Shape { h, w, .. } = self.shape;
        let (top, left) = (row * P, col * Q);
        let (height, width) = (P.min(h - top), Q.min(w - left));
        let first = ((image * h + top - self.first) * w + left) * self.pitch;
        for c in (0..outputs.len()).step_by(S::F32_LANES) {
            let o = outputs.start + c;
            let mut down = [[simd.splat_f32s(0.0); P]; W];
            for (j, down) in down.iter_mut().enumerate() {
                let mut parts = [simd.splat_f32s(0.0); H];
                for (i, part) in parts.iter_mut().enumerate() {
                    *part = super::load(simd, products, (i * W + j) * columns + c);
                }
                *down = self.fast.rows.output::<S, H, P>(simd, parts);
            }
            for i in 0..height {
                let mut parts = [down[0][i]; W];
                for (part, down) in parts.iter_mut().zip(&down) {
                    *part = down[i];
                }
                let line: [S::f32s; Q] = self.fast.cols.output::<S, W, Q>(simd, parts);
                for (j, &value) in line.iter().enumerate().take(width) {
                    let at = first + (i * w + j) * self.pitch + o;
                    let value = finish(simd, self.after, o, value);
                    store_part(simd, self.y, at, outputs.end - o, value);
                }
            }
        }
    }
}
