//! Looking at files and directories, with errors that name them.

use std::path::{Path, PathBuf};

use crate::error::{DataError, Result};

/// The whole content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| DataError::io(path, source))
}

/// The paths in a directory, sorted by name.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(|source| DataError::io(dir, source))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(|source| DataError::io(dir, source))?;
    paths.sort();
    Ok(paths)
}

/// The name of a path's last part, empty when there is none.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
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
        return "a file".into();
    }
    let Ok(paths) = list(dir) else {
        return "nothing that can be listed (no such directory, or no permission)".into();
    };
    if paths.is_empty() {
        return "an empty directory".into();
    }
    let shown: Vec<String> = paths.iter().take(SHOWN).map(|path| name(path)).collect();
    let more = paths.len().saturating_sub(SHOWN);
    let rest = match more {
        0 => String::new(),
        _ => format!(" and {more} more"),
    };
    format!("{}{rest}", shown.join(", "))
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
