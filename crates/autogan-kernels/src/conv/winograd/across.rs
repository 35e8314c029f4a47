//! This module convolves small images: sixteen of them lie side by side, one in each lane.
//!
//! A tile of a 4x4 or 8x8 image has few neighbours to share a vector with, but there are many images. They are laid out
//! as `[channel][pixel][image]` first, so that every load, store and product uses whole vectors.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Group;
use super::algebra::{both_sides, finish, output_same, output_up};
use super::form::{Form, LANES};
use super::kernel::Block;
use super::lanes::{Layout, scatter, source_tile};
use super::tiles::PANEL;
use super::transform::SLACK;
use crate::Activation;
use crate::memory::{Unwritten, room};
use crate::vectors::{load, put};

/// Tiles of an image that make up a panel.
const TILES: usize = PANEL / LANES;

/// The buffers that one thread uses again and again.
#[derive(Default)]
pub(super) struct Scratch {
    x: Box<Unwritten<f32>>,
    v: Box<Unwritten<f32>>,
    m: Vec<f32>,
    y: Box<Unwritten<f32>>,
}

/// The convolution of a group of at most sixteen images.
pub(super) struct Convolve<'a>(pub Group<'a>, pub &'a mut Scratch);

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(mut group, scratch) = self;
        if S::REGISTER_COUNT >= 32 {
            group.run::<S, 8>(simd, scratch);
        } else {
            group.run::<S, 4>(simd, scratch);
        }
    }
}

impl Group<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(&mut self, simd: S, scratch: &mut Scratch) {
        let Scratch { x, v, m, y } = scratch;
        let (co, ci) = self.channels;
        let layout = Layout::source(self.grid, 0..self.grid.rows);
        let pixels = room(x, ci * layout.len());
        self.gather(&layout, pixels);
        // SAFETY: `gather` laid out every channel.
        let pixels = unsafe { pixels.assume_init_ref() };
        let components = room(v, self.grid.form.components() * self.plane());
        let outputs = room(y, co * self.grid.output_pixels() * LANES);
        m.resize(self.grid.form.components() * ROWS * PANEL, 0.0);
        let tiles = self.grid.tiles();
        let panels = tiles.div_ceil(TILES);
        for panel in 0..panels {
            let tiles = panel * tiles / panels..(panel + 1) * tiles / panels;
            self.sources(simd, &layout, pixels, tiles.clone(), components);
            self.products::<S, ROWS>(simd, tiles, components, m, outputs);
        }
        // SAFETY: `products` wrote the pixels of every tile for every output channel; tiles cover an image.
        self.scatter(unsafe { outputs.assume_init_ref() });
    }

    /// Copies the source pixels to `[channel][line][column][image]`.
    #[inline(always)]
    fn gather(&self, layout: &Layout, out: &mut Unwritten<f32>) {
        let (ci, pixels) = (self.channels.1, self.grid.source_pixels());
        let count = self.x.len() / (ci * pixels);
        for (c, out) in out.chunks_exact_mut(layout.len()).enumerate() {
            let plane = |image| {
                (image < count).then(|| {
                    let plane = &self.x[(image * ci + c) * pixels..][..pixels];
                    (plane, self.prologue.pixel(self.first + image, c))
                })
            };
            layout.gather(plane, out);
        }
    }

    /// Elements from one component of a panel to the next.
    fn plane(&self) -> usize {
        self.channels.1 * PANEL + SLACK
    }

    /// Computes the components of a panel's tiles, `[component][channel][tile][image]`.
    #[inline(always)]
    fn sources<S: Simd>(
        &self,
        simd: S,
        layout: &Layout,
        pixels: &[f32],
        tiles: Range<usize>,
        out: &mut Unwritten<f32>,
    ) {
        let plane = self.plane();
        for (c, channel) in pixels.chunks_exact(layout.len()).enumerate() {
            for (t, tile) in tiles.clone().enumerate() {
                let at = c * PANEL + t * LANES;
                let (row, column) = (tile / self.grid.cols, tile % self.grid.cols);
                for lane in (0..LANES).step_by(S::F32_LANES) {
                    source_tile(
                        simd,
                        self.grid.form,
                        (row, column, lane),
                        (layout, channel),
                        #[inline(always)]
                        |p, value| put(simd, out, p * plane + at + lane, value),
                    );
                }
            }
        }
    }

    /// Computes the output pixels of a panel's tiles, `[channel][line][column][image]`, from the components that
    /// [`Self::sources`] made.
    #[inline(always)]
    fn products<S: Simd, const ROWS: usize>(
        &self,
        simd: S,
        tiles: Range<usize>,
        v: &Unwritten<f32>,
        m: &mut [f32],
        out: &mut Unwritten<f32>,
    ) {
        let ((_, ci), form, plane) = (self.channels, self.grid.form, self.plane());
        let (size, pixels_out) = (self.grid.output, self.grid.output_pixels());
        let planes = if form == Form::Pool { form.components() } else { 1 };
        let mut channels = out.chunks_exact_mut(pixels_out * LANES).enumerate();
        for weights in self.packed.blocks() {
            for (p, weights) in weights.chunks_exact((planes * ci * ROWS).max(1)).enumerate() {
                let lanes = tiles.len() * LANES;
                let block = Block { weights, v: &v[p * plane..], plane, planes, depth: ci, lanes };
                // SAFETY: `sources` wrote sixteen lanes, which are whole vectors, for each tile, channel and component.
                unsafe { block.run::<S, ROWS>(simd, &mut m[p * ROWS * PANEL..]) };
            }
            for (r, (o, y)) in channels.by_ref().take(ROWS).enumerate() {
                let bias = simd.splat_f32s(self.after.bias(o));
                let activation = self.after.activation;
                let mut pixels = Pixels::<S> { y, size, bias, activation };
                for (t, tile) in tiles.clone().enumerate() {
                    let place = (tile / self.grid.cols, tile % self.grid.cols);
                    let parts = &m[r * PANEL + t * LANES..];
                    pixels.tile(simd, form, place, (parts, ROWS * PANEL));
                }
            }
        }
    }

    /// Copies the output pixels to the images.
    #[inline(always)]
    fn scatter(&mut self, outputs: &[f32]) {
        let (co, pixels) = (self.channels.0, self.grid.output_pixels());
        let count = self.y.len() / (co * pixels);
        for (o, from) in outputs.chunks_exact(pixels * LANES).enumerate() {
            scatter(
                from,
                count,
                #[inline(always)]
                |image, at, part| {
                    let place = (image * co + o) * pixels + at;
                    self.y[place..][..part.len()].write_copy_of_slice(part);
                },
            );
        }
    }
}

/// The output pixels of one channel, `[pixel][image]`, with the bias and the activation that they get.
struct Pixels<'a, S: Simd> {
    y: &'a mut Unwritten<f32>,
    /// Sides of an image.
    size: (usize, usize),
    bias: S::f32s,
    activation: Activation,
}

impl<S: Simd> Pixels<'_, S> {
    #[inline(always)]
    fn put(&mut self, simd: S, (row, column): (usize, usize), lane: usize, value: S::f32s) {
        let (h, w) = self.size;
        if row < h && column < w {
            let value = finish(simd, value, self.bias, self.activation);
            put(simd, self.y, (row * w + column) * LANES + lane, value);
        }
    }

    /// Turns products of the tile at a line and a column, `parts [component][stride]`, into its pixels.
    #[inline(always)]
    fn tile(
        &mut self,
        simd: S,
        form: Form,
        (row, column): (usize, usize),
        (parts, stride): (&[f32], usize),
    ) {
        for lane in (0..LANES).step_by(S::F32_LANES) {
            let part = |p: usize| load(simd, parts, p * stride + lane);
            match form {
                Form::Same => both_sides::<S, 4, 2>(
                    simd,
                    output_same::<S>,
                    #[inline(always)]
                    |r, c| part(r * 4 + c),
                    #[inline(always)]
                    |p, v| self.put(simd, (2 * row + p / 2, 2 * column + p % 2), lane, v),
                ),
                Form::Up => both_sides::<S, 3, 2>(
                    simd,
                    output_up::<S>,
                    #[inline(always)]
                    |r, c| part(r * 3 + c),
                    #[inline(always)]
                    |p, v| self.put(simd, (2 * row + p / 2, 2 * column + p % 2), lane, v),
                ),
                Form::Pool => self.put(simd, (row, column), lane, part(0)),
            }
        }
    }
}
