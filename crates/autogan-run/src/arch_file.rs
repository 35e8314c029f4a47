//! `arch.json` holds the architectures that a search found, and the scores to compare theirs with.
//!
//! No times and no paths, so that two runs of one seed write the same bytes.

use std::path::Path;

use autogan_space::Arch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scores_file::check_finite;
use crate::sealed;

/// The content of `arch.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchFile {
    /// Name of the dataset.
    pub dataset: String,
    /// Name of the extractor that scored, as `compact-shapes`.
    pub scorer: String,
    /// Name of the preset.
    pub preset: String,
    /// Seed of the run.
    pub seed: u64,
    /// Last stage that was searched, from 0.
    pub stage: u32,
    /// How each kind of number came about.
    pub protocol: Protocol,
    /// The scores to compare the best one with; absent until they are measured.
    pub score: Option<Score>,
    /// The best architectures, rank 1 first.
    pub top: Vec<FoundArch>,
}

/// Names of the protocols behind the numbers, each with sample count and splits in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Of `top[].reward`, as `is_compact_shapes_1k_1split`.
    pub reward: String,
    /// Of the numbers in `score`.
    pub score: String,
}

/// Four scores of one protocol, higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Of real data: the ceiling.
    pub real: f64,
    /// Of a generator that was not trained: the floor.
    pub untrained: f64,
    /// Of the best architecture found.
    pub best: f64,
    /// Median over random architectures under the same shared weights.
    pub median_random: f64,
}

/// One architecture of the list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundArch {
    /// Place in the list, from 1.
    pub rank: u32,
    /// The architecture; in the file its released vector: `conv norm up shortcut [skip mask]` per cell.
    pub arch: Arch,
    /// The named form.
    pub named: String,
    /// Its score at the end of the search; what its cost takes from the reward decides its rank alone.
    pub reward: f64,
    /// Standard deviation of the score over splits.
    pub spread: f64,
    /// What a model expects of its reward, where one picked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
    /// Parameters of the derived generator.
    pub params: u64,
    /// Multiply-accumulates of one image through it.
    pub macs: u64,
}

/// A reward that a model expects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What is expected of the architecture itself, without the noise of a score.
    pub mean: f64,
    /// The standard deviation of that expectation.
    pub sd: f64,
}

impl ArchFile {
    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number that JSON cannot hold (NaN, infinite) or ranks that do not
    /// count 1, 2, …; otherwise the file system's error.
    pub fn write(&self, path: &Path) -> Result<()> {
        let scores = self.score.iter();
        let scores = scores.flat_map(|s| [s.real, s.untrained, s.best, s.median_random]);
        let rewards = self.top.iter().flat_map(|found| [found.reward, found.spread]);
        check_finite("score for arch.json", scores.chain(rewards))?;
        if let Some((found, rank)) =
            self.top.iter().zip(1..).find(|(found, rank)| found.rank != *rank)
        {
            let (rank, found) = (rank.to_string(), found.rank.to_string());
            return Err(Error::invalid("rank in arch.json", rank, found));
        }
        sealed::write(path, self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;

    pub(crate) fn sample() -> ArchFile {
        ArchFile {
            dataset: "shapes".into(),
            scorer: "compact-shapes".into(),
            preset: "quick".into(),
            seed: 3,
            stage: 2,
            protocol: Protocol { reward: "is_compact_1k".into(), score: "is_compact_5k".into() },
            score: Some(Score { real: 9.5, untrained: 1.25, best: 4.5, median_random: 3.5 }),
            top: vec![FoundArch {
                rank: 1,
                arch: Arch::AUTOGAN_A,
                named: "pre-none-nearest-sc".into(),
                reward: 4.5,
                spread: 0.125,
                expected: Some(Expectation { mean: 4.25, sd: 0.5 }),
                params: 4_405_251,
                macs: 1_765_015_552,
            }],
        }
    }

    #[test]
    fn same_content_same_bytes_and_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        sample().write(&a).unwrap();
        sample().write(&b).unwrap();
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
        assert_eq!(sealed::read::<ArchFile>(&a).unwrap(), sample());
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&a).unwrap()).unwrap();
        assert_eq!(json["score"]["median_random"], 3.5);
        assert_eq!(json["top"][0]["arch"][13], 3);
    }

    #[test]
    fn a_vector_of_no_architecture_is_damage_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("arch.json");
        let mut value = serde_json::to_value(sample()).unwrap();
        value["top"][0]["arch"] = serde_json::json!([1, 0, 3, 1]);
        sealed::write(&path, &value).unwrap();
        let error = sealed::read::<ArchFile>(&path).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("arch.json"), "{error}");
    }

    #[test]
    fn refuses_what_json_cannot_hold() {
        let path = Path::new("never-written");
        let mut nan = sample();
        nan.top[0].reward = f64::NAN;
        assert!(nan.write(path).unwrap_err().to_string().contains("NaN"));
        let mut infinite = sample();
        infinite.score.as_mut().unwrap().real = f64::INFINITY;
        assert!(infinite.write(path).is_err());
        let mut ranks = sample();
        ranks.top[0].rank = 0;
        assert!(ranks.write(path).is_err());
        assert!(!path.exists());
    }
}
