//! What can go wrong with the hub, and what to do about it.

use std::path::{Path, PathBuf};

/// Why a file could not be had from the hub.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Offline, and the cache does not help.
    #[error(
        "{file} is {state} in the cache and offline mode is on: fetch it once with network (without --offline and \
         HF_HUB_OFFLINE), or put it at {}", place.display()
    )]
    Offline {
        /// The file.
        file: String,
        /// What the cache has of it: `not`, `damaged`, `not whole (…)`.
        state: String,
        /// Where in the cache it is looked for.
        place: PathBuf,
    },
    /// The cache does not help, and this build cannot fetch.
    #[error(
        "{file} is {state} in the cache, and this program was built without fetching (feature `fetch` of autogan-hub): \
         put it at {}", place.display()
    )]
    NotBuiltIn {
        /// The file.
        file: String,
        /// What the cache has of it.
        state: String,
        /// Where in the cache it is looked for.
        place: PathBuf,
    },
    /// The hub has no such repository, revision or file.
    #[error(
        "{file} is not on the hub ({reason}): check repository, revision and HF_ENDPOINT, or put it at {}",
        place.display()
    )]
    NotFound {
        /// The file.
        file: String,
        /// The hub's answer.
        reason: String,
        /// Where in the cache it is looked for.
        place: PathBuf,
    },
    /// The hub refused access.
    #[error(
        "the hub refused access to {file} ({reason}): set HF_TOKEN to a token that may read it, or put it at {}",
        place.display()
    )]
    Denied {
        /// The file.
        file: String,
        /// The hub's answer.
        reason: String,
        /// Where in the cache it is looked for.
        place: PathBuf,
    },
    /// The transfer failed or was cut off.
    #[error(
        "fetching {file} failed ({reason}): try again, which goes on from what has come so far, set HF_ENDPOINT to a \
         mirror, or put it at {}", place.display()
    )]
    Transfer {
        /// The file.
        file: String,
        /// What happened.
        reason: String,
        /// Where in the cache it is looked for.
        place: PathBuf,
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
    pub(crate) fn offline(file: String, state: &str, place: PathBuf) -> Self {
        HubError::Offline { file, state: state.into(), place }
    }

    #[cfg(not(feature = "fetch"))]
    pub(crate) fn not_built_in(file: String, state: &str, place: PathBuf) -> Self {
        HubError::NotBuiltIn { file, state: state.into(), place }
    }

    pub(crate) fn at(path: &Path, action: &str, error: &std::io::Error) -> Self {
        HubError::Cache { reason: format!("{}: cannot {action}: {error}", path.display()) }
    }
}
