//! This module replaces a file so that at every moment the old or the new content is there, whole.
//!
//! The new content is written to a hidden file beside the target, synced, and renamed over it; then the directory is
//! synced. An error removes the hidden file and leaves the target alone. A killed process leaves the hidden file
//! behind; [`sweep`] removes such leftovers when the next writer holds the lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Ending of the hidden files that are not renamed yet.
const SUFFIX: &str = ".tmp";

/// Writes `bytes` to `path`, replacing what was there.
///
/// # Errors
/// The file system's error, with the path; the old content is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes))
}

/// Finds out whether [`write()`] can write to `path`, before there is anything to write: nothing is left behind.
///
/// # Errors
/// The file system's error, with the path.
pub fn probe(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::invalid(
            "file path",
            "a file",
            format!("the directory {}", path.display()),
        ));
    }
    UnfinishedFile::create(parent(path), path).map(drop)
}

/// Writes to `path` what `fill` writes, replacing what was there.
///
/// An error of `fill` that is not of the file system can be passed on by [`std::io::Error::other`].
///
/// # Errors
/// The error of `fill` or of the file system, with the path; the old content is then still there.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    write_aside(parent(path), path, fill)
}

/// Does what [`write_with`] does, with the unfinished file in `aside`, which must be on the same file system: for
/// directories that may hold nothing but finished files.
///
/// # Errors
/// The error of `fill` or of the file system, with the path; the old content is then still there.
pub fn write_aside(
    aside: &Path,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let mut unfinished = UnfinishedFile::create(aside, path)?;
    let mut out = BufWriter::new(&mut unfinished.file);
    fill(&mut out).and_then(|()| out.flush()).map_err(Error::io("write", path))?;
    // The buffer is flushed; dropping it must not try again.
    drop(out);
    unfinished.file.sync_all().map_err(Error::io("sync", path))?;
    unfinished.rename_to(path)?;
    sync_dir(parent(path))
}

/// Makes entries of `dir` (new names, removed names) durable.
///
/// # Errors
/// The file system's error.
pub fn sync_dir(dir: &Path) -> Result<()> {
    // Other systems offer no handle to sync a directory by; their renames are journaled.
    if cfg!(unix) {
        File::open(dir)
            .and_then(|handle| handle.sync_all())
            .map_err(Error::io("sync the directory", dir))?;
    }
    Ok(())
}

/// Removes unfinished files that a killed writer left in `dir`; returns how many.
///
/// Call it only when no other writer can be at work in `dir`: its unfinished file would be removed, too.
///
/// # Errors
/// The file system's error. A directory that is not there holds no leftovers.
pub fn sweep(dir: &Path) -> Result<usize> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io("list", dir)(error)),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(Error::io("list", dir))?;
        if is_unfinished(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            match fs::remove_file(&path) {
                // Its writer was quicker.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => {
                    result.map_err(Error::io("remove", &path))?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

/// Whether `name` is the name of a file that [`write()`] has not finished.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// The hidden file; it is removed on drop unless it was renamed.
struct UnfinishedFile {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl UnfinishedFile {
    fn create(aside: &Path, target: &Path) -> Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let name = target.file_name().ok_or_else(|| {
            Error::invalid("file path", "a file name at its end", target.display())
        })?;
        loop {
            let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
            let (name, process) = (name.to_string_lossy(), std::process::id());
            let path = aside.join(format!(".{name}.{process}-{unique}{SUFFIX}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(UnfinishedFile { path, file, renamed: false }),
                // A process with this number was killed here before; the next name is free.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("write", target)(error)),
            }
        }
    }

    fn rename_to(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(Error::io("replace", path))?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for UnfinishedFile {
    fn drop(&mut self) {
        if !self.renamed {
            // The first error is the one to report; the next writer sweeps what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Lets `limit` bytes through, then the device is full.
    struct Limited<'a> {
        inner: &'a mut dyn Write,
        limit: usize,
    }

    impl Write for Limited<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.limit == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            let taken = self.inner.write(&bytes[..bytes.len().min(self.limit)])?;
            self.limit -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.inner.flush()
        }
    }

    /// A directory with a file, which holds `old`.
    fn old(name: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        write(&path, b"old").unwrap();
        (dir, path)
    }

    #[test]
    fn a_probe_says_what_a_write_would_say_and_leaves_nothing() {
        let (dir, path) = old("a.txt");
        for free in [&path, &dir.path().join("new.txt")] {
            probe(free).unwrap();
        }
        assert_eq!(names(dir.path()), ["a.txt"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        for bad in [dir.path().join("nowhere/a.txt"), path.join("a.txt"), dir.path().to_owned()] {
            let text = probe(&bad).unwrap_err().to_string();
            assert!(text.contains(&bad.display().to_string()), "{text}");
        }
    }

    #[test]
    fn replaces_and_leaves_nothing_else() {
        let (dir, path) = old("a.json");
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["a.json"]);
    }

    #[test]
    fn full_disk_keeps_the_old_content_and_says_so() {
        let (dir, path) = old("a.bin");
        let fill =
            |limit| write_with(&path, |out| Limited { inner: out, limit }.write_all(&[7; 10_000]));
        for limit in [0, 1, 9_999] {
            let error = fill(limit).unwrap_err();
            assert!(error.is_disk_full());
            let text = error.to_string();
            assert!(text.contains("a.bin") && text.contains("make room"), "{text}");
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(dir.path()), ["a.bin"]);
        }
        fill(10_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [7; 10_000]);
    }

    #[test]
    fn a_foreign_error_is_named_and_leaves_no_other_file() {
        let (dir, path) = old("w.bin");
        let failed = write_with(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::Error::other("a tensor that cannot be read"))
        });
        let text = failed.unwrap_err().to_string();
        assert!(text.contains("w.bin") && text.contains("a tensor that cannot be read"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["w.bin"]);
        let failed = write_with(Path::new("/"), |_| Ok(())).unwrap_err().to_string();
        assert!(failed.contains("a file name at its end"), "{failed}");
    }

    #[test]
    fn missing_directory_names_the_target() {
        let dir = tempfile::tempdir().unwrap();
        let error = write(&dir.path().join("no/such.txt"), b"x").unwrap_err();
        assert!(error.to_string().contains("such.txt"), "{error}");
        assert!(!error.is_disk_full());
    }

    #[test]
    fn the_unfinished_file_can_lie_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let seen = write_aside(dir.path(), &inner.join("x"), |out| {
            assert!(names(&inner).is_empty());
            assert_eq!(names(dir.path()).iter().filter(|name| is_unfinished(name)).count(), 1);
            out.write_all(b"x")
        });
        seen.unwrap();
        assert_eq!(names(&inner), ["x"]);
        assert_eq!(names(dir.path()), ["inner"]);
    }

    #[test]
    fn sweep_takes_leftovers_only() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".a.bin.12-0.tmp", "b.tmp", ".hidden", "c.bin"] {
            fs::write(dir.path().join(name), b"x").unwrap();
        }
        assert_eq!(sweep(dir.path()).unwrap(), 1);
        assert_eq!(names(dir.path()), [".hidden", "b.tmp", "c.bin"]);
        assert_eq!(sweep(&dir.path().join("absent")).unwrap(), 0);
    }
}
