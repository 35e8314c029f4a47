//! This module reads files and lists directories, with errors that name them.

use std::path::{Path, PathBuf};

use autogan_files::{Error as FileError, kind_of};

use crate::error::Result;

/// The whole content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(path).map_err(FileError::io("read", path))?)
}

/// The paths in a directory, sorted by name.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(FileError::io("list", dir))?;
    let paths: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(FileError::io("list", dir))?;
    paths.sort();
    Ok(paths)
}

/// The name of a path's last part, empty when there is none.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The names of files, separated by commas.
pub(crate) fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ")
}

/// The files in `dir` named `PREFIX...SUFFIX`, sorted by name; none when `dir` is no directory.
pub(crate) fn matching(dir: &Path, prefix: &str, suffix: &str) -> Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let fits = |path: &PathBuf| {
        let name = name(path);
        name.starts_with(prefix) && name.ends_with(suffix) && path.is_file()
    };
    Ok(list(dir)?.into_iter().filter(fits).collect())
}

/// What a directory holds, in words, for errors: a few names and how many more.
pub(crate) fn describe(dir: &Path) -> String {
    const SHOWN: usize = 5;
    if dir.is_file() {
        return kind_of(dir).map_or("a file", |kind| kind.name).into();
    }
    let Ok(paths) = list(dir) else {
        return "nothing that can be listed (no such directory, or no permission)".into();
    };
    if paths.is_empty() {
        return "an empty directory".into();
    }
    let shown = names(&paths[..paths.len().min(SHOWN)]);
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describing_names_a_few_and_counts_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(describe(dir.path()), "an empty directory");
        for i in 0..7 {
            std::fs::write(dir.path().join(format!("f{i}.bin")), []).unwrap();
        }
        assert_eq!(describe(dir.path()), "f0.bin, f1.bin, f2.bin, f3.bin, f4.bin and 2 more");
        assert_eq!(describe(&dir.path().join("f0.bin")), "a file");
        assert!(describe(&dir.path().join("no")).starts_with("nothing"));
        assert_eq!(matching(dir.path(), "f", ".bin").unwrap().len(), 7);
        assert_eq!(matching(dir.path(), "f6", ".bin").unwrap().len(), 1);
    }
}
