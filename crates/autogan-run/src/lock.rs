//! A [`RunLock`] makes its holder the one writer of a run; the operating system ends it with the process.
//!
//! The lock is on the file `run.lock`, which stays; only whether some process holds it counts, so
//! nothing has to be cleaned up after a kill. The file's text says who holds it, for the message.
//! Readers need no lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use autogan_files::plain;

use crate::error::{Error, Result};
use crate::{clock, host};

/// Name of the lock file in a run directory.
pub const LOCK_FILE: &str = "run.lock";

const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// A held lock; dropping it, or the end of the process in any way, releases it.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl RunLock {
    /// Takes the lock of the run in `dir`, or gives up after a tenth of a second.
    ///
    /// # Errors
    /// [`Error::Locked`] with the holder if another writer has it; otherwise the file system's
    /// error.
    pub fn acquire(dir: &Path) -> Result<RunLock> {
        let path = dir.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        for left in (0..=TRIES).rev() {
            match file.try_lock() {
                Ok(()) => break,
                // A reader asking for the holder has the lock for a moment: see `holder`.
                Err(TryLockError::WouldBlock) if left > 0 => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let holder = read_holder(&mut file);
                    return Err(Error::Locked { path: dir.to_owned(), holder });
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
            }
        }
        let mut lock = RunLock { file };
        lock.sign().map_err(Error::io("write", &path))?;
        Ok(lock)
    }

    fn sign(&mut self) -> std::io::Result<()> {
        let since = clock::date(clock::now_ms());
        let text = format!("process {} on {} since {since}\n", std::process::id(), host::name());
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // The name is only for the message, and closing the file releases the lock anyway.
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock of the run in `dir`, if anyone does.
///
/// # Errors
/// The file system's error; a run that was never written to is held by nobody.
pub fn holder(dir: &Path) -> Result<Option<String>> {
    let path = dir.join(LOCK_FILE);
    holder_by(&path, plain::open(&path))
}

/// As [`holder`], of a lock file that was opened, or not, to be read.
pub(crate) fn holder_by(path: &Path, opened: std::io::Result<File>) -> Result<Option<String>> {
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    // Shared, so that two readers who ask at once do not take each other for the writer.
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_holder(&mut file))),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
    }
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(200).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_holder_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()).unwrap(), None);
        let first = RunLock::acquire(dir.path()).unwrap();
        let me = format!("process {} on ", std::process::id());
        let error = RunLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(&error, Error::Locked { holder, .. } if holder.starts_with(&me)));
        assert!(error.to_string().contains(&me), "{error}");
        assert!(holder(dir.path()).unwrap().unwrap().starts_with(&me));
        drop(first);
        assert_eq!(holder(dir.path()).unwrap(), None);
        RunLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn text_left_by_a_killed_process_does_not_hold() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(LOCK_FILE), "process 1 on elsewhere, a long text\n")
            .unwrap();
        let _lock = RunLock::acquire(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(LOCK_FILE)).unwrap();
        assert!(text.starts_with(&format!("process {} on", std::process::id())));
        assert!(text.contains(" since 20") && text.ends_with(" UTC\n"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }
}
