//! [`RepoCache`] finds files in the hub's cache on disk: one blob per content, snapshots that point to blobs.
//!
//! The layout is that of `huggingface_hub`: `models--OWNER--NAME/blobs/SHA256` for large files, and
//! `snapshots/COMMIT/FILENAME` as a relative link to the blob. This module reads it; `fill` writes it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::{Hub, HubError, PinnedFile, RepoKind};

/// The part of the cache that belongs to one repository.
pub(crate) struct RepoCache {
    /// The whole cache's directory.
    pub root: PathBuf,
    /// Name of the repository's directory in it.
    pub repo: String,
}

impl RepoCache {
    /// Locates the repository's part of the cache; nothing is created yet.
    pub fn of(hub: &Hub, kind: RepoKind, repo: &str) -> Self {
        let kind = match kind {
            RepoKind::Model => "models",
            RepoKind::Dataset => "datasets",
        };
        let repo = format!("{kind}--{}", repo.replace('/', "--"));
        RepoCache { root: hub.cache.clone(), repo }
    }

    /// Where the file's content is expected.
    pub fn blob(&self, file: &PinnedFile) -> PathBuf {
        self.root.join(&self.repo).join("blobs").join(&*file.sha256)
    }

    /// Directory of the snapshots, one for each commit.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join(&self.repo).join("snapshots")
    }

    /// Where the file is expected in a snapshot; only a commit names one, and only a file name
    /// that stays inside.
    pub fn snapshot(&self, file: &PinnedFile) -> Option<PathBuf> {
        let inside =
            Path::new(&*file.filename).components().all(|c| matches!(c, Component::Normal(_)));
        (is_commit(&file.revision) && inside)
            .then(|| self.snapshots().join(&*file.revision).join(&*file.filename))
    }

    /// The path at which the file is found when it is put there.
    pub fn place(&self, file: &PinnedFile) -> PathBuf {
        self.snapshot(file).unwrap_or_else(|| self.blob(file))
    }

    /// The file, in its snapshot or as a blob; its content is not checked here.
    pub fn find(&self, file: &PinnedFile) -> Option<PathBuf> {
        self.snapshot(file).into_iter().chain([self.blob(file)]).find(|path| path.is_file())
    }

    /// The file when its content is right.
    pub fn verified(&self, file: &PinnedFile) -> Result<Option<PathBuf>, HubError> {
        let Some(path) = self.find(file) else {
            return Ok(None);
        };
        Ok((sha256(&path)? == *file.sha256).then_some(path))
    }
}

/// Whether a revision is a whole commit.
pub(crate) fn is_commit(revision: &str) -> bool {
    is_hex(revision, 40)
}

/// Whether a text is a number of that many hexadecimal digits.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The SHA-256 of a file as lower-case hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String, HubError> {
    autogan_files::sha256_file(path).map_err(|e| HubError::Cache { reason: e.to_string() })
}

/// Whether a file of a snapshot has the content after which its blob is named. A file that is no link to such a blob
/// has no name to be compared with, and is taken as it is.
pub(crate) fn is_sound(path: &Path) -> Result<bool, HubError> {
    let blob = fs::read_link(path).unwrap_or_default();
    let name = blob.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(!is_hex(&name, 64) || sha256(path)? == name)
}
