//! [`Statistics`] computes mean and covariance of features, streamed and merged (Chan, Golub and LeVeque 1979).
//!
//! Sums are kept about the mean of what was seen, so that large means cost no digits. Rows are
//! gathered into blocks of a fixed size: the result does not depend on the batch size.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, Par};
use serde::{Deserialize, Serialize};

use crate::error::enough;
use crate::{Error, Matrix, Result};

/// The number of rows that are centred and multiplied together.
const BLOCK: usize = 512;

/// The part of the largest variance that rounding may make of values that would be 0: other tools compute and keep
/// covariances in 32 bits.
const ROUNDING: f64 = 1e-4;

/// Mean and covariance of a feature set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianStats {
    /// Number of samples, where it is known (foreign statistics files do not tell).
    pub count: Option<usize>,
    /// Mean `[D]`.
    pub mean: Vec<f64>,
    /// Covariance `[D, D]` with divisor `n − 1`, row after row.
    pub cov: Vec<f64>,
}

impl GaussianStats {
    /// Number of features `D`.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Trace of the covariance.
    pub fn trace(&self) -> f64 {
        self.cov.iter().step_by(self.dims() + 1).sum()
    }

    /// Checks that the covariance is `[D, D]`, that all values are finite, and that it can be one: no variance below 0,
    /// the same values on both sides of the diagonal, none larger than its two variances allow.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`], [`Error::NoCovariance`].
    pub fn check(&self, what: &str) -> Result<()> {
        let d = self.dims();
        if d == 0 || self.cov.len() != d * d {
            let expected = format!("{d} x {d} values, at least 1");
            let found = format!("{} values", self.cov.len());
            return Err(Error::shape(format!("covariance of {what}"), expected, found));
        }
        match self.mean.iter().chain(&self.cov).position(|v| !v.is_finite()) {
            Some(index) => {
                Err(Error::NotFinite { what: format!("mean and covariance of {what}"), index })
            }
            None => match self.impossible() {
                Some(found) => Err(Error::NoCovariance { what: what.to_owned(), found }),
                None => Ok(()),
            },
        }
    }

    /// Checks what [`check`](Self::check) does not, since it takes D³ steps: that the variance is in no direction below 0.
    ///
    /// # Errors
    /// [`Error::NoCovariance`].
    #[cfg(feature = "io")]
    pub(crate) fn check_directions(&self, what: &str) -> Result<()> {
        use faer::{MatRef, Side};

        let d = self.dims();
        let row = |row: &[f64]| row.iter().map(|value| value.abs()).sum::<f64>();
        // No eigenvalue is larger than this.
        let bound = self.cov.chunks(d.max(1)).map(row).fold(0.0, f64::max);
        let cov = MatRef::from_row_major_slice(&self.cov, d, d);
        let raised =
            Mat::from_fn(d, d, |i, j| cov[(i, j)] + if i == j { bound * ROUNDING } else { 0.0 });
        if bound == 0.0 || raised.llt(Side::Lower).is_ok() {
            return Ok(());
        }
        let found = "one whose variance is below 0 in a direction".to_owned();
        Err(Error::NoCovariance { what: what.to_owned(), found })
    }

    /// The first thing in the values that no covariance has.
    fn impossible(&self) -> Option<String> {
        let d = self.dims();
        let variance = |i: usize| self.cov[i * (d + 1)];
        let largest = (0..d).map(|i| variance(i).abs()).fold(0.0, f64::max);
        let slack = largest * ROUNDING;
        if let Some(i) = (0..d).find(|&i| variance(i) < -slack) {
            return Some(format!("a variance of {} at [{i}, {i}]", variance(i)));
        }
        let places = (0..d).flat_map(|i| (0..i).map(move |j| (i, j)));
        places.into_iter().find_map(|(i, j)| {
            let (below, above) = (self.cov[i * d + j], self.cov[j * d + i]);
            if (below - above).abs() > slack {
                return Some(format!("{below} at [{i}, {j}] and {above} at [{j}, {i}]"));
            }
            let bound = (variance(i).max(0.0) * variance(j).max(0.0)).sqrt() + slack;
            let found = || format!("{below} at [{i}, {j}], more than the variances allow, {bound}");
            (below.abs() > bound).then(found)
        })
    }
}

/// Streams features into mean and covariance.
#[derive(Debug, Clone)]
pub struct Statistics {
    dims: usize,
    pending: Vec<f32>,
    count: usize,
    mean: Vec<f64>,
    /// Sum of outer products about `mean`, lower triangle.
    scatter: Mat<f64>,
}

impl Statistics {
    /// Statistics without rows, for features of `dims` columns.
    pub fn new(dims: usize) -> Self {
        Self {
            dims,
            pending: Vec::new(),
            count: 0,
            mean: vec![0.0; dims],
            scatter: Mat::zeros(dims, dims),
        }
    }

    /// Adds rows `[N, D]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns, [`Error::NotFinite`].
    pub fn push(&mut self, rows: &Matrix) -> Result<()> {
        self.check_columns("features", rows.cols())?;
        rows.check_finite("features")?;
        let mut data = rows.data();
        while !data.is_empty() {
            let room = BLOCK * self.dims - self.pending.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.pending.extend_from_slice(now);
            data = later;
            if self.pending.len() == BLOCK * self.dims {
                self.flush();
            }
        }
        Ok(())
    }

    fn check_columns(&self, what: &str, found: usize) -> Result<()> {
        if found == self.dims {
            return Ok(());
        }
        let (expected, found) = (format!("{} columns", self.dims), format!("{found} columns"));
        Err(Error::shape(what, expected, found))
    }

    /// Folds the pending rows into mean and scatter.
    fn flush(&mut self) {
        let rows = self.pending.len() / self.dims.max(1);
        if rows == 0 {
            return;
        }
        let mut mean = vec![0f64; self.dims];
        for row in self.pending.chunks_exact(self.dims) {
            for (m, &v) in mean.iter_mut().zip(row) {
                *m += f64::from(v);
            }
        }
        mean.iter_mut().for_each(|m| *m /= rows as f64);
        let pending = std::mem::take(&mut self.pending);
        let centred =
            Mat::from_fn(self.dims, rows, |i, j| f64::from(pending[j * self.dims + i]) - mean[i]);
        add_outer(&mut self.scatter, &centred, 1.0);
        self.absorb_mean(&mean, rows);
    }

    /// Moves to the joint mean with another group of `rows` samples about `mean`, whose own
    /// scatter has been added already.
    fn absorb_mean(&mut self, mean: &[f64], rows: usize) {
        let total = (self.count + rows) as f64;
        let share = rows as f64 / total;
        let delta = Mat::from_fn(self.dims, 1, |i, _| mean[i] - self.mean[i]);
        add_outer(&mut self.scatter, &delta, self.count as f64 * share);
        for (i, m) in self.mean.iter_mut().enumerate() {
            *m += delta[(i, 0)] * share;
        }
        self.count += rows;
    }

    /// Adds the rows that another stream has seen, such as one of another process.
    ///
    /// # Errors
    /// [`Error::Shape`] when the streams differ in `D`.
    pub fn merge(&mut self, mut other: Self) -> Result<()> {
        self.check_columns("statistics to merge", other.dims)?;
        self.flush();
        other.flush();
        if other.count > 0 {
            self.scatter += &other.scatter;
            self.absorb_mean(&other.mean, other.count);
        }
        Ok(())
    }

    /// Mean and covariance (divisor `n − 1`).
    ///
    /// # Errors
    /// [`Error::TooFew`] with fewer than 2 samples.
    pub fn finish(mut self) -> Result<GaussianStats> {
        self.flush();
        enough("a covariance", 2, self.count, "give more images")?;
        let divisor = (self.count - 1) as f64;
        let d = self.dims;
        let mut cov = vec![0.0; d * d];
        for j in 0..d {
            for i in j..d {
                let value = self.scatter[(i, j)] / divisor;
                cov[i * d + j] = value;
                cov[j * d + i] = value;
            }
        }
        Ok(GaussianStats { count: Some(self.count), mean: self.mean, cov })
    }

    /// Mean and covariance of one set `[N, D]`.
    ///
    /// # Errors
    /// [`Error::TooFew`] with fewer than 2 rows, [`Error::NotFinite`].
    pub fn of(rows: &Matrix) -> Result<GaussianStats> {
        let mut statistics = Self::new(rows.cols());
        statistics.push(rows)?;
        statistics.finish()
    }
}

/// Adds `scale · x · xᵀ` to the lower triangle of `into`.
fn add_outer(into: &mut Mat<f64>, x: &Mat<f64>, scale: f64) {
    matmul(
        into,
        BlockStructure::TriangularLower,
        Accum::Add,
        x,
        BlockStructure::Rectangular,
        x.transpose(),
        BlockStructure::Rectangular,
        scale,
        Par::Seq,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        // Columns 1, 2, 3, 6 and 2, 4, 6, 0: means 3 and 3, scatter 14, 20 and −8.
        let m = Matrix::new(2, vec![1., 2., 2., 4., 3., 6., 6., 0.]).unwrap();
        let s = Statistics::of(&m).unwrap();
        assert_eq!(s.mean, [3.0, 3.0]);
        let expected = [14.0 / 3.0, -8.0 / 3.0, -8.0 / 3.0, 20.0 / 3.0];
        for (a, b) in s.cov.iter().zip(expected) {
            assert!((a - b).abs() < 1e-14);
        }
        assert!((s.trace() - 34.0 / 3.0).abs() < 1e-14);
        assert_eq!(s.count, Some(4));
    }

    /// 1300 rows of 3 columns with a large mean: the third is the sum of the others.
    fn large() -> Matrix {
        let data = (0..1300)
            .flat_map(|i| {
                let (a, b) = ((i % 17) as f32, (i % 13) as f32);
                [10_000.0 + a, b, 10_000.0 + a + b]
            })
            .collect();
        Matrix::new(3, data).unwrap()
    }

    #[test]
    fn batches_do_not_matter_and_merging_agrees() {
        let all = large();
        let whole = Statistics::of(&all).unwrap();
        let mut streamed = Statistics::new(3);
        for start in (0..1300).step_by(7) {
            streamed.push(&all.slice(start..(start + 7).min(1300))).unwrap();
        }
        assert_eq!(streamed.finish().unwrap(), whole, "same bits");

        let (mut left, mut right) = (Statistics::new(3), Statistics::new(3));
        left.push(&all.slice(0..601)).unwrap();
        right.push(&all.slice(601..1300)).unwrap();
        left.merge(right).unwrap();
        let merged = left.finish().unwrap();
        assert_eq!(merged.count, Some(1300));
        for (a, b) in merged.cov.iter().zip(&whole.cov) {
            assert!((a - b).abs() < 1e-10, "{a} {b}");
        }
        // Cov(c, a) = Cov(a, a) + Cov(b, a) shows that the large mean cost no digits.
        let c = &whole.cov;
        assert!((c[6] - c[0] - c[3]).abs() < 1e-10);
    }

    #[test]
    fn values_that_no_covariance_has_are_refused() {
        let check = |cov: &[f64]| {
            let stats = GaussianStats { count: None, mean: vec![0.0; 2], cov: cov.to_vec() };
            stats.check("b.npz").map_err(|error| error.to_string())
        };
        for (cov, expected) in [
            ([1., 0., 0., -1.], "a variance of -1 at [1, 1]"),
            ([1., 0.5, -0.5, 1.], "-0.5 at [1, 0] and 0.5 at [0, 1]"),
            ([1., 3., 3., 4.], "3 at [1, 0], more than the variances allow"),
            ([-2., 0., 0., -3.], "a variance of -2 at [0, 0]"),
        ] {
            let text = check(&cov).unwrap_err();
            assert!(text.contains("b.npz") && text.contains(expected), "{text}");
        }
        // Dead features, features that are multiples of each other, and rounding.
        for cov in [[0.; 4], [1., 2., 2., 4.], [1., 1e-6, 0., -1e-6], [4., 0., 0., 0.]] {
            check(&cov).unwrap();
        }
    }

    #[test]
    fn errors() {
        let one = Matrix::new(2, vec![1., 2.]).unwrap();
        assert!(matches!(Statistics::of(&one), Err(Error::TooFew { found: 1, .. })));
        let mut s = Statistics::new(3);
        assert!(s.push(&one).is_err());
        assert!(s.merge(Statistics::new(2)).is_err());
    }
}
