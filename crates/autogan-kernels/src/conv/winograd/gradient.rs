//! This module computes the gradient of the weights: sixteen channels lie side by side, so that the products read and
//! write whole vectors.
//!
//! The components of source and output gradient of a band of tiles are laid out as the panels of the inner product,
//! with tiles for its depth. Work is split over groups of images; their number does not depend on the threads.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::form::{Form, LANES};
use super::kernel::Block;
use super::lanes::{Layout, gradient_tile, source_tile};
use super::tiles::{Grid, PANEL};
use super::transform::SLACK;
use super::{Pixel, Prologue, Winograd};
use crate::memory::{Unwritten, filled_by, room};
use crate::slices::{CHUNK, for_pieces};
use crate::vectors::{put, store};

/// Partial sums, one per group of images, at most.
const GROUPS: usize = 8;

/// Tiles of a group, at least.
const GROUP_TILES: usize = 512;

/// Tiles that are laid out at a time, about.
const BAND: usize = 128;

/// `dw [co, ci, 3, 3]` of `x` and `dy`, as [`Winograd::weight_gradient`] describes it.
pub(super) fn weight_gradient(
    w: &Winograd,
    x: &[f32],
    dy: &[f32],
    prologue: Prologue<'_>,
) -> Vec<f32> {
    if w.n * w.grid().tiles() == 0 {
        return vec![0.0; w.co * w.ci * 9];
    }
    let groups = (w.n * w.grid().tiles() / GROUP_TILES).clamp(1, GROUPS);
    let per_group = w.n.div_ceil(groups).max(1);
    let size = w.form.components() * w.co * w.ci;
    let mut partial: Vec<Vec<f32>> = (0..w.n.div_ceil(per_group))
        .into_par_iter()
        .map(
            #[inline(always)]
            |group| {
                let images = group * per_group..((group + 1) * per_group).min(w.n);
                let fill = |sums: &mut Unwritten<f32>| {
                    w.unit.dispatch(Group {
                        w,
                        grid: w.grid(),
                        x,
                        dy,
                        prologue,
                        images,
                        sums,
                        begun: false,
                    });
                };
                // SAFETY: there are images and tiles, so there is a first band, whose products are written to all sums.
                unsafe { filled_by(size, fill) }
            },
        )
        .collect();
    let mut sums = partial.pop().unwrap_or_default();
    for_pieces(
        &mut sums,
        CHUNK,
        #[inline(always)]
        |i, sums| {
            for part in partial.iter().rev() {
                for (s, &p) in sums.iter_mut().zip(&part[i * CHUNK..]) {
                    *s += p;
                }
            }
        },
    );
    kernels(w, &sums)
}

/// Turns gradients of the components of weights into gradients of the weights, `[co, ci, 3, 3]`.
fn kernels(w: &Winograd, sums: &[f32]) -> Vec<f32> {
    let components = w.form.components();
    let mut dw = vec![0.0; w.co * w.ci * 9];
    for_pieces(
        &mut dw,
        9 * w.ci,
        #[inline(always)]
        |o, dw| {
            for (first, dw) in (0..w.ci).step_by(LANES).zip(dw.chunks_mut(9 * LANES)) {
                let lanes = dw.len() / 9;
                let mut parts = [[0.0; LANES]; 16];
                for (p, part) in parts.iter_mut().take(components).enumerate() {
                    let at = (p * w.co + o) * w.ci + first;
                    part[..lanes].copy_from_slice(&sums[at..][..lanes]);
                }
                let kernels = w.form.transform_back(&parts);
                for (l, dw) in dw.chunks_exact_mut(9).enumerate() {
                    for (d, kernel) in dw.iter_mut().zip(&kernels) {
                        *d = kernel[l];
                    }
                }
            }
        },
    );
    dw
}

/// The part of the gradient of the weights' components that some images give, `sums [component][co][ci]`.
struct Group<'a> {
    w: &'a Winograd,
    grid: Grid,
    x: &'a [f32],
    dy: &'a [f32],
    prologue: Prologue<'a>,
    images: Range<usize>,
    /// The sums; the products of the first band write them.
    sums: &'a mut Unwritten<f32>,
    /// Whether the first band has written the sums.
    begun: bool,
}

/// Components of one band of tiles.
#[derive(Default)]
struct Band {
    /// Sixteen planes side by side.
    planes: Box<Unwritten<f32>>,
    /// Components of the source: `[component][panel of input channels][tile][PANEL]`.
    v: Box<Unwritten<f32>>,
    /// Components of the output gradient: `[component][block of output channels][tile][rows]`.
    d: Box<Unwritten<f32>>,
    /// Products of one block and panel.
    m: Vec<f32>,
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 8>(simd) } else { self.run::<S, 4>(simd) }
    }
}

impl Group<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let Grid { rows, cols, .. } = self.grid;
        // Several small images, or some lines of a large one.
        let (images, lines) = match BAND / (rows * cols).max(1) {
            0 => (1, (BAND / cols).clamp(1, rows)),
            images => (images, rows),
        };
        let mut band = Band::default();
        for first in self.images.clone().step_by(images) {
            let images = first..(first + images).min(self.images.end);
            for line in (0..rows).step_by(lines) {
                let lines = line..(line + lines).min(rows);
                let depth = images.len() * lines.len() * cols;
                band.reserve(ROWS, self.w, depth);
                for (i, image) in images.clone().enumerate() {
                    let at = (i * lines.len() * cols, depth);
                    self.source(simd, image, lines.clone(), at, &mut band);
                    self.gradient::<S, ROWS>(simd, image, lines.clone(), at, &mut band);
                }
                self.products::<S, ROWS>(simd, depth, &mut band);
            }
        }
    }

    /// Computes the components of the source tiles of some lines of an image, whose first tile is number `at` of
    /// `depth`.
    #[inline(always)]
    fn source<S: Simd>(
        &self,
        simd: S,
        image: usize,
        lines: Range<usize>,
        (at, depth): (usize, usize),
        band: &mut Band,
    ) {
        let (ci, pixels, form) = (self.w.ci, self.grid.source_pixels(), self.grid.form);
        let layout = Layout::source(&self.grid, lines.clone());
        let v_plane = v_plane(ci, depth);
        for first in (0..ci).step_by(LANES) {
            let plane = |l| {
                let c = first + l;
                let plane = || &self.x[(image * ci + c) * pixels..][..pixels];
                (c < ci).then(|| (plane(), self.prologue.pixel(image, c)))
            };
            let pixels = layout.gather(plane, &mut band.planes);
            let (panel, within) = (first / PANEL, first % PANEL);
            for (row, column) in places(lines.len(), self.grid.cols) {
                let k = at + row * self.grid.cols + column;
                let at = (panel * depth + k) * PANEL + within;
                for lane in (0..LANES).step_by(S::F32_LANES) {
                    source_tile(
                        simd,
                        form,
                        (row, column, lane),
                        (&layout, pixels),
                        #[inline(always)]
                        |p, v| put(simd, &mut band.v, p * v_plane + at + lane, v),
                    );
                }
            }
        }
    }

    /// Computes the components of the gradients of the same tiles' outputs.
    #[inline(always)]
    fn gradient<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        image: usize,
        lines: Range<usize>,
        (at, depth): (usize, usize),
        band: &mut Band,
    ) {
        let (co, pixels, form) = (self.w.co, self.grid.output_pixels(), self.grid.form);
        let layout = Layout::output(&self.grid, lines.clone());
        let d_plane = d_plane(co, depth);
        for first in (0..co).step_by(LANES) {
            let plane = |l| {
                let o = first + l;
                let plane = || &self.dy[(image * co + o) * pixels..][..pixels];
                (o < co).then(|| (plane(), Pixel::PLAIN))
            };
            let pixels = layout.gather(plane, &mut band.planes);
            for (row, column) in places(lines.len(), self.grid.cols) {
                let k = at + row * self.grid.cols + column;
                for lane in (0..LANES).step_by(S::F32_LANES) {
                    gradient_tile(
                        simd,
                        form,
                        (row, column, lane),
                        (&layout, pixels),
                        #[inline(always)]
                        |p, v| {
                            let mut lanes = [0.0; LANES];
                            store(simd, &mut lanes, 0, v);
                            // A vector holds several blocks, or a part of one.
                            let size = ROWS.min(S::F32_LANES);
                            for (i, part) in lanes[..S::F32_LANES].chunks_exact(size).enumerate() {
                                let o = first + lane + i * size;
                                let place = p * d_plane + (o / ROWS * depth + k) * ROWS + o % ROWS;
                                band.d[place..][..size].write_copy_of_slice(part);
                            }
                        },
                    );
                }
            }
        }
    }

    /// Adds the products of source and output gradient to the sums; the first band writes the sums.
    #[inline(always)]
    fn products<S: Simd, const ROWS: usize>(&mut self, simd: S, depth: usize, band: &mut Band) {
        let (co, ci) = (self.w.co, self.w.ci);
        for (p, sums) in self.sums.chunks_exact_mut((co * ci).max(1)).enumerate() {
            // Pooled outputs have one gradient for all components.
            let d = if self.grid.form == Form::Pool { 0 } else { p * d_plane(co, depth) };
            for panel in 0..ci.div_ceil(PANEL) {
                let v = &band.v[p * v_plane(ci, depth) + panel * depth * PANEL..][..depth * PANEL];
                let lanes = PANEL.min(ci - panel * PANEL);
                for (b, sums) in sums.chunks_mut(ROWS * ci).enumerate() {
                    let weights = &band.d[d + b * depth * ROWS..][..depth * ROWS];
                    // SAFETY: `gradient` wrote sixteen channels, which are whole blocks, at a time, for each tile.
                    let weights = unsafe { weights.assume_init_ref() };
                    let block = Block { weights, v, plane: 0, planes: 1, depth, lanes };
                    // SAFETY: `source` wrote sixteen channels, which are whole vectors, at a time, for each tile.
                    unsafe { block.run::<S, ROWS>(simd, &mut band.m) };
                    for (sums, m) in sums.chunks_exact_mut(ci).zip(band.m.chunks_exact(PANEL)) {
                        let sums = &mut sums[panel * PANEL..][..lanes];
                        if self.begun {
                            // SAFETY: the first call, which set `begun` in the end, wrote all sums.
                            let sums = unsafe { sums.assume_init_mut() };
                            sums.iter_mut().zip(m).for_each(
                                #[inline(always)]
                                |(s, &m)| *s += m,
                            );
                        } else {
                            sums.write_copy_of_slice(&m[..lanes]);
                        }
                    }
                }
            }
        }
        self.begun = true;
    }
}

impl Band {
    fn reserve(&mut self, rows: usize, w: &Winograd, depth: usize) {
        let components = w.form.components();
        let parts = if w.form == Form::Pool { 1 } else { components };
        let grid = w.grid();
        let planes = Layout::source(&grid, 0..grid.rows).len();
        let planes = planes.max(Layout::output(&grid, 0..grid.rows).len());
        room(&mut self.planes, planes);
        room(&mut self.v, components * v_plane(w.ci, depth));
        room(&mut self.d, parts * d_plane(w.co, depth));
        self.m.resize(rows * PANEL, 0.0);
    }
}

/// Elements from one component of the source to the next. They are no multiple of a page, or components would fight for
/// places in the cache.
fn v_plane(ci: usize, depth: usize) -> usize {
    ci.next_multiple_of(PANEL) * depth + SLACK
}

/// Elements from one component of the output gradient to the next; its channels come in whole vectors.
fn d_plane(co: usize, depth: usize) -> usize {
    co.next_multiple_of(LANES) * depth + SLACK
}

/// All pairs of a line and a column of tiles.
fn places(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(
        #[inline(always)]
        move |row| {
            (0..cols).map(
                #[inline(always)]
                move |column| (row, column),
            )
        },
    )
}
