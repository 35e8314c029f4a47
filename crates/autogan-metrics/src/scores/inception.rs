//! [`inception_score`] computes the Inception Score (Salimans et al. 2016, *Improved Techniques for Training GANs*,
//! section 4): `IS = exp(E_x KL(p(y|x) ‖ p(y)))`, the mean over equal splits, with the population standard deviation
//! over the splits. Shuffle, splits and order of the sums follow torch-fidelity.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::resample::{Interval, ResampleConfig, Samples};
use crate::error::enough;
use crate::numpy_rng::RandomState;
use crate::{Error, Matrix, Result};

/// The settings of the Inception Score: how the set is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InceptionScoreConfig {
    /// Number of splits, 10 in the published figures.
    pub splits: usize,
    /// Seed of NumPy's legacy shuffle before the split; none keeps the given order.
    pub shuffle_seed: Option<u32>,
}

impl InceptionScoreConfig {
    /// 10 splits, shuffled with seed 2020, as torch-fidelity does it.
    pub fn torch_fidelity() -> Self {
        Self { splits: 10, shuffle_seed: Some(2020) }
    }

    /// `splits` splits in the given order, as the released AutoGAN code does it (with 10).
    pub fn in_order(splits: usize) -> Self {
        Self { splits, shuffle_seed: None }
    }
}

/// An Inception Score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InceptionScore {
    /// Mean over the splits, between 1 and the number of classes.
    pub mean: f64,
    /// Population standard deviation over the splits.
    pub std: f64,
}

/// Inception Score of logits `[N, K]`.
///
/// # Errors
/// [`Error::Config`] for 0 splits, [`Error::TooFew`] with fewer images than splits,
/// [`Error::Shape`] for logits without columns, [`Error::NotFinite`] for NaN or infinite logits.
pub fn inception_score(logits: &Matrix, config: &InceptionScoreConfig) -> Result<InceptionScore> {
    check(logits, config, logits.rows())?;
    Ok(score_of(logits, (0..logits.rows()).collect(), config))
}

/// [`inception_score`] with its interval, which stands for the images; `std` stands for the splits.
///
/// # Errors
/// As [`inception_score`]; [`Error::TooFew`] when a half holds fewer images than splits; [`Error::Config`] for too few
/// resamples.
pub fn inception_score_interval(
    logits: &Matrix,
    config: &InceptionScoreConfig,
    resample: &ResampleConfig,
) -> Result<(InceptionScore, Interval)> {
    check(logits, config, logits.rows() / 2)?;
    let samples = Samples::draw(logits.rows(), resample, 0)?;
    let score = |sample: usize| score_of(logits, samples.rows_of(sample), config);
    let halves: Vec<f64> =
        (1..samples.count()).into_par_iter().map(|sample| score(sample).mean).collect();
    let found = score(0);
    Ok((found, Interval::of(found.mean, &halves)?.within(1.0, logits.cols() as f64)))
}

fn check(logits: &Matrix, config: &InceptionScoreConfig, n: usize) -> Result<()> {
    let (k, splits) = (logits.cols(), config.splits);
    if splits == 0 {
        return Err(Error::config("splits", "at least 1", "0"));
    }
    if k == 0 {
        let found = "no columns: the extractor has no classes";
        let what = "logits for the Inception Score";
        return Err(Error::shape(what, "[N, K] with K of 1 or more", found));
    }
    let remedy = format!("give more images or fewer than {splits} splits");
    enough("the Inception Score", splits, n, &remedy)?;
    logits.check_finite("logits")
}

/// The score of the rows `rows`, which are shuffled and split as if they were the set.
fn score_of(logits: &Matrix, rows: Vec<usize>, config: &InceptionScoreConfig) -> InceptionScore {
    let (n, splits) = (rows.len(), config.splits);
    let order = match config.shuffle_seed {
        Some(seed) => RandomState::new(seed).permutation(n).into_iter().map(|i| rows[i]).collect(),
        None => rows,
    };
    let scores: Vec<f64> = (0..splits)
        .map(|i| split_score(logits, &order[i * n / splits..(i + 1) * n / splits], logits.cols()))
        .collect();
    let (mean, std) = mean_and_population_std(&scores);
    InceptionScore { mean, std }
}

/// `exp(mean_x Σ_y p(y|x) (log p(y|x) − log p(y)))` over the rows `rows`.
fn split_score(logits: &Matrix, rows: &[usize], classes: usize) -> f64 {
    let count = rows.len() as f64;
    let mut marginal = vec![0f64; classes];
    let mut log_p = Vec::with_capacity(rows.len() * classes);
    for &row in rows {
        let values = log_softmax(logits.row(row));
        for (sum, v) in marginal.iter_mut().zip(&values) {
            *sum += v.exp() / count;
        }
        log_p.extend(values);
    }
    let total: f64 = log_p
        .chunks_exact(classes)
        .map(|row| {
            row.iter()
                .zip(&marginal)
                // p log p is 0 at p = 0, where the marginal may be 0 as well.
                .map(|(&lp, &q)| {
                    let p = lp.exp();
                    if p == 0.0 { 0.0 } else { p * (lp - q.ln()) }
                })
                .sum::<f64>()
        })
        .sum();
    (total / count).exp()
}

/// Log-softmax of one row, in `f64`.
fn log_softmax(row: &[f32]) -> Vec<f64> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted: Vec<f64> = row.iter().map(|&v| f64::from(v) - f64::from(max)).collect();
    let log_sum = shifted.iter().map(|v| v.exp()).sum::<f64>().ln();
    shifted.iter().map(|v| v - log_sum).collect()
}

/// Mean and population standard deviation.
pub(crate) fn mean_and_population_std(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let var = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    (mean, var.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(rows: &[[f32; 2]], config: InceptionScoreConfig) -> Result<InceptionScore> {
        let data = rows.iter().flatten().copied().collect();
        inception_score(&Matrix::new(2, data)?, &config)
    }

    #[test]
    fn by_hand() {
        let ln3 = 3f32.ln();
        let (a, b) = ([2000., 0.], [0., 2000.]);
        for (rows, splits, mean, std, gap) in [
            // One row says (3/4, 1/4), the other (1/4, 3/4): the marginal is (1/2, 1/2), so
            // KL = 3/4 ln(3/2) + 1/4 ln(1/2).
            (
                &[[ln3, 0.], [0., ln3]][..],
                1,
                (0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln()).exp(),
                0.0,
                1e-7,
            ),
            // Certain and balanced: the number of classes. All alike: 1. No NaN where p underflows.
            (&[a, b], 1, 2.0, 0.0, 1e-12),
            (&[a, a], 1, 1.0, 0.0, 1e-12),
            // First split scores 2, second 1: mean 1.5, population std 0.5.
            (&[a, b, a, a], 2, 1.5, 0.5, 1e-12),
        ] {
            let s = score(rows, InceptionScoreConfig::in_order(splits)).unwrap();
            assert!((s.mean - mean).abs() < gap, "{} {mean}", s.mean);
            assert!((s.std - std).abs() < 1e-12 && (splits > 1 || s.std == 0.0), "{}", s.std);
        }
    }

    #[test]
    fn halves_are_scored_as_if_they_were_sets() {
        let value = |i: usize| ((i * 7919) % 1013) as f32 / 200.0;
        let logits = Matrix::new(4, (0..4 * 90).map(value).collect()).unwrap();
        let resample = ResampleConfig { resamples: 25, seed: 3 };
        for shuffle_seed in [None, Some(7)] {
            let config = InceptionScoreConfig { splits: 3, shuffle_seed };
            let (found, interval) = inception_score_interval(&logits, &config, &resample).unwrap();
            assert_eq!(found, inception_score(&logits, &config).unwrap());
            let samples = Samples::draw(90, &resample, 0).unwrap();
            let halves: Vec<f64> = samples
                .halves(&logits)
                .map(|half| inception_score(&half, &config).unwrap().mean)
                .collect();
            assert_eq!(interval, Interval::of(found.mean, &halves).unwrap());
            assert!(interval.std_error > 0.0);
        }
        let config = InceptionScoreConfig::in_order(46);
        assert!(inception_score(&logits, &config).is_ok());
        assert!(inception_score_interval(&logits, &config, &resample).is_err(), "halves of 45");
    }

    #[test]
    fn errors_name_the_remedy() {
        let rows = [[1., 0.], [0., 1.]];
        let few = score(&rows, InceptionScoreConfig::in_order(3)).unwrap_err();
        assert!(few.to_string().contains("at least 3"), "{few}");
        assert!(score(&rows, InceptionScoreConfig::in_order(0)).is_err());
        let nan = score(&[[f32::NAN, 0.]], InceptionScoreConfig::in_order(1)).unwrap_err();
        assert!(matches!(nan, Error::NotFinite { index: 0, .. }));
    }
}
