//! Convolution in f32 or f64 as matrix products over tiles of columns.
//!
//! Work is split over images (or small groups of them); sums over images are taken in groups whose number does
//! not depend on the threads, so every result has the same bits for any number of threads.

use rayon::prelude::*;

use super::After;
use super::columns::{Place, col2im, im2col};
use super::problem::{ConvGeometry, Problem};
use crate::Activation;
use crate::slices::{CHUNK, for_pieces, sum_by, zeros};
use crate::{Mat, Real, gemm};

/// Partial sums of a weight gradient: one per group of images.
const GROUPS: usize = 8;

/// Adds the bias of each channel to `cols` outputs that start at `at` in rows of `stride` elements.
fn add_bias<T: Real>(y: &mut [T], bias: Option<&[T]>, at: usize, cols: usize, stride: usize) {
    for (c, &b) in bias.unwrap_or(&[]).iter().enumerate() {
        for o in &mut y[c * stride + at..][..cols] {
            *o += b;
        }
    }
}

/// `y [n, co, ho, wo]` of `x [n, ci, h, w]`, `w [co, ci, kh, kw]`, `bias [co]`.
pub(super) fn forward<T: Real>(p: &Problem, x: &[T], w: &[T], after: After<'_, T>) -> Vec<T> {
    let mut y = linear(p, x, w, after.bias);
    if after.activation == Activation::Relu {
        for_pieces(
            &mut y,
            CHUNK,
            #[inline(always)]
            |_, y| y.iter_mut().for_each(|v| *v = after.apply(*v)),
        );
    }
    y
}

fn linear<T: Real>(p: &Problem, x: &[T], w: &[T], bias: Option<&[T]>) -> Vec<T> {
    let mut y = zeros(p.n * p.image_out());
    let per = if p.is_pointwise() { 1 } else { p.images_per_tile() };
    y.par_chunks_mut((per * p.image_out()).max(1)).enumerate().for_each_init(
        || (Vec::new(), Vec::new()),
        |(columns, out), (i, y)| {
            let x = &x[i * per * p.image_in()..];
            if y.len() == p.image_out() {
                forward_image(p, &x[..p.image_in()], w, bias, y, columns);
            } else {
                forward_images(p, x, w, bias, y, (columns, out));
            }
        },
    );
    y
}

/// One image, in tiles of rows; the GEMM writes where the output belongs.
fn forward_image<T: Real>(
    p: &Problem,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
    columns: &mut Vec<T>,
) {
    let (k, pixels) = (p.k(), p.pixels());
    if p.is_pointwise() {
        gemm(y, Mat::new(p.co, pixels), w, Mat::new(p.co, k), x, Mat::new(k, pixels), false);
        add_bias(y, bias, 0, pixels, pixels);
        return;
    }
    let step = p.rows_per_tile();
    for top in (0..p.ho).step_by(step) {
        let rows = top..(top + step).min(p.ho);
        let (at, cols) = (top * p.wo, rows.len() * p.wo);
        columns.resize(k * cols, T::zero());
        im2col(p, x, rows, columns, Place { stride: cols, at: 0 });
        let d = Mat::strided(p.co, cols, pixels);
        gemm(&mut y[at..], d, w, Mat::new(p.co, k), columns, Mat::new(k, cols), false);
        add_bias(y, bias, at, cols, pixels);
    }
}

/// Several small images in one GEMM, whose rows are then handed to the images.
fn forward_images<T: Real>(
    p: &Problem,
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    y: &mut [T],
    (columns, out): (&mut Vec<T>, &mut Vec<T>),
) {
    let (k, pixels) = (p.k(), p.pixels());
    let images = y.len() / p.image_out();
    let cols = images * pixels;
    columns.resize(k * cols, T::zero());
    out.resize(p.co * cols, T::zero());
    for (i, x) in x.chunks_exact(p.image_in()).take(images).enumerate() {
        im2col(p, x, 0..p.ho, columns, Place { stride: cols, at: i * pixels });
    }
    gemm(out, Mat::new(p.co, cols), w, Mat::new(p.co, k), columns, Mat::new(k, cols), false);
    for (i, y) in y.chunks_exact_mut(p.image_out()).enumerate() {
        for c in 0..p.co {
            let b = bias.map_or(T::zero(), |b| b[c]);
            let src = &out[c * cols + i * pixels..][..pixels];
            for (o, &s) in y[c * pixels..][..pixels].iter_mut().zip(src) {
                *o = s + b;
            }
        }
    }
}

/// `dx [n, ci, h, w]` of `dy [n, co, ho, wo]`.
pub(super) fn input_gradient<T: Real>(p: &Problem, dy: &[T], w: &[T]) -> Vec<T> {
    let g = p.geometry;
    if g.stride == 1 && g.pad_h < p.kh && g.pad_w < p.kw {
        return linear(&mirrored(p), dy, &mirror(p, w), None);
    }
    let mut dx = zeros(p.n * p.image_in());
    let (k, pixels, step) = (p.k(), p.pixels(), p.rows_per_tile());
    dx.par_chunks_mut(p.image_in().max(1)).enumerate().for_each_init(
        Vec::new,
        |columns, (i, dx)| {
            let dy = &dy[i * p.image_out()..][..p.image_out()];
            for top in (0..p.ho).step_by(step) {
                let rows = top..(top + step).min(p.ho);
                let cols = rows.len() * p.wo;
                columns.resize(k * cols, T::zero());
                let d = Mat::strided(p.co, cols, pixels);
                gemm(
                    columns,
                    Mat::new(k, cols),
                    w,
                    Mat::new(p.co, k).t(),
                    &dy[top * p.wo..],
                    d,
                    false,
                );
                col2im(p, columns, rows, dx, Place { stride: cols, at: 0 });
            }
        },
    );
    dx
}

/// The convolution of `dy` that gives `dx` at stride 1: channels swapped, padding to the full size.
fn mirrored(p: &Problem) -> Problem {
    let g = p.geometry;
    Problem {
        ci: p.co,
        h: p.ho,
        w: p.wo,
        co: p.ci,
        ho: p.h,
        wo: p.w,
        geometry: ConvGeometry { stride: 1, pad_h: p.kh - 1 - g.pad_h, pad_w: p.kw - 1 - g.pad_w },
        ..*p
    }
}

/// `w [co, ci, kh, kw]` as `[ci, co, kh, kw]`, turned by half a circle.
fn mirror<T: Real>(p: &Problem, w: &[T]) -> Vec<T> {
    let taps = p.kh * p.kw;
    let mut out = zeros(w.len());
    for o in 0..p.co {
        for i in 0..p.ci {
            let src = &w[(o * p.ci + i) * taps..][..taps];
            let dst = &mut out[(i * p.co + o) * taps..][..taps];
            for (d, &s) in dst.iter_mut().zip(src.iter().rev()) {
                *d = s;
            }
        }
    }
    out
}

/// `dw [co, ci, kh, kw]` of `x` and `dy`.
pub(super) fn weight_gradient<T: Real>(p: &Problem, x: &[T], dy: &[T]) -> Vec<T> {
    let per_group = p.n.div_ceil(GROUPS).max(1);
    let partial: Vec<Vec<T>> = (0..p.n.div_ceil(per_group))
        .into_par_iter()
        .map(|g| {
            let images = g * per_group..((g + 1) * per_group).min(p.n);
            weight_gradient_of(p, x, dy, images)
        })
        .collect();
    let mut dw = zeros(p.co * p.k());
    for part in &partial {
        for (d, &s) in dw.iter_mut().zip(part) {
            *d += s;
        }
    }
    dw
}

/// The part of the weight gradient that the images of one group give.
fn weight_gradient_of<T: Real>(
    p: &Problem,
    x: &[T],
    dy: &[T],
    images: std::ops::Range<usize>,
) -> Vec<T> {
    let (k, pixels) = (p.k(), p.pixels());
    let mut dw = zeros(p.co * k);
    let (mut columns, mut gathered) = (Vec::new(), Vec::new());
    let d = Mat::new(p.co, k);
    let per = p.images_per_tile();
    let (start, end) = (images.start, images.end);
    for first in images.step_by(per) {
        let count = per.min(end - first);
        let x_of = |i: usize| &x[(first + i) * p.image_in()..][..p.image_in()];
        let dy_of = |i: usize| &dy[(first + i) * p.image_out()..][..p.image_out()];
        if count == 1 {
            let step = p.rows_per_tile();
            for top in (0..p.ho).step_by(step) {
                let rows = top..(top + step).min(p.ho);
                let cols = rows.len() * p.wo;
                let grad = Mat::strided(p.co, cols, pixels);
                let add = first + top > start;
                if p.is_pointwise() {
                    let m = Mat::strided(k, cols, pixels).t();
                    gemm(&mut dw, d, &dy_of(0)[top * p.wo..], grad, &x_of(0)[top * p.wo..], m, add);
                } else {
                    columns.resize(k * cols, T::zero());
                    im2col(p, x_of(0), rows, &mut columns, Place { stride: cols, at: 0 });
                    let m = Mat::new(k, cols).t();
                    gemm(&mut dw, d, &dy_of(0)[top * p.wo..], grad, &columns, m, add);
                }
            }
        } else {
            let cols = count * pixels;
            columns.resize(k * cols, T::zero());
            gathered.resize(p.co * cols, T::zero());
            for i in 0..count {
                im2col(p, x_of(i), 0..p.ho, &mut columns, Place { stride: cols, at: i * pixels });
                for (c, plane) in dy_of(i).chunks_exact(pixels).enumerate() {
                    gathered[c * cols + i * pixels..][..pixels].copy_from_slice(plane);
                }
            }
            let (grad, m) = (Mat::new(p.co, cols), Mat::new(k, cols).t());
            gemm(&mut dw, d, &gathered, grad, &columns, m, first > start);
        }
    }
    dw
}

/// The gradient of a bias: the sum over images and pixels of each channel of `dy [n, channels, pixels]`.
pub fn bias_gradient<T: Real>(dy: &[T], n: usize, channels: usize, pixels: usize) -> Vec<T> {
    (0..channels)
        .into_par_iter()
        .map(|c| {
            let plane = |i: usize| &dy[(i * channels + c) * pixels..][..pixels];
            T::narrow((0..n).map(|i| sum_by(plane(i), |v| v)).sum())
        })
        .collect()
}
