//! [`mind`] is the Monge Inception Distance (Berthet et al. 2026, *MIND: Monge Inception Distance for Generative Models
//! Evaluation*, arXiv 2605.06797): the squared sliced 2-Wasserstein distance of two feature sets, times three times
//! the number of features.
//!
//! With random unit vectors `u₁ … u_M` in `D` dimensions and sets `X`, `Y` of `n` rows
//!
//! ```text
//! MIND = 3 D / (n M) · Σ_i Σ_j |sort(X uᵢ)_j − sort(Y uᵢ)_j|²
//! ```
//!
//! Directions, and the rows that are taken from the larger of two sets of different size, are drawn as torch-fidelity's
//! main branch draws them. Projections are computed in `f64`, a few directions at a time, so that memory is bounded.

use std::borrow::Cow;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::resample::{Interval, ResampleConfig, Samples};
use crate::error::enough;
use crate::matrix::same_cols;
use crate::torch_rng::TorchGenerator;
use crate::{Error, Matrix, Result};

/// Directions that one task handles together.
const DIRECTIONS: usize = 64;

/// Rows that are projected together.
const ROWS: usize = 512;

/// The settings of MIND.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MindConfig {
    /// Number of random directions.
    pub projections: usize,
    /// Seed of PyTorch's generator.
    pub seed: u64,
}

impl MindConfig {
    /// 1000 directions, seed 2020, as torch-fidelity does it.
    pub fn torch_fidelity() -> Self {
        Self { projections: 1000, seed: 2020 }
    }
}

/// Monge Inception Distance between feature sets `[N1, D]` and `[N2, D]`. Where they differ in size, random rows of the
/// larger one are left out.
///
/// # Errors
/// [`Error::Shape`] when the sets differ in `D`, [`Error::TooFew`] for an empty set, [`Error::Config`] for no
/// projections, [`Error::NotFinite`].
pub fn mind(first: &Matrix, second: &Matrix, config: &MindConfig) -> Result<f64> {
    let drawn = Drawn::new(first, second, config)?;
    let whole = Samples::whole(drawn.rows());
    Ok(drawn.distances([&whole, &whole])[0])
}

/// [`mind`] with its interval.
///
/// # Errors
/// As [`mind`]; [`Error::Config`] for too few resamples; [`Error::TooFew`] with fewer than 4 rows.
pub fn mind_interval(
    first: &Matrix,
    second: &Matrix,
    config: &MindConfig,
    resample: &ResampleConfig,
) -> Result<(f64, Interval)> {
    let drawn = Drawn::new(first, second, config)?;
    let samples =
        [Samples::draw(drawn.rows(), resample, 0)?, Samples::draw(drawn.rows(), resample, 1)?];
    let all = drawn.distances([&samples[0], &samples[1]]);
    Ok((all[0], Interval::of(all[0], &all[1..])?.within(0.0, f64::INFINITY)))
}

/// The distance along `directions` `[M, D]`, of any length above 0, of sets of the same number of rows.
///
/// # Errors
/// As [`mind`]; [`Error::Shape`] when the sets differ in their rows or the directions in `D`; [`Error::Config`] for a
/// direction of length 0.
pub fn mind_along(first: &Matrix, second: &Matrix, directions: &Matrix) -> Result<f64> {
    let projections = directions.rows();
    check(first, second, &MindConfig { projections, seed: 0 })?;
    same_cols(first, directions)?;
    directions.check_finite("directions")?;
    if first.rows() != second.rows() {
        let (expected, found) =
            (format!("{} rows in both", first.rows()), format!("{} in the second", second.rows()));
        return Err(Error::shape("features of the two sets", expected, found));
    }
    if (0..projections).any(|i| directions.row(i).iter().all(|v| *v == 0.0)) {
        return Err(Error::config("a direction", "a vector that is not 0", "0"));
    }
    let whole = Samples::whole(first.rows());
    Ok(sliced([first, second], directions, [&whole, &whole])[0])
}

/// Sets of the same size and the directions, drawn in the order in which torch-fidelity draws them.
struct Drawn<'a> {
    sets: [Cow<'a, Matrix>; 2],
    directions: Matrix,
}

impl<'a> Drawn<'a> {
    fn new(first: &'a Matrix, second: &'a Matrix, config: &MindConfig) -> Result<Self> {
        check(first, second, config)?;
        let mut rng = TorchGenerator::new(config.seed);
        let rows = first.rows().min(second.rows());
        let sets = [first, second].map(|set| {
            if set.rows() == rows {
                return Cow::Borrowed(set);
            }
            Cow::Owned(set.select(&rng.randperm(set.rows())[..rows]))
        });
        let cols = first.cols();
        Ok(Self { sets, directions: Matrix::new(cols, rng.randn(config.projections * cols))? })
    }

    fn rows(&self) -> usize {
        self.sets[0].rows()
    }

    fn distances(&self, samples: [&Samples; 2]) -> Vec<f64> {
        sliced([&self.sets[0], &self.sets[1]], &self.directions, samples)
    }
}

fn check(first: &Matrix, second: &Matrix, config: &MindConfig) -> Result<()> {
    same_cols(first, second)?;
    if config.projections == 0 {
        return Err(Error::config("MIND's projections", "at least 1", "0"));
    }
    enough("MIND", 1, first.rows().min(second.rows()), "give more images")?;
    first.check_finite("features of the first set")?;
    second.check_finite("features of the second set")
}

/// The distance in each sample of sets of the same size, along directions that are normalised here.
fn sliced(sets: [&Matrix; 2], directions: &Matrix, samples: [&Samples; 2]) -> Vec<f64> {
    let groups: Vec<usize> = (0..directions.rows()).step_by(DIRECTIONS).collect();
    let of_group = |start: usize| -> Vec<f64> {
        let directions = unit(directions, start..(start + DIRECTIONS).min(directions.rows()));
        let [a, b] = sets.map(|set| project(set, &directions));
        let mut sums = vec![0.0; samples[0].count()];
        for (a, b) in a.into_iter().zip(b) {
            let sorted = [a, b].map(sorted);
            for (sample, sum) in sums.iter_mut().enumerate() {
                *sum += squared_gaps(&sorted, samples, sample);
            }
        }
        sums
    };
    let sums: Vec<Vec<f64>> = groups.into_par_iter().with_max_len(1).map(of_group).collect();
    let factor = 3.0 * directions.cols() as f64;
    let distance = |sample: usize| {
        let pairs = (samples[0].size(sample) * directions.rows()) as f64;
        factor * (sums.iter().map(|sums| sums[sample]).sum::<f64>() / pairs)
    };
    (0..samples[0].count()).map(distance).collect()
}

/// Directions of length 1, one in each column.
fn unit(directions: &Matrix, range: std::ops::Range<usize>) -> Mat<f64> {
    let rows: Vec<&[f32]> = range.map(|i| directions.row(i)).collect();
    let norms: Vec<f64> = rows
        .iter()
        .map(|row| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt())
        .collect();
    Mat::from_fn(directions.cols(), rows.len(), |i, j| f64::from(rows[j][i]) / norms[j].max(1e-12))
}

/// The set along each direction.
fn project(set: &Matrix, directions: &Mat<f64>) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::with_capacity(set.rows()); directions.ncols()];
    for start in (0..set.rows()).step_by(ROWS) {
        let rows = start..(start + ROWS).min(set.rows());
        let part =
            Mat::from_fn(set.cols(), rows.len(), |i, j| f64::from(set.row(rows.start + j)[i]));
        let mut found = Mat::zeros(rows.len(), directions.ncols());
        matmul(found.as_mut(), Accum::Replace, part.transpose(), directions, 1.0, Par::Seq);
        for (all, column) in all.iter_mut().zip(found.col_iter()) {
            all.extend(column.iter());
        }
    }
    all
}

/// The values with their rows, the smallest first.
fn sorted(values: Vec<f64>) -> Vec<(f64, usize)> {
    let mut pairs: Vec<(f64, usize)> =
        values.into_iter().enumerate().map(|(row, v)| (v, row)).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    pairs
}

/// The sum of squared differences of the sorted values whose rows a sample holds.
fn squared_gaps(sorted: &[Vec<(f64, usize)>; 2], samples: [&Samples; 2], sample: usize) -> f64 {
    let held = |set: usize| {
        let held = sorted[set].iter().filter(move |(_, row)| samples[set].holds(sample, *row));
        held.map(|(value, _)| *value)
    };
    held(0).zip(held(1)).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(cols: usize, data: &[f32]) -> Matrix {
        Matrix::new(cols, data.to_vec()).unwrap()
    }

    #[test]
    fn by_hand() {
        // Along (1, 0): 0, 1, 5 against 2, 3, 4: gaps 2, 2, 1. D = 2, so the factor is 6.
        let (x, y) = (matrix(2, &[0., 5., 1., 0., 5., 5.]), matrix(2, &[3., 0., 2., 5., 4., 0.]));
        let along = |data: &[f32]| mind_along(&x, &y, &matrix(2, data)).unwrap();
        assert!((along(&[1., 0.]) - 6.0 * 9.0 / 3.0).abs() < 1e-12);
        // (3, 4)/5: x gives 4, 0.6, 7 and y 1.8, 5.2, 2.4. Sorted: 0.6 − 1.8, 4 − 2.4, 7 − 5.2.
        let second = 6.0 * (1.2f64.powi(2) + 1.6f64.powi(2) + 1.8f64.powi(2)) / 3.0;
        assert!((along(&[30., 40.]) - second).abs() < 1e-12);
        assert!((along(&[1., 0., 30., 40.]) - (18.0 + second) / 2.0).abs() < 1e-12);
    }

    /// For a shift by μ in each of D features along unit vectors, E (uᵀ μ1)² = μ², so MIND is 3 D μ².
    #[test]
    fn shifts_of_all_features() {
        let x = matrix(
            8,
            &(0..8 * 600).map(|i| ((i * 7919) % 1013) as f32 / 1013.0).collect::<Vec<_>>(),
        );
        let y = matrix(8, &x.data().iter().map(|v| v + 2.0).collect::<Vec<_>>());
        let found = mind(&x, &y, &MindConfig { projections: 4000, seed: 1 }).unwrap();
        assert!((found / (3.0 * 8.0 * 4.0) - 1.0).abs() < 0.05, "{found}");
        assert_eq!(mind(&x, &x, &MindConfig::torch_fidelity()).unwrap(), 0.0);
        let config = MindConfig { projections: 70, seed: 3 };
        assert_eq!(mind(&x, &y, &config).unwrap(), mind(&y, &x, &config).unwrap());
    }

    #[test]
    fn samples_are_scored_as_if_they_were_sets() {
        let x = matrix(3, &(0..3 * 90).map(|i| ((i * 7919) % 1013) as f32).collect::<Vec<_>>());
        let y = matrix(3, &x.data().iter().map(|v| v * 0.5 + 2.0).collect::<Vec<_>>());
        let resample = ResampleConfig { resamples: 20, seed: 2 };
        let config = MindConfig { projections: 100, seed: 5 };
        let samples = [0, 1].map(|stream| Samples::draw(90, &resample, stream).unwrap());
        let all = Drawn::new(&x, &y, &config).unwrap().distances([&samples[0], &samples[1]]);
        assert_eq!(all[0], mind(&x, &y, &config).unwrap());
        for (found, (x, y)) in all[1..].iter().zip(samples[0].halves(&x).zip(samples[1].halves(&y)))
        {
            let expected = mind(&x, &y, &config).unwrap();
            assert!((found - expected).abs() < 1e-12 * expected, "{found} {expected}");
        }
    }

    #[test]
    fn larger_sets_are_cut_and_threads_do_not_matter() {
        let x = matrix(3, &(0..3 * 700).map(|i| ((i * 7919) % 1013) as f32).collect::<Vec<_>>());
        let y = x.slice(0..300);
        let config = MindConfig { projections: 150, seed: 5 };
        let resample = ResampleConfig { resamples: 20, seed: 0 };
        let found = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| mind_interval(&x, &y, &config, &resample).unwrap())
        };
        assert_eq!(found(1), found(3));
        assert!(found(2).0 > 0.0 && found(2).1.std_error > 0.0);
    }

    #[test]
    fn errors_name_the_fault() {
        let (x, y) = (matrix(2, &[0., 5.]), matrix(2, &[3., 0., 2., 5.]));
        assert!(mind(&x, &y, &MindConfig { projections: 0, seed: 0 }).is_err());
        assert!(mind(&x, &Matrix::empty(2), &MindConfig::torch_fidelity()).is_err());
        assert!(mind_along(&x, &y, &matrix(2, &[1., 0.])).is_err(), "of different size");
        assert!(mind_along(&x, &x, &matrix(2, &[0., 0.])).is_err(), "no direction");
        assert!(mind_along(&x, &x, &matrix(1, &[1.])).is_err());
    }
}
