//! [`Paused`] keeps trainings that may go on later: as files of the run directory, or in memory where there is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use autogan_run::Checkpoint;

use crate::error::{Result, SearchError};

/// The folder of these files in the run directory.
const FOLDER: &str = "trainings";

/// Trainings that have ended at one length and may go on to the next.
#[derive(Default)]
pub(super) struct Paused {
    folder: Option<PathBuf>,
    memory: BTreeMap<String, Checkpoint>,
}

impl Paused {
    /// Keeps what comes as files of this run directory.
    pub fn in_directory(&mut self, run: &Path) -> Result<()> {
        let folder = run.join(FOLDER);
        let failed = autogan_run::Error::io("create the directory", &folder);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        self.folder = Some(folder);
        Ok(())
    }

    /// Keeps a training. A file is written before the search's own checkpoint that counts on it; a search that is resumed
    /// from an older one writes the same bytes again.
    pub fn put(&mut self, name: String, training: Checkpoint) -> Result<()> {
        match &self.folder {
            Some(folder) => training.write(&file(folder, &name))?,
            None => drop(self.memory.insert(name, training)),
        }
        Ok(())
    }

    /// A training that was kept.
    pub fn get(&self, name: &str) -> Result<Checkpoint> {
        if let Some(kept) = self.memory.get(name) {
            return Ok(kept.clone());
        }
        let lost = || SearchError::Checkpoint(format!("the paused training {name} is not there"));
        Ok(Checkpoint::read(&file(self.folder.as_deref().ok_or_else(lost)?, name))?)
    }
}

/// Removes the files of a search that is over.
pub(super) fn remove(run: &Path) -> Result<()> {
    let folder = run.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(autogan_run::Error::io("remove the directory", &folder)(error).into())
        }
        _ => Ok(()),
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.safetensors"))
}
