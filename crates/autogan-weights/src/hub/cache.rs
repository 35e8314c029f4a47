//! The hub's cache on disk: one blob per content, snapshots that point to blobs.
//!
//! Layout of `huggingface_hub`: `models--OWNER--NAME/blobs/SHA256` for large files, and
//! `snapshots/COMMIT/FILENAME` as a relative link to the blob.

use super::{HubError, HubOptions, PinnedFile};
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

const SCRATCH: &str = ".fetch-";

/// The part of the cache that belongs to one repository.
pub(super) struct RepoCache {
    root: PathBuf,
    repo: String,
}

impl RepoCache {
    /// Locates it; nothing is created yet.
    pub fn open(file: &PinnedFile, options: &HubOptions) -> Self {
        RepoCache {
            root: options.cache_dir.clone().unwrap_or_else(hf_hub::resolve_cache_dir),
            repo: format!("models--{}", file.repo.replace('/', "--")),
        }
    }

    /// The whole cache's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn blob(&self, file: &PinnedFile) -> PathBuf {
        self.root.join(&self.repo).join("blobs").join(&*file.sha256)
    }

    /// Where the file is expected in a snapshot; only a commit names one, and only a file name
    /// that stays inside.
    fn snapshot(&self, file: &PinnedFile) -> Option<PathBuf> {
        let is_commit =
            file.revision.len() == 40 && file.revision.bytes().all(|b| b.is_ascii_hexdigit());
        let inside =
            Path::new(&*file.filename).components().all(|c| matches!(c, Component::Normal(_)));
        (is_commit && inside).then(|| {
            let snapshots = self.root.join(&self.repo).join("snapshots");
            snapshots.join(&*file.revision).join(&*file.filename)
        })
    }

    /// The file, in its snapshot or as a blob; its content is not checked here.
    pub fn find(&self, file: &PinnedFile) -> Option<PathBuf> {
        self.snapshot(file).into_iter().chain([self.blob(file)]).find(|path| path.is_file())
    }

    /// Waits until no other process downloads from this repository. The system releases the lock
    /// when the file is closed, also when the process dies.
    pub fn lock(&self) -> Result<File, HubError> {
        let folder = self.root.join(".locks").join(&self.repo);
        create_dir(&folder)?;
        let path = folder.join("autogan.lock");
        let file = File::create(&path).map_err(|e| HubError::at(&path, "create it", &e))?;
        file.lock().map_err(|e| HubError::at(&path, "lock it", &e))?;
        Ok(file)
    }

    /// An empty directory beside the blobs that is removed with its content when dropped. Those
    /// that a killed process left are removed first: the lock is held, so nobody uses them.
    pub fn scratch(&self) -> Result<TempDir, HubError> {
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
    pub fn store(&self, file: &PinnedFile, fresh: &Path) -> Result<PathBuf, HubError> {
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
