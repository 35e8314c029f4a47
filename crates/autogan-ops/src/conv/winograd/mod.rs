//! 3x3 convolution in f32 by Winograd's F(2x2, 3x3), alone, after nearest upsampling, or before 2x2 averaging.
//!
//! Tiles are dealt into panels of [`tiles::PANEL`]. A panel's components are made for all input channels, multiplied
//! with the weights of a block of output channels at a time, and turned into pixels while the products lie in the
//! nearest cache. Work is split over groups of images; their number does not depend on the threads.

mod across;
mod algebra;
mod form;
mod kernel;
mod tiles;
mod transform;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

pub(super) use form::Form;
use form::{LANES, Packed};
use kernel::Block;
use tiles::{Grid, PANEL, Panel};
pub(super) use transform::Pixel;
use transform::{Place, SLACK, Window, output};

use super::After;
use super::simd::block_rows;
use crate::Activation;
use crate::host::{CHUNK, for_pieces, fresh, prefetch};
use crate::real::{Mat, gemm};

/// Partial sums of a weight gradient, one per group of images, at most.
const GROUPS: usize = 8;

/// Tiles of a group, at least.
const GROUP_TILES: usize = 512;

/// Tiles that one GEMM of a weight gradient goes over, at least.
const GRADIENT_TILES: usize = 256;

/// Channels between the one that is read and the one that is asked for.
const AHEAD: usize = 4;

/// One 3x3 convolution of `n` images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winograd {
    pub form: Form,
    pub n: usize,
    pub ci: usize,
    pub co: usize,
    /// Source images, `h x w`.
    pub source: (usize, usize),
}

/// What each pixel of a source image becomes before it is convolved: image, channel.
pub(super) trait Prologue: Sync {
    fn pixel(&self, image: usize, channel: usize) -> Pixel;
}

impl Winograd {
    /// Sides of the output images.
    pub fn output(&self) -> (usize, usize) {
        self.grid().output
    }

    /// Whether images are small and many enough to be the lanes of vectors.
    fn across(&self) -> bool {
        self.n >= across::IMAGES && self.grid().cols < across::IMAGES / 2
    }

    fn grid(&self) -> Grid {
        Grid::new(self.form, self.source)
    }

    /// `y [n, co, ·, ·]` of `x [n, ci, h, w]`, `w [co, ci, 3, 3]`, `bias [co]`.
    pub fn forward(
        &self,
        x: &[f32],
        w: &[f32],
        after: After<'_, f32>,
        prologue: &dyn Prologue,
    ) -> Vec<f32> {
        let packed = Packed::forward(self.form, w, (self.co, self.ci), block_rows());
        self.convolve(x, &packed, after, prologue)
    }

    /// `dx [n, ci, h, w]` of `dy [n, co, ·, ·]`.
    pub fn input_gradient(&self, dy: &[f32], w: &[f32]) -> Vec<f32> {
        let (form, scale) = self.form.adjoint();
        let source = self.grid().output;
        let adjoint = Self { form, n: self.n, ci: self.co, co: self.ci, source };
        let packed = Packed::adjoint(form, w, (self.co, self.ci), block_rows(), scale);
        let after = After { bias: None, activation: Activation::Linear };
        adjoint.convolve(dy, &packed, after, &Plain)
    }

    fn convolve(
        &self,
        x: &[f32],
        packed: &Packed,
        after: After<'_, f32>,
        prologue: &dyn Prologue,
    ) -> Vec<f32> {
        let grid = self.grid();
        let (image_in, image_out) =
            (self.ci * grid.source_pixels(), self.co * grid.output_pixels());
        if self.across() {
            return across::convolve(self, x, packed, after, prologue);
        }
        let per = grid.images_per_group();
        let panels = grid.panels(per);
        let mut y = fresh(self.n * image_out);
        y.par_chunks_mut((per * image_out).max(1)).enumerate().for_each_init(
            Scratch::default,
            |scratch, (g, y)| {
                let images = y.len() / image_out;
                let short = (images < per).then(|| grid.panels(images));
                Arch::new().dispatch(Convolve {
                    grid: &grid,
                    panels: short.as_ref().unwrap_or(&panels),
                    channels: (self.co, self.ci),
                    packed,
                    after,
                    prologue,
                    first: g * per,
                    x: &x[g * per * image_in..][..images * image_in],
                    y,
                    scratch,
                });
            },
        );
        y
    }

    /// `dw [co, ci, 3, 3]` of `x` and `dy`.
    pub fn weight_gradient(&self, x: &[f32], dy: &[f32], prologue: &dyn Prologue) -> Vec<f32> {
        let groups = (self.n * self.grid().tiles() / GROUP_TILES).clamp(1, GROUPS);
        let whole = if self.across() { across::IMAGES } else { 1 };
        let per_group = self.n.div_ceil(groups).next_multiple_of(whole).max(1);
        let mut partial: Vec<Vec<f32>> = (0..self.n.div_ceil(per_group))
            .into_par_iter()
            .map(|group| {
                let images = group * per_group..((group + 1) * per_group).min(self.n);
                self.group_gradient(x, dy, prologue, images)
            })
            .collect();
        let size = self.form.components() * self.co * self.ci;
        let mut sums = partial.pop().unwrap_or_else(|| vec![0.0; size]);
        for_pieces(&mut sums, CHUNK, |i, sums| {
            for part in partial.iter().rev() {
                for (s, &p) in sums.iter_mut().zip(&part[i * CHUNK..]) {
                    *s += p;
                }
            }
        });
        self.kernels(&sums)
    }

    /// Gradients of the kernels, `[co, ci, 3, 3]`, from those of their components.
    fn kernels(&self, sums: &[f32]) -> Vec<f32> {
        let components = self.form.components();
        let mut dw = vec![0.0; self.co * self.ci * 9];
        for_pieces(&mut dw, 9 * self.ci, |o, dw| {
            for (first, dw) in (0..self.ci).step_by(LANES).zip(dw.chunks_mut(9 * LANES)) {
                let lanes = dw.len() / 9;
                let mut parts = [[0.0; LANES]; 16];
                for (p, part) in parts.iter_mut().take(components).enumerate() {
                    let at = (p * self.co + o) * self.ci + first;
                    part[..lanes].copy_from_slice(&sums[at..][..lanes]);
                }
                let kernels = self.form.transform_back(&parts);
                for (l, dw) in dw.chunks_exact_mut(9).enumerate() {
                    for (d, kernel) in dw.iter_mut().zip(&kernels) {
                        *d = kernel[l];
                    }
                }
            }
        });
        dw
    }

    /// The gradients of the weights' components that the images of one group give: `[component][co][ci]`.
    fn group_gradient(
        &self,
        x: &[f32],
        dy: &[f32],
        prologue: &dyn Prologue,
        images: std::ops::Range<usize>,
    ) -> Vec<f32> {
        let grid = self.grid();
        let (image_in, image_out) =
            (self.ci * grid.source_pixels(), self.co * grid.output_pixels());
        let components = self.form.components();
        let mut sums = vec![0.0; components * self.co * self.ci];
        if self.across() {
            across::gradient(self, x, dy, prologue, images, &mut sums);
            return sums;
        }
        let per = GRADIENT_TILES.div_ceil(grid.tiles().max(1)).clamp(1, images.len().max(1));
        let mut buffers = (Vec::new(), Vec::new());
        for first in images.clone().step_by(per) {
            let count = per.min(images.end - first);
            let transform = Transform {
                grid: &grid,
                panels: &grid.panels(count),
                channels: (self.co, self.ci),
                prologue,
                first,
                x: &x[first * image_in..][..count * image_in],
                dy: &dy[first * image_out..][..count * image_out],
                tiles: count * grid.tiles(),
                v: &mut buffers.0,
                d: &mut buffers.1,
            };
            let tiles = transform.tiles;
            let (v_plane, d_plane) = (transform.plane(self.ci), transform.plane(self.co));
            Arch::new().dispatch(transform);
            self.products(&mut sums, (&buffers.0, v_plane), (&buffers.1, d_plane), tiles);
        }
        sums
    }
}

impl Winograd {
    /// Adds the products of gradients `d [component][co][tiles]` and sources `v [component][ci][tiles]`.
    fn products(
        &self,
        sums: &mut [f32],
        (v, v_plane): (&[f32], usize),
        (d, d_plane): (&[f32], usize),
        tiles: usize,
    ) {
        for (p, sums) in sums.chunks_exact_mut((self.co * self.ci).max(1)).enumerate() {
            let d = if self.form == Form::Pool { d } else { &d[p * d_plane..] };
            let (rows, columns) = (Mat::new(self.co, tiles), Mat::new(self.ci, tiles).t());
            gemm(sums, Mat::new(self.co, self.ci), d, rows, &v[p * v_plane..], columns, true);
        }
    }
}

/// No prologue.
pub(super) struct Plain;

impl Prologue for Plain {
    fn pixel(&self, _image: usize, _channel: usize) -> Pixel {
        Pixel::PLAIN
    }
}

/// Memory that one thread reuses from group to group.
#[derive(Default)]
struct Scratch {
    window: Window,
    v: Vec<f32>,
    m: Vec<f32>,
}

/// The convolution of one group of images.
struct Convolve<'a> {
    grid: &'a Grid,
    panels: &'a [Panel],
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
    fn with_simd<S: Simd>(mut self, simd: S) {
        for panel in self.panels {
            if S::REGISTER_COUNT >= 32 {
                self.panel::<S, 8>(simd, panel);
            } else {
                self.panel::<S, 4>(simd, panel);
            }
        }
    }
}

impl Convolve<'_> {
    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize>(&mut self, simd: S, panel: &Panel) {
        let (co, ci) = self.channels;
        let (components, pixels) = (self.grid.form.components(), self.grid.source_pixels());
        let plane = ci * PANEL + SLACK;
        let Scratch { window, v, m } = &mut *self.scratch;
        v.resize(components * plane, 0.0);
        m.resize(components * ROWS * PANEL + SLACK, 0.0);
        for c in 0..ci {
            for run in &panel.runs {
                if c + AHEAD < ci {
                    let next = &self.x[(run.image * ci + c + AHEAD) * pixels..][..pixels];
                    prefetch(&next[self.grid.source_rows(run)]);
                }
                let x = &self.x[(run.image * ci + c) * pixels..][..pixels];
                let pixel = self.prologue.pixel(self.first + run.image, c);
                let place = Place { at: c * PANEL + run.lane, plane };
                window.source(simd, self.grid, run, (x, pixel), v, place);
            }
        }
        let pixels = self.grid.output_pixels();
        for (b, weights) in self.packed.blocks().enumerate() {
            for o in b * ROWS..((b + 1) * ROWS).min(co) {
                for run in &panel.runs {
                    let y = &self.y[(run.image * co + o) * pixels..][..pixels];
                    prefetch(&y[self.grid.output_rows(run)]);
                }
            }
            // Pooled outputs are one sum over all components.
            let planes = if self.grid.form == Form::Pool { components } else { 1 };
            for (p, weights) in weights.chunks_exact((planes * ci * ROWS).max(1)).enumerate() {
                let block = Block {
                    weights,
                    v: &v[p * plane..],
                    plane,
                    planes,
                    depth: ci,
                    lanes: panel.tiles,
                };
                block.run::<S, ROWS>(simd, &mut m[p * ROWS * PANEL..]);
            }
            for r in 0..ROWS.min(co - b * ROWS) {
                let o = b * ROWS + r;
                let after = (self.after.bias(o), self.after.activation);
                for run in &panel.runs {
                    let y = &mut self.y[(run.image * co + o) * pixels..][..pixels];
                    output(simd, self.grid, run, (&m[r * PANEL..], ROWS * PANEL), after, y);
                }
            }
        }
    }
}

/// Components of source and output gradient of some images, `[component][channel][tile]` each.
struct Transform<'a> {
    grid: &'a Grid,
    panels: &'a [Panel],
    channels: (usize, usize),
    prologue: &'a dyn Prologue,
    first: usize,
    x: &'a [f32],
    dy: &'a [f32],
    /// Tiles of all images.
    tiles: usize,
    v: &'a mut Vec<f32>,
    d: &'a mut Vec<f32>,
}

impl Transform<'_> {
    /// From one component to the next, for that many channels.
    fn plane(&self, channels: usize) -> usize {
        channels * self.tiles + SLACK
    }
}

impl WithSimd for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (co, ci) = self.channels;
        let components = self.grid.form.components();
        let (v_plane, d_plane) = (self.plane(ci), self.plane(co));
        self.v.resize(components * v_plane, 0.0);
        // Pooled outputs have one gradient for all components.
        let parts = if self.grid.form == Form::Pool { 1 } else { components };
        self.d.resize(parts * d_plane, 0.0);
        let mut window = Window::default();
        let pixels = self.grid.source_pixels();
        for c in 0..ci {
            for (start, run) in starts(self.panels) {
                let x = &self.x[(run.image * ci + c) * pixels..][..pixels];
                let pixel = self.prologue.pixel(self.first + run.image, c);
                let place = Place { at: c * self.tiles + start + run.lane, plane: v_plane };
                window.source(simd, self.grid, run, (x, pixel), self.v, place);
            }
        }
        let pixels = self.grid.output_pixels();
        for o in 0..co {
            for (start, run) in starts(self.panels) {
                let dy = &self.dy[(run.image * co + o) * pixels..][..pixels];
                let place = Place { at: o * self.tiles + start + run.lane, plane: d_plane };
                window.gradient(simd, self.grid, run, dy, self.d, place);
            }
        }
    }
}

/// All runs with the number of tiles before their panel.
fn starts(panels: &[Panel]) -> impl Iterator<Item = (usize, &tiles::Run)> {
    let mut before = 0;
    panels.iter().flat_map(move |panel| {
        let start = before;
        before += panel.tiles;
        panel.runs.iter().map(move |run| (start, run))
    })
}
