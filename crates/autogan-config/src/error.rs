//! A [`ConfigError`] says what is wrong with a configuration.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// What can be wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that is not allowed.
    #[error("{key}: expected {expected}, found {found}")]
    Value {
        /// The key or option.
        key: String,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A text that is no configuration.
    #[error("{origin}: {message}")]
    Text {
        /// The file or option.
        origin: String,
        /// What is wrong, with its place.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An error of the search space.
    #[error(transparent)]
    Space(#[from] autogan_space::SpaceError),
}

impl ConfigError {
    /// A value that is not allowed.
    pub fn value(
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Self::Value { key: key.into(), expected: expected.into(), found: found.to_string() }
    }
}
