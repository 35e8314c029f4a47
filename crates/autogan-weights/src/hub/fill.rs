//! Filling the hub's cache: a file enters it by a rename, once its hash is right.

use super::cache::RepoCache;
use super::{HubError, HubOptions, OnProgress, PinnedFile, verified};
use crate::hash::sha256_file;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SCRATCH: &str = ".fetch-";

/// Downloads into the cache; one process at a time from a repository.
pub(super) fn download(
    cache: &RepoCache,
    file: &PinnedFile,
    options: &HubOptions,
    progress: Option<OnProgress>,
) -> Result<PathBuf, HubError> {
    let _lock = cache.lock()?;
    // Another process may have been downloading while this one waited.
    if let Some(path) = verified(cache, file)? {
        return Ok(path);
    }
    let folder = cache.scratch()?;
    let fresh = super::download::download(file, options, folder.path(), progress)?;
    check_hash(file, &fresh)?;
    cache.store(file, &fresh)
}

fn check_hash(file: &PinnedFile, fresh: &Path) -> Result<(), HubError> {
    let found = sha256_file(fresh).map_err(HubError::cache)?;
    if found == *file.sha256 {
        return Ok(());
    }
    Err(HubError::WrongHash {
        file: file.to_string(),
        expected: file.sha256.to_string(),
        found,
        bytes: std::fs::metadata(fresh).map_or(0, |m| m.len()),
    })
}

impl RepoCache {
    /// Waits until no other process downloads from this repository. The system releases the lock
    /// when the file is closed, also when the process dies.
    fn lock(&self) -> Result<File, HubError> {
        let folder = self.root.join(".locks").join(&self.repo);
        create_dir(&folder)?;
        let path = folder.join("autogan.lock");
        let file = File::create(&path).map_err(|e| HubError::at(&path, "create it", &e))?;
        file.lock().map_err(|e| HubError::at(&path, "lock it", &e))?;
        Ok(file)
    }

    /// An empty directory beside the blobs that is removed with its content when dropped. Those
    /// that a killed process left are removed first: the lock is held, so nobody uses them.
    fn scratch(&self) -> Result<TempDir, HubError> {
        let folder = self.root.join(&self.repo);
        create_dir(&folder)?;
        let entries = fs::read_dir(&folder).map_err(|e| HubError::at(&folder, "list it", &e))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(|e| HubError::at(&path, "remove it", &e))?;
            }
        }
        tempfile::Builder::new()
            .prefix(SCRATCH)
            .tempdir_in(&folder)
            .map_err(|e| HubError::at(&folder, "create a directory in it", &e))
    }

    /// Moves a checked file to its blob and points the snapshot to it.
    fn store(&self, file: &PinnedFile, fresh: &Path) -> Result<PathBuf, HubError> {
        let blob = self.blob(file);
        create_dir(&self.root.join(&self.repo).join("blobs"))?;
        File::open(fresh)
            .and_then(|f| f.sync_all())
            .and_then(|()| fs::rename(fresh, &blob))
            .map_err(|e| HubError::at(&blob, "move the file there", &e))?;
        let Some(snapshot) = self.snapshot(file) else {
            return Ok(blob);
        };
        if let Some(folder) = snapshot.parent() {
            create_dir(folder)?;
        }
        let replace = || {
            if fs::symlink_metadata(&snapshot).is_ok() {
                fs::remove_file(&snapshot)?;
            }
            point(&snapshot, &blob, file)
        };
        replace().map_err(|e| HubError::at(&snapshot, "create it", &e))?;
        Ok(snapshot)
    }
}

/// A relative link, so that the cache can be moved.
#[cfg(unix)]
fn point(snapshot: &Path, _blob: &Path, file: &PinnedFile) -> std::io::Result<()> {
    let up = "../".repeat(Path::new(&*file.filename).components().count() + 1);
    std::os::unix::fs::symlink(format!("{up}blobs/{}", file.sha256), snapshot)
}

/// Links need privileges on other systems, so the file is copied as `huggingface_hub` does.
#[cfg(not(unix))]
fn point(snapshot: &Path, blob: &Path, _file: &PinnedFile) -> std::io::Result<()> {
    fs::copy(blob, snapshot).map(|_| ())
}

fn create_dir(path: &Path) -> Result<(), HubError> {
    fs::create_dir_all(path).map_err(|e| HubError::at(path, "create it", &e))
}
