//! A [`Scratch`] is a folder for the files of one process: most readers take a path.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Folder for the files of this process, made at the first use. `TMPDIR` says where; it may lie in memory.
static FOLDER: OnceLock<TempDir> = OnceLock::new();

/// A place in the scratch folder.
pub(crate) fn path(name: &str) -> PathBuf {
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join(name)
}

/// Writes `bytes` to the file `name` in the scratch folder, and gives its path.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// An empty folder `name` in the scratch folder.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let path = path(name);
    clear(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

fn clear(path: &Path) {
    if path.exists() {
        std::fs::remove_dir_all(path).unwrap();
    }
}
