//! A dataset on the hub is a folder of parquet files at one commit, named `PREFIX-NNNNN-of-MMMMM….parquet`.

use std::path::PathBuf;

use crate::cache::{RepoCache, is_commit, is_sound};
use crate::{Hub, HubError, MissingFile, RepoKind};

/// A folder of a dataset's repository at one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinnedFolder {
    /// Repository, `owner/name`.
    pub repo: &'static str,
    /// The commit: all 40 hexadecimal digits, or enough of its first ones to tell it apart.
    pub commit: &'static str,
    /// Path of the folder in the repository.
    pub folder: &'static str,
}

impl Hub {
    /// The files `PREFIX-NNNNN-of-MMMMM….parquet` of a dataset, in order, each checked by its hash just now; they are
    /// downloaded first where they are not in the cache. Their hashes are those that the hub lists for the commit.
    ///
    /// # Errors
    /// As [`Hub::fetch`]; also when there are no such files, or not all of those that their names count.
    pub fn tables(&self, of: &PinnedFolder, prefix: &str) -> Result<Vec<PathBuf>, HubError> {
        let cache = RepoCache::of(self, RepoKind::Dataset, of.repo);
        let commit = cached_commit(&cache, of).unwrap_or_else(|| of.commit.into());
        let folder = cache.snapshots().join(&commit).join(of.folder);
        let names = names(&folder);
        let reason = match choose(&names, prefix) {
            Ok(chosen) => {
                let paths: Vec<PathBuf> = chosen.iter().map(|name| folder.join(name)).collect();
                let sound: Result<Vec<bool>, HubError> =
                    paths.iter().map(|path| is_sound(path)).collect();
                if sound?.iter().all(|&sound| sound) {
                    return Ok(paths);
                }
                "damaged".into()
            }
            Err(_) if names.is_empty() => "not".into(),
            Err(reason) => format!("not whole ({reason})"),
        };
        let place = folder.join(format!("{prefix}-NNNNN-of-NNNNN.parquet"));
        let file = format!("{}/{}/{prefix}-*.parquet @ {}", of.repo, of.folder, of.commit);
        let missing = MissingFile { file, reason, place };
        if self.offline {
            return Err(HubError::Offline(missing));
        }
        #[cfg(feature = "fetch")]
        return remote::tables(self, of, &commit, prefix, &missing);
        #[cfg(not(feature = "fetch"))]
        Err(HubError::NotBuiltIn(missing))
    }
}

/// All 40 digits of the pinned commit, when the pin or the cache has them.
fn cached_commit(cache: &RepoCache, of: &PinnedFolder) -> Option<String> {
    if is_commit(of.commit) {
        return Some(of.commit.into());
    }
    names(&cache.snapshots()).into_iter().find(|name| name.starts_with(of.commit))
}

/// Names in a directory, none when it is not there.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The files of `prefix` among `names`, sorted, all of those that their names count.
fn choose(names: &[String], prefix: &str) -> Result<Vec<String>, String> {
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

#[cfg(feature = "fetch")]
mod remote {
    //! What the hub says of a dataset.

    use std::path::PathBuf;

    use serde_json::Value;

    use super::{PinnedFolder, choose};
    use crate::cache::{is_commit, is_hex};
    use crate::download::ask;
    use crate::{Hub, HubError, MissingFile, PinnedFile, RepoKind};

    /// Lists the files and fetches each.
    pub(super) fn tables(
        hub: &Hub,
        of: &PinnedFolder,
        commit: &str,
        prefix: &str,
        missing: &MissingFile,
    ) -> Result<Vec<PathBuf>, HubError> {
        let MissingFile { file, place, .. } = missing;
        let missing =
            |reason: String| HubError::NotFound(MissingFile { reason, ..missing.clone() });
        let ask = |question: &str| {
            let answer = ask(hub, &format!("api/datasets/{}/{question}", of.repo), file, place)?;
            Ok(answer.as_array().cloned().unwrap_or_default())
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let commit = if is_commit(commit) {
            commit.to_string()
        } else {
            let commits = ask("commits/main")?;
            let mut known = commits.iter().map(|commit| text(&commit["id"]));
            let pinned = known.find(|id| id.starts_with(commit) && is_commit(id));
            pinned.ok_or_else(|| missing("no such commit in its history".into()))?
        };
        let entries = ask(&format!("tree/{commit}/{}", of.folder))?;
        let name = |entry: &Value| {
            let path = text(&entry["path"]);
            path.rsplit('/').next().unwrap_or_default().to_string()
        };
        let names: Vec<String> = entries.iter().map(name).collect();
        let fetch = |chosen: String| {
            let entry = entries.iter().find(|entry| name(entry) == chosen);
            let sha256 = entry.map(|entry| text(&entry["lfs"]["oid"])).unwrap_or_default();
            if !is_hex(&sha256, 64) {
                return Err(missing(format!("the hub lists no SHA-256 of {chosen}")));
            }
            hub.fetch(&PinnedFile {
                kind: RepoKind::Dataset,
                repo: of.repo.into(),
                revision: commit.clone().into(),
                filename: format!("{}/{chosen}", of.folder).into(),
                sha256: sha256.into(),
            })
        };
        choose(&names, prefix).map_err(missing)?.into_iter().map(fetch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_whole_and_in_order() {
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
