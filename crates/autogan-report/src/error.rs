//! [`Error`] says why a run could not be read or a page not be written.

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// The run directory could not be read or written.
    #[error(transparent)]
    Run(#[from] autogan_run::Error),
}
