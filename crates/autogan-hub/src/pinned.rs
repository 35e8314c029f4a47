//! Files that are named by repository, revision and SHA-256.

use std::borrow::Cow;

/// What a repository on the hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoKind {
    /// Weights.
    Model,
    /// Images.
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
    const fn weights(
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
            assert_eq!(file.sha256.len(), 64);
            assert!(file.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
