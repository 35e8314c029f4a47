//! `winner.json` lists the best architectures of a search, each trained from scratch, and names the winner.
//!
//! No times and no paths, so that the same trainings write the same bytes.

use std::path::Path;

use autogan_space::Arch;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::scores_file::{ModelScore, ScoresProtocol};
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

    #[test]
    fn comes_back_and_names_one_of_its_own() {
        let score = ModelScore {
            g_iteration: 500,
            images_seen: 16_000,
            is: 3.5,
            is_std: 0.25,
            frechet: None,
        };
        let protocol = ScoresProtocol { is: "is_compact-shapes_16_2splits".into(), frechet: None };
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
