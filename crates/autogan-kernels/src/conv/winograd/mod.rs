//! [`Winograd`] is a 3x3 convolution in f32 by F(2x2, 3x3): alone, after nearest upsampling, or before 2x2 averaging.
//!
//! Tiles are dealt into panels of `tiles::PANEL`. A panel's components are made for all input channels, multiplied
//! with the weights of a block of output channels at a time, and turned into pixels while the products lie in the
//! nearest cache. Work is split over groups of images; their number does not depend on the threads.

mod across;
mod algebra;
mod form;
mod gradient;
mod kernel;
mod lanes;
mod tiles;
mod transform;
#[cfg(test)]
mod units;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

pub use form::Form;
use form::{LANES, PackedWeights};
use kernel::Block;
use tiles::{Grid, PANEL, Panel};
pub use transform::Pixel;
use transform::{Place, SLACK, Window, output};

use super::simd::block_rows;
use super::{After, ConvGeometry, Problem, flat};
use crate::Activation;
use crate::memory::{Unwritten, filled_by, unwritten};
use crate::slices::prefetch;
use crate::units::arch;

/// Channels between the one that is read and the one that is asked for.
const AHEAD: usize = 4;

/// Input channels that are too few to fill the vectors of the weight gradient; flat loops do better then.
const FEW: usize = 4;

/// One 3x3 convolution of `n` images.
#[derive(Clone, Copy, Debug)]
pub struct Winograd {
    form: Form,
    /// Images.
    pub n: usize,
    /// Input channels.
    pub ci: usize,
    /// Output channels.
    pub co: usize,
    /// Source images, `h x w`.
    source: (usize, usize),
    /// The vector unit; rounding is all that it changes.
    unit: Arch,
}

/// The functions of source pixels that precede the convolution: one for each channel, or for each plane.
#[derive(Clone, Copy, Debug)]
pub struct Prologue<'a> {
    /// Functions by channel, or by image and channel; none leaves all pixels as they are.
    pixels: &'a [Pixel],
    /// Number of functions from an image's first one to the next image's first one.
    stride: usize,
}

impl<'a> Prologue<'a> {
    /// Leaves pixels as they are.
    pub const PLAIN: Self = Self { pixels: &[], stride: 0 };

    /// Functions `[channels]`, or `[images, channels]`.
    pub fn new(pixels: &'a [Pixel], channels: usize) -> Self {
        Self { pixels, stride: if pixels.len() > channels { channels } else { 0 } }
    }

    /// The function for the pixels of one plane.
    fn pixel(&self, image: usize, channel: usize) -> Pixel {
        self.pixels.get(image * self.stride + channel).copied().unwrap_or(Pixel::PLAIN)
    }
}

impl Winograd {
    /// The convolution from `ci` to `co` channels, on the widest vector unit of this processor.
    pub fn new(form: Form, n: usize, (co, ci): (usize, usize), source: (usize, usize)) -> Self {
        Self { form, n, ci, co, source, unit: arch() }
    }

    /// Sides of the output images.
    pub fn output(&self) -> (usize, usize) {
        self.grid().output
    }

    /// Whether images are small and many enough to be the lanes of vectors.
    fn across(&self) -> bool {
        self.n >= LANES && self.grid().cols <= LANES / 2
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
        prologue: Prologue<'_>,
    ) -> Vec<f32> {
        let packed =
            PackedWeights::forward(self.form, w, (self.co, self.ci), block_rows(self.unit));
        self.convolve(x, &packed, after, prologue)
    }

    /// `dx [n, ci, h, w]` of `dy [n, co, ·, ·]`.
    pub fn input_gradient(&self, dy: &[f32], w: &[f32]) -> Vec<f32> {
        let (form, scale) = self.form.adjoint();
        let source = self.grid().output;
        let adjoint = Self { form, ci: self.co, co: self.ci, source, ..*self };
        let packed =
            PackedWeights::adjoint(form, w, (self.co, self.ci), block_rows(self.unit), scale);
        let after = After { bias: None, activation: Activation::Linear };
        adjoint.convolve(dy, &packed, after, Prologue::PLAIN)
    }

    fn convolve(
        &self,
        x: &[f32],
        packed: &PackedWeights,
        after: After<'_, f32>,
        prologue: Prologue<'_>,
    ) -> Vec<f32> {
        let grid = self.grid();
        let (image_in, image_out) =
            (self.ci * grid.source_pixels(), self.co * grid.output_pixels());
        let across = self.across();
        let per = if across { LANES } else { grid.images_per_group() };
        let panels = grid.panels(if across { 0 } else { per });
        let fill = |y: &mut Unwritten<f32>| {
            let groups = y.par_chunks_mut((per * image_out).max(1)).enumerate();
            groups.for_each_init(Scratch::default, |scratch, (g, y)| {
                let images = y.len() / image_out;
                let x = &x[g * per * image_in..][..images * image_in];
                let (grid, channels, first) = (&grid, (self.co, self.ci), g * per);
                let group = Group { grid, channels, packed, after, prologue, first, x, y };
                if across {
                    return self.unit.dispatch(across::Convolve(group, &mut scratch.across));
                }
                let short = (images < per).then(|| grid.panels(images));
                let panels = short.as_ref().unwrap_or(&panels);
                self.unit.dispatch(Convolve { group, panels, scratch });
            });
        };
        // SAFETY: both ways write all pixels of a group for every output channel. `Convolve` writes the tiles of every
        // run of every panel: those are all tiles, and they cover their image. `across` copies all pixels of an image.
        unsafe { filled_by(self.n * image_out, fill) }
    }

    /// `dw [co, ci, 3, 3]` of `x` and `dy`.
    pub fn weight_gradient(&self, x: &[f32], dy: &[f32], prologue: Prologue<'_>) -> Vec<f32> {
        let ((h, w), Self { n, ci, co, .. }) = (self.source, *self);
        if ci > FEW || self.form != Form::Same || !prologue.pixels.is_empty() {
            return gradient::weight_gradient(self, x, dy, prologue);
        }
        let geometry = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
        let plain = Problem { n, ci, h, w, co, kh: 3, kw: 3, ho: h, wo: w, geometry };
        flat::weight_gradient(&plain, x, dy)
    }
}

/// Buffers that one thread uses again and again.
#[derive(Default)]
struct Scratch {
    window: Window,
    v: Vec<f32>,
    m: Vec<f32>,
    across: across::Scratch,
}

/// Some images of a convolution.
struct Group<'a> {
    grid: &'a Grid,
    /// Output and input channels.
    channels: (usize, usize),
    packed: &'a PackedWeights,
    after: After<'a, f32>,
    prologue: Prologue<'a>,
    /// Number of the first image.
    first: usize,
    x: &'a [f32],
    /// Its pixels are all written.
    y: &'a mut Unwritten<f32>,
}

/// The convolution of one group, panel by panel.
struct Convolve<'a> {
    group: Group<'a>,
    panels: &'a [Panel],
    scratch: &'a mut Scratch,
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { mut group, panels, scratch } = self;
        for panel in panels {
            if S::REGISTER_COUNT >= 32 {
                group.panel::<S, 8>(simd, panel, scratch);
            } else {
                group.panel::<S, 4>(simd, panel, scratch);
            }
        }
    }
}

impl Group<'_> {
    #[inline(always)]
    fn panel<S: Simd, const ROWS: usize>(&mut self, simd: S, panel: &Panel, scratch: &mut Scratch) {
        let (co, ci) = self.channels;
        let (components, pixels) = (self.grid.form.components(), self.grid.source_pixels());
        let plane = ci * PANEL + SLACK;
        let Scratch { window, v, m, .. } = scratch;
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
                    v: unwritten(&v[p * plane..]),
                    plane,
                    planes,
                    depth: ci,
                    lanes: panel.tiles,
                };
                // SAFETY: all of `v` is numbers.
                unsafe { block.run::<S, ROWS>(simd, &mut m[p * ROWS * PANEL..]) };
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
