//! [`frechet_distance`] computes the Fréchet distance of two Gaussians (Dowson and Landau 1982). Over Inception
//! features it is FID (Heusel et al. 2017).
//!
//! `d² = |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½`. With `Σ₁ = B·Bᵀ` the last trace is the sum of
//! the square roots of the eigenvalues of the symmetric `Bᵀ·Σ₂·B`; with the centred sets `A₁`, `A₂`
//! it is the nuclear norm of `A₁·A₂ᵀ`. Neither needs a complex square root or an added epsilon.

use faer::{Mat, MatRef, Side};

use super::linalg;
use super::resample::{Interval, ResampleConfig, Samples};
use crate::matrix::same_cols;
use crate::{Error, GaussianStats, Matrix, Result, Statistics};

/// Largest set for which the nuclear norm is taken, which bounds time and memory.
const NUCLEAR_LIMIT: usize = 4096;

/// The part of the terms that rounding leaves of their difference. A distance is never negative, and one below this is 0.
const ROUNDING: f64 = 1e-12;

/// The part of the largest eigenvalue below 0 that rounding may make of one that would be 0: other tools compute and keep
/// covariances in 32 bits.
const INDEFINITE: f64 = 1e-4;

/// Fréchet distance of two Gaussians, squared as FID is.
///
/// # Errors
/// [`Error::Shape`] when the statistics differ in `D`, [`Error::NotFinite`], [`Error::NoCovariance`] for one with
/// eigenvalues below 0, [`Error::Numerics`] when a decomposition does not converge.
pub fn frechet_distance(first: &GaussianStats, second: &GaussianStats) -> Result<f64> {
    first.check("the first set")?;
    second.check("the second set")?;
    if first.dims() != second.dims() {
        let expected = format!("{} features in both", first.dims());
        let found = format!("{} features in the second", second.dims());
        return Err(Error::shape("statistics of the two sets", expected, found));
    }
    let root = trace_of_root(first, second)?;
    Ok(combine(first, second, root))
}

/// Refuses a covariance by the smallest of its eigenvalues, or of those of its product with another one; `scale` is as
/// large as the largest can be.
fn check_smallest(smallest: Option<&f64>, scale: f64, what: &str) -> Result<()> {
    match smallest {
        Some(&value) if value < -scale * INDEFINITE => Err(Error::NoCovariance {
            what: what.to_owned(),
            found: format!("an eigenvalue of {value}, below 0"),
        }),
        _ => Ok(()),
    }
}

/// Fréchet distance of feature sets `[N1, D]` and `[N2, D]`.
///
/// Small sets, whose covariances are singular, take the nuclear norm of the centred sets; others
/// go through [`Statistics`] and [`frechet_distance`].
///
/// # Errors
/// As [`frechet_distance`]; [`Error::TooFew`] with fewer than 2 rows in a set.
pub fn frechet_distance_of_sets(first: &Matrix, second: &Matrix) -> Result<f64> {
    same_cols(first, second)?;
    let (a, b) = (Statistics::of(first)?, Statistics::of(second)?);
    let (n1, n2) = (first.rows(), second.rows());
    if n1.min(n2) > first.cols() || n1.max(n2) > NUCLEAR_LIMIT {
        return frechet_distance(&a, &b);
    }
    let cross =
        linalg::product(centred(first, &a.mean).transpose(), centred(second, &b.mean).as_ref());
    let values = cross
        .singular_values()
        .map_err(|_| Error::Numerics { what: "the singular values of the product of the sets" })?;
    let scale = ((n1 - 1) as f64).sqrt() * ((n2 - 1) as f64).sqrt();
    Ok(combine(&a, &b, values.iter().sum::<f64>() / scale))
}

/// One of two sets whose distance gets an interval.
#[derive(Debug, Clone, Copy)]
pub enum FrechetSide<'a> {
    /// Features `[N, D]`, of which halves are drawn.
    Features(&'a Matrix),
    /// Statistics, which are taken as they are: the interval does not cover how they scatter.
    Statistics(&'a GaussianStats),
}

/// The distance of two sides with its interval; `progress` is told how many halves are done.
///
/// # Errors
/// As [`frechet_distance`]; [`Error::Config`] for too few resamples or statistics on both sides; [`Error::TooFew`] with
/// fewer than 4 rows in a set.
pub fn frechet_distance_interval(
    first: FrechetSide<'_>,
    second: FrechetSide<'_>,
    config: &ResampleConfig,
    progress: &mut dyn FnMut(usize),
) -> Result<(f64, Interval)> {
    let draw = |set: &Matrix, stream| Samples::draw(set.rows(), config, stream);
    let mut halves = Vec::with_capacity(config.resamples);
    let mut add = |distance: f64| {
        halves.push(distance);
        progress(halves.len());
    };
    let distance = match (first, second) {
        (FrechetSide::Features(a), FrechetSide::Features(b)) => {
            let (of_a, of_b) = (draw(a, 0)?, draw(b, 1)?);
            for (a, b) in of_a.halves(a).zip(of_b.halves(b)) {
                add(frechet_distance_of_sets(&a, &b)?);
            }
            frechet_distance_of_sets(a, b)?
        }
        (FrechetSide::Features(set), FrechetSide::Statistics(stats))
        | (FrechetSide::Statistics(stats), FrechetSide::Features(set)) => {
            for half in draw(set, 0)?.halves(set) {
                add(frechet_distance(&Statistics::of(&half)?, stats)?);
            }
            frechet_distance(&Statistics::of(set)?, stats)?
        }
        (FrechetSide::Statistics(_), FrechetSide::Statistics(_)) => {
            let expected = "features of one set at least, as halves of statistics cannot be drawn";
            return Err(Error::config("an interval", expected, "statistics of both"));
        }
    };
    Ok((distance, Interval::of(distance, &halves)?.within(0.0, f64::INFINITY)))
}

/// The set minus its mean, transposed to `[D, N]`.
fn centred(set: &Matrix, mean: &[f64]) -> Mat<f64> {
    Mat::from_fn(set.cols(), set.rows(), |i, j| f64::from(set.row(j)[i]) - mean[i])
}

fn combine(first: &GaussianStats, second: &GaussianStats, root: f64) -> f64 {
    let means: f64 = first.mean.iter().zip(&second.mean).map(|(a, b)| (a - b) * (a - b)).sum();
    let sum = means + first.trace() + second.trace();
    let distance = sum - 2.0 * root;
    if distance > sum * ROUNDING { distance } else { 0.0 }
}

/// `tr (Σ₁Σ₂)^½`.
fn trace_of_root(first: &GaussianStats, second: &GaussianStats) -> Result<f64> {
    if first.cov == second.cov {
        return Ok(first.trace());
    }
    let d = first.dims();
    // The factor of the smaller set gives the smaller eigenvalue problem when it is singular.
    let rank = |s: &GaussianStats| s.count.map_or(d, |n| (n - 1).min(d));
    let (of_first, of_second) = ((first, "the first set"), (second, "the second set"));
    let ((factored, its_name), (other, other_name)) =
        if rank(second) < rank(first) { (of_second, of_first) } else { (of_first, of_second) };
    let factor = square_factor(factored, rank(factored), its_name)?;
    let inner = match &factor {
        Factor::Lower(factor) => linalg::congruence(factor.as_ref(), covariance(other)),
        Factor::Any(factor) => {
            let half = linalg::product(covariance(other), factor.as_ref());
            linalg::product(factor.transpose(), half.as_ref())
        }
    };
    let mut values = inner.self_adjoint_eigenvalues(Side::Lower).map_err(|_| Error::Numerics {
        what: "the eigenvalues of the product of the covariances",
    })?;
    let largest = |s: &GaussianStats| s.cov.iter().step_by(d + 1).copied().fold(0.0, f64::max);
    let scale = values.last().map_or(0.0, |v| v.max(largest(first) * largest(second)));
    check_smallest(values.first(), scale, other_name)?;
    values.reverse();
    values.truncate(rank(other));
    // Below this an eigenvalue is rounding of the largest one.
    let floor = values.first().map_or(0.0, |v| v * 4.0 * f64::EPSILON);
    Ok(values.iter().filter(|&&v| v > floor).map(|v| v.sqrt()).sum())
}

/// `B` `[D, r]` with `B·Bᵀ = Σ`.
enum Factor {
    /// The Cholesky factor, lower triangular.
    Lower(Mat<f64>),
    /// Scaled eigenvectors.
    Any(Mat<f64>),
}

/// The Cholesky factor, or eigenvectors where Σ is singular.
fn square_factor(stats: &GaussianStats, rank: usize, what: &str) -> Result<Factor> {
    let d = stats.dims();
    let cov = covariance(stats);
    if rank == d
        && let Ok(llt) = cov.llt(Side::Lower)
        && well_conditioned(llt.L())
    {
        return Ok(Factor::Lower(llt.L().to_owned()));
    }
    let eigen = cov
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::Numerics { what: "the eigenvectors of a covariance" })?;
    let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    check_smallest(values.first(), values.last().copied().unwrap_or(0.0), what)?;
    let floor = values.last().map_or(0.0, |v| v * d as f64 * f64::EPSILON);
    let kept: Vec<usize> = (d - rank..d).filter(|&i| values[i] > floor).collect();
    let vectors = eigen.U();
    let column = |i: usize, j: usize| vectors[(i, kept[j])] * values[kept[j]].sqrt();
    Ok(Factor::Any(Mat::from_fn(d, kept.len(), column)))
}

/// Whether the pivots of a Cholesky factor stand above the rounding of the largest one.
fn well_conditioned(factor: MatRef<'_, f64>) -> bool {
    let pivots = (0..factor.nrows()).map(|i| factor[(i, i)] * factor[(i, i)]);
    let (low, high) =
        pivots.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), p| (low.min(p), high.max(p)));
    low > high * factor.nrows() as f64 * f64::EPSILON
}

/// The covariance as a matrix.
fn covariance(stats: &GaussianStats) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(&stats.cov, stats.dims(), stats.dims())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(mean: &[f64], cov: &[f64]) -> GaussianStats {
        GaussianStats { count: None, mean: mean.to_vec(), cov: cov.to_vec() }
    }

    #[test]
    fn diagonal_by_hand() {
        // Commuting covariances: Σ (μ₁ − μ₂)² + (σ₁ − σ₂)² = 9 + 16 + 1 + 4.
        let a = stats(&[0., 0.], &[4., 0., 0., 9.]);
        let b = stats(&[3., 4.], &[1., 0., 0., 25.]);
        assert!((frechet_distance(&a, &b).unwrap() - 30.0).abs() < 1e-12);
        assert_eq!(frechet_distance(&a, &a).unwrap(), 0.0);
    }

    #[test]
    fn singular_by_hand() {
        // Σ₁ = vvᵀ with v = (1, 1), Σ₂ = I: tr (Σ₁Σ₂)^½ = |v| = √2, so d² = 2 + 2 − 2√2.
        let a = stats(&[0., 0.], &[1., 1., 1., 1.]);
        let b = stats(&[0., 0.], &[1., 0., 0., 1.]);
        let expected = 4.0 - 2.0 * 2f64.sqrt();
        assert!((frechet_distance(&a, &b).unwrap() - expected).abs() < 1e-12);
        assert!((frechet_distance(&b, &a).unwrap() - expected).abs() < 1e-12);
        let zero = stats(&[0., 0.], &[0.; 4]);
        assert!((frechet_distance(&a, &zero).unwrap() - 2.0).abs() < 1e-12);
    }

    /// Features of independent normal-like values with a shift of the mean.
    fn draw(seed: u32, shift: f64) -> Matrix {
        let mut rng = crate::numpy_rng::RandomState::new(seed);
        let mut value = || {
            (0..12).map(|_| f64::from(rng.next_u32()) / 2f64.powi(32) - 0.5).sum::<f64>() + shift
        };
        Matrix::new(3, (0..3 * 200).map(|_| value() as f32).collect()).unwrap()
    }

    #[test]
    fn intervals_are_as_wide_as_independent_draws_scatter() {
        let spread = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
                .sqrt()
        };
        let (config, mut done) = (ResampleConfig { resamples: 200, seed: 0 }, 0);
        let stats = Statistics::of(&draw(9999, 0.0)).unwrap();
        for fixed in [false, true] {
            let of = |seed: u32| (draw(seed, 0.5), draw(5000 + seed, 0.0));
            let scores: Vec<f64> = (1..=120)
                .map(|seed| {
                    let (a, b) = of(seed);
                    let b = if fixed { stats.clone() } else { Statistics::of(&b).unwrap() };
                    frechet_distance(&Statistics::of(&a).unwrap(), &b).unwrap()
                })
                .collect();
            let mut error = 0.0;
            for seed in 1..=8 {
                let (a, b) = of(seed);
                let second =
                    if fixed { FrechetSide::Statistics(&stats) } else { FrechetSide::Features(&b) };
                let (score, found) = frechet_distance_interval(
                    FrechetSide::Features(&a),
                    second,
                    &config,
                    &mut |n| done = n,
                )
                .unwrap();
                assert!((score - scores[seed as usize - 1]).abs() < 1e-10);
                assert!(found.low < score && score < found.high && done == 200);
                error += found.std_error / 8.0;
            }
            let truth = spread(&scores);
            assert!((0.75..1.35).contains(&(error / truth)), "{fixed}: {error} {truth}");
        }
        let both = (FrechetSide::Statistics(&stats), FrechetSide::Statistics(&stats));
        let error = frechet_distance_interval(both.0, both.1, &config, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("statistics of both"), "{error}");
    }

    #[test]
    fn a_set_is_at_no_distance_from_itself() {
        // Fewer images than features, as many, and more; another order of the same images.
        for rows in [5usize, 8, 60] {
            let value = |i: usize| ((i * 7919) % 1009) as f32 / 100.0;
            let data: Vec<f32> = (0..rows * 8).map(value).collect();
            let turned: Vec<f32> = data.chunks(8).rev().flatten().copied().collect();
            let (set, turned) = (Matrix::new(8, data).unwrap(), Matrix::new(8, turned).unwrap());
            assert_eq!(frechet_distance_of_sets(&set, &set).unwrap(), 0.0, "{rows}");
            let distance = frechet_distance_of_sets(&set, &turned).unwrap();
            assert!((0.0..1e-6).contains(&distance), "{rows}: {distance}");
            let stats = Statistics::of(&set).unwrap();
            assert_eq!(frechet_distance(&stats, &stats).unwrap(), 0.0);
        }
    }

    #[test]
    fn a_matrix_with_an_eigenvalue_below_0_is_no_covariance() {
        // Each pair of the three could be correlated so, but not all pairs at once: the eigenvalue of (1, 1, 1) is −0.8.
        let indefinite = stats(&[0.; 3], &[1., -0.9, -0.9, -0.9, 1., -0.9, -0.9, -0.9, 1.]);
        let fine = stats(&[0.; 3], &[2., 0., 0., 0., 1., 0., 0., 0., 3.]);
        let singular = stats(&[0.; 3], &[1., 1., 1., 1., 1., 1., 1., 1., 1.]);
        for other in [&fine, &singular] {
            for (a, b, named) in [(&indefinite, other, "first"), (other, &indefinite, "second")] {
                let error = frechet_distance(a, b).unwrap_err().to_string();
                assert!(error.contains("an eigenvalue of -"), "{error}");
                assert!(error.contains(named), "{error}");
            }
        }
        // What 32 bits make of a singular one is taken.
        let mut rounded = singular.clone();
        rounded.cov[0] -= 1e-6;
        assert!(frechet_distance(&rounded, &fine).is_ok());
        assert!(frechet_distance(&fine, &rounded).is_ok());
    }

    #[test]
    fn errors() {
        let a = stats(&[0., 0.], &[1., 0., 0., 1.]);
        let narrow = stats(&[0.], &[1.]);
        assert!(matches!(frechet_distance(&a, &narrow), Err(Error::Shape { .. })));
        let nan = stats(&[f64::NAN, 0.], &[1., 0., 0., 1.]);
        assert!(matches!(frechet_distance(&a, &nan), Err(Error::NotFinite { index: 0, .. })));
        let ragged = stats(&[0., 0.], &[1., 0., 0.]);
        assert!(frechet_distance(&a, &ragged).is_err());
    }
}
