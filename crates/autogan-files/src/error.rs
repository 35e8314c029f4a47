//! An [`Error`] says which file, what was tried, and what to do about it. A [`Fault`] says where a file breaks its
//! format, before the file's name is known.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was tried, as a verb: "write", "create the directory".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The caller handed in something that cannot be stored.
    #[error("invalid {what}: expected {expected}, found {found}")]
    Invalid {
        /// What is invalid.
        what: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl Error {
    /// An error of the file system while `action` (a verb) was done to `path`, for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn invalid(
        what: &'static str,
        expected: impl Into<String>,
        found: impl Display,
    ) -> Error {
        Error::Invalid { what, expected: expected.into(), found: found.to_string() }
    }

    /// Whether the cause is a device that is full (or a quota or size limit that is reached).
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::Io { source, .. } if is_full(source.kind()))
    }

    /// Whether the cause is a file or directory that is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        kind if is_full(kind) => " (make room and try again: what was written before is intact)",
        io::ErrorKind::ReadOnlyFilesystem => " (choose a place that can be written to)",
        io::ErrorKind::PermissionDenied => " (check owner and permissions)",
        _ => advice_by_number(source),
    }
}

/// Advice for errors that have no kind of their own in the standard library.
fn advice_by_number(source: &io::Error) -> &'static str {
    // EINTR, EIO, and ENFILE and EMFILE: the same numbers on all Unix systems.
    match source.raw_os_error().filter(|_| cfg!(unix)) {
        Some(4) => " (try again: what was written before is intact)",
        Some(5) => {
            " (look for a failing device, and try again then: what was written before is intact)"
        }
        Some(23 | 24) => {
            " (close other programs or raise the limit of open files, `ulimit -n`, and try again)"
        }
        _ => "",
    }
}

/// A place where a file breaks its format: what was expected at an offset, and what was found there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: expected {expected}, found {found}")]
pub struct Fault {
    /// Byte offset in the file, or in the member of an archive.
    pub offset: u64,
    /// What the format asks for at this offset.
    pub expected: String,
    /// What is there instead.
    pub found: String,
}

impl Fault {
    /// A fault at `offset`.
    pub fn new(offset: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Fault { offset, expected: expected.into(), found: found.into() }
    }
}

/// At most 60 characters of text from a file, quoted, fit for an error message.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn each_error_that_a_call_meets_says_what_to_do() {
        let text = |number| {
            let source = io::Error::from_raw_os_error(number);
            Error::io("write", Path::new("a.json"))(source).to_string()
        };
        assert!(text(4).contains("try again"), "{}", text(4));
        assert!(text(5).contains("look for a failing device"), "{}", text(5));
        assert!(text(24).contains("raise the limit of open files"), "{}", text(24));
        assert!(text(28).contains("make room"), "{}", text(28));
        assert!(text(13).ends_with("(check owner and permissions)"), "{}", text(13));
    }
}
