//! Datasets from the Hugging Face hub, pinned to a commit, through its usual cache.
//!
//! `HF_ENDPOINT` (a mirror), `HF_HOME`, `HF_HUB_CACHE` and `HF_TOKEN` are honoured as
//! everywhere; with `HF_HUB_OFFLINE` set, or when asked, only the cache is looked at.

use std::path::{Path, PathBuf};

use hf_hub::repository::{RepoTreeEntry, RepoTypeDataset};
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync};

use crate::error::{DataError, Result};
use crate::files::{list, name};

/// A dataset repository at one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Who owns the repository.
    pub owner: &'static str,
    /// The repository's name.
    pub name: &'static str,
    /// The commit: all 40 hexadecimal digits, or enough of its first ones to tell it apart.
    pub commit: &'static str,
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Never touch the network.
    pub offline: bool,
    /// Cache directory in place of the usual one.
    pub cache: Option<PathBuf>,
    /// Base address in place of the usual one.
    pub endpoint: Option<String>,
}

/// One repository, and where the cache keeps its commits.
struct Client {
    repository: HFRepositorySync<RepoTypeDataset>,
    snapshots: PathBuf,
}

impl Hub {
    /// The hub as the environment has it; offline when `offline` or `HF_HUB_OFFLINE` says so.
    pub fn from_environment(offline: bool) -> Self {
        Self {
            offline: offline || is_true(std::env::var("HF_HUB_OFFLINE").ok().as_deref()),
            cache: None,
            endpoint: None,
        }
    }

    /// Path of `file` of the pinned dataset in the cache, fetched first where it is not there.
    ///
    /// # Errors
    /// When it is neither in the cache nor to be had.
    pub fn file(&self, pin: &Pin, file: &str) -> Result<PathBuf> {
        let client = self.client(pin, file)?;
        let commit = self.commit(&client, pin)?;
        self.fetch(&client, pin, &commit, file)
    }

    /// The files of the pinned dataset named `FOLDER/PREFIX-NNNNN-of-MMMMM...parquet`, in order.
    ///
    /// # Errors
    /// When there are none, some are missing, or one cannot be had.
    pub fn shards(&self, pin: &Pin, folder: &str, prefix: &str) -> Result<Vec<PathBuf>> {
        let wanted = format!("{folder}/{prefix}-*.parquet");
        let client = self.client(pin, &wanted)?;
        let commit = self.commit(&client, pin)?;
        let names = if self.offline {
            let dir = client.snapshots.join(&commit).join(folder);
            list(&dir).unwrap_or_default().iter().map(|path| name(path)).collect()
        } else {
            self.remote_names(&client, pin, &commit, folder)?
        };
        let chosen = choose(&names, prefix).map_err(|reason| self.error(pin, &wanted, reason))?;
        let fetch = |name: &String| self.fetch(&client, pin, &commit, &format!("{folder}/{name}"));
        chosen.iter().map(fetch).collect()
    }

    fn client(&self, pin: &Pin, file: &str) -> Result<Client> {
        let mut builder = HFClient::builder();
        if let Some(cache) = &self.cache {
            builder = builder.cache_dir(cache);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint);
        }
        let failed = |error: HFError| self.error(pin, file, error.to_string());
        let client = builder.build().map_err(failed)?;
        let cache = client.cache_dir().to_path_buf();
        let client = HFClientSync::from_inner(client).map_err(failed)?;
        Ok(Client {
            repository: client.dataset(pin.owner, pin.name),
            snapshots: cache
                .join(format!("datasets--{}--{}", pin.owner, pin.name))
                .join("snapshots"),
        })
    }

    /// All 40 digits of the pinned commit: from the pin, the cache, or the hub's history.
    fn commit(&self, client: &Client, pin: &Pin) -> Result<String> {
        if pin.commit.len() == 40 {
            return Ok(pin.commit.into());
        }
        let cached = list(&client.snapshots).unwrap_or_default();
        let mut cached = cached.iter().map(|path| name(path));
        if let Some(commit) = cached.find(|commit| commit.starts_with(pin.commit)) {
            return Ok(commit);
        }
        if self.offline {
            return Err(self.error(pin, "*", "not in the cache".into()));
        }
        let commits = client.repository.list_commits().send();
        commits
            .map_err(|error| self.error(pin, "*", reason(&error)))?
            .into_iter()
            .map(|commit| commit.id)
            .find(|commit| commit.starts_with(pin.commit))
            .ok_or_else(|| self.error(pin, "*", "no such commit in its history".into()))
    }

    fn remote_names(
        &self,
        client: &Client,
        pin: &Pin,
        commit: &str,
        folder: &str,
    ) -> Result<Vec<String>> {
        let entries = client
            .repository
            .list_tree()
            .revision(commit)
            .path_in_repo(folder)
            .send()
            .map_err(|error| self.error(pin, folder, reason(&error)))?;
        let files = entries.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } => Some(name(Path::new(&path))),
            RepoTreeEntry::Directory { .. } => None,
        });
        Ok(files.collect())
    }

    fn fetch(&self, client: &Client, pin: &Pin, commit: &str, file: &str) -> Result<PathBuf> {
        tracing::info!("{}/{} at {commit}: {file}", pin.owner, pin.name);
        client
            .repository
            .download_file()
            .filename(file)
            .revision(commit)
            .local_files_only(self.offline)
            .send()
            .map_err(|error| self.error(pin, file, reason(&error)))
    }

    fn error(&self, pin: &Pin, file: &str, reason: String) -> DataError {
        let help = if self.offline {
            "run once without the offline option and without HF_HUB_OFFLINE to fill the cache, \
             or give a directory with the files (on the command line: --data DIR)"
        } else {
            "check the network, HF_ENDPOINT and HF_HOME, or give a directory with the files \
             (on the command line: --data DIR)"
        };
        DataError::Hub {
            repo: format!("{}/{}", pin.owner, pin.name),
            revision: pin.commit.into(),
            file: file.into(),
            reason,
            help: help.into(),
        }
    }
}

/// The whole chain of causes, since the outermost one often says only that a request failed.
fn reason(error: &HFError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The shards of `prefix` among `names`, sorted, all of those that their names count.
fn choose(names: &[String], prefix: &str) -> std::result::Result<Vec<String>, String> {
    let start = format!("{prefix}-");
    let fits = |name: &&String| name.starts_with(&start) && name.ends_with(".parquet");
    let mut chosen: Vec<String> = names.iter().filter(fits).cloned().collect();
    chosen.sort();
    let total = |name: &String| -> Option<usize> {
        let (_, rest) = name.split_once("-of-")?;
        let digits = rest.split(['-', '.']).next()?;
        digits.parse().ok()
    };
    match chosen.first().map(total) {
        None => Err("there are no such files".into()),
        Some(Some(total)) if total != chosen.len() => {
            Err(format!("only {} of {total} files are there", chosen.len()))
        }
        Some(_) => Ok(chosen),
    }
}

/// Whether an environment variable is set to a yes, as Python's huggingface_hub reads it.
fn is_true(value: Option<&str>) -> bool {
    let yes = ["1", "true", "yes", "on"];
    value.is_some_and(|value| yes.contains(&value.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_is_read_as_python_reads_it() {
        for yes in ["1", "true", "TRUE", "yes", "On"] {
            assert!(is_true(Some(yes)), "{yes}");
        }
        for no in [None, Some(""), Some("0"), Some("false"), Some("2")] {
            assert!(!is_true(no), "{no:?}");
        }
    }

    #[test]
    fn shards_are_chosen_whole_and_in_order() {
        let names: Vec<String> = [
            "unlabeled-00001-of-00002-b.parquet",
            "train_0-00000-of-00001-c.parquet",
            "unlabeled-00000-of-00002-a.parquet",
            "train-00000-of-00001.parquet",
            "readme.md",
        ]
        .map(String::from)
        .to_vec();
        assert_eq!(choose(&names, "train").unwrap(), [names[3].clone()]);
        let both = [names[2].clone(), names[0].clone()];
        assert_eq!(choose(&names, "unlabeled").unwrap(), both);
        assert!(choose(&names[..1], "unlabeled").unwrap_err().contains("1 of 2"));
        assert!(choose(&names, "test").is_err());
    }
}
