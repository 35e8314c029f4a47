//! Products of feature sets in `f64`, on faer.
//!
//! Work is split into column blocks of a fixed width, so that the bits do not depend on the number
//! of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::Matrix;

/// Columns of the result that one task computes.
const BLOCK: usize = 256;

/// The matrix in `f64`, transposed to `[cols, rows]` (which keeps the memory order).
pub(crate) fn transposed(m: &Matrix) -> Mat<f64> {
    Mat::from_fn(m.cols(), m.rows(), |i, j| f64::from(m.row(j)[i]))
}

/// `lhs · rhs`.
pub(crate) fn product(lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(lhs.nrows(), rhs.ncols());
    let blocks: Vec<(usize, MatMut<'_, f64>)> = column_blocks(out.as_mut());
    blocks.into_par_iter().for_each(|(start, block)| {
        let cols = rhs.subcols(start, block.ncols());
        matmul(block, Accum::Replace, lhs, cols, 1.0, Par::Seq);
    });
    out
}

/// Splits a matrix into blocks of [`BLOCK`] columns, each with its first column's index.
pub(crate) fn column_blocks(m: MatMut<'_, f64>) -> Vec<(usize, MatMut<'_, f64>)> {
    let mut blocks = Vec::new();
    let (mut rest, mut start) = (m, 0);
    while rest.ncols() > BLOCK {
        let (block, tail) = rest.split_at_col_mut(BLOCK);
        blocks.push((start, block));
        start += BLOCK;
        rest = tail;
    }
    blocks.push((start, rest));
    blocks
}

/// Gram matrix `A · Bᵀ` of `[N1, D]` and `[N2, D]`.
pub(crate) fn gram(a: &Matrix, b: &Matrix) -> Mat<f64> {
    product(transposed(a).transpose(), transposed(b).as_ref())
}

/// Squared Euclidean distances of each row of `a` (row after row) to all rows of `b`.
pub(crate) fn squared_distances(a: &Matrix, b: &Matrix) -> Vec<f64> {
    let dots = gram(b, a);
    let norms = |m: &Matrix| -> Vec<f64> {
        (0..m.rows()).map(|i| m.row(i).iter().map(|&v| f64::from(v) * f64::from(v)).sum()).collect()
    };
    let (na, nb) = (norms(a), norms(b));
    let mut out = Vec::with_capacity(a.rows() * b.rows());
    for (i, &ni) in na.iter().enumerate() {
        for (j, &nj) in nb.iter().enumerate() {
            let d = ni + nj - 2.0 * dots[(j, i)];
            // Below the rounding of the sum above: the same point.
            out.push(if d <= 1e-12 * (ni + nj) { 0.0 } else { d });
        }
    }
    out
}
