//! A [`StatsRegistry`] keeps statistics under names, each as a file `NAME.npz` in one directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use autogan_files::{Error as FileError, atomic};

use super::input_error;
use super::stats_file::{StoredStatistics, write_stored};
use crate::Result;

/// The longest name.
const LONGEST: usize = 100;

/// A directory of statistics, which several processes may use at the same time.
#[derive(Debug, Clone)]
pub struct StatsRegistry {
    dir: PathBuf,
}

impl StatsRegistry {
    /// The registry in `dir`, which is made when something is stored.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Refuses what can be no name: up to 100 letters, digits, `-`, `_` and `.`, of which the first is a letter or a
    /// digit, so that a name is the same file on every system.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) with what a name may be.
    pub fn check_name(name: &str) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let first = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if first && name.len() <= LONGEST && name.chars().all(fits) {
            return Ok(());
        }
        let expected = format!(
            "a name of statistics: up to {LONGEST} letters, digits, -, _ and ., the first a letter or a digit"
        );
        Err(input_error(format!("{name:?}"), expected, "another text", "choose such a name"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.npz"))
    }

    /// The file of a name, where there is one.
    ///
    /// # Errors
    /// For what can be no name.
    pub fn find(&self, name: &str) -> Result<Option<PathBuf>> {
        Self::check_name(name)?;
        Ok(Some(self.path(name)).filter(|path| path.is_file()))
    }

    /// All names, sorted.
    ///
    /// # Errors
    /// When the directory cannot be listed; one that is not there holds nothing.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(FileError::io("list", &self.dir))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(FileError::io("list", &self.dir))?.file_name();
            let name = file.to_string_lossy();
            names.extend(
                name.strip_suffix(".npz")
                    .filter(|name| Self::check_name(name).is_ok())
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    /// Stores statistics under a name; the file appears whole or not at all. A name that is there already is given away
    /// only where `replace` says so.
    ///
    /// # Errors
    /// For what can be no name, a name that is there already, statistics that are none, and when nothing can be written.
    pub fn save(&self, name: &str, stored: &StoredStatistics, replace: bool) -> Result<PathBuf> {
        Self::check_name(name)?;
        let _lock = self.lock()?;
        atomic::sweep(&self.dir)?;
        let path = self.path(name);
        if path.exists() && !replace {
            return Err(self.taken(name));
        }
        write_stored(&path, stored)?;
        Ok(path)
    }

    /// The error of a name that is there already.
    fn taken(&self, name: &str) -> crate::Error {
        let help = "take another name, or replace the statistics (on the command line: --force)";
        let found = format!("statistics of that name in {}", self.dir.display());
        input_error(name, "a new name", found, help)
    }

    /// Removes the statistics of a name. Returns whether there were any.
    ///
    /// # Errors
    /// For what can be no name, and when the file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool> {
        if self.find(name)?.is_none() {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            result => result.map_err(FileError::io("remove", &path))?,
        }
        atomic::sync_dir(&self.dir)?;
        Ok(true)
    }

    /// Refuses a name under which nothing could be stored, before there is anything to store.
    ///
    /// # Errors
    /// As [`StatsRegistry::save`].
    pub fn probe(&self, name: &str, replace: bool) -> Result<()> {
        let taken = self.find(name)?.is_some();
        if taken && !replace {
            return Err(self.taken(name));
        }
        // The unfinished file of a probe would be swept away by a process that saves.
        let _lock = self.lock()?;
        Ok(atomic::probe(&self.path(name))?)
    }

    /// Waits until no other process writes here. The system releases the lock when the process ends.
    fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.dir).map_err(FileError::io("create the directory", &self.dir))?;
        let path = self.dir.join(".lock");
        let lock = File::create(&path).map_err(FileError::io("create", &path))?;
        lock.lock().map_err(FileError::io("lock", &path))?;
        Ok(lock)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::GaussianStats;
    use crate::io::{StatsNote, read_statistics, summarise_statistics};

    fn stored(mean: f64) -> StoredStatistics {
        let stats = GaussianStats { count: None, mean: vec![mean], cov: vec![1.0] };
        let note = StatsNote { data: Some("made up".into()), made: None };
        StoredStatistics { stats, spatial: None, protocol: None, note }
    }

    #[test]
    fn names_are_stored_listed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let registry = StatsRegistry::new(dir.path().join("a/b"));
        assert!(registry.names().unwrap().is_empty() && registry.find("x").unwrap().is_none());
        for name in ["cifar10-train", "A_1.x"] {
            registry.save(name, &stored(2.0), false).unwrap();
        }
        std::fs::write(registry.dir().join("notes.txt"), "x").unwrap();
        std::fs::write(registry.dir().join(".hidden.npz"), "x").unwrap();
        assert_eq!(registry.names().unwrap(), ["A_1.x", "cifar10-train"]);
        let path = registry.find("A_1.x").unwrap().unwrap();
        assert_eq!(read_statistics(&path).unwrap(), stored(2.0));
        let summary = summarise_statistics(&path).unwrap();
        assert_eq!((summary.dims, summary.spatial, summary.protocol), (1, false, None));
        assert_eq!(summary.note, stored(2.0).note);
        assert!(registry.remove("A_1.x").unwrap());
        assert!(!registry.remove("A_1.x").unwrap());
        assert_eq!(registry.names().unwrap(), ["cifar10-train"]);
    }

    #[test]
    fn a_name_is_given_away_only_on_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let registry = StatsRegistry::new(dir.path());
        registry.probe("x", false).unwrap();
        let path = registry.save("x", &stored(2.0), false).unwrap();
        for refused in
            [registry.save("x", &stored(3.0), false).map(drop), registry.probe("x", false)]
        {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("a new name") && text.contains("--force"), "{text}");
        }
        assert_eq!(read_statistics(&path).unwrap(), stored(2.0));
        registry.probe("x", true).unwrap();
        registry.save("x", &stored(3.0), true).unwrap();
        assert_eq!(read_statistics(&path).unwrap(), stored(3.0));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let registry = StatsRegistry::new(dir.path().join("inner"));
        let long = "x".repeat(101);
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "-x", ".x", "a b", "é", "c:x", &long] {
            let save = registry.save(name, &stored(1.0), false).map(drop);
            let all = [save, registry.find(name).map(drop), registry.remove(name).map(drop)];
            for refused in all {
                let text = refused.unwrap_err().to_string();
                assert!(text.contains("a name of statistics"), "{name}: {text}");
            }
        }
        assert!(!registry.dir().exists());
    }

    #[test]
    fn one_of_several_writers_wins() {
        let dir = tempfile::tempdir().unwrap();
        let registry = StatsRegistry::new(dir.path());
        // Many rounds, so that two writers are between their look and their write at the same time in one of them.
        for round in 0..30 {
            let (name, start) = (format!("x{round}"), Barrier::new(8));
            let won = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for i in 0..8 {
                    let (registry, won, name, start) = (&registry, &won, &name, &start);
                    scope.spawn(move || {
                        start.wait();
                        let saved = registry.save(name, &stored(i.into()), false).is_ok();
                        won.fetch_add(saved.into(), Ordering::SeqCst);
                    });
                }
            });
            assert_eq!(won.into_inner(), 1);
            assert!(read_statistics(registry.find(&name).unwrap().unwrap()).is_ok());
            registry.remove(&name).unwrap();
        }
        registry.save("x", &stored(1.0), false).unwrap();
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(files.len(), 2, "the statistics and the lock: {files:?}");
    }
}
