//! Small images: sixteen of them side by side, one in each lane.
//!
//! A tile of a 4x4 or 8x8 image has few neighbours to share a vector with, but there are many images. They are laid out
//! as `[channel][pixel][image]` first, so that every load, store and product uses whole vectors.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::algebra::{
    both_sides, finish, gradient_same, gradient_up, load, output_same, output_up, source_pool,
    source_same, source_up, store,
};
use super::form::{Form, Packed};
use super::kernel::Block;
use super::tiles::{Grid, PANEL};
use super::transform::Pixel;
use super::{After, Plain, Prologue, Winograd};
use crate::Activation;
use crate::host::fresh;

/// Images that are handled at a time.
pub(super) const IMAGES: usize = 16;

/// Tiles of an image that make up a panel.
const TILES: usize = PANEL / IMAGES;

/// The forward convolution, as [`Winograd::forward`] describes it.
pub(super) fn convolve(
    w: &Winograd,
    x: &[f32],
    packed: &Packed,
    after: After<'_, f32>,
    prologue: &dyn Prologue,
) -> Vec<f32> {
    let grid = w.grid();
    let (image_in, image_out) = (w.ci * grid.source_pixels(), w.co * grid.output_pixels());
    let mut y = fresh(w.n * image_out);
    y.par_chunks_mut((IMAGES * image_out).max(1)).enumerate().for_each_init(
        Scratch::default,
        |scratch, (g, y)| {
            let first = g * IMAGES;
            let x = &x[first * image_in..][..y.len() / image_out * image_in];
            let channels = (w.co, w.ci);
            Arch::new().dispatch(Convolve {
                grid: &grid,
                channels,
                packed,
                after,
                prologue,
                first,
                x,
                y,
                scratch,
            });
        },
    );
    y
}

/// Adds the gradients of the weights' components that some images give.
pub(super) fn gradient(
    w: &Winograd,
    x: &[f32],
    dy: &[f32],
    prologue: &dyn Prologue,
    images: Range<usize>,
    sums: &mut [f32],
) {
    let grid = w.grid();
    let (image_in, image_out) = (w.ci * grid.source_pixels(), w.co * grid.output_pixels());
    let tiles = grid.tiles() * IMAGES;
    let (mut scratch, mut d) = (Scratch::default(), Vec::new());
    for first in images.clone().step_by(IMAGES) {
        let count = IMAGES.min(images.end - first);
        Arch::new().dispatch(Transform {
            grid: &grid,
            channels: (w.co, w.ci),
            prologue,
            first,
            x: &x[first * image_in..][..count * image_in],
            dy: &dy[first * image_out..][..count * image_out],
            scratch: &mut scratch,
            d: &mut d,
        });
        w.products(sums, (&scratch.v, w.ci * tiles), (&d, w.co * tiles), tiles);
    }
}

/// Memory that one thread reuses.
#[derive(Default)]
struct Scratch {
    x: Vec<f32>,
    v: Vec<f32>,
    m: Vec<f32>,
    y: Vec<f32>,
}

/// Lays images `[count][channels][height][width]` out as `[channel][row][column][image]`, with zeros for missing images
/// and around each image, as far as its tiles reach.
struct Layout {
    size: (usize, usize),
    rows: usize,
    cols: usize,
}

impl Layout {
    /// For tiles of three source pixels, or of four.
    fn new(grid: &Grid, size: (usize, usize), near: bool) -> Self {
        let per = if near { 1 } else { 2 };
        Self { size, rows: per * grid.rows + 2, cols: per * grid.cols + 2 }
    }

    /// Elements of a channel.
    fn channel(&self) -> usize {
        self.rows * self.cols * IMAGES
    }

    #[inline(always)]
    fn gather(
        &self,
        images: &[f32],
        channels: usize,
        pixel: impl Fn(usize, usize) -> Pixel,
        out: &mut Vec<f32>,
    ) {
        let (h, w) = self.size;
        out.clear();
        out.resize(channels * self.channel(), 0.0);
        let count = images.len() / (channels * h * w).max(1);
        for (c, out) in out.chunks_exact_mut(self.channel()).enumerate() {
            for image in 0..count {
                let pixel = pixel(image, c);
                let plane = &images[(image * channels + c) * h * w..][..h * w];
                let inner = out.chunks_exact_mut(self.cols * IMAGES).skip(1);
                for (out, line) in inner.zip(plane.chunks_exact(w)) {
                    for (o, &v) in out.chunks_exact_mut(IMAGES).skip(1).zip(line) {
                        o[image] = pixel.apply(v);
                    }
                }
            }
        }
    }

    /// A vector of the pixel at a row and a column, counted from the zeros.
    #[inline(always)]
    fn at<S: Simd>(
        &self,
        simd: S,
        channel: &[f32],
        (row, column): (usize, usize),
        lane: usize,
    ) -> S::f32s {
        load(simd, channel, (row * self.cols + column) * IMAGES + lane)
    }
}

/// Source components of one tile of one channel, handed to `take(component, lane, value)`.
#[inline(always)]
fn source<S: Simd>(
    simd: S,
    grid: &Grid,
    tile: usize,
    (layout, channel): (&Layout, &[f32]),
    mut take: impl FnMut(usize, usize, S::f32s),
) {
    let (row, column) = (tile / grid.cols, tile % grid.cols);
    for lane in (0..IMAGES).step_by(S::F32_LANES) {
        let far = |r, c| layout.at(simd, channel, (2 * row + r, 2 * column + c), lane);
        let near = |r, c| layout.at(simd, channel, (row + r, column + c), lane);
        match grid.form {
            Form::Same => {
                both_sides::<S, 4, 4>(simd, source_same::<S>, far, |i, j, v| {
                    take(i * 4 + j, lane, v)
                });
            }
            Form::Pool => {
                both_sides::<S, 4, 3>(simd, source_pool::<S>, far, |i, j, v| {
                    take(i * 3 + j, lane, v)
                });
            }
            Form::Up => {
                both_sides::<S, 3, 3>(simd, source_up::<S>, near, |i, j, v| {
                    take(i * 3 + j, lane, v)
                });
            }
        }
    }
}

/// The convolution of at most sixteen images.
struct Convolve<'a> {
    grid: &'a Grid,
    /// Output and input channels.
    channels: (usize, usize),
    packed: &'a Packed,
    after: After<'a, f32>,
    prologue: &'a dyn Prologue,
    /// Number of the first image.
    first: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 8>(simd) } else { self.run::<S, 4>(simd) }
    }
}

impl Convolve<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(self, simd: S) {
        let (co, ci) = self.channels;
        let (grid, components) = (self.grid, self.grid.form.components());
        let pixels_out = grid.output_pixels();
        let layout = Layout::new(grid, grid.source, grid.form == Form::Up);
        let plane = ci * PANEL;
        let Scratch { x, v, m, y } = self.scratch;
        let pixel = |image: usize, c: usize| self.prologue.pixel(self.first + image, c);
        layout.gather(self.x, ci, pixel, x);
        v.resize((components * plane).max(v.len()), 0.0);
        m.resize((components * ROWS * PANEL).max(m.len()), 0.0);
        y.resize((co * pixels_out * IMAGES).max(y.len()), 0.0);
        for first in (0..grid.tiles()).step_by(TILES) {
            let tiles = TILES.min(grid.tiles() - first);
            for c in 0..ci {
                let channel = &x[c * layout.channel()..][..layout.channel()];
                for t in 0..tiles {
                    let at = c * PANEL + t * IMAGES;
                    source(simd, grid, first + t, (&layout, channel), |p, lane, value| {
                        store(simd, v, p * plane + at + lane, value);
                    });
                }
            }
            let planes = if grid.form == Form::Pool { components } else { 1 };
            for (b, weights) in self.packed.blocks().enumerate() {
                for (p, weights) in weights.chunks_exact((planes * ci * ROWS).max(1)).enumerate() {
                    let v = &v[p * plane..];
                    let block =
                        Block { weights, v, plane, planes, depth: ci, lanes: tiles * IMAGES };
                    block.run::<S, ROWS>(simd, &mut m[p * ROWS * PANEL..]);
                }
                for r in 0..ROWS.min(co - b * ROWS) {
                    let o = b * ROWS + r;
                    let bias = simd.splat_f32s(self.after.bias(o));
                    let finish = (bias, self.after.activation);
                    let y = &mut y[o * pixels_out * IMAGES..][..pixels_out * IMAGES];
                    for t in 0..tiles {
                        let parts = &m[r * PANEL + t * IMAGES..];
                        output::<S>(simd, grid, first + t, (parts, ROWS * PANEL), finish, y);
                    }
                }
            }
        }
        scatter(y, (co, pixels_out), self.y);
    }
}

/// Products of one tile and output channel to its pixels, `[pixel][image]`.
#[inline(always)]
fn output<S: Simd>(
    simd: S,
    grid: &Grid,
    tile: usize,
    (parts, stride): (&[f32], usize),
    (bias, activation): (S::f32s, Activation),
    y: &mut [f32],
) {
    let (row, column) = (tile / grid.cols, tile % grid.cols);
    let (h, w) = grid.output;
    for lane in (0..IMAGES).step_by(S::F32_LANES) {
        let part = |p: usize| load(simd, parts, p * stride + lane);
        let mut write = |i: usize, j: usize, value: S::f32s| {
            let (i, j) = (2 * row + i, 2 * column + j);
            if i < h && j < w {
                store(simd, y, (i * w + j) * IMAGES + lane, finish(simd, value, bias, activation));
            }
        };
        match grid.form {
            Form::Same => {
                let part = |r: usize, c: usize| part(r * 4 + c);
                both_sides::<S, 4, 2>(simd, output_same::<S>, part, write);
            }
            Form::Up => {
                let part = |r: usize, c: usize| part(r * 3 + c);
                both_sides::<S, 3, 2>(simd, output_up::<S>, part, &mut write);
            }
            Form::Pool => {
                store(
                    simd,
                    y,
                    (row * w + column) * IMAGES + lane,
                    finish(simd, part(0), bias, activation),
                );
            }
        }
    }
}

/// The inverse of [`Layout::gather`], without a border.
#[inline(always)]
fn scatter(from: &[f32], (channels, pixels): (usize, usize), images: &mut [f32]) {
    for (image, out) in images.chunks_exact_mut((channels * pixels).max(1)).enumerate() {
        for (o, from) in out.iter_mut().zip(from.chunks_exact(IMAGES)) {
            *o = from[image];
        }
    }
}

/// Components of source and output gradient of at most sixteen images, `[component][channel][tile][image]` each.
struct Transform<'a> {
    grid: &'a Grid,
    channels: (usize, usize),
    prologue: &'a dyn Prologue,
    first: usize,
    x: &'a [f32],
    dy: &'a [f32],
    scratch: &'a mut Scratch,
    d: &'a mut Vec<f32>,
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (co, ci) = self.channels;
        let (grid, components) = (self.grid, self.grid.form.components());
        let tiles = grid.tiles();
        let Scratch { x, v, y, .. } = self.scratch;
        let layout = Layout::new(grid, grid.source, grid.form == Form::Up);
        layout.gather(self.x, ci, |i, c| self.prologue.pixel(self.first + i, c), x);
        v.resize((components * ci * tiles * IMAGES).max(v.len()), 0.0);
        for (c, channel) in x.chunks_exact(layout.channel()).enumerate() {
            for tile in 0..tiles {
                source(simd, grid, tile, (&layout, channel), |p, lane, value| {
                    store(simd, v, ((p * ci + c) * tiles + tile) * IMAGES + lane, value);
                });
            }
        }
        let parts = if grid.form == Form::Pool { 1 } else { components };
        self.d.resize((parts * co * tiles * IMAGES).max(self.d.len()), 0.0);
        let layout = Layout::new(grid, grid.output, grid.form == Form::Pool);
        layout.gather(self.dy, co, |i, o| Plain.pixel(i, o), y);
        for (o, channel) in y.chunks_exact(layout.channel()).enumerate() {
            for tile in 0..tiles {
                gradient_tile(simd, grid, tile, (&layout, channel), |p, lane, value| {
                    store(simd, self.d, ((p * co + o) * tiles + tile) * IMAGES + lane, value);
                });
            }
        }
    }
}

/// Gradients of one tile's components, handed to `take(component, lane, value)`; of a pooled output itself.
#[inline(always)]
fn gradient_tile<S: Simd>(
    simd: S,
    grid: &Grid,
    tile: usize,
    (layout, channel): (&Layout, &[f32]),
    mut take: impl FnMut(usize, usize, S::f32s),
) {
    let (row, column) = (tile / grid.cols, tile % grid.cols);
    for lane in (0..IMAGES).step_by(S::F32_LANES) {
        if grid.form == Form::Pool {
            take(0, lane, layout.at(simd, channel, (row + 1, column + 1), lane));
            continue;
        }
        let pixel = |r, c| layout.at(simd, channel, (2 * row + r, 2 * column + c), lane);
        if grid.form == Form::Up {
            both_sides::<S, 4, 3>(simd, gradient_up::<S>, pixel, |i, j, v| {
                take(i * 3 + j, lane, v)
            });
        } else {
            both_sides::<S, 4, 4>(simd, gradient_same::<S>, pixel, |i, j, v| {
                take(i * 4 + j, lane, v)
            });
        }
    }
}
