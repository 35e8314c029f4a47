//! These functions multiply matrices in `f64` with faer.
//!
//! Work is split into column blocks of a fixed width, so that the bits do not depend on the number
//! of threads.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Columns of the result that one task computes.
const BLOCK: usize = 256;

/// `lhs · rhs`.
pub(crate) fn product(lhs: MatRef<'_, f64>, rhs: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(lhs.nrows(), rhs.ncols());
    column_blocks(out.as_mut()).into_par_iter().for_each(|(start, block)| {
        let cols = rhs.subcols(start, block.ncols());
        matmul(block, Accum::Replace, lhs, cols, 1.0, Par::Seq);
    });
    out
}

/// The lower triangle of `Lᵀ · S · L`, with `L` lower triangular and `S` symmetric: a quarter of the work of two
/// products, as a block of columns needs only what lies below its first row.
pub(crate) fn congruence(lower: MatRef<'_, f64>, symmetric: MatRef<'_, f64>) -> Mat<f64> {
    let n = lower.nrows();
    let mut out = Mat::zeros(n, n);
    column_blocks(out.as_mut()).into_par_iter().for_each(|(start, block)| {
        let (rest, cols) = (n - start, block.ncols());
        let columns = lower.submatrix(start, start, rest, cols);
        let mut half = Mat::zeros(rest, cols);
        let corner = symmetric.submatrix(start, start, rest, rest);
        matmul(half.as_mut(), Accum::Replace, corner, columns, 1.0, Par::Seq);
        triangular::matmul(
            block.subrows_mut(start, rest),
            BlockStructure::Rectangular,
            Accum::Replace,
            lower.submatrix(start, start, rest, rest).transpose(),
            BlockStructure::TriangularUpper,
            half.as_ref(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn congruence_is_two_products() {
        for n in [1, 7, BLOCK, 2 * BLOCK + 45] {
            let value = |i: usize, j: usize| ((i * 37 + j * 11) % 101) as f64 / 50.0 - 1.0;
            let lower = Mat::from_fn(n, n, |i, j| if i < j { 0.0 } else { value(i, j) });
            let symmetric = Mat::from_fn(n, n, |i, j| value(i, j) + value(j, i));
            let found = congruence(lower.as_ref(), symmetric.as_ref());
            let half = product(symmetric.as_ref(), lower.as_ref());
            let expected = product(lower.transpose(), half.as_ref());
            for j in 0..n {
                for i in j..n {
                    let (a, b) = (found[(i, j)], expected[(i, j)]);
                    assert!((a - b).abs() < 1e-10 * n as f64, "{n}: ({i}, {j}) {a} {b}");
                }
            }
        }
    }
}
