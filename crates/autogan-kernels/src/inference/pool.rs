//! This module pools images with the channels last.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Buffer, Images, ImagesMut, Shape, finish, load_part, store_part};
use crate::Activation;
use crate::conv::After;
use crate::error::{Result, bail};
use crate::units::arch;

/// Side of the kernels.
const KERNEL: usize = 3;

/// The shape of the outputs of [`max_pool3`].
///
/// # Errors
/// When the kernel does not fit into the padded image.
pub fn max_pool3_output(from: Shape, stride: usize, pad: usize) -> Result<Shape> {
    let side = |len: usize| {
        let inner = (len + 2 * pad).checked_sub(KERNEL)?;
        Some(inner.checked_div(stride)? + 1)
    };
    match (side(from.h), side(from.w), pad < KERNEL) {
        (Some(h), Some(w), true) => Ok(Shape { n: from.n, h, w }),
        _ => bail!("max_pool3: no 3x3 pool with stride {stride} and padding {pad} on {from:?}"),
    }
}

/// Takes the 3x3 maximum: `[n, h, w]` → `[n, (h + 2·pad − 3) / stride + 1, …]`; padding never wins, NaN does.
///
/// # Errors
/// As [`max_pool3_output`], or when `y` has other channels or another shape.
pub fn max_pool3(x: Images<'_>, y: ImagesMut<'_>, stride: usize, pad: usize) -> Result<()> {
    let shape = max_pool3_output(x.shape, stride, pad)?;
    run(x, y, shape, &Rule { stride, pad, average: None })
}

/// `relu(mean + bias)` of the pixels that exist in each 3x3 neighbourhood, at stride 1; the shape stays.
///
/// Averages commute with 1x1 convolutions, so this can follow one whose outputs are fewer than its inputs.
///
/// # Errors
/// When `y` or the bias has other channels, or `y` another shape.
pub fn average_pool3(x: Images<'_>, bias: &[f32], y: ImagesMut<'_>) -> Result<()> {
    if bias.len() != x.channels {
        bail!("average_pool3: {} channels, but {} biases", x.channels, bias.len());
    }
    let mut padded = Buffer::zeros(bias.len().next_multiple_of(16));
    padded[..bias.len()].copy_from_slice(bias);
    let after = After { bias: Some(&padded), activation: Activation::Relu };
    run(x, y, x.shape, &Rule { stride: 1, pad: 1, average: Some(after) })
}

/// Means over the pixels of each image: `[n, channels]`.
#[must_use]
pub fn average_pixels(x: Images<'_>) -> Vec<f32> {
    let pixels = x.shape.h * x.shape.w;
    let mut out = vec![0.0; x.shape.n * x.channels];
    out.par_chunks_mut(x.channels).enumerate().for_each(|(image, out)| {
        for p in image * pixels..(image + 1) * pixels {
            let pixel = &x.data[p * x.pitch..][..x.channels];
            for (sum, v) in out.iter_mut().zip(pixel) {
                *sum += v;
            }
        }
        out.iter_mut().for_each(|v| *v /= pixels as f32);
    });
    out
}

struct Rule<'a> {
    stride: usize,
    pad: usize,
    /// What is done to the averages; none takes maxima in their place.
    average: Option<After<'a, f32>>,
}

fn run(x: Images<'_>, y: ImagesMut<'_>, shape: Shape, rule: &Rule<'_>) -> Result<()> {
    if y.shape != shape || y.channels != x.channels {
        bail!(
            "3x3 pool: expected {} channels and {shape:?}, found {} and {:?}",
            x.channels,
            y.channels,
            y.shape
        );
    }
    let pitch = y.pitch;
    let lines = y.split((0..shape.n * shape.h).map(|_| shape.w));
    let unit = arch();
    lines.into_par_iter().enumerate().for_each(|(line, y)| {
        let (image, row) = (line / shape.h, line % shape.h);
        unit.dispatch(Line { x, y, pitch, width: shape.w, image, row, rule });
    });
    Ok(())
}

/// One line of outputs.
struct Line<'a> {
    x: Images<'a>,
    y: &'a mut [f32],
    pitch: usize,
    width: usize,
    image: usize,
    row: usize,
    rule: &'a Rule<'a>,
}

impl WithSimd for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, y, pitch, width, image, row, rule } = self;
        let Shape { h, w, .. } = x.shape;
        // Input pixels under an output, without padding; never empty for padding below the kernel.
        let window = |at: usize, len: usize| {
            let start = at * rule.stride;
            start.saturating_sub(rule.pad)..(start + KERNEL - rule.pad).min(len)
        };
        let rows = window(row, h);
        for col in 0..width {
            let cols = window(col, w);
            let scale = simd.splat_f32s(1.0 / (rows.len() * cols.len()) as f32);
            for c in (0..x.channels).step_by(S::F32_LANES) {
                let left = x.channels - c;
                let mut value = match rule.average {
                    Some(_) => simd.splat_f32s(0.0),
                    None => simd.splat_f32s(f32::NEG_INFINITY),
                };
                for r in rows.clone() {
                    for k in cols.clone() {
                        let at = ((image * h + r) * w + k) * x.pitch + c;
                        let v = load_part(simd, x.data, at, left);
                        value = match rule.average {
                            Some(_) => simd.add_f32s(value, v),
                            None => {
                                // NaN is neither less nor equal: it replaces the value, and stays.
                                let keeps = simd.less_than_or_equal_f32s(v, value);
                                let number = simd.equal_f32s(value, value);
                                let next = simd.select_f32s(keeps, value, v);
                                simd.select_f32s(number, next, value)
                            }
                        };
                    }
                }
                if let Some(after) = rule.average {
                    value = finish(simd, after, c, simd.mul_f32s(value, scale));
                }
                store_part(simd, y, col * pitch + c, left, value);
            }
        }
    }
}
