//! This module walks over all pairs of rows of two sets, tile by tile, so that no matrix of all pairs is ever held.
//!
//! A task takes a strip of the first set and multiplies it with one tile of the second set after the other, in `f64`; in
//! `f32` where `near.rs` looks for near rows.
//! Memory is a few tiles for each thread. Tiles have a fixed size and what strips return is kept in their order, so
//! that the bits do not depend on the number of threads.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::Matrix;

/// Rows of a tile.
pub(crate) const TILE: usize = 256;

/// A set with the squared norms of its rows.
pub(crate) struct Tiled<'a> {
    set: &'a Matrix,
    norms: Vec<f64>,
}

/// Which pairs of rows are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Each row of the first set with each row of the second.
    All,
    /// Both sets are the same one: tiles on and above the diagonal. A tile above it stands for its mirror image, too.
    Upper,
}

/// A set whose rows can be multiplied as numbers of type `T`.
pub(crate) trait Blocks<T>: Sync {
    fn rows(&self) -> usize;

    fn cols(&self) -> usize;

    /// The values of these rows, row after row.
    fn block(&self, rows: &Range<usize>) -> Vec<T>;
}

/// Inner products of the rows `rows` of the first set and the rows `cols` of the second.
pub(crate) struct Tile<'a> {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    /// All products with the first row of the second set, then those with the next one.
    dots: &'a [f64],
    row_norms: &'a [f64],
    col_norms: &'a [f64],
}

impl Tile<'_> {
    /// Inner product of the rows at these places of the tile.
    pub fn dot(&self, row: usize, col: usize) -> f64 {
        self.dots[col * self.rows.len() + row]
    }

    /// Squared Euclidean distance of the rows at these places of the tile.
    pub fn squared_distance(&self, row: usize, col: usize) -> f64 {
        let norms = self.row_norms[row] + self.col_norms[col];
        let distance = norms - 2.0 * self.dot(row, col);
        // Below the rounding of the sum above: the same point.
        if distance <= 1e-12 * norms { 0.0 } else { distance }
    }

    /// Whether the tile lies on the diagonal of a set with itself.
    pub fn on_diagonal(&self) -> bool {
        self.rows.start == self.cols.start
    }
}

impl<'a> Tiled<'a> {
    pub fn new(set: &'a Matrix) -> Self {
        let norm = |i: usize| set.row(i).iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        Self { set, norms: (0..set.rows()).into_par_iter().map(norm).collect() }
    }

    /// Squared norm of a row.
    pub fn norm(&self, row: usize) -> f64 {
        self.norms[row]
    }
}

impl Blocks<f64> for Tiled<'_> {
    fn rows(&self) -> usize {
        self.set.rows()
    }

    fn cols(&self) -> usize {
        self.set.cols()
    }

    fn block(&self, rows: &Range<usize>) -> Vec<f64> {
        rows.clone().flat_map(|row| self.set.row(row)).map(|&v| f64::from(v)).collect()
    }
}

/// Visits the tiles of `first` and `second`; each strip of `first` has a state, and the states are returned in order.
pub(crate) fn strips<S: Send>(
    first: &Tiled<'_>,
    second: &Tiled<'_>,
    pairs: Pairs,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Tile<'_>) + Sync,
) -> Vec<S> {
    walk(first, second, pairs, start, |state, rows, cols, dots| {
        let (row_norms, col_norms) = (&first.norms[rows.clone()], &second.norms[cols.clone()]);
        visit(state, &Tile { rows, cols, dots, row_norms, col_norms });
    })
}

/// As [`strips`], with numbers of type `T`. `visit` is given the products as [`Tile`] has them.
pub(super) fn walk<T: ComplexField, S: Send>(
    first: &impl Blocks<T>,
    second: &impl Blocks<T>,
    pairs: Pairs,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, Range<usize>, Range<usize>, &[T]) + Sync,
) -> Vec<S> {
    let range = |tile: usize, rows: usize| tile * TILE..((tile + 1) * TILE).min(rows);
    let strip = |i: usize| {
        let rows = range(i, first.rows());
        let mut state = start(rows.clone());
        let left = first.block(&rows);
        let left = MatRef::from_row_major_slice(&left, rows.len(), first.cols());
        let mut dots = vec![T::zero_impl(); TILE * TILE];
        let from = if pairs == Pairs::Upper { i } else { 0 };
        for j in from..second.rows().div_ceil(TILE) {
            let cols = range(j, second.rows());
            let right = second.block(&cols);
            let right = MatRef::from_column_major_slice(&right, second.cols(), cols.len());
            let dots = &mut dots[..rows.len() * cols.len()];
            let into = MatMut::from_column_major_slice_mut(dots, rows.len(), cols.len());
            matmul(into, Accum::Replace, left, right, T::one_impl(), Par::Seq);
            visit(&mut state, rows.clone(), cols, dots);
        }
        state
    };
    // One strip is one task: strips of the upper triangle differ in length.
    (0..first.rows().div_ceil(TILE)).into_par_iter().with_max_len(1).map(strip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: usize) -> Matrix {
        let value = |i: usize| ((i * 37 + i / 7 * 11) % 101) as f32 / 50.0 - 1.0;
        Matrix::new(3, (0..3 * rows).map(value).collect()).unwrap()
    }

    #[test]
    fn tiles_hold_each_pair_once() {
        let (a, b) = (set(TILE + 3), set(2 * TILE + 1));
        let (ta, tb) = (Tiled::new(&a), Tiled::new(&b));
        let sums = strips(
            &ta,
            &tb,
            Pairs::All,
            |_| (0usize, 0f64),
            |(pairs, sum), tile| {
                for (i, row) in tile.rows.clone().enumerate() {
                    for (j, col) in tile.cols.clone().enumerate() {
                        let by_hand: f64 = a
                            .row(row)
                            .iter()
                            .zip(b.row(col))
                            .map(|(x, y)| f64::from(x - y).powi(2))
                            .sum();
                        assert!((tile.squared_distance(i, j) - by_hand).abs() < 1e-6);
                        *pairs += 1;
                        *sum += tile.dot(i, j);
                    }
                }
            },
        );
        assert_eq!(sums.iter().map(|s| s.0).sum::<usize>(), a.rows() * b.rows());
        let total: f64 = (0..3)
            .map(|k| {
                let column =
                    |m: &Matrix| (0..m.rows()).map(|i| f64::from(m.row(i)[k])).sum::<f64>();
                column(&a) * column(&b)
            })
            .sum();
        assert!(
            (sums.iter().map(|s| s.1).sum::<f64>() - total).abs() < 1e-8 * total.abs().max(1.0)
        );
        let upper = strips(
            &tb,
            &tb,
            Pairs::Upper,
            |_| 0usize,
            |pairs, tile| {
                let size = tile.rows.len() * tile.cols.len();
                *pairs += if tile.on_diagonal() { size } else { 2 * size };
            },
        );
        assert_eq!(upper.iter().sum::<usize>(), b.rows() * b.rows());
    }
}
