//! [`TableError`] says what is wrong with a file of the table.

use std::path::PathBuf;

/// The result of an operation on the table.
pub type Result<T> = std::result::Result<T, TableError>;

/// What can go wrong with the table's files.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] autogan_files::Error),
    /// A parquet file is damaged, or holds other columns.
    #[cfg(feature = "parquet")]
    #[error("{}: expected a parquet file with the columns {}, found {found}", path.display(), crate::COLUMNS.join(", "))]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A folder holds no training that is done.
    #[error("{}: expected trainings that are done, found none; make them with autogan table make", dir.display())]
    NoShards {
        /// The folder.
        dir: PathBuf,
    },
    /// A row is not the next of its shard, or could not be read back from a file.
    #[error("{}: expected {expected}, found {found}; the training was not added", path.display())]
    Row {
        /// The file that the row was to be added to.
        path: PathBuf,
        /// What should come next.
        expected: String,
        /// What came.
        found: String,
    },
    /// The file that says where trainings come from is damaged.
    #[error("{}: expected what the trainings were made on, found {found}; restore the file from a copy", path.display())]
    Origin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// Trainings of a folder were made on other images, or scored by another scorer.
    #[error(
        "{}: its trainings were made on other data: expected {what} to be {expected}, found {found}; name the data that they were \
         made on with --data DIR, or another folder with --dir DIR",
        dir.display()
    )]
    OtherOrigin {
        /// The folder.
        dir: PathBuf,
        /// The thing that differs.
        what: &'static str,
        /// What the folder's trainings have.
        expected: String,
        /// What is there now.
        found: String,
    },
    /// A line does not hold what it should.
    #[error("{}, line {line}: expected {expected}, found {found}; remove the file to make it anew", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
}
