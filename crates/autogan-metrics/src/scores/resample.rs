//! This module says how sure a score is: it makes the score of many random halves of the images, and an [`Interval`] of
//! how much these scores scatter.
//!
//! A half is drawn without replacement. Its score scatters around the score of the whole set as the score of the whole
//! set scatters around the truth: for a mean over `n` images the variance of a half is `σ²/(n/2) · (1 − 1/2) = σ²/n`.
//! The bootstrap with replacement does not serve here: it repeats images, and a repeated image is its own nearest
//! neighbour at distance 0, which breaks precision, recall, density and coverage, adds pairs of equal images to the
//! kernel distances, and lowers the rank of FID's covariances.
//!
//! Where a score is no smooth function of means, as with nearest neighbours, a half scatters more than this, up to √2
//! times: the interval is then too wide, never too narrow.
//!
//! Scores of fewer images are biased (FID is too high), so that only the scatter of the halves counts, not their mean:
//! with the score `s` and the scores `h` of the halves, the interval is `s − q(h − mean h)` between the quantiles 0.975
//! and 0.025.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::enough;
use crate::{Error, Matrix, Result};

/// Share of intervals that hold the truth, in percent.
pub const LEVEL: usize = 95;

/// The settings of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResampleConfig {
    /// Number of halves that are scored; at least 20, from which quantiles are read.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

/// An interval around a score that holds the score of infinitely many draws of as many images in [`LEVEL`] percent of
/// all cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard error: the sample deviation of the halves' scores.
    pub std_error: f64,
}

impl Interval {
    /// The interval of `score` whose halves scored `halves`.
    ///
    /// # Errors
    /// [`Error::Config`] with fewer than 20 halves, [`Error::NotFinite`].
    pub fn of(score: f64, halves: &[f64]) -> Result<Self> {
        check(halves.len())?;
        if let Some(index) = halves.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite { what: "the scores of the halves".into(), index });
        }
        let n = halves.len() as f64;
        let mean = halves.iter().sum::<f64>() / n;
        let mut gaps: Vec<f64> = halves.iter().map(|h| h - mean).collect();
        gaps.sort_unstable_by(f64::total_cmp);
        let variance = gaps.iter().map(|g| g * g).sum::<f64>() / (n - 1.0);
        let tail = (100 - LEVEL) as f64 / 200.0;
        Ok(Self {
            low: score - quantile(&gaps, 1.0 - tail),
            high: score - quantile(&gaps, tail),
            std_error: variance.sqrt(),
        })
    }

    /// The interval, cut off where the score cannot be.
    #[must_use]
    pub fn within(self, least: f64, most: f64) -> Self {
        Self { low: self.low.clamp(least, most), high: self.high.clamp(least, most), ..self }
    }
}

fn check(resamples: usize) -> Result<()> {
    if resamples >= 20 {
        return Ok(());
    }
    Err(Error::config("number of resamples", "at least 20", resamples.to_string()))
}

/// The quantile of sorted values, linear between them.
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Which rows of a set belong to which sample. Sample 0 is the whole set; the others are random halves.
#[derive(Debug, Clone)]
pub struct Samples {
    rows: usize,
    count: usize,
    words: usize,
    masks: Vec<u64>,
}

impl Samples {
    /// The whole set only.
    pub(crate) fn whole(rows: usize) -> Self {
        Self { rows, count: 1, words: 1, masks: vec![1; rows] }
    }

    /// The whole set and its halves. Sets that are compared take different streams, so that they are drawn
    /// independently.
    ///
    /// # Errors
    /// [`Error::Config`] with fewer than 20 halves, [`Error::TooFew`] with fewer than 4 rows.
    pub fn draw(rows: usize, config: &ResampleConfig, stream: u64) -> Result<Self> {
        check(config.resamples)?;
        enough("an interval", 4, rows, "give more images")?;
        let count = config.resamples + 1;
        let words = count.div_ceil(64);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(stream);
        let mut masks = vec![0; rows * words];
        masks.iter_mut().step_by(words).for_each(|mask| *mask = 1);
        for sample in 1..count {
            for row in index::sample(&mut rng, rows, rows / 2) {
                masks[row * words + sample / 64] |= 1 << (sample % 64);
            }
        }
        Ok(Self { rows, count, words, masks })
    }

    /// Number of samples, the whole set included.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Number of `u64` that hold the samples of one row.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Number of rows in a sample.
    pub(crate) fn size(&self, sample: usize) -> usize {
        if sample == 0 { self.rows } else { self.rows / 2 }
    }

    /// Whether a sample holds a row.
    pub(crate) fn holds(&self, sample: usize, row: usize) -> bool {
        (self.masks[row * self.words + sample / 64] >> (sample % 64)) & 1 == 1
    }

    /// The rows of a sample, in order.
    pub(crate) fn rows_of(&self, sample: usize) -> Vec<usize> {
        (0..self.rows).filter(|&row| self.holds(sample, row)).collect()
    }

    /// The rows of each half, as new matrices, one after the other.
    pub fn halves<'a>(&'a self, set: &'a Matrix) -> impl Iterator<Item = Matrix> + 'a {
        (1..self.count).map(move |sample| set.select(&self.rows_of(sample)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_by_hand() {
        // Gaps −10, −9, … 10: quantiles 0.025 and 0.975 are −9.5 and 9.5, the sample variance 770/20.
        let halves: Vec<f64> = (0..21).map(|i| f64::from(i) + 90.0).collect();
        let found = Interval::of(7.0, &halves).unwrap();
        assert!((found.low + 2.5).abs() < 1e-12 && (found.high - 16.5).abs() < 1e-12, "{found:?}");
        assert!((found.std_error - 38.5f64.sqrt()).abs() < 1e-12);
        let cut = found.within(0.0, 10.0);
        assert_eq!((cut.low, cut.high, cut.std_error), (0.0, 10.0, found.std_error));
        assert!(Interval::of(7.0, &halves[..19]).is_err());
        let nan = vec![f64::NAN; 20];
        assert!(matches!(Interval::of(7.0, &nan), Err(Error::NotFinite { index: 0, .. })));
    }

    #[test]
    fn skew_is_mirrored() {
        // Halves that are sometimes far too high say that the score may be: the truth lies below.
        let mut halves = vec![0.0; 40];
        halves[..4].fill(10.0);
        let found = Interval::of(5.0, &halves).unwrap();
        assert!(
            (found.low - (5.0 - 9.0)).abs() < 1e-12 && (found.high - 6.0).abs() < 1e-12,
            "{found:?}"
        );
    }

    #[test]
    fn halves_are_halves_and_follow_the_seed() {
        let config = ResampleConfig { resamples: 130, seed: 1 };
        let samples = Samples::draw(9, &config, 0).unwrap();
        assert_eq!((samples.count(), samples.words()), (131, 3));
        for sample in 0..131 {
            let held = (0..9).filter(|&row| samples.holds(sample, row)).count();
            assert_eq!(held, if sample == 0 { 9 } else { 4 });
            assert_eq!(held, samples.size(sample));
        }
        // Each row is in about 4 of 9 halves: 58 of 130, deviation 5.7.
        for row in 0..9 {
            let held = (1..131).filter(|&sample| samples.holds(sample, row)).count();
            assert!((30..=86).contains(&held), "{held}");
        }
        assert_eq!(samples.masks, Samples::draw(9, &config, 0).unwrap().masks);
        assert_ne!(samples.masks, Samples::draw(9, &config, 1).unwrap().masks);
        assert_ne!(
            samples.masks,
            Samples::draw(9, &ResampleConfig { seed: 2, ..config }, 0).unwrap().masks
        );
        let set = Matrix::new(1, (0..9).map(|i| i as f32).collect()).unwrap();
        let halves: Vec<Matrix> = samples.halves(&set).collect();
        assert_eq!(halves.len(), 130);
        assert!(halves.iter().all(|half| half.rows() == 4));
        assert!(Samples::draw(3, &config, 0).is_err());
    }

    /// The standard error of a mean over 400 images is σ/√400.
    #[test]
    fn the_error_of_a_mean_is_found() {
        let values: Vec<f32> = (0..400).map(|i| ((i * 7919) % 400) as f32).collect();
        let set = Matrix::new(1, values).unwrap();
        let config = ResampleConfig { resamples: 2000, seed: 3 };
        let samples = Samples::draw(400, &config, 0).unwrap();
        let mean =
            |m: &Matrix| m.data().iter().map(|&v| f64::from(v)).sum::<f64>() / m.rows() as f64;
        let halves: Vec<f64> = samples.halves(&set).map(|half| mean(&half)).collect();
        let found = Interval::of(mean(&set), &halves).unwrap();
        // The sample variance of 0, 1, … 399 is 400 · 401 / 12.
        let expected = (400.0f64 * 401.0 / 12.0 / 400.0).sqrt();
        assert!((found.std_error / expected - 1.0).abs() < 0.05, "{} {expected}", found.std_error);
        let half_width = (found.high - found.low) / 2.0;
        assert!((half_width / (1.96 * expected) - 1.0).abs() < 0.08, "{half_width} {expected}");
    }
}
