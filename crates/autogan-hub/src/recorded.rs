//! A [`RecordedFile`] has no hash that is published: the hash of the first fetch is recorded, and holds from then on.
//!
//! The record is a text file `recorded/REVISION/FILENAME.sha256` beside `blobs` and `snapshots` in the repository's part
//! of the cache. `huggingface_hub` ignores it.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::{RepoCache, is_hex, sha256};
use crate::{Hub, HubError, MissingFile, PinnedFile, RepoKind};

/// A file on the hub whose hash nobody publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// Kind of the repository.
    pub kind: RepoKind,
    /// Repository, `owner/name`.
    pub repo: Cow<'static, str>,
    /// Commit, or a branch or tag name.
    pub revision: Cow<'static, str>,
    /// Path of the file in the repository.
    pub filename: Cow<'static, str>,
}

impl RecordedFile {
    /// The file with a hash.
    fn pinned(&self, sha256: String) -> PinnedFile {
        PinnedFile {
            kind: self.kind,
            repo: self.repo.clone(),
            revision: self.revision.clone(),
            filename: self.filename.clone(),
            sha256: sha256.into(),
        }
    }

    /// What is said where the cache lacks the file; only a commit names a place that is looked at.
    fn missing(&self, cache: &RepoCache, unknown: &PinnedFile) -> MissingFile {
        let named = || cache.snapshots().join("COMMIT").join(&*self.filename);
        let place = cache.snapshot(unknown).unwrap_or_else(named);
        MissingFile { file: self.to_string(), reason: "not".into(), place }
    }

    /// Where the hash is recorded.
    fn record(&self, cache: &RepoCache) -> Result<PathBuf, HubError> {
        let place = Path::new(&*self.revision).join(&*self.filename);
        let inside = place.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            let missing = MissingFile {
                file: self.to_string(),
                reason: "its revision or name leaves the repository".into(),
                place: cache.snapshots(),
            };
            return Err(HubError::NotFound(missing));
        }
        let mut name = place.into_os_string();
        name.push(".sha256");
        Ok(cache.root.join(&cache.repo).join("recorded").join(name))
    }
}

impl std::fmt::Display for RecordedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} @ {}", self.repo, self.filename, self.revision)
    }
}

impl Hub {
    /// The path of a file in the cache. Its hash is recorded when the file is seen for the first time, in the cache or by
    /// a download; later it is checked as that of a [`PinnedFile`] is.
    ///
    /// # Errors
    /// As [`Hub::fetch`]; [`HubError::Changed`] when the hub holds another content than the recorded one.
    pub fn fetch_recorded(&self, file: &RecordedFile) -> Result<PathBuf, HubError> {
        let cache = RepoCache::of(self, file.kind, &file.repo);
        let record = file.record(&cache)?;
        if let Some(hash) = read(&record)? {
            return self.fetch(&file.pinned(hash)).map_err(|error| match error {
                HubError::WrongHash { file, expected, found, .. } => {
                    HubError::Changed { file, expected, found, record }
                }
                other => other,
            });
        }
        let unknown = file.pinned(String::new());
        if let Some(path) = cache.snapshot(&unknown).filter(|path| path.is_file()) {
            write(&record, &sha256(&path)?)?;
            return Ok(path);
        }
        if self.offline {
            return Err(HubError::Offline(file.missing(&cache, &unknown)));
        }
        #[cfg(feature = "fetch")]
        return crate::fill::fill_recorded(self, &cache, &unknown, &record);
        #[cfg(not(feature = "fetch"))]
        Err(HubError::NotBuiltIn(file.missing(&cache, &unknown)))
    }
}

/// The recorded hash, where there is a record.
pub(crate) fn read(record: &Path) -> Result<Option<String>, HubError> {
    let broken = |reason: String| HubError::Cache { reason };
    match fs::read_to_string(record) {
        Ok(text) if is_hex(text.trim(), 64) => Ok(Some(text.trim().to_owned())),
        Ok(text) => Err(broken(format!(
            "{}: expected a SHA-256 of 64 digits, found {} characters: remove the file",
            record.display(),
            text.trim().chars().count()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(format!("{}: cannot read it: {error}", record.display()))),
    }
}

/// Records a hash.
pub(crate) fn write(record: &Path, hash: &str) -> Result<(), HubError> {
    let broken = |reason: String| HubError::Cache { reason };
    let folder = record.parent().unwrap_or(record);
    fs::create_dir_all(folder)
        .map_err(|e| broken(format!("{}: cannot create it: {e}", folder.display())))?;
    autogan_files::atomic::write(record, hash.as_bytes()).map_err(|e| broken(e.to_string()))
}
