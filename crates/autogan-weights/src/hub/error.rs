//! What can go wrong with the hub, and what to do about it.

#[cfg(feature = "hub")]
use std::path::Path;
use std::path::PathBuf;

/// Why a file could not be had from the hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Offline, and the cache does not help.
    #[error(
        "{file} is {} in the cache {} and offline mode is on: fetch it once with network (without \
         --offline and HF_HUB_OFFLINE), or name a local copy of the file",
        if *damaged { "damaged" } else { "not" }, cache.display()
    )]
    Offline {
        /// The file.
        file: String,
        /// The cache directory.
        cache: PathBuf,
        /// Whether there is a file with another hash.
        damaged: bool,
    },
    /// The cache does not help, and this build cannot fetch.
    #[error(
        "{file} is {} in the cache {}, and this program was built without fetching from the hub: \
         build it with `cargo build --release --features hub`, or name a local copy of the file",
        if *damaged { "damaged" } else { "not" }, cache.display()
    )]
    NotBuiltIn {
        /// The file.
        file: String,
        /// The cache directory.
        cache: PathBuf,
        /// Whether there is a file with another hash.
        damaged: bool,
    },
    /// The hub has no such repository, revision or file.
    #[error(
        "{file} is not on the hub ({reason}): check repository and revision, or name a local copy of the file"
    )]
    NotFound {
        /// The file.
        file: String,
        /// The hub's answer.
        reason: String,
    },
    /// The hub refused access.
    #[error(
        "the hub refused access to {file} ({reason}): set HF_TOKEN to a token that may read it"
    )]
    Denied {
        /// The file.
        file: String,
        /// The hub's answer.
        reason: String,
    },
    /// The transfer failed or was cut off; nothing was kept.
    #[error(
        "fetching {file} failed ({reason}); nothing was kept: try again, set HF_ENDPOINT to a \
         mirror, or name a local copy of the file"
    )]
    Transfer {
        /// The file.
        file: String,
        /// What happened.
        reason: String,
    },
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
    /// The cache cannot be used.
    #[error("{reason}; set HF_HUB_CACHE or HF_HOME to a directory that can be written")]
    Cache {
        /// Path and cause.
        reason: String,
    },
}

impl HubError {
    pub(super) fn cache(error: impl std::fmt::Display) -> Self {
        HubError::Cache { reason: error.to_string() }
    }

    #[cfg(feature = "hub")]
    pub(super) fn at(path: &Path, action: &str, error: &std::io::Error) -> Self {
        HubError::cache(format!("{}: cannot {action}: {error}", path.display()))
    }
}
