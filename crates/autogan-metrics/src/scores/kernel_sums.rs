//! This module sums a kernel over all pairs of rows of two sets, for all samples of [`Samples`] in the same walk.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};

use super::kernel::{Estimator, Kernel};
use super::resample::Samples;
use super::tiles::{Blocks, Pairs, Tile, Tiled, strips};
use crate::Matrix;

/// Sums of the kernel in each sample.
pub(super) struct Sums {
    sizes: Vec<(f64, f64)>,
    /// Over pairs of two rows of the first set, each pair in both orders, and of a row with itself.
    first: (Vec<f64>, Vec<f64>),
    second: (Vec<f64>, Vec<f64>),
    cross: Vec<f64>,
}

impl Sums {
    /// The sums over all pairs of the sets.
    pub fn of(a: &Matrix, b: &Matrix, kernel: Kernel, samples: (&Samples, &Samples)) -> Self {
        let (ta, tb) = (Tiled::new(a), Tiled::new(b));
        let within = |set: &Tiled<'_>, samples: &Samples| {
            let pairs = pair_sums((set, samples), (set, samples), Pairs::Upper, kernel);
            (pairs, diagonal_sums(set, samples, kernel))
        };
        let sizes = |s| (samples.0.size(s) as f64, samples.1.size(s) as f64);
        Self {
            sizes: (0..samples.0.count()).map(sizes).collect(),
            first: within(&ta, samples.0),
            second: within(&tb, samples.1),
            cross: pair_sums((&ta, samples.0), (&tb, samples.1), Pairs::All, kernel),
        }
    }

    /// The squared distance of a sample.
    pub fn mmd(&self, sample: usize, estimator: Estimator) -> f64 {
        let (n, m) = self.sizes[sample];
        let within = |(pairs, diagonal): &(Vec<f64>, Vec<f64>), n: f64| match estimator {
            Estimator::Unbiased => pairs[sample] / (n * (n - 1.0)),
            Estimator::Biased => (pairs[sample] + diagonal[sample]) / (n * n),
        };
        within(&self.first, n) + within(&self.second, m) - 2.0 * self.cross[sample] / (n * m)
    }
}

/// Sums of `k(x, x)`.
fn diagonal_sums(set: &Tiled<'_>, samples: &Samples, kernel: Kernel) -> Vec<f64> {
    let mut sums = vec![0.0; samples.count()];
    for row in 0..set.rows() {
        let value = kernel.of(set.norm(row), 0.0, set.cols());
        for (sample, sum) in sums.iter_mut().enumerate() {
            *sum += if samples.holds(sample, row) { value } else { 0.0 };
        }
    }
    sums
}

/// Sums of `k(x, y)` over the pairs of different rows; in the upper triangle, each in both orders.
fn pair_sums(
    (a, rows): (&Tiled<'_>, &Samples),
    (b, cols): (&Tiled<'_>, &Samples),
    pairs: Pairs,
    kernel: Kernel,
) -> Vec<f64> {
    let count = rows.count();
    let strips = strips(
        a,
        b,
        pairs,
        |_| vec![0.0; count],
        |sums, tile| {
            let skip = pairs == Pairs::Upper && tile.on_diagonal();
            let twice = if pairs == Pairs::Upper && !skip { 2.0 } else { 1.0 };
            let values = Mat::from_fn(tile.rows.len(), tile.cols.len(), |i, j| {
                if skip && i == j {
                    0.0
                } else {
                    kernel.of(tile.dot(i, j), tile.squared_distance(i, j), a.cols())
                }
            });
            for (sum, value) in sums.iter_mut().zip(tile_sums(&values, tile, (rows, cols))) {
                *sum += twice * value;
            }
        },
    );
    let mut total = vec![0.0; count];
    for strip in strips {
        total.iter_mut().zip(strip).for_each(|(total, sum)| *total += sum);
    }
    total
}

/// The sum of a tile's values in each sample: `Σ_i [i held] Σ_j values(i, j) [j held]`.
fn tile_sums(values: &Mat<f64>, tile: &Tile<'_>, (rows, cols): (&Samples, &Samples)) -> Vec<f64> {
    let count = rows.count();
    if count == 1 {
        return vec![values.col_iter().map(|column| column.iter().sum::<f64>()).sum()];
    }
    let held = |samples: &Samples, row: usize, sample: usize| {
        f64::from(u8::from(samples.holds(sample, row)))
    };
    let members = Mat::from_fn(tile.cols.len(), count, |j, s| held(cols, tile.cols.start + j, s));
    let mut sums = Mat::zeros(tile.rows.len(), count);
    matmul(sums.as_mut(), Accum::Replace, values, &members, 1.0, Par::Seq);
    let sample = |s: usize| {
        (0..tile.rows.len()).map(|i| sums[(i, s)] * held(rows, tile.rows.start + i, s)).sum()
    };
    (0..count).map(sample).collect()
}
