//! [`Error`] says what was expected, what was found, and what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in a run directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// A file is not what was once written.
    #[error("{} is damaged: {what}; {advice}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it: expected and found.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// Another process writes this run.
    #[error(
        "the run {} is in use by {holder}; wait for it or stop it (the lock goes away with its process)",
        path.display()
    )]
    Locked {
        /// The run directory.
        path: PathBuf,
        /// Who holds it, as that process described itself.
        holder: String,
    },
    /// The path is no run directory.
    #[error("{} is not a run: {why}", path.display())]
    NotARun {
        /// The path.
        path: PathBuf,
        /// Expected and found.
        why: &'static str,
    },
    /// A new run was to be put where one lives.
    #[error(
        "{} already holds a run; name another directory, or continue this one with --resume",
        path.display()
    )]
    HoldsRun {
        /// The run directory.
        path: PathBuf,
    },
    /// A new run was to be put into a directory with other things in it.
    #[error(
        "{} is not empty (it holds {found:?}) and is not a run; name a new or an empty directory",
        path.display()
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// No run matches.
    #[error("no run {wanted} under {}; {advice}", path.display())]
    NoRun {
        /// The directory of runs.
        path: PathBuf,
        /// What was looked for: "at all", or a name.
        wanted: String,
        /// What to do.
        advice: &'static str,
    },
    /// SQLite refused.
    #[error("cannot {action} {}: {}{}", path.display(), sqlite_words(cause), sqlite_advice(cause))]
    Sqlite {
        /// What was tried, as a verb.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// What SQLite said. It is no source: its own source says the same again.
        cause: rusqlite::Error,
    },
    /// The database lacks rows that the checkpoint says were there.
    #[error(
        "{} lacks rows: the checkpoint at tick {tick} was written with {expected}, found {found}; \
         restore the database from a copy, or start the run again in a new directory",
        path.display()
    )]
    StoreBehind {
        /// The database.
        path: PathBuf,
        /// The checkpoint's tick.
        tick: u64,
        /// Row counts in the checkpoint.
        expected: String,
        /// Row counts in the database.
        found: String,
    },
    /// Checkpoints are there, but none can be read.
    #[error(
        "every checkpoint in {} is damaged ({causes}); restore one from a copy, or start the run again in a new directory",
        path.display()
    )]
    NoGoodCheckpoint {
        /// The directory of checkpoints.
        path: PathBuf,
        /// Each file with what is wrong with it.
        causes: String,
    },
    /// The configuration beside the run is another one than the run was started with.
    #[error(
        "{} is not the configuration that this run was started with: line {line} was {expected:?}, is {found:?}; \
         put the line back, then change it with --set (and --may-change) when resuming, or start a new run",
        path.display()
    )]
    ConfigChanged {
        /// `config.toml`.
        path: PathBuf,
        /// The first line that differs, from 1.
        line: usize,
        /// That line at the start of the run.
        expected: String,
        /// That line now.
        found: String,
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
    /// An input/output error, for `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let named = autogan_files::Error::io(action, path);
        move |source| named(source).into()
    }

    /// A SQLite error, for `map_err`.
    pub(crate) fn sqlite(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(rusqlite::Error) -> Error {
        let path = path.to_owned();
        move |cause| Error::Sqlite { action, path, cause }
    }

    /// A file that is not what was once written.
    pub(crate) fn damaged(path: &Path, what: impl Into<String>, advice: &'static str) -> Error {
        Error::Damaged { path: path.to_owned(), what: what.into(), advice }
    }

    /// An invalid argument.
    pub(crate) fn invalid(
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        Error::Invalid { what, expected: expected.into(), found: found.into() }
    }

    /// Whether the cause is a file or directory that is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::File(error) if error.is_not_found())
    }
}

/// What SQLite said, with its number, by which its documentation explains more.
fn sqlite_words(cause: &rusqlite::Error) -> String {
    match cause.sqlite_error() {
        Some(error) => format!("{cause}, SQLite's code {}", error.extended_code),
        None => cause.to_string(),
    }
}

fn sqlite_advice(cause: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            " (make room and resume the run: what was written before is intact)"
        }
        // Also a limit on file sizes, which SQLite does not tell apart.
        Some(ErrorCode::SystemIoFailure) => {
            " (look for a full disk, a limit or a failing device, and resume the run then: what was written before is intact)"
        }
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            " (the file is damaged: restore it from a copy)"
        }
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => " (another program keeps it locked: close that and try again)",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            " (this user may not open it, or not write its directory: copy the run to where that is allowed)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_sqlite_said_is_said_once_with_its_number_and_advice() {
        let of = |code: i32, words: &str| {
            let cause = rusqlite::ffi::Error::new(code);
            let failure = rusqlite::Error::SqliteFailure(cause, Some(words.to_owned()));
            Error::sqlite("write", Path::new("run.sqlite"))(failure)
        };
        let error = of(778, "disk I/O error");
        let text = error.to_string();
        assert!(
            text.starts_with("cannot write run.sqlite: disk I/O error, SQLite's code 778 (look")
        );
        assert!(error.source().is_none(), "its source would be printed behind the advice");
        let text = of(rusqlite::ffi::SQLITE_PROTOCOL, "locking protocol").to_string();
        assert!(text.ends_with("(another program keeps it locked: close that and try again)"));
    }
}
