//! [`DataError`], the one error type of this crate, says what was expected, what was found, and what to do. An error
//! about a file names the file, and where its content is wrong, the byte at which reading stopped.

use std::path::{Path, PathBuf};

use autogan_files::Fault;

/// The result type of this crate.
pub type Result<T, E = DataError> = std::result::Result<T, E>;

/// Why images could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused to open, list or read something.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// The content of a file is not what its format asks for; also a file that ends too early.
    #[error("{}: {fault}; {help}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The first thing in it that is wrong.
        fault: Fault,
        /// What to do about it.
        help: String,
    },
    /// A directory does not hold the files of a dataset, or a picture is not one that can be read.
    #[error("{}: expected {expected}, found {found}; {help}", path.display())]
    Content {
        /// The directory or file, or `FILE row N` for a picture inside a table.
        path: PathBuf,
        /// What would have been read.
        expected: String,
        /// What is there instead.
        found: String,
        /// What to do about it.
        help: String,
    },
    /// Several pictures of one set cannot be read.
    #[error("{count} pictures cannot be read:{}", lines(first, *count))]
    Pictures {
        /// What is wrong with each of the first of them.
        first: Vec<DataError>,
        /// How many there are.
        count: usize,
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

/// Most pictures that one error names.
const NAMED: usize = 20;

/// A line for each fault, and one for those that are not named.
fn lines(faults: &[DataError], count: usize) -> String {
    let named: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    match count - faults.len() {
        0 => named,
        more => format!("{named}\n  and {more} more"),
    }
}

impl From<autogan_hub::HubError> for DataError {
    fn from(error: autogan_hub::HubError) -> Self {
        Self::Hub { error }
    }
}

impl DataError {
    /// What is wrong with pictures of one set, of which there is at least one.
    pub fn several(mut faults: Vec<DataError>) -> Self {
        let count = faults.len();
        match (count, faults.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                faults.extend(last);
                faults.truncate(NAMED);
                Self::Pictures { first: faults, count }
            }
        }
    }

    pub(crate) fn format(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: &str,
    ) -> Self {
        let fault = Fault::new(offset, expected, found);
        Self::Format { path: path.to_path_buf(), fault, help: help.into() }
    }

    pub(crate) fn content(
        path: &Path,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (expected, found, help) = (expected.into(), found.into(), help.into());
        Self::Content { path: path.to_path_buf(), expected, found, help }
    }

    pub(crate) fn mismatch(
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Mismatch { what, expected: expected.into(), found: found.into() }
    }
}
