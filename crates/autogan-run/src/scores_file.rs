//! `scores.json` holds the scores of an architecture that was trained from scratch.
//!
//! No times and no paths, so that two runs of one seed write the same bytes.

use std::path::Path;

use autogan_space::Arch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sealed;

/// The content of `scores.json`, which a training writes when it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresFile {
    /// The architecture; in the file its released vector: `conv norm up shortcut [skip mask]` per cell.
    pub arch: Arch,
    /// The named form.
    pub named: String,
    /// Seed of the run.
    pub seed: u64,
    /// Name of the preset.
    pub preset: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the extractor that scored, as `compact-shapes`.
    pub scorer: String,
    /// How the scores came about.
    pub protocol: ScoresProtocol,
    /// Parameters of the generator.
    pub params: u64,
    /// Multiply-accumulates of one image through it.
    pub macs: u64,
    /// G iterations that were made.
    pub g_iterations: u64,
    /// Real images that the discriminator saw, each as often as it did.
    pub images_seen: u64,
    /// The score at the end.
    pub last: ModelScore,
    /// The best score on the way: by the Fréchet distance where it was taken, else by the Inception Score.
    pub best: ModelScore,
    /// The same scores of training images.
    pub real: RealScore,
}

/// Names of the scores, each with scorer, sample count and splits or reference in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoresProtocol {
    /// Of `is`, as `is_compact-shapes_1000_2splits`.
    pub is: String,
    /// Of `frechet`, as `frechet_compact-shapes_1000_6400train`; it begins with `fid` only with Inception's features.
    pub frechet: Option<String>,
}

/// Scores of the averaged generator at one moment of its training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelScore {
    /// G iterations before it.
    pub g_iteration: u64,
    /// Real images that the discriminator had seen.
    pub images_seen: u64,
    /// The formula of the Inception Score: mean over the splits; higher is better.
    pub is: f64,
    /// Standard deviation over the splits.
    pub is_std: f64,
    /// Fréchet distance to the training images, where it was taken; lower is better.
    pub frechet: Option<f64>,
}

/// What training images get: the score that a generator can hope for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealScore {
    /// As [`ModelScore::is`], of as many training images, or of all where there are fewer.
    pub is: f64,
    /// Standard deviation over the splits.
    pub is_std: f64,
    /// Fréchet distance of as many training images, or of one half where there are fewer, to the others: no image is
    /// on both sides.
    pub frechet: Option<f64>,
}

impl ModelScore {
    /// Whether this score is better than `other`: by the Fréchet distance where both have one, else by the Inception
    /// Score. Equal scores are not better.
    pub fn is_better_than(&self, other: &ModelScore) -> bool {
        match (self.frechet, other.frechet) {
            (Some(own), Some(other)) => own < other,
            _ => self.is > other.is,
        }
    }

    fn numbers(&self) -> [f64; 3] {
        [self.is, self.is_std, self.frechet.unwrap_or(0.0)]
    }
}

impl ScoresFile {
    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number that JSON cannot hold (NaN, infinite); otherwise the file system's error.
    pub fn write(&self, path: &Path) -> Result<()> {
        let real = [self.real.is, self.real.is_std, self.real.frechet.unwrap_or(0.0)];
        let all = [self.last.numbers(), self.best.numbers(), real];
        check_finite("score for scores.json", all.into_iter().flatten())?;
        sealed::write(path, self)
    }
}

/// Refuses numbers that JSON cannot hold.
pub(crate) fn check_finite(what: &'static str, all: impl IntoIterator<Item = f64>) -> Result<()> {
    let mut all = all.into_iter();
    let bad = all.find(|number| !number.is_finite());
    bad.map_or(Ok(()), |bad| Err(Error::invalid(what, "a finite number", bad.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(is: f64, frechet: Option<f64>) -> ModelScore {
        ModelScore { g_iteration: 500, images_seen: 16_000, is, is_std: 0.125, frechet }
    }

    fn sample() -> ScoresFile {
        ScoresFile {
            arch: Arch::AUTOGAN_A,
            named: "pre-none-nearest-sc".into(),
            seed: 3,
            preset: "quick".into(),
            dataset: "shapes".into(),
            scorer: "compact-shapes".into(),
            protocol: ScoresProtocol {
                is: "is_compact-shapes_1000_2splits".into(),
                frechet: Some("frechet_compact-shapes_1000_6400train".into()),
            },
            params: 4_405_251,
            macs: 1_765_015_552,
            g_iterations: 1000,
            images_seen: 32_000,
            last: score(3.5, Some(40.5)),
            best: score(3.25, Some(30.125)),
            real: RealScore { is: 9.5, is_std: 0.25, frechet: Some(2.5) },
        }
    }

    #[test]
    fn the_same_content_comes_back_from_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        sample().write(&a).unwrap();
        sample().write(&b).unwrap();
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        assert_eq!(sealed::read::<ScoresFile>(&a).unwrap(), sample());
        let mut bad = sample();
        bad.real.frechet = Some(f64::NAN);
        assert!(bad.write(&a).unwrap_err().to_string().contains("NaN"));
        assert_eq!(sealed::read::<ScoresFile>(&a).unwrap(), sample(), "what was there is intact");
    }

    #[test]
    fn the_distance_decides_where_there_is_one() {
        assert!(score(1.0, Some(2.0)).is_better_than(&score(9.0, Some(3.0))));
        assert!(!score(9.0, Some(3.0)).is_better_than(&score(1.0, Some(3.0))), "equal");
        assert!(score(2.0, None).is_better_than(&score(1.0, None)));
        assert!(!score(1.0, None).is_better_than(&score(1.0, None)));
    }
}
