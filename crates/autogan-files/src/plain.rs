//! This module reads files that others wrote: plain files only, up to a size, and only inside of a folder where that is
//! asked for.
//!
//! A folder that somebody else made can hold a pipe, a device or a link in place of a file, and anybody who may write to
//! it can put one there at any moment. Opening a pipe would wait for ever, and a device need not end. So each file is
//! judged after it was opened, by its handle, and not before by its name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Reads a plain file of at most `limit` bytes. `within`: only if it lies inside of this folder, see [`open_within`].
///
/// # Errors
/// The file system's error; an error with the path for anything but a plain file, and for a longer one.
pub fn read(path: &Path, within: Option<&Path>, limit: u64) -> Result<Vec<u8>> {
    let opened = within.map_or_else(|| open(path), |base| open_within(base, path));
    opened.and_then(|file| read_all(&file, limit)).map_err(Error::io("read", path))
}

/// Reads an opened file of at most `limit` bytes to its end.
///
/// # Errors
/// The file system's error; one that says how many bytes were expected and found, for a longer file.
pub fn read_all(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    // The file may grow meanwhile.
    if length <= limit {
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    let found = length.max(bytes.len() as u64);
    if found > limit {
        return Err(invalid(format!("expected at most {limit} bytes, found {found}")));
    }
    Ok(bytes)
}

/// Opens a plain file to read it; never waits for a pipe.
///
/// # Errors
/// The file system's error; one that says so for anything but a plain file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, unix::flags());
    checked(options.open(path)?)
}

/// Opens a plain file inside of the folder `base`, a path without links (as [`Path::canonicalize`] gives).
///
/// A link counts as what it leads to: it may lead to another place inside. On Unix this holds even if somebody changes
/// the folder meanwhile, for the file is opened from folder to folder, following no link.
///
/// # Errors
/// As [`open`]; also one that says so for a file that lies outside.
pub fn open_within(base: &Path, path: &Path) -> io::Result<File> {
    let found = path.canonicalize()?;
    let outside = |_| invalid(format!("it lies outside of {}", base.display()));
    let inside = found.strip_prefix(base).map_err(outside)?;
    checked(beneath(base, inside)?)
}

#[cfg(unix)]
use unix::beneath;

#[cfg(not(unix))]
fn beneath(base: &Path, inside: &Path) -> io::Result<File> {
    File::open(base.join(inside))
}

fn checked(file: File) -> io::Result<File> {
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let found = if kind.is_dir() { "a directory" } else { "a pipe, a device or the like" };
    Err(invalid(format!("expected a plain file, found {found}")))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use rustix::fs::{Mode, OFlags, open, openat};

    const FILE: OFlags = OFlags::CLOEXEC.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
    const FOLDER: OFlags = OFlags::CLOEXEC.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

    /// The flags of [`super::open`], beside that for reading.
    pub fn flags() -> i32 {
        FILE.bits().cast_signed()
    }

    /// Opens what lies at `inside` under `base`, following no link on the way.
    pub fn beneath(base: &Path, inside: &Path) -> io::Result<File> {
        let mut at = open(base, FOLDER, Mode::empty())?;
        let mut parts = inside.components().peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { FOLDER } else { FILE | OFlags::NOFOLLOW };
            at = openat(&at, part.as_os_str(), flags, Mode::empty())?;
        }
        Ok(File::from(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn why<T>(result: io::Result<T>) -> String {
        result.err().map_or_else(|| "it was opened".to_owned(), |error| error.to_string())
    }

    #[test]
    fn a_file_has_at_most_so_many_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, None, 5).unwrap(), b"12345");
        let error = read(&path, None, 4).unwrap_err().to_string();
        assert!(error.contains("a: expected at most 4 bytes, found 5"), "{error}");
        // A sparse file, which is long and has nothing in it.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path, None, 1 << 20).is_err());
    }

    #[test]
    fn only_plain_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        assert!(why(open(dir.path())).contains("found a directory"));
        #[cfg(target_os = "linux")]
        assert!(why(open(Path::new("/dev/zero"))).contains("found a pipe, a device"));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_without_a_writer_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let base = dir.path().canonicalize().unwrap();
        assert!(why(open(&path)).contains("found a pipe"));
        assert!(why(open_within(&base, &path)).contains("found a pipe"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_may_lead_inside_and_not_outside() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let base = home.path().canonicalize().unwrap().join("base");
        fs::create_dir_all(base.join("in")).unwrap();
        fs::write(base.join("in/a"), "inside").unwrap();
        fs::write(home.path().join("secret"), "secret").unwrap();
        symlink(base.join("in/a"), base.join("good")).unwrap();
        symlink("../secret", base.join("bad")).unwrap();
        symlink(home.path(), base.join("up")).unwrap();
        assert_eq!(read(&base.join("good"), Some(&base), 99).unwrap(), b"inside");
        for path in ["bad", "up/secret", "../secret", "in/../../secret"] {
            let error = why(open_within(&base, &base.join(path)));
            assert!(error.contains("outside"), "{path}: {error}");
        }
        // As if the link had been put there after the path was resolved.
        for path in ["bad", "good", "up/secret", "up/base/in/a"] {
            assert!(beneath(&base, Path::new(path)).is_err(), "{path}");
        }
        assert!(beneath(&base, Path::new("in/a")).is_ok());
    }
}
