//! This module computes convolutions in f64, in which gradients are checked: matrix products with columns (im2col), for
//! tiles of rows of an image.
//!
//! A column matrix has a row for each tap (c, u, v) of a kernel and a column for each output pixel: the input pixel
//! that the tap reads there. Work is split over images; sums over images are taken in groups whose number does not
//! depend on the threads.

use std::ops::Range;

use rayon::prelude::*;

use super::{After, Kernels, Problem};
use crate::slices::sum_of_groups;
use crate::{Mat, Precision, gemm};

/// Partial sums of a weight gradient: one per group of images.
const GROUPS: usize = 8;

/// Columns that one product aims for: wide enough to run at full speed, small enough to stay in the cache.
const COLUMNS: usize = 512;

/// The rows of an output, in tiles.
fn tiles(p: &Problem) -> impl Iterator<Item = Range<usize>> + use<> {
    let (ho, step) = (p.ho, (COLUMNS / p.wo.max(1)).max(1));
    (0..ho).step_by(step).map(move |top| top..(top + step).min(ho))
}

/// Calls `f(element of the column matrix, pixel of the image)` for every tap of output rows `rows` that reads inside of
/// the image.
fn taps(p: &Problem, rows: &Range<usize>, mut f: impl FnMut(usize, usize)) {
    let (g, columns) = (p.geometry, rows.len() * p.wo);
    for row in 0..p.k() {
        let (c, u, v) = (row / (p.kh * p.kw), row / p.kw % p.kh, row % p.kw);
        for i in 0..rows.len() {
            let y = ((rows.start + i) * g.stride + u).wrapping_sub(g.pad_h);
            if y >= p.h {
                continue;
            }
            for j in 0..p.wo {
                let x = (j * g.stride + v).wrapping_sub(g.pad_w);
                if x < p.w {
                    f(row * columns + i * p.wo + j, (c * p.h + y) * p.w + x);
                }
            }
        }
    }
}

/// The column matrix of output rows `rows` of an image, in `to`.
fn im2col(p: &Problem, image: &[f64], rows: &Range<usize>, to: &mut Vec<f64>) -> Mat {
    let columns = rows.len() * p.wo;
    to.clear();
    to.resize(p.k() * columns, 0.0);
    taps(p, rows, |at, pixel| to[at] = image[pixel]);
    Mat::new(p.k(), columns)
}

impl Kernels for f64 {
    fn forward(
        p: &Problem,
        _: Precision,
        (x, w): (&[f64], &[f64]),
        after: After<'_, f64>,
    ) -> Vec<f64> {
        let mut y = vec![0.0; p.n * p.image_out()];
        let images = y.par_chunks_mut(p.image_out().max(1)).enumerate();
        images.for_each_init(Vec::new, |columns, (i, y)| {
            for rows in tiles(p) {
                let m = im2col(p, &x[i * p.image_in()..], &rows, columns);
                let d = Mat::strided(p.co, m.cols, p.pixels());
                gemm(&mut y[rows.start * p.wo..], d, w, Mat::new(p.co, p.k()), columns, m, false);
            }
            for (o, plane) in y.chunks_exact_mut(p.pixels()).enumerate() {
                let bias = after.bias(o);
                plane.iter_mut().for_each(|v| *v = after.activation.apply(*v + bias));
            }
        });
        y
    }

    fn input_gradient(p: &Problem, _: Precision, (dy, w): (&[f64], &[f64])) -> Vec<f64> {
        let mut dx = vec![0.0; p.n * p.image_in()];
        let images = dx.par_chunks_mut(p.image_in().max(1)).enumerate();
        images.for_each_init(Vec::new, |columns, (i, dx)| {
            for rows in tiles(p) {
                let m = Mat::new(p.k(), rows.len() * p.wo);
                columns.resize(m.rows * m.cols, 0.0);
                let dy = &dy[i * p.image_out() + rows.start * p.wo..];
                let (weights, d) = (Mat::new(p.co, p.k()), Mat::strided(p.co, m.cols, p.pixels()));
                gemm(columns, m, w, weights.t(), dy, d, false);
                taps(p, &rows, |at, pixel| dx[pixel] += columns[at]);
            }
        });
        dx
    }

    fn weight_gradient(p: &Problem, _: Precision, (x, dy): (&[f64], &[f64])) -> Vec<f64> {
        sum_of_groups((p.n, GROUPS), p.co * p.k(), |images| {
            let (mut dw, mut columns) = (vec![0.0; p.co * p.k()], Vec::new());
            for (i, rows) in images.flat_map(|i| tiles(p).map(move |rows| (i, rows))) {
                let m = im2col(p, &x[i * p.image_in()..], &rows, &mut columns);
                let dy = &dy[i * p.image_out() + rows.start * p.wo..];
                let d = Mat::strided(p.co, m.cols, p.pixels());
                gemm(&mut dw, Mat::new(p.co, p.k()), dy, d, &columns, m.t(), true);
            }
            dw
        })
    }
}
