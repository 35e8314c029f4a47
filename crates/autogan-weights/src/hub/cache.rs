//! The hub's cache on disk: one blob per content, snapshots that point to blobs.
//!
//! Layout of `huggingface_hub`: `models--OWNER--NAME/blobs/SHA256` for large files, and
//! `snapshots/COMMIT/FILENAME` as a relative link to the blob. Read here; `fill` writes it.

use super::{HubOptions, PinnedFile};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The part of the cache that belongs to one repository.
pub(super) struct RepoCache {
    /// The whole cache's directory.
    pub root: PathBuf,
    /// Name of the repository's directory in it.
    pub repo: String,
}

impl RepoCache {
    /// Locates it; nothing is created yet.
    pub fn open(file: &PinnedFile, options: &HubOptions) -> Self {
        RepoCache {
            root: options
                .cache_dir
                .clone()
                .unwrap_or_else(|| usual_root(|name| std::env::var_os(name))),
            repo: format!("models--{}", file.repo.replace('/', "--")),
        }
    }

    /// Where the file's content is expected.
    pub fn blob(&self, file: &PinnedFile) -> PathBuf {
        self.root.join(&self.repo).join("blobs").join(&*file.sha256)
    }

    /// Where the file is expected in a snapshot; only a commit names one, and only a file name
    /// that stays inside.
    pub fn snapshot(&self, file: &PinnedFile) -> Option<PathBuf> {
        let is_commit =
            file.revision.len() == 40 && file.revision.bytes().all(|b| b.is_ascii_hexdigit());
        let inside =
            Path::new(&*file.filename).components().all(|c| matches!(c, Component::Normal(_)));
        (is_commit && inside).then(|| {
            let snapshots = self.root.join(&self.repo).join("snapshots");
            snapshots.join(&*file.revision).join(&*file.filename)
        })
    }

    /// The file, in its snapshot or as a blob; its content is not checked here.
    pub fn find(&self, file: &PinnedFile) -> Option<PathBuf> {
        self.snapshot(file).into_iter().chain([self.blob(file)]).find(|path| path.is_file())
    }
}

/// The cache's directory as `huggingface_hub` finds it: `HF_HUB_CACHE`, then `hub` in `HF_HOME`, then
/// `huggingface/hub` in the user's cache directory.
fn usual_root(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(cache) = set("HF_HUB_CACHE") {
        return cache;
    }
    let home = set("HF_HOME").unwrap_or_else(|| {
        let caches = set("XDG_CACHE_HOME").unwrap_or_else(|| {
            set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default().join(".cache")
        });
        caches.join("huggingface")
    });
    home.join("hub")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(variables: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name);
        usual_root(|name| find(name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_cache_lies_where_python_puts_it() {
        let all = [("HF_HUB_CACHE", "a"), ("HF_HOME", "b"), ("XDG_CACHE_HOME", "c"), ("HOME", "d")];
        assert_eq!(root(&all), Path::new("a"));
        assert_eq!(root(&all[1..]), Path::new("b/hub"));
        assert_eq!(root(&all[2..]), Path::new("c/huggingface/hub"));
        assert_eq!(root(&all[3..]), Path::new("d/.cache/huggingface/hub"));
        assert_eq!(root(&[("HF_HUB_CACHE", ""), ("HF_HOME", "b")]), Path::new("b/hub"));
    }
}
