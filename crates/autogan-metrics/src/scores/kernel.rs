//! [`kernel_distance`] is the Kernel Inception Distance (Bińkowski et al. 2018, *Demystifying MMD GANs*, section 4);
//! [`mmd`] is the distance of whole sets, with the Gaussian kernel that of CMMD (Jayasumana et al. 2024, *Rethinking
//! FID*, section 4).
//!
//! Both are the squared maximum mean discrepancy (Gretton et al. 2012, lemma 6) under a [`Kernel`]. For sets `x` and `y`
//! of `n` and `m` features
//!
//! ```text
//! unbiased: Σ_{i≠j} k(xᵢ, xⱼ) / (n (n − 1)) + Σ_{i≠j} k(yᵢ, yⱼ) / (m (m − 1)) − 2 Σ_{i,j} k(xᵢ, yⱼ) / (n m)
//! biased:   Σ_{i,j} k(xᵢ, xⱼ) / n²          + Σ_{i,j} k(yᵢ, yⱼ) / m²          − 2 Σ_{i,j} k(xᵢ, yⱼ) / (n m)
//! ```
//!
//! KID is the mean of the unbiased one over random subsets that are drawn as torch-fidelity draws them; CMMD takes the
//! biased one of all images.

use serde::{Deserialize, Serialize};

use super::inception::mean_and_population_std;
use super::kernel_sums::Sums;
use super::resample::{Interval, ResampleConfig, Samples};
use crate::error::enough;
use crate::matrix::same_cols;
use crate::numpy_rng::RandomState;
use crate::{Error, Matrix, Result};

/// A kernel of two feature vectors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kernel {
    /// `(γ x·y + c)^degree`.
    Polynomial {
        /// The exponent, 1 or more.
        degree: u32,
        /// The factor γ; none for one over the number of features.
        gamma: Option<f64>,
        /// The constant c.
        coef0: f64,
    },
    /// `exp(−|x − y|² / (2 σ²))`, the Gaussian kernel, which is called RBF, too.
    Gaussian {
        /// The width σ, above 0.
        sigma: f64,
    },
}

impl Kernel {
    /// `(x·y / D + 1)³`, the kernel of KID.
    pub fn kid() -> Self {
        Self::Polynomial { degree: 3, gamma: None, coef0: 1.0 }
    }

    /// Checks that its settings are in range.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(self) -> Result<()> {
        let (expected, good) = match self {
            Self::Polynomial { degree, gamma, coef0 } => {
                let finite = coef0.is_finite() && gamma.is_none_or(f64::is_finite);
                (
                    "a degree from 1 to 100, finite gamma and constant",
                    (1..=100).contains(&degree) && finite,
                )
            }
            Self::Gaussian { sigma } => {
                ("a finite sigma above 0", sigma.is_finite() && sigma > 0.0)
            }
        };
        if good { Ok(()) } else { Err(Error::config("the kernel", expected, format!("{self:?}"))) }
    }

    /// The kernel of two rows with this inner product and squared distance, of `cols` features.
    pub(super) fn of(self, dot: f64, squared_distance: f64, cols: usize) -> f64 {
        match self {
            Self::Polynomial { degree, gamma, coef0 } => {
                (dot * gamma.unwrap_or(1.0 / cols as f64) + coef0).powi(degree as i32)
            }
            Self::Gaussian { sigma } => (-squared_distance / (2.0 * sigma * sigma)).exp(),
        }
    }
}

/// Whether a row is compared with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// It is not; the expectation is the distance of the distributions, and values below 0 occur.
    Unbiased,
    /// It is; the value is at least 0, and too high by about the mean of `k(x, x) − k(x, x')` over `n`.
    Biased,
}

/// The settings of the kernel distance: the kernel, and how subsets are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelDistanceConfig {
    /// The kernel.
    pub kernel: Kernel,
    /// Number of subsets.
    pub subsets: usize,
    /// Images in each subset, taken without replacement; at least 2.
    pub subset_size: usize,
    /// Seed of NumPy's legacy generator.
    pub seed: u32,
}

impl KernelDistanceConfig {
    /// The cubic kernel, 100 subsets of 1000, seed 2020, as torch-fidelity does it.
    pub fn torch_fidelity() -> Self {
        Self { kernel: Kernel::kid(), subsets: 100, subset_size: 1000, seed: 2020 }
    }
}

/// The settings of the distance of whole sets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MmdConfig {
    /// The kernel.
    pub kernel: Kernel,
    /// The estimator.
    pub estimator: Estimator,
    /// What the squared distance is multiplied by.
    pub scale: f64,
}

impl MmdConfig {
    /// The Gaussian kernel with σ = 10, biased, times 1000, as CMMD has it over CLIP's features.
    pub fn cmmd() -> Self {
        Self {
            kernel: Kernel::Gaussian { sigma: 10.0 },
            estimator: Estimator::Biased,
            scale: 1000.0,
        }
    }
}

/// A kernel distance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KernelDistance {
    /// Mean over the subsets; it may be slightly negative.
    pub mean: f64,
    /// Population standard deviation over the subsets.
    pub std: f64,
}

/// Kernel distance between feature sets `[N1, D]` and `[N2, D]`.
///
/// # Errors
/// [`Error::Shape`] when the sets differ in `D`, [`Error::TooFew`] when a set is smaller than a
/// subset, [`Error::Config`] for no subsets, subsets below 2 or a kernel out of range, [`Error::NotFinite`].
pub fn kernel_distance(
    first: &Matrix,
    second: &Matrix,
    config: &KernelDistanceConfig,
) -> Result<KernelDistance> {
    check(first, second, config.kernel)?;
    if config.subsets == 0 || config.subset_size < 2 {
        let found = format!("{} x {}", config.subsets, config.subset_size);
        let expected = "at least 1 subset of at least 2 images";
        return Err(Error::config("KID subsets x size", expected, found));
    }
    let smallest = first.rows().min(second.rows());
    let remedy = "give more images or a smaller subset size";
    enough("KID", config.subset_size, smallest, remedy)?;
    let mut rng = RandomState::new(config.seed);
    let whole = Samples::whole(config.subset_size);
    let mut values = Vec::with_capacity(config.subsets);
    for _ in 0..config.subsets {
        let a = first.select(&rng.choice(first.rows(), config.subset_size)?);
        let b = second.select(&rng.choice(second.rows(), config.subset_size)?);
        let sums = Sums::of(&a, &b, config.kernel, (&whole, &whole));
        values.push(sums.mmd(0, Estimator::Unbiased));
    }
    let (mean, std) = mean_and_population_std(&values);
    Ok(KernelDistance { mean, std })
}

/// [`kernel_distance`] with its interval, which stands for the images; `std` stands for the subsets. The halves are
/// scored as wholes, without subsets: the expectation is the same.
///
/// # Errors
/// As [`kernel_distance`]; [`Error::Config`] for too few resamples.
pub fn kernel_distance_interval(
    first: &Matrix,
    second: &Matrix,
    config: &KernelDistanceConfig,
    resample: &ResampleConfig,
) -> Result<(KernelDistance, Interval)> {
    let found = kernel_distance(first, second, config)?;
    let all = in_samples(first, second, config.kernel, Estimator::Unbiased, resample)?;
    Ok((found, Interval::of(found.mean, &all[1..])?))
}

/// Squared maximum mean discrepancy between feature sets `[N1, D]` and `[N2, D]`, times the scale; exact, in tiles.
///
/// # Errors
/// [`Error::Shape`] when the sets differ in `D`, [`Error::TooFew`] with fewer than 2 rows, [`Error::Config`] for a
/// kernel out of range, [`Error::NotFinite`].
pub fn mmd(first: &Matrix, second: &Matrix, config: &MmdConfig) -> Result<f64> {
    check(first, second, config.kernel)?;
    let samples = (&Samples::whole(first.rows()), &Samples::whole(second.rows()));
    Ok(config.scale * Sums::of(first, second, config.kernel, samples).mmd(0, config.estimator))
}

/// [`mmd`] with its interval.
///
/// # Errors
/// As [`mmd`]; [`Error::Config`] for too few resamples; [`Error::TooFew`] with fewer than 4 rows.
pub fn mmd_interval(
    first: &Matrix,
    second: &Matrix,
    config: &MmdConfig,
    resample: &ResampleConfig,
) -> Result<(f64, Interval)> {
    check(first, second, config.kernel)?;
    let all = in_samples(first, second, config.kernel, config.estimator, resample)?;
    let all: Vec<f64> = all.iter().map(|value| config.scale * value).collect();
    let interval = Interval::of(all[0], &all[1..])?;
    let least = if config.estimator == Estimator::Biased { 0.0 } else { f64::NEG_INFINITY };
    Ok((all[0], interval.within(least, f64::INFINITY)))
}

fn check(first: &Matrix, second: &Matrix, kernel: Kernel) -> Result<()> {
    same_cols(first, second)?;
    kernel.check()?;
    enough("a kernel distance", 2, first.rows().min(second.rows()), "give more images")?;
    first.check_finite("features of the first set")?;
    second.check_finite("features of the second set")
}

/// The squared distance of the whole sets, then of their halves.
fn in_samples(
    first: &Matrix,
    second: &Matrix,
    kernel: Kernel,
    estimator: Estimator,
    resample: &ResampleConfig,
) -> Result<Vec<f64>> {
    let samples =
        (&Samples::draw(first.rows(), resample, 0)?, &Samples::draw(second.rows(), resample, 1)?);
    let sums = Sums::of(first, second, kernel, samples);
    Ok((0..samples.0.count()).map(|sample| sums.mmd(sample, estimator)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[f32]) -> Matrix {
        Matrix::new(1, points.to_vec()).unwrap()
    }

    #[test]
    fn by_hand() {
        // Gaussian with σ = 1: k depends on the distance d as e(d) = exp(−d²/2).
        let e = |d: f64| (-d * d / 2.0).exp();
        let (x, y) = (line(&[0., 1.]), line(&[2., 4., 5.]));
        let kernel = Kernel::Gaussian { sigma: 1.0 };
        let cross = (e(2.) + e(4.) + e(5.) + e(1.) + e(3.) + e(4.)) / 6.0;
        let unbiased = e(1.) + (e(2.) + e(3.) + e(1.)) / 3.0 - 2.0 * cross;
        let biased =
            (2.0 + 2.0 * e(1.)) / 4.0 + (3.0 + 2.0 * (e(2.) + e(3.) + e(1.))) / 9.0 - 2.0 * cross;
        for (estimator, expected) in [(Estimator::Unbiased, unbiased), (Estimator::Biased, biased)]
        {
            let found = mmd(&x, &y, &MmdConfig { kernel, estimator, scale: 10.0 }).unwrap();
            assert!((found - 10.0 * expected).abs() < 1e-12, "{found} {expected}");
        }
        // (2 x·y + 1)²: x gives 1 (0·0), 1 (0·1), 9 (1·1).
        let kernel = Kernel::Polynomial { degree: 2, gamma: Some(2.0), coef0: 1.0 };
        let (x, y) = (line(&[0., 1.]), line(&[1., -1.]));
        let config = MmdConfig { kernel, estimator: Estimator::Unbiased, scale: 1.0 };
        // Pairs of y: (−2 + 1)² = 1. Cross: 1, 1, 9, 1.
        assert!((mmd(&x, &y, &config).unwrap() - (1.0 + 1.0 - 2.0 * 12.0 / 4.0)).abs() < 1e-12);
        let config = MmdConfig { estimator: Estimator::Biased, ..config };
        // x: (1 + 1 + 1 + 9)/4 = 3; y: (9 + 9 + 1 + 1)/4 = 5.
        assert!((mmd(&x, &y, &config).unwrap() - (3.0 + 5.0 - 6.0)).abs() < 1e-12);
    }

    #[test]
    fn cmmds_scale_and_width() {
        // Two copies of one point each, 10 apart: 2 − 2 exp(−1/2), times 1000.
        let (x, y) = (line(&[0., 0.]), line(&[10., 10.]));
        let found = mmd(&x, &y, &MmdConfig::cmmd()).unwrap();
        assert!((found - 2000.0 * (1.0 - (-0.5f64).exp())).abs() < 1e-9, "{found}");
        assert_eq!(mmd(&x, &x, &MmdConfig::cmmd()).unwrap(), 0.0);
    }

    #[test]
    fn subsets_of_everything_are_the_whole() {
        let value = |i: usize| ((i * 37 + i / 7 * 11) % 101) as f32 / 50.0 - 1.0;
        let a = Matrix::new(4, (0..1200).map(value).collect()).unwrap();
        let b = Matrix::new(4, (0..1200).map(|i| 0.3 + value(i + 5)).collect()).unwrap();
        for kernel in [Kernel::kid(), Kernel::Gaussian { sigma: 0.7 }] {
            let config = KernelDistanceConfig { kernel, subsets: 2, subset_size: 300, seed: 1 };
            let found = kernel_distance(&a, &b, &config).unwrap();
            let whole = MmdConfig { kernel, estimator: Estimator::Unbiased, scale: 1.0 };
            let expected = mmd(&a, &b, &whole).unwrap();
            assert!(
                (found.mean - expected).abs() < 1e-12 * expected.abs().max(1.0)
                    && found.std < 1e-12
            );
        }
    }

    #[test]
    fn samples_are_scored_as_if_they_were_sets() {
        let value = |i: usize| ((i * 37 + i / 7 * 11) % 101) as f32 / 50.0 - 1.0;
        let a = Matrix::new(3, (0..1800).map(value).collect()).unwrap();
        let b = Matrix::new(3, (0..990).map(|i| 0.5 * value(i + 3)).collect()).unwrap();
        let resample = ResampleConfig { resamples: 20, seed: 4 };
        let halves = [(&a, 0), (&b, 1)].map(|(set, stream)| {
            let samples = Samples::draw(set.rows(), &resample, stream).unwrap();
            samples.halves(set).collect::<Vec<_>>()
        });
        for kernel in [Kernel::kid(), Kernel::Gaussian { sigma: 2.0 }] {
            for estimator in [Estimator::Unbiased, Estimator::Biased] {
                let all = in_samples(&a, &b, kernel, estimator, &resample).unwrap();
                let config = MmdConfig { kernel, estimator, scale: 1.0 };
                assert!((all[0] - mmd(&a, &b, &config).unwrap()).abs() < 1e-11);
                for (found, (a, b)) in all[1..].iter().zip(halves[0].iter().zip(&halves[1])) {
                    let expected = mmd(a, b, &config).unwrap();
                    assert!((found - expected).abs() < 1e-11, "{found} {expected}");
                }
            }
        }
        let (score, interval) = mmd_interval(&a, &b, &MmdConfig::cmmd(), &resample).unwrap();
        assert!(interval.low <= score && score <= interval.high && interval.std_error > 0.0);
    }

    #[test]
    fn errors_name_the_fault() {
        let (a, b) = (line(&[0., 1.]), line(&[2., 3.]));
        let with = |kernel| mmd(&a, &b, &MmdConfig { kernel, ..MmdConfig::cmmd() });
        for kernel in [
            Kernel::Gaussian { sigma: 0.0 },
            Kernel::Gaussian { sigma: f64::NAN },
            Kernel::Polynomial { degree: 0, gamma: None, coef0: 1.0 },
            Kernel::Polynomial { degree: 3, gamma: Some(f64::INFINITY), coef0: 1.0 },
        ] {
            assert!(matches!(with(kernel), Err(Error::Config { .. })), "{kernel:?}");
        }
        let one = line(&[0.]);
        assert!(matches!(mmd(&one, &b, &MmdConfig::cmmd()), Err(Error::TooFew { needed: 2, .. })));
    }
}
