//! A [`HubError`] says what went wrong with the hub, and what to do about it.

use std::path::PathBuf;

/// Why a file could not be had from the hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Offline mode is on, and the cache does not help.
    #[error(
        "{} is {} in the cache and offline mode is on: fetch it once with network (without --offline and \
         HF_HUB_OFFLINE), or put it at {}", .0.file, .0.reason, .0.place.display()
    )]
    Offline(MissingFile),
    /// The cache does not help, and this build cannot fetch.
    #[error(
        "{} is {} in the cache, and this program was built without fetching (feature `fetch` of autogan-hub): \
         put it at {}", .0.file, .0.reason, .0.place.display()
    )]
    NotBuiltIn(MissingFile),
    /// The hub has no such repository, revision or file.
    #[error(
        "{} is not on the hub ({}): check repository, revision and HF_ENDPOINT, or put it at {}",
        .0.file, .0.reason, .0.place.display()
    )]
    NotFound(MissingFile),
    /// The hub refused access.
    #[error(
        "the hub refused access to {} ({}): set HF_TOKEN to a token that may read it, or put it at {}",
        .0.file, .0.reason, .0.place.display()
    )]
    Denied(MissingFile),
    /// The transfer failed or was cut off.
    #[error(
        "fetching {} failed ({}): try again, which goes on from what has come so far, set HF_ENDPOINT to a \
         mirror, or put it at {}", .0.file, .0.reason, .0.place.display()
    )]
    Transfer(MissingFile),
    /// The content is not the pinned one; nothing was kept.
    #[error(
        "{file}: expected SHA-256 {expected}, got {found} in {bytes} bytes; the download was \
         discarded: try again; if it stays wrong, the repository or the mirror holds another file"
    )]
    WrongHash {
        /// The file.
        file: String,
        /// The pinned hash.
        expected: String,
        /// The hash of what came.
        found: String,
        /// The size of what came.
        bytes: u64,
    },
    /// The hub holds another content than at the first fetch; nothing was kept.
    #[error(
        "{file}: expected SHA-256 {expected}, as recorded at the first fetch in {}, got {found}; the download was \
         discarded: the repository or the mirror has changed this file; name the commit that was meant, or remove the \
         record to take the new content", record.display()
    )]
    Changed {
        /// The file.
        file: String,
        /// The recorded hash.
        expected: String,
        /// The hash of what came.
        found: String,
        /// Where the hash is recorded.
        record: PathBuf,
    },
    /// The cache cannot be used.
    #[error("{reason}; set HF_HUB_CACHE or HF_HOME to a directory that can be written")]
    Cache {
        /// Path and cause.
        reason: String,
    },
}

/// A file that could not be had.
#[derive(Debug, Clone)]
pub struct MissingFile {
    /// The file.
    pub file: String,
    /// The hub's answer, or what the cache has of the file: `not`, `damaged`, `not whole (…)`.
    pub reason: String,
    /// Where in the cache it is looked for.
    pub place: PathBuf,
}

#[cfg(feature = "fetch")]
impl HubError {
    pub(crate) fn at(path: &std::path::Path, action: &str, error: &std::io::Error) -> Self {
        HubError::Cache { reason: format!("{}: cannot {action}: {error}", path.display()) }
    }
}
