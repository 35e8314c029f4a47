//! An [`Origin`] says what the table's trainings were trained on, and what scored them.

use std::path::{Path, PathBuf};

use autogan_files::atomic;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TableError};

/// The images of the table's trainings and the weights of their scorer.
///
/// It is kept in a file beside the shards, so that one table never holds trainings on different images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The name of the dataset, as `data.dataset` has it.
    pub dataset: String,
    /// The number of training images.
    pub images: usize,
    /// The SHA-256 over number, side, labels and pixels of the images at 32x32, 64 hexadecimal digits.
    pub images_sha256: String,
    /// The name of the scorer.
    pub scorer: String,
    /// The SHA-256 of the scorer's weights, 64 hexadecimal digits; absent for a scorer without a file of weights.
    pub scorer_sha256: Option<String>,
}

/// What [`Origin::keep`] found in a folder of shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The same origin.
    Same,
    /// No file of an origin, and no shard. The file was written.
    New,
    /// No file of an origin, but shards of an earlier version. The file was written; nobody can say whether it is true of
    /// these shards.
    Assumed,
}

impl Origin {
    /// The name of the file.
    pub const FILE: &'static str = "origin.json";

    /// The origin of the shards in `dir`; `None` without its file.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(Self::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TableError::Read { path, source }),
        };
        match Self::from_json(&text) {
            Ok(origin) => Ok(Some(origin)),
            Err(found) => Err(TableError::Origin { path, found }),
        }
    }

    /// Compares with the file in `dir`, or writes it where there is none.
    ///
    /// # Errors
    /// [`TableError::OtherOrigin`] when the shards there have another origin, and when the file cannot be read or written.
    pub fn keep(&self, dir: &Path) -> Result<Kept> {
        if let Some(other) = Self::read(dir)? {
            return match self.difference(&other) {
                None => Ok(Kept::Same),
                Some((what, expected, found)) => {
                    Err(TableError::OtherOrigin { dir: dir.to_owned(), what, expected, found })
                }
            };
        }
        let kept = if has_shards(dir)? { Kept::Assumed } else { Kept::New };
        atomic::write(&dir.join(Self::FILE), format!("{}\n", self.to_json()).as_bytes())?;
        Ok(kept)
    }

    /// The first thing in which this differs from what the shards have: its name, theirs, this one's.
    fn difference(&self, theirs: &Self) -> Option<(&'static str, String, String)> {
        let fields = |of: &Self| {
            let scorer = of.scorer_sha256.clone().unwrap_or_else(|| "none".to_owned());
            [
                ("the dataset", of.dataset.clone()),
                ("the number of images", of.images.to_string()),
                ("the SHA-256 of the images", of.images_sha256.clone()),
                ("the scorer", of.scorer.clone()),
                ("the SHA-256 of the scorer's weights", scorer),
            ]
        };
        let mut pairs = fields(theirs).into_iter().zip(fields(self));
        let other = pairs.find(|(theirs, own)| theirs.1 != own.1);
        other.map(|((what, theirs), (_, own))| (what, theirs, own))
    }

    /// The origin as JSON, in lines.
    pub(crate) fn to_json(&self) -> String {
        // Texts and numbers under fixed names can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The origin that a text holds, or why it holds none.
    pub(crate) fn from_json(text: &str) -> std::result::Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// Whether a folder holds the file of a shard.
fn has_shards(dir: &Path) -> Result<bool> {
    let failed = |source| TableError::Read { path: dir.to_owned(), source };
    let paths =
        std::fs::read_dir(dir).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = paths.collect::<std::io::Result<_>>().map_err(failed)?;
    Ok(paths.iter().any(|path| path.extension().is_some_and(|end| end == "csv")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn origin() -> Origin {
        Origin {
            dataset: "cifar10".into(),
            images: 20_000,
            images_sha256: "ab".repeat(32),
            scorer: "compact-cifar10".into(),
            scorer_sha256: Some("cd".repeat(32)),
        }
    }

    #[test]
    fn shards_of_another_origin_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Origin::read(dir.path()).unwrap(), None);
        assert_eq!(origin().keep(dir.path()).unwrap(), Kept::New);
        assert_eq!(Origin::read(dir.path()).unwrap(), Some(origin()));
        let text = std::fs::read_to_string(dir.path().join(Origin::FILE)).unwrap();
        assert_eq!(origin().keep(dir.path()).unwrap(), Kept::Same);
        for (other, says) in [
            (
                Origin { images: 300, ..origin() },
                "expected the number of images to be 20000, found 300",
            ),
            (
                Origin { images_sha256: "00".repeat(32), ..origin() },
                "the SHA-256 of the images to be abab",
            ),
            (Origin { scorer_sha256: None, ..origin() }, "found none"),
        ] {
            let error = other.keep(dir.path()).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("another folder"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(dir.path().join(Origin::FILE)).unwrap(), text);
    }

    #[test]
    fn shards_without_an_origin_are_taken_for_those_of_the_first_that_comes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cells1-seed0-000.csv"), "").unwrap();
        assert_eq!(origin().keep(dir.path()).unwrap(), Kept::Assumed);
        assert_eq!(origin().keep(dir.path()).unwrap(), Kept::Same);
        std::fs::write(dir.path().join(Origin::FILE), "{}").unwrap();
        let error = Origin::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("origin.json") && error.contains("dataset"), "{error}");
    }
}
