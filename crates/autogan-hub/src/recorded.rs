//! This module gets files whose hash nobody told before. The hash is written down at the first fetch, and another one is
//! refused from then on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cache::{RepoCache, is_commit, is_hex, is_sound, sha256};
use crate::{Hub, HubError, MissingFile, PinnedFile, RepoKind};

/// A file on the hub, `[datasets/]OWNER/NAME/PATH[@REVISION][#SHA256]` as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Kind of the repository.
    pub kind: RepoKind,
    /// Repository, `owner/name`.
    pub repo: String,
    /// Commit, or a branch or tag name.
    pub revision: String,
    /// Path of the file in the repository.
    pub filename: String,
    /// SHA-256 that the content must have, where it is told.
    pub sha256: Option<String>,
}

impl HubFile {
    /// The file with the hash that its content has, at a commit.
    fn pinned(&self, revision: &str, sha256: &str) -> PinnedFile {
        PinnedFile {
            kind: self.kind,
            repo: self.repo.clone().into(),
            revision: revision.to_owned().into(),
            filename: self.filename.clone().into(),
            sha256: sha256.to_owned().into(),
        }
    }

    fn missing(&self, cache: &RepoCache, reason: &str) -> MissingFile {
        let place = cache.place(&self.pinned(&self.revision, ""));
        MissingFile { file: self.to_string(), reason: reason.to_owned(), place }
    }

    /// What a line of the records begins with.
    fn key(&self) -> String {
        let kind = match self.kind {
            RepoKind::Model => "model",
            RepoKind::Dataset => "dataset",
        };
        format!("{kind}\t{}\t{}\t{}", self.repo, self.revision, self.filename)
    }
}

impl std::fmt::Display for HubFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} @ {}", self.repo, self.filename, self.revision)
    }
}

impl FromStr for HubFile {
    type Err = HubError;

    /// Reads `OWNER/NAME/PATH`, with `datasets/` before it for a repository of images, `@REVISION` behind it (without it
    /// `main`), and `#SHA256` at the end where the hash is known.
    fn from_str(text: &str) -> Result<Self, HubError> {
        let wrong = || HubError::Name { found: text.to_owned() };
        let (rest, sha256) = match text.split_once('#') {
            Some((rest, hash)) => (rest, Some(hash.to_ascii_lowercase())),
            None => (text, None),
        };
        let (path, revision) = rest.rsplit_once('@').unwrap_or((rest, "main"));
        let (kind, path) = match path.strip_prefix("datasets/") {
            Some(path) => (RepoKind::Dataset, path),
            None => (RepoKind::Model, path),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let usable = |part: &&str| {
            !(part.is_empty() || *part == "." || *part == ".." || part.contains(char::is_control))
        };
        let named = parts.len() >= 3 && parts.iter().all(usable);
        let revised = revision.split('/').all(|part| usable(&part));
        let hashed = sha256.as_ref().is_none_or(|hash| is_hex(hash, 64));
        if !(named && revised && hashed) {
            return Err(wrong());
        }
        let (repo, filename) = (parts[..2].join("/"), parts[2..].join("/"));
        Ok(Self { kind, repo, revision: revision.to_owned(), filename, sha256 })
    }
}

/// The content that a file had at its first fetch.
struct Record {
    sha256: String,
    /// The commit, or the revision where the hub named no commit.
    revision: String,
}

/// A text file with a line for each file that was fetched: kind, repository, revision, path, SHA-256 and commit.
struct Records<'a>(&'a Path);

impl Records<'_> {
    fn read(&self) -> Result<String, HubError> {
        match fs::read_to_string(self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            result => result.map_err(|e| HubError::at(self.0, "read it", &e)),
        }
    }

    fn find(&self, file: &HubFile) -> Result<Option<Record>, HubError> {
        let text = self.read()?;
        let start = file.key() + "\t";
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        let record = line.and_then(|rest| rest.split_once('\t')).map(|(sha256, revision)| Record {
            sha256: sha256.to_owned(),
            revision: revision.to_owned(),
        });
        Ok(record)
    }

    /// Writes down the content of a file, unless another process has done so. It fails when that one found another
    /// content.
    fn add(&self, file: &HubFile, found: &PinnedFile) -> Result<(), HubError> {
        let folder = self.0.parent().unwrap_or(self.0);
        fs::create_dir_all(folder).map_err(|e| HubError::at(folder, "create it", &e))?;
        let path = self.0.with_extension("lock");
        let lock = File::create(&path).map_err(|e| HubError::at(&path, "create it", &e))?;
        lock.lock().map_err(|e| HubError::at(&path, "lock it", &e))?;
        if let Some(record) = self.find(file)? {
            let same = record.sha256 == *found.sha256;
            return if same { Ok(()) } else { Err(self.changed(file, record, &found.sha256)) };
        }
        let line = format!("{}\t{}\t{}\n", file.key(), found.sha256, found.revision);
        autogan_files::atomic::write(self.0, (self.read()? + &line).as_bytes())
            .map_err(|e| HubError::Cache { reason: e.to_string() })
    }

    fn changed(&self, file: &HubFile, record: Record, found: &str) -> HubError {
        HubError::Changed {
            file: file.to_string(),
            recorded: record.sha256,
            found: found.to_owned(),
            records: self.0.to_path_buf(),
        }
    }
}

impl Hub {
    /// The path of a file in the cache whose hash nobody has to know before. At the first time its SHA-256 is written to
    /// the text file [`Hub::records`]; from then on the file must have it. A hash that the file is named with, or that the hub
    /// tells, is checked at the first time, too.
    ///
    /// # Errors
    /// [`HubError::Changed`] when the file has another hash than at the first time; else as [`Hub::fetch`].
    pub fn fetch_recorded(&self, file: &HubFile) -> Result<PathBuf, HubError> {
        if let Some(sha256) = &file.sha256 {
            return self.fetch(&file.pinned(&file.revision, sha256));
        }
        let records = Records(&self.records);
        if let Some(record) = records.find(file)? {
            let found = self.fetch(&file.pinned(&record.revision, &record.sha256));
            return found.map_err(|error| match error {
                HubError::WrongHash { found, .. } => records.changed(file, record, &found),
                other => other,
            });
        }
        let cache = RepoCache::of(self, file.kind, &file.repo);
        let (pinned, path) = match self.cached_at(file, &cache)? {
            Some(found) => found,
            None if self.offline => {
                return Err(HubError::Offline(file.missing(&cache, "not")));
            }
            None => self.first(file, &cache)?,
        };
        records.add(file, &pinned)?;
        Ok(path)
    }

    /// The file where another program has put it into the cache: at its commit, or offline at the commit that the branch
    /// had there.
    fn cached_at(
        &self,
        file: &HubFile,
        cache: &RepoCache,
    ) -> Result<Option<(PinnedFile, PathBuf)>, HubError> {
        let known =
            || fs::read_to_string(cache.root.join(&cache.repo).join("refs").join(&file.revision));
        let commit = match is_commit(&file.revision) {
            true => file.revision.clone(),
            false if self.offline => known().unwrap_or_default().trim().to_owned(),
            false => return Ok(None),
        };
        let path = cache.snapshot(&file.pinned(&commit, "")).filter(|path| path.is_file());
        let Some(path) = path else { return Ok(None) };
        if !is_sound(&path)? {
            return Ok(None);
        }
        Ok(Some((file.pinned(&commit, &sha256(&path)?), path)))
    }

    #[cfg(not(feature = "fetch"))]
    fn first(&self, file: &HubFile, cache: &RepoCache) -> Result<(PinnedFile, PathBuf), HubError> {
        Err(HubError::NotBuiltIn(file.missing(cache, "not")))
    }

    /// Fetches the file for the first time.
    #[cfg(feature = "fetch")]
    fn first(&self, file: &HubFile, cache: &RepoCache) -> Result<(PinnedFile, PathBuf), HubError> {
        let named = file.pinned(&file.revision, &autogan_files::Sha256::of(file.key()));
        let told = crate::download::look(self, cache, &named)?;
        let revision = told.commit.unwrap_or_else(|| file.revision.clone());
        match told.sha256 {
            Some(sha256) => {
                let pinned = file.pinned(&revision, &sha256);
                let path = self.fetch(&pinned)?;
                Ok((pinned, path))
            }
            None => crate::fill::fill_unpinned(
                self,
                cache,
                &PinnedFile { revision: revision.into(), ..named },
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let hash = "a".repeat(64);
        let file: HubFile = "me/stats/a/b.npz".parse().unwrap();
        let expected = ("me/stats", "a/b.npz", "main");
        assert_eq!((&*file.repo, &*file.filename, &*file.revision), expected);
        assert_eq!((file.kind, file.sha256), (RepoKind::Model, None));
        let text = format!("datasets/me/stats/b.npz@refs/pr/1#{}", hash.to_uppercase());
        let file: HubFile = text.parse().unwrap();
        assert_eq!((&*file.filename, &*file.revision), ("b.npz", "refs/pr/1"));
        assert_eq!((file.kind, file.sha256), (RepoKind::Dataset, Some(hash)));
        for wrong in [
            "",
            "a.npz",
            "me/a.npz",
            "me/stats/",
            "me//a.npz",
            "me/stats/../a.npz",
            "datasets/me/a.npz",
            "me/stats/a.npz@",
            "me/stats/a.npz@..",
            "me/stats/a.npz#12",
            "me/sta\tts/a.npz",
        ] {
            let error = wrong.parse::<HubFile>().unwrap_err().to_string();
            assert!(error.contains("OWNER/NAME/FILE"), "{wrong}: {error}");
        }
    }
}
