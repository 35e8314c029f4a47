//! A [`PinnedFile`] is named by repository, revision and SHA-256; Inception's weights are such files.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::{Hub, HubError};

/// What a repository on the hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoKind {
    /// A repository of weights.
    Model,
    /// A repository of images.
    Dataset,
}

/// A file on the hub with the hash that its content must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedFile {
    /// Kind of the repository.
    pub kind: RepoKind,
    /// Repository, `owner/name`.
    pub repo: Cow<'static, str>,
    /// Commit, or a branch or tag name; the hash pins the content in any case.
    pub revision: Cow<'static, str>,
    /// Path of the file in the repository.
    pub filename: Cow<'static, str>,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: Cow<'static, str>,
}

impl PinnedFile {
    pub(crate) const fn weights(
        repo: &'static str,
        revision: &'static str,
        filename: &'static str,
        sha256: &'static str,
    ) -> Self {
        PinnedFile {
            kind: RepoKind::Model,
            repo: Cow::Borrowed(repo),
            revision: Cow::Borrowed(revision),
            filename: Cow::Borrowed(filename),
            sha256: Cow::Borrowed(sha256),
        }
    }

    /// The same file, with the same hash, in another repository that holds a copy.
    #[must_use]
    pub fn at(&self, repo: impl Into<String>, revision: impl Into<String>) -> Self {
        PinnedFile { repo: repo.into().into(), revision: revision.into().into(), ..self.clone() }
    }
}

impl std::fmt::Display for PinnedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} @ {}", self.repo, self.filename, self.revision)
    }
}

/// Inception-v3 as all PyTorch scorers use it (legacy pickle container, 95,628,359 bytes).
pub const INCEPTION_PTH: PinnedFile = PinnedFile::weights(
    "RaphaelLiu/EvalCrafter-Models",
    "6040b4d40fdcde446a0cf753b0527585b6b77c54",
    "pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
);

/// The same weights as safetensors, the alternative to [`INCEPTION_PTH`].
pub const INCEPTION_SAFETENSORS: PinnedFile = PinnedFile::weights(
    "nikhilr01/sen-bridge-weights",
    "main",
    "fid_inception.safetensors",
    "b7a528bf4051f62c057bc14657865abf180a23eb1748d00ff0933d84698202ed",
);

impl Hub {
    /// The Inception weights from the hub or its cache, checked by hash. Without `repo`, either of the known files will
    /// do when it is in the cache.
    ///
    /// # Errors
    /// As [`Hub::fetch`].
    pub fn inception(
        &self,
        repo: Option<&str>,
        revision: Option<&str>,
    ) -> Result<PathBuf, HubError> {
        let Some(repo) = repo else {
            for file in [&INCEPTION_PTH, &INCEPTION_SAFETENSORS] {
                if let Some(path) = self.cached(file)? {
                    return Ok(path);
                }
            }
            return self.fetch(&INCEPTION_PTH);
        };
        self.fetch(&pinned(repo, revision))
    }
}

/// The known file of a repository, or the original file where the repository is another.
fn pinned(repo: &str, revision: Option<&str>) -> PinnedFile {
    let known = [INCEPTION_PTH, INCEPTION_SAFETENSORS].into_iter().find(|f| f.repo == repo);
    let usual = known.as_ref().map_or("main".to_string(), |file| file.revision.to_string());
    known.unwrap_or(INCEPTION_PTH).at(repo.to_string(), revision.map_or(usual, str::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_elsewhere_keeps_name_and_hash() {
        let copy = INCEPTION_PTH.at("me/mirror", "main");
        assert_eq!((&*copy.repo, &*copy.revision), ("me/mirror", "main"));
        assert_eq!(copy.sha256, INCEPTION_PTH.sha256);
        assert_eq!(copy.filename, INCEPTION_PTH.filename);
    }

    #[test]
    fn known_hashes_are_hashes() {
        for file in [INCEPTION_PTH, INCEPTION_SAFETENSORS] {
            assert!(crate::cache::is_hex(&file.sha256, 64));
        }
    }

    #[test]
    fn repositories_choose_file_and_revision() {
        let file = pinned("nikhilr01/sen-bridge-weights", None);
        assert_eq!(file, INCEPTION_SAFETENSORS);
        let file = pinned("RaphaelLiu/EvalCrafter-Models", Some("abc"));
        assert_eq!((&*file.filename, &*file.revision), (&*INCEPTION_PTH.filename, "abc"));
        let file = pinned("me/copy", None);
        assert_eq!((&*file.sha256, &*file.revision), (&*INCEPTION_PTH.sha256, "main"));
    }
}
