//! [`kernel_distance`] is the Kernel Inception Distance (Bińkowski et al. 2018, *Demystifying MMD GANs*, section 4).
//!
//! It is the unbiased squared MMD under `k(x, y) = (x·y / D + 1)³`, over random subsets that are drawn as
//! torch-fidelity draws them. For subsets `x` and `y` of `m` features each
//!
//! ```text
//! MMD² = Σ_{i≠j} k(xᵢ, xⱼ) / (m (m − 1)) + Σ_{i≠j} k(yᵢ, yⱼ) / (m (m − 1)) − 2 Σ_{i,j} k(xᵢ, yⱼ) / m²
//! ```

use serde::{Deserialize, Serialize};

use super::inception::mean_and_population_std;
use super::linalg;
use crate::error::enough;
use crate::matrix::same_cols;
use crate::numpy_rng::RandomState;
use crate::{Error, Matrix, Result};

/// The settings of the kernel distance: how subsets are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelDistanceConfig {
    /// Number of subsets.
    pub subsets: usize,
    /// Images in each subset, taken without replacement; at least 2.
    pub subset_size: usize,
    /// Seed of NumPy's legacy generator.
    pub seed: u32,
}

impl KernelDistanceConfig {
    /// 100 subsets of 1000, seed 2020, as torch-fidelity does it.
    pub fn torch_fidelity() -> Self {
        Self { subsets: 100, subset_size: 1000, seed: 2020 }
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
/// subset, [`Error::Config`] for no subsets or subsets below 2, [`Error::NotFinite`].
pub fn kernel_distance(
    first: &Matrix,
    second: &Matrix,
    config: &KernelDistanceConfig,
) -> Result<KernelDistance> {
    same_cols(first, second)?;
    if config.subsets == 0 || config.subset_size < 2 {
        let found = format!("{} x {}", config.subsets, config.subset_size);
        let expected = "at least 1 subset of at least 2 images";
        return Err(Error::config("KID subsets x size", expected, found));
    }
    let smallest = first.rows().min(second.rows());
    let remedy = "give more images or a smaller subset size";
    enough("KID", config.subset_size, smallest, remedy)?;
    first.check_finite("features of the first set")?;
    second.check_finite("features of the second set")?;
    let mut rng = RandomState::new(config.seed);
    let mut values = Vec::with_capacity(config.subsets);
    for _ in 0..config.subsets {
        let a = first.select(&rng.choice(first.rows(), config.subset_size)?);
        let b = second.select(&rng.choice(second.rows(), config.subset_size)?);
        values.push(mmd2_unbiased(&a, &b));
    }
    let (mean, std) = mean_and_population_std(&values);
    Ok(KernelDistance { mean, std })
}

/// Unbiased squared MMD of two sets of the same size.
fn mmd2_unbiased(a: &Matrix, b: &Matrix) -> f64 {
    let m = a.rows() as f64;
    let within = |x: &Matrix| kernel_sum(x, x, true) / (m * (m - 1.0));
    within(a) + within(b) - 2.0 * kernel_sum(a, b, false) / (m * m)
}

/// Sum of the cubic kernel over all pairs, without the diagonal where `skip_diagonal`.
fn kernel_sum(a: &Matrix, b: &Matrix, skip_diagonal: bool) -> f64 {
    let gram = linalg::gram(a, b);
    let scale = 1.0 / a.cols() as f64;
    let mut sum = 0.0;
    for j in 0..gram.ncols() {
        for i in 0..gram.nrows() {
            if !(skip_diagonal && i == j) {
                let v = gram[(i, j)] * scale + 1.0;
                sum += v * v * v;
            }
        }
    }
    sum
}
