//! [`Root`] is the one directory that is served. It lets nothing be read that lies outside of it.
//!
//! A request never names a path. A run is looked up by its name among those that the directory
//! lists, a picture by its name in the run's `samples`; both are then resolved, links and all, and
//! have to lie inside. Somebody may put a link in place of a file afterwards: each file is opened by
//! `autogan_files::plain`, which then follows none.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use autogan_run::{Error as RunError, RunDir};

use crate::error::Result;

/// The directory, resolved.
#[derive(Debug)]
pub struct Root {
    base: PathBuf,
    /// As the user named it, for commands to be copied.
    named: PathBuf,
    /// The directory is itself a run, the only one.
    single: bool,
}

impl Root {
    /// Resolves `path`.
    ///
    /// # Errors
    /// [`crate::Error::Run`] if it is no directory that can be listed.
    pub fn open(path: &Path) -> Result<Root> {
        let base = path.canonicalize().map_err(RunError::io("list", path))?;
        std::fs::read_dir(&base).map_err(RunError::io("list", path))?;
        let single = RunDir::open(&base).is_ok();
        Ok(Root { base, named: path.to_owned(), single })
    }

    /// As the user named it.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// The path of a run as the user would write it.
    pub fn path_of(&self, name: &str) -> PathBuf {
        if self.single { self.named.clone() } else { self.named.join(name) }
    }

    /// Every run with its name, or why it may not be read, the newest first.
    ///
    /// # Errors
    /// [`crate::Error::Run`] if the directory cannot be listed any more.
    pub fn list(&self) -> Result<Vec<(String, Result<RunDir, String>)>> {
        let runs = match self.single {
            true => vec![RunDir::open(&self.base)?.within(&self.base)],
            false => RunDir::list_within(&self.base)?,
        };
        Ok(runs.into_iter().rev().map(|run| (run.name(), self.admit(run))).collect())
    }

    /// The run of that name, or why it may not be read; `None` if there is none.
    pub fn run(&self, name: &str) -> Option<Result<RunDir, String>> {
        let path = if self.single { self.base.clone() } else { self.base.join(component(name)?) };
        let run = RunDir::open(&path).ok()?.within(&self.base);
        (run.name() == name).then(|| self.admit(run))
    }

    /// The picture `file` of a run, opened; `None` if there is none inside the directory.
    pub fn picture(&self, run: &RunDir, file: &str) -> Option<File> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name = component(file).filter(|name| name.chars().all(plain))?;
        let path = run.samples_path().join(name);
        let picture = path.extension().is_some_and(|extension| extension == "png");
        picture.then(|| run.open_file(&path).ok()).flatten()
    }

    /// Lets a run pass if it, and every file that is read of it, lies inside.
    fn admit(&self, run: RunDir) -> Result<RunDir, String> {
        let store = run.store_path();
        let beside = |suffix: &str| {
            let mut path = store.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        self.inside(run.path())?;
        for path in [
            run.config_path(),
            run.host_path(),
            run.arch_path(),
            run.scores_path(),
            run.path().join(autogan_run::lock::LOCK_FILE),
            beside("-wal"),
            beside("-shm"),
            beside("-journal"),
            store,
        ] {
            if self.inside(&path)?.is_some_and(|found| !found.is_file()) {
                return Err(format!("{} is not a plain file", name_of(&path)));
            }
        }
        Ok(run)
    }

    /// Resolves a path that may be absent.
    fn inside(&self, path: &Path) -> Result<Option<PathBuf>, String> {
        match path.canonicalize() {
            Ok(found) if found.starts_with(&self.base) => Ok(Some(found)),
            Ok(_) => Err(format!(
                "{} is a link to outside of the dashboard's directory and is not read",
                name_of(path)
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be resolved: {error}", name_of(path))),
        }
    }
}

/// A name that is one component of a path and no way up.
fn component(name: &str) -> Option<&str> {
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\', '\0', ':'])
        && Path::new(name).components().count() == 1;
    plain.then_some(name)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
