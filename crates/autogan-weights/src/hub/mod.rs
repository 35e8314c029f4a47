//! Pinned files from the Hugging Face hub: named by repository, revision, file and SHA-256.
//!
//! [`fetch`] gives the path of a file whose hash was just checked, downloading it when the cache
//! lacks it. The cache is the hub's own (`HF_HUB_CACHE`, `HF_HOME`), in the layout that Python's
//! `huggingface_hub` shares: `models--OWNER--NAME/{blobs,snapshots}`. `HF_ENDPOINT` (a mirror),
//! `HF_TOKEN` and `HF_HUB_OFFLINE` are honoured.
//!
//! Downloads go through the crate `hf-hub`, but not into the cache by it: its cache path stores the
//! body of a failed GET as if it were the file and leaves `*.incomplete` files behind. So it
//! downloads into a temporary directory, and the file enters the cache by a rename once its hash
//! is right.
//!
//! Without the feature `hub` the cache is read as ever, but nothing is downloaded: [`fetch`] then ends with
//! [`HubError::NotBuiltIn`].

mod cache;
#[cfg(feature = "hub")]
mod download;
mod error;
#[cfg(feature = "hub")]
mod fill;

pub use error::HubError;

use crate::hash::sha256_file;
use cache::RepoCache;
#[cfg(feature = "hub")]
use fill::download;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Called with the bytes fetched so far and the size of the file (0 when it is not known).
pub type OnProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// A file on the hub with the hash that its content must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedFile {
    /// Model repository, `owner/name`.
    pub repo: Cow<'static, str>,
    /// Commit, or a branch or tag name; the hash pins the content in any case.
    pub revision: Cow<'static, str>,
    /// Path of the file in the repository.
    pub filename: Cow<'static, str>,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: Cow<'static, str>,
}

impl PinnedFile {
    const fn known(
        repo: &'static str,
        revision: &'static str,
        filename: &'static str,
        sha256: &'static str,
    ) -> Self {
        PinnedFile {
            repo: Cow::Borrowed(repo),
            revision: Cow::Borrowed(revision),
            filename: Cow::Borrowed(filename),
            sha256: Cow::Borrowed(sha256),
        }
    }

    /// The same file, with the same hash, in another repository that holds a copy.
    #[must_use]
    pub fn at(&self, repo: impl Into<String>, revision: impl Into<String>) -> Self {
        PinnedFile { repo: repo.into().into(), revision: revision.into().into(), ..self.clone() }
    }
}

impl std::fmt::Display for PinnedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} @ {}", self.repo, self.filename, self.revision)
    }
}

/// Inception-v3 as all PyTorch scorers use it (legacy pickle container, 95,628,359 bytes).
pub const INCEPTION_PTH: PinnedFile = PinnedFile::known(
    "RaphaelLiu/EvalCrafter-Models",
    "6040b4d40fdcde446a0cf753b0527585b6b77c54",
    "pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
);

/// The same weights as safetensors, the alternative to [`INCEPTION_PTH`].
pub const INCEPTION_SAFETENSORS: PinnedFile = PinnedFile::known(
    "nikhilr01/sen-bridge-weights",
    "main",
    "fid_inception.safetensors",
    "b7a528bf4051f62c057bc14657865abf180a23eb1748d00ff0933d84698202ed",
);

/// Where and how to fetch.
#[derive(Clone)]
pub struct HubOptions {
    /// Use only what is in the cache.
    pub offline: bool,
    /// Base address of the hub or a mirror; `None`: `HF_ENDPOINT`, then the hub itself.
    pub endpoint: Option<String>,
    /// Cache directory; `None`: `HF_HUB_CACHE`, then `HF_HOME/hub`, then the user's cache.
    pub cache_dir: Option<PathBuf>,
    /// Access token; `None`: `HF_TOKEN`, then the token that `hf auth login` stored.
    pub token: Option<String>,
    /// A connection that sends nothing for this long is given up.
    pub stall: Duration,
}

impl HubOptions {
    /// Everything from the environment; `offline` adds to `HF_HUB_OFFLINE`, which the crate
    /// `hf-hub` does not read.
    #[must_use]
    pub fn from_env(offline: bool) -> Self {
        HubOptions {
            offline: offline || truthy(std::env::var("HF_HUB_OFFLINE").ok().as_deref()),
            endpoint: None,
            cache_dir: None,
            token: None,
            stall: Duration::from_secs(60),
        }
    }
}

/// The values that `huggingface_hub` takes for true.
fn truthy(value: Option<&str>) -> bool {
    value.is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str()))
}

/// The path of a file in the cache, its hash checked just now; downloaded if it is not there.
///
/// A cached copy with another hash is replaced. Only one process downloads from a repository at a
/// time; the others wait and find the file.
///
/// # Errors
/// [`HubError`], each saying what to do: offline and not cached, not found, access denied,
/// not in the cache of a build without the feature `hub`, interrupted (after three attempts), another hash (the download is discarded), or no permission
/// to write the cache.
pub fn fetch(
    file: &PinnedFile,
    options: &HubOptions,
    progress: Option<OnProgress>,
) -> Result<PathBuf, HubError> {
    let cache = RepoCache::open(file, options);
    if let Some(path) = verified(&cache, file)? {
        return Ok(path);
    }
    if options.offline {
        return Err(HubError::Offline {
            file: file.to_string(),
            cache: cache.root.clone(),
            damaged: cache.find(file).is_some(),
        });
    }
    download(&cache, file, options, progress)
}

#[cfg(not(feature = "hub"))]
fn download(
    cache: &RepoCache,
    file: &PinnedFile,
    _options: &HubOptions,
    _progress: Option<OnProgress>,
) -> Result<PathBuf, HubError> {
    Err(HubError::NotBuiltIn {
        file: file.to_string(),
        cache: cache.root.clone(),
        damaged: cache.find(file).is_some(),
    })
}

/// The cached file when its content is right, without any network.
///
/// # Errors
/// When the cached file cannot be read.
pub fn cached(file: &PinnedFile, options: &HubOptions) -> Result<Option<PathBuf>, HubError> {
    verified(&RepoCache::open(file, options), file)
}

fn verified(cache: &RepoCache, file: &PinnedFile) -> Result<Option<PathBuf>, HubError> {
    let Some(path) = cache.find(file) else {
        return Ok(None);
    };
    let found = sha256_file(&path).map_err(HubError::cache)?;
    Ok((found == *file.sha256).then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_is_read_as_python_reads_it() {
        for value in ["1", "ON", "yes", "True"] {
            assert!(truthy(Some(value)), "{value}");
        }
        for value in [Some("0"), Some(""), Some("off"), None] {
            assert!(!truthy(value), "{value:?}");
        }
    }

    #[cfg(not(feature = "hub"))]
    #[test]
    fn a_build_that_cannot_fetch_takes_the_cache_and_says_how_to_build_one_that_can() {
        let dir = tempfile::tempdir().unwrap();
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let file = PinnedFile {
            repo: "some/model".into(),
            revision: commit.into(),
            filename: "weights.bin".into(),
            sha256: sha256.into(),
        };
        let cache_dir = Some(dir.path().to_path_buf());
        let mut options = HubOptions { cache_dir, ..HubOptions::from_env(false) };
        options.offline = false;
        let error = fetch(&file, &options, None).unwrap_err();
        assert!(matches!(error, HubError::NotBuiltIn { damaged: false, .. }), "{error}");
        assert!(error.to_string().contains("--features hub"), "{error}");
        options.offline = true;
        let error = fetch(&file, &options, None).unwrap_err();
        assert!(matches!(error, HubError::Offline { .. }), "{error}");

        let snapshot = dir.path().join("models--some--model/snapshots").join(commit);
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(snapshot.join("weights.bin"), "hello").unwrap();
        assert_eq!(fetch(&file, &options, None).unwrap(), snapshot.join("weights.bin"));
        std::fs::write(snapshot.join("weights.bin"), "hullo").unwrap();
        options.offline = false;
        let error = fetch(&file, &options, None).unwrap_err();
        assert!(matches!(error, HubError::NotBuiltIn { damaged: true, .. }), "{error}");
    }

    #[test]
    fn a_copy_elsewhere_keeps_name_and_hash() {
        let copy = INCEPTION_PTH.at("me/mirror", "main");
        assert_eq!((&*copy.repo, &*copy.revision), ("me/mirror", "main"));
        assert_eq!(copy.sha256, INCEPTION_PTH.sha256);
        assert_eq!(copy.filename, INCEPTION_PTH.filename);
    }

    #[test]
    fn known_hashes_are_hashes() {
        for file in [INCEPTION_PTH, INCEPTION_SAFETENSORS] {
            assert_eq!(file.sha256.len(), 64);
            assert!(file.sha256.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
}
