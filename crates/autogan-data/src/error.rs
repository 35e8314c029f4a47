//! The one error type of this crate.
//!
//! Every variant says what was expected, what was found, and what to do; errors about a file
//! also name the file and the byte at which reading stopped.

use std::path::{Path, PathBuf};

/// The result of everything here that can fail.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Why images could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to open, list or read something.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The content of a file is not what its format asks for; also a file that ends too early.
    #[error("{}: at byte {offset}: expected {expected}, found {found}; {help}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Byte offset, from the start of the file, of the first thing that is wrong.
        offset: u64,
        /// What the format asks for there.
        expected: String,
        /// What the file holds there.
        found: String,
        /// What to do about it.
        help: String,
    },
    /// A directory does not hold the files of the dataset that was asked for.
    #[error("{}: expected {expected}, found {found}; {help}", dir.display())]
    Layout {
        /// The directory (or file) that was given.
        dir: PathBuf,
        /// The layouts that would have been read.
        expected: String,
        /// What is there instead.
        found: String,
        /// What to do about it.
        help: String,
    },
    /// An image file cannot be decoded or has content that is not plain RGB or greyscale.
    #[error("{}: expected {expected}, found {found}; {help}", path.display())]
    Picture {
        /// The image file, or `FILE row N` for an image inside a table.
        path: PathBuf,
        /// What would have been read.
        expected: String,
        /// What is there instead.
        found: String,
        /// What to do about it.
        help: String,
    },
    /// A dataset was asked for under a name that the registry does not know.
    #[error("unknown dataset {name:?}: expected one of {known}")]
    UnknownDataset {
        /// The name given.
        name: String,
        /// The names known, separated by commas.
        known: String,
    },
    /// A request or a buffer does not fit the data it is about.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// The argument in question.
        what: &'static str,
        /// What would have been right.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A dataset could not be fetched from the hub or taken from its cache.
    #[error("{error}; or give a directory with its files (on the command line: --data DIR)")]
    Hub {
        /// What the hub or its cache said. It is no source, because the message holds it.
        error: autogan_hub::HubError,
    },
}

impl From<autogan_hub::HubError> for DataError {
    fn from(error: autogan_hub::HubError) -> Self {
        Self::Hub { error }
    }
}

impl DataError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn format(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self::Format {
            path: path.to_path_buf(),
            offset,
            expected: expected.into(),
            found: found.into(),
            help: help.into(),
        }
    }

    pub(crate) fn mismatch(
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Mismatch { what, expected: expected.into(), found: found.into() }
    }
}
