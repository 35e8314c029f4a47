//! A [`Convolution`] has fixed weights, which are packed when it is made.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fast::Fast;
use super::product::{Panels, Product};
use super::{Buffer, Images, ImagesMut, Shape, finish, share, store_part};
use crate::conv::After;
use crate::error::{Result, bail};
use crate::units::arch;
use crate::{Activation, ConvGeometry};

/// Output pixels that one task computes at most.
const PIXELS: usize = 96;

/// A convolution with its weights and bias: by Winograd's algorithm where that saves products, as its definition
/// elsewhere.
pub struct Convolution {
    co: usize,
    ci: usize,
    kernel: (usize, usize),
    geometry: ConvGeometry,
    /// The bias, padded with zeros to whole vectors.
    bias: Buffer,
    method: Method,
    unit: Arch,
}

enum Method {
    Direct(Panels),
    Fast(Box<Fast>),
}

impl Convolution {
    /// A convolution with weights `[co, ci, kh, kw]` and a bias `[co]`.
    ///
    /// # Errors
    /// When a size is zero, or weights or bias have another number of elements.
    pub fn new(
        weights: &[f32],
        bias: &[f32],
        (co, ci, kh, kw): (usize, usize, usize, usize),
        geometry: ConvGeometry,
    ) -> Result<Self> {
        Self::on(arch(), weights, bias, (co, ci, kh, kw), geometry, true)
    }

    /// A convolution on a given vector unit, and without Winograd's algorithm unless `fast`.
    pub(super) fn on(
        unit: Arch,
        weights: &[f32],
        bias: &[f32],
        (co, ci, kh, kw): (usize, usize, usize, usize),
        geometry: ConvGeometry,
        fast: bool,
    ) -> Result<Self> {
        if co * ci * kh * kw == 0 || geometry.stride == 0 {
            bail!("convolution: expected sizes above 0, found {co} x {ci} x {kh} x {kw}");
        }
        if weights.len() != co * ci * kh * kw || bias.len() != co {
            bail!(
                "convolution: expected {} weights and {co} biases, found {} and {}",
                co * ci * kh * kw,
                weights.len(),
                bias.len()
            );
        }
        let fast = if fast { Fast::new(unit, weights, (co, ci, kh, kw), geometry) } else { None };
        let method = match fast {
            Some(fast) => Method::Fast(Box::new(fast)),
            None => Method::Direct(Panels::new(unit, co, ci * kh * kw, |o, k| {
                let (tap, c) = (k / ci, k % ci);
                weights[(o * ci + c) * kh * kw + tap]
            })),
        };
        // No vector is wider than sixteen elements.
        let mut padded = Buffer::zeros(co.next_multiple_of(16));
        padded[..co].copy_from_slice(bias);
        Ok(Self { co, ci, kernel: (kh, kw), geometry, bias: padded, method, unit })
    }

    /// The number of output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.co
    }

    /// Whether each output reads one pixel, its own.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.geometry == ConvGeometry { stride: 1, pad_h: 0, pad_w: 0 }
    }

    /// The bias `[co]`.
    #[must_use]
    pub fn bias(&self) -> &[f32] {
        &self.bias[..self.co]
    }

    /// Shape of the outputs for inputs of that shape.
    ///
    /// # Errors
    /// When the kernel is larger than the padded image.
    pub fn output(&self, from: Shape) -> Result<Shape> {
        let g = self.geometry;
        let (h, w) = (from.h + 2 * g.pad_h, from.w + 2 * g.pad_w);
        let (kh, kw) = self.kernel;
        if h < kh || w < kw {
            bail!("convolution: a {kh}x{kw} kernel does not fit into a padded image of {h}x{w}");
        }
        Ok(Shape { n: from.n, h: (h - kh) / g.stride + 1, w: (w - kw) / g.stride + 1 })
    }

    /// `y = relu(x * weights + bias)`.
    ///
    /// # Errors
    /// When channels or shapes do not fit each other.
    pub fn relu(&self, x: Images<'_>, y: ImagesMut<'_>) -> Result<()> {
        self.run(x, y, After { bias: Some(&self.bias), activation: Activation::Relu })
    }

    /// `y = x * weights`, without bias.
    ///
    /// # Errors
    /// As [`Convolution::relu`].
    pub fn linear(&self, x: Images<'_>, y: ImagesMut<'_>) -> Result<()> {
        self.run(x, y, After { bias: None, activation: Activation::Linear })
    }

    fn run(&self, x: Images<'_>, y: ImagesMut<'_>, after: After<'_, f32>) -> Result<()> {
        let output = self.output(x.shape)?;
        if (x.channels, y.channels) != (self.ci, self.co) || y.shape != output {
            bail!(
                "convolution: expected {} to {} channels and {output:?}, found {} to {} and {:?}",
                self.ci,
                self.co,
                x.channels,
                y.channels,
                y.shape
            );
        }
        match &self.method {
            Method::Fast(fast) => fast.run(x, y, after),
            Method::Direct(panels) => {
                let (ph, pw) = (self.geometry.pad_h, self.geometry.pad_w);
                if ph + pw == 0 {
                    self.direct(panels, x, y, after);
                } else {
                    let (padded, shape) = pad(x, (ph, pw));
                    let x = Images::new(&padded, shape, self.ci, (0, self.ci))?;
                    self.direct(panels, x, y, after);
                }
            }
        }
        Ok(())
    }

    /// Computes the convolution by its definition, without padding.
    fn direct(&self, panels: &Panels, x: Images<'_>, y: ImagesMut<'_>, after: After<'_, f32>) {
        let (kh, kw) = self.kernel;
        // Channels that lie side by side are one run.
        let (columns, len) = if x.pitch == self.ci { (1, kw * self.ci) } else { (kw, self.ci) };
        let runs: Vec<usize> = (0..kh)
            .flat_map(|u| (0..columns).map(move |v| (u * x.shape.w + v) * x.pitch))
            .collect();
        let (shape, pitch) = (y.shape, y.pitch);
        let (all, per) = (shape.pixels(), share(shape.pixels(), PIXELS).next_multiple_of(4));
        let counts = (0..all).step_by(per).map(|at| per.min(all - at));
        y.split(counts).into_par_iter().enumerate().for_each(|(i, y)| {
            let pixels = i * per..((i + 1) * per).min(all);
            let stride = self.geometry.stride;
            let bases: Vec<usize> = pixels
                .map(|p| {
                    let (image, row, col) =
                        (p / (shape.h * shape.w), p / shape.w % shape.h, p % shape.w);
                    ((image * x.shape.h + row * stride) * x.shape.w + col * stride) * x.pitch
                })
                .collect();
            let (bases, runs) = (&bases, &runs);
            self.unit.dispatch(Direct { panels, x: x.data, bases, runs, len, y, pitch, after });
        });
    }
}

/// Some output pixels of a convolution, with all channels.
struct Direct<'a> {
    panels: &'a Panels,
    x: &'a [f32],
    bases: &'a [usize],
    runs: &'a [usize],
    len: usize,
    y: &'a mut [f32],
    pitch: usize,
    after: After<'a, f32>,
}

impl WithSimd for Direct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panels, x, bases, runs, len, y, pitch, after } = self;
        for panel in 0..panels.len() {
            let outputs = panels.outputs(panel);
            let product = Product {
                x,
                bases,
                runs,
                len,
                weights: panels.weights(panel),
                vectors: panels.width(panel) / S::F32_LANES,
            };
            product.run(
                simd,
                #[inline(always)]
                |row, v, sum| {
                    let o = outputs.start + v * S::F32_LANES;
                    let value = finish(simd, after, o, sum);
                    store_part(simd, y, row * pitch + o, outputs.end - o, value);
                },
            );
        }
    }
}

/// Copies images, with zeros around each and channels side by side.
fn pad(x: Images<'_>, (ph, pw): (usize, usize)) -> (Buffer, Shape) {
    let Shape { n, h, w } = x.shape;
    let shape = Shape { n, h: h + 2 * ph, w: w + 2 * pw };
    let mut out = Buffer::zeros(shape.pixels() * x.channels);
    for line in 0..n * h {
        for col in 0..w {
            let to = ((line / h * shape.h + line % h + ph) * shape.w + col + pw) * x.channels;
            let from = &x.data[(line * w + col) * x.pitch..][..x.channels];
            out[to..][..x.channels].copy_from_slice(from);
        }
    }
    (out, shape)
}
