//! This crate gets pinned files from the Hugging Face hub, and the tables of pictures that its datasets consist of.
//!
//! [`Hub::fetch`] gives the path of a file whose SHA-256 was just checked. [`Hub::tables`] does the same for the parquet
//! files of a dataset at one commit, and [`Hub::fetch_recorded`] for a file whose SHA-256 is written down at the first
//! fetch. What is in the cache is taken from there; the rest is downloaded. The cache is the hub's own, in the layout that
//! Python's `huggingface_hub` shares.
//!
//! A download that is interrupted leaves `blobs/SHA256.incomplete`, and the next one goes on from its end. A file enters
//! the cache by a rename, once its hash is right. So no other program takes half of a file for the whole.
//!
//! Nothing is printed: [`Hub::progress`] is called while bytes arrive. Without the feature `fetch` only the cache is read.
//!
//! ```no_run
//! use autogan_hub::{Hub, INCEPTION_PTH};
//!
//! let weights = Hub::from_env(false).fetch(&INCEPTION_PTH)?;
//! println!("{}", weights.display());
//! # Ok::<(), autogan_hub::HubError>(())
//! ```

mod cache;
#[cfg(feature = "fetch")]
mod download;
mod environment;
mod error;
#[cfg(feature = "fetch")]
mod fill;
mod pinned;
mod recorded;
mod tables;
mod transformers;

pub use error::{HubError, MissingFile};
pub use pinned::{INCEPTION_PTH, INCEPTION_SAFETENSORS, PinnedFile, RepoKind};
pub use recorded::HubFile;
pub use tables::PinnedFolder;
pub use transformers::{CLIP_VIT_B32, CLIP_VIT_L14_336, DINOV2_BASE, DINOV2_LARGE, DINOV2_SMALL};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cache::RepoCache;

/// A function that takes the name of a file, how many of its bytes are here, and its size (0 when that is not known).
pub type OnProgress = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// Where files come from, and who is told of progress.
#[derive(Clone)]
pub struct Hub {
    /// Use only what is in the cache.
    pub offline: bool,
    /// Base address of the hub or of a mirror.
    pub endpoint: String,
    /// Directory of the cache.
    pub cache: PathBuf,
    /// The text file that holds hashes of first fetches, for [`Hub::fetch_recorded`].
    pub records: PathBuf,
    /// Access token; it is sent to the endpoint alone.
    pub token: Option<String>,
    /// A connection that sends nothing for this long is closed.
    pub stall: Duration,
    /// Is called while bytes arrive.
    pub progress: Option<OnProgress>,
}

impl Hub {
    /// The hub as the environment has it. `offline` adds to `HF_HUB_OFFLINE`.
    ///
    /// `HF_ENDPOINT` names a mirror; `HF_HUB_CACHE`, or `hub` in `HF_HOME`, is the cache; the token is `HF_TOKEN`, or
    /// the content of the file at `HF_TOKEN_PATH`, or of `token` in `HF_HOME`. The records lie in `autogan/hub-files.tsv` in
    /// `XDG_CACHE_HOME`, or in `.cache` of the home folder.
    #[must_use]
    pub fn from_env(offline: bool) -> Self {
        environment::hub(offline, |name| std::env::var_os(name))
    }

    /// The path of a file in the cache, its hash checked just now; it is downloaded first where it is not there.
    ///
    /// A cached copy with another hash is replaced. Only one process downloads a file at a time; the others wait and
    /// find it.
    ///
    /// # Errors
    /// When the file is not in the cache and cannot be fetched, when what came has another hash, or when the cache
    /// cannot be written. Each [`HubError`] says what to do, and where the file is looked for.
    pub fn fetch(&self, file: &PinnedFile) -> Result<PathBuf, HubError> {
        if let Some(path) = self.cached(file)? {
            return Ok(path);
        }
        let cache = RepoCache::of(self, file.kind, &file.repo);
        let reason = if cache.find(file).is_some() { "damaged" } else { "not" }.to_string();
        let missing = MissingFile { file: file.to_string(), reason, place: cache.place(file) };
        if self.offline {
            return Err(HubError::Offline(missing));
        }
        #[cfg(feature = "fetch")]
        return fill::fill(self, &cache, file);
        #[cfg(not(feature = "fetch"))]
        Err(HubError::NotBuiltIn(missing))
    }

    /// The file in the cache when its content is right, without any network.
    ///
    /// # Errors
    /// When the cached file cannot be read.
    pub fn cached(&self, file: &PinnedFile) -> Result<Option<PathBuf>, HubError> {
        RepoCache::of(self, file.kind, &file.repo).verified(file)
    }
}

/// The user's folder for files that can be made again: `XDG_CACHE_HOME`, or `.cache` in the home folder; none where the
/// environment names neither.
#[must_use]
pub fn user_cache() -> Option<PathBuf> {
    environment::user_cache(|name| std::env::var_os(name))
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("offline", &self.offline)
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("records", &self.records)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("stall", &self.stall)
            .finish_non_exhaustive()
    }
}
