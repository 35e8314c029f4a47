//! `winner.json` lists the best architectures of a search, each trained from scratch, and names the winner.
//!
//! No times and no paths, so that the same trainings write the same bytes.

use std::path::Path;

use autogan_space::Arch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scores_file::{ModelScore, ScoresFile, ScoresProtocol};
use crate::sealed;

/// The content of `winner.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WinnerFile {
    /// Name of the search's run.
    pub run: String,
    /// Preset of the trainings.
    pub preset: String,
    /// Name of the dataset.
    pub dataset: String,
    /// Seed of the trainings.
    pub seed: u64,
    /// How the scores came about.
    pub protocol: ScoresProtocol,
    /// Rank of the winner in the search.
    pub winner: u32,
    /// All that were trained, in the order of their ranks.
    pub trained: Vec<TrainedArch>,
}

/// An architecture that was trained from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedArch {
    /// Its place in the search, from 1.
    pub rank: u32,
    /// The architecture; in the file its released vector: `conv norm up shortcut [skip mask]` per cell.
    pub arch: Arch,
    /// The named form.
    pub named: String,
    /// Its score at the end of the search.
    pub reward: f64,
    /// Its best score on the way.
    pub best: ModelScore,
    /// Its score at the end.
    pub last: ModelScore,
}

/// The places of trained candidates of a search, the best first: by the Inception Score of the best weights of each, as
/// the paper picks (section 3.3.3). Equal ones keep their order.
pub fn by_score(trained: &[ScoresFile]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..trained.len()).collect();
    places.sort_by(|&a, &b| trained[b].best.is.total_cmp(&trained[a].best.is));
    places
}

impl WinnerFile {
    /// Writes the file atomically.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the winner is none of those that were trained; otherwise the file system's error.
    pub fn write(&self, path: &Path) -> Result<()> {
        let ranks: Vec<u32> = self.trained.iter().map(|trained| trained.rank).collect();
        if !ranks.contains(&self.winner) {
            let (expected, found) = (format!("one of the ranks {ranks:?}"), self.winner);
            return Err(Error::invalid("winner", expected, found.to_string()));
        }
        sealed::write(path, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(is: f64, frechet: Option<f64>) -> ModelScore {
        ModelScore { g_iteration: 500, images_seen: 16_000, is, is_std: 0.25, frechet }
    }

    fn protocol() -> ScoresProtocol {
        ScoresProtocol { is: "is_compact-shapes_16_2splits".into(), frechet: None }
    }

    /// What decides is neither the end nor the distance.
    #[test]
    fn the_highest_inception_score_of_the_best_weights_comes_first() {
        let of = |best: f64, last: f64, frechet: f64| ScoresFile {
            arch: Arch::AUTOGAN_A,
            named: String::new(),
            seed: 0,
            preset: "quick".into(),
            dataset: "shapes".into(),
            scorer: "compact-shapes".into(),
            protocol: protocol(),
            params: 1,
            macs: 1,
            g_iterations: 500,
            images_seen: 16_000,
            last: score(last, Some(1.0)),
            best: score(best, Some(frechet)),
            real: crate::RealScore { is: 9.5, is_std: 0.25, frechet: None },
        };
        let all = [of(2.0, 9.0, 1.0), of(3.0, 1.0, 8.0), of(2.5, 2.0, 2.0), of(3.0, 8.0, 1.0)];
        assert_eq!(by_score(&all), [1, 3, 2, 0], "of equal ones the first");
        assert_eq!(by_score(&[]), [0; 0]);
    }

    #[test]
    fn comes_back_and_names_one_of_its_own() {
        let score = score(3.5, None);
        let protocol = protocol();
        let trained = TrainedArch {
            rank: 2,
            arch: Arch::AUTOGAN_A.prefix(1),
            named: "pre-none-nearest-sc".into(),
            reward: 2.5,
            best: score,
            last: score,
        };
        let mut file = WinnerFile {
            run: "00003-quick-s0".into(),
            preset: "quick".into(),
            dataset: "shapes".into(),
            seed: 0,
            protocol,
            winner: 2,
            trained: vec![trained],
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("winner.json");
        file.write(&path).unwrap();
        assert_eq!(sealed::read::<WinnerFile>(&path).unwrap(), file);
        file.winner = 1;
        assert!(file.write(&path).unwrap_err().to_string().contains("[2]"));
    }
}
