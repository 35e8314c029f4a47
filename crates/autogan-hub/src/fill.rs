//! This module fills the hub's cache: a file enters it by a rename, once its hash is right.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use autogan_files::Sha256;

use crate::cache::{RepoCache, is_commit, sha256};
use crate::download::download;
use crate::{Hub, HubError, PinnedFile, recorded};

/// Downloads into the cache, going on where an earlier download stopped; one process at a time for a file.
pub(crate) fn fill(hub: &Hub, cache: &RepoCache, file: &PinnedFile) -> Result<PathBuf, HubError> {
    let _lock = cache.lock(file)?;
    // Another process may have been downloading while this one waited.
    if let Some(path) = cache.verified(file)? {
        return Ok(path);
    }
    let blob = cache.blob(file);
    let part = blob.with_extension("incomplete");
    create_parent(&part)?;
    let resumed = part.exists();
    download(hub, cache, file, &part)?;
    let mut found = sha256(&part)?;
    if resumed && found != *file.sha256 {
        // What lay there was not the beginning of this file.
        remove(&part)?;
        download(hub, cache, file, &part)?;
        found = sha256(&part)?;
    }
    if found != *file.sha256 {
        let bytes = fs::metadata(&part).map_or(0, |m| m.len());
        remove(&part)?;
        let (expected, file) = (file.sha256.to_string(), file.to_string());
        return Err(HubError::WrongHash { file, expected, found, bytes });
    }
    fs::rename(&part, &blob).map_err(|e| HubError::at(&blob, "move the file there", &e))?;
    cache.link(file, &blob)
}

/// Downloads a file whose hash is not known yet, and records it. The lock and the part are named by what is asked for;
/// `file` has an empty hash.
pub(crate) fn fill_recorded(
    hub: &Hub,
    cache: &RepoCache,
    file: &PinnedFile,
    record: &Path,
) -> Result<PathBuf, HubError> {
    let with = |sha256: String| PinnedFile { sha256: sha256.into(), ..file.clone() };
    let asked = with(Sha256::of(file.to_string()));
    let lock = cache.lock(&asked)?;
    // Another process may have been downloading while this one waited.
    if let Some(hash) = recorded::read(record)? {
        drop(lock);
        return hub.fetch(&with(hash));
    }
    let part = cache.blob(&asked).with_extension("incomplete");
    create_parent(&part)?;
    // A branch may have moved since an earlier download left its part; a commit does not.
    if part.exists() && !is_commit(&file.revision) {
        remove(&part)?;
    }
    download(hub, cache, file, &part)?;
    let hash = sha256(&part)?;
    let known = with(hash.clone());
    let blob = cache.blob(&known);
    fs::rename(&part, &blob).map_err(|e| HubError::at(&blob, "move the file there", &e))?;
    let path = cache.link(&known, &blob)?;
    recorded::write(record, &hash)?;
    Ok(path)
}

impl RepoCache {
    /// Waits until no other process downloads this file; Python takes the same lock. The system releases it when the
    /// file is closed, also when the process dies.
    fn lock(&self, file: &PinnedFile) -> Result<File, HubError> {
        let path = self.root.join(".locks").join(&self.repo).join(format!("{}.lock", file.sha256));
        create_parent(&path)?;
        let lock = File::create(&path).map_err(|e| HubError::at(&path, "create it", &e))?;
        lock.lock().map_err(|e| HubError::at(&path, "lock it", &e))?;
        Ok(lock)
    }

    /// Points the snapshot to the blob, and gives the path at which the file is found.
    fn link(&self, file: &PinnedFile, blob: &Path) -> Result<PathBuf, HubError> {
        let Some(snapshot) = self.snapshot(file) else {
            return Ok(blob.to_path_buf());
        };
        create_parent(&snapshot)?;
        if fs::symlink_metadata(&snapshot).is_ok() {
            remove(&snapshot)?;
        }
        point(&snapshot, blob, file).map_err(|e| HubError::at(&snapshot, "create it", &e))?;
        Ok(snapshot)
    }
}

/// Makes a relative link, so that the cache can be moved.
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

fn create_parent(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|e| HubError::at(folder, "create it", &e))
}

fn remove(path: &Path) -> Result<(), HubError> {
    fs::remove_file(path).map_err(|e| HubError::at(path, "remove it", &e))
}
