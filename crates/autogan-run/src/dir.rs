//! A [`RunDir`] is the directory of a run. This module knows its layout, makes one and finds one.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::arch_file::ArchFile;
use crate::checkpoint::Checkpoints;
use crate::clock;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::lock::{self, LOCK_FILE, RunLock};
use crate::naming;
use crate::scores_file::ScoresFile;
use crate::sealed;
use crate::store::StoreReader;
use autogan_files::{atomic, plain};

const CONFIG_FILE: &str = "config.toml";
const STORE_FILE: &str = "run.sqlite";
/// Much more than a configuration has.
const LARGEST_CONFIG: u64 = 1 << 20;
/// Held while a number is given out, so that two runs started at once get two numbers.
const NUMBERS_LOCK: &str = ".numbers.lock";

/// A method for each path in a run directory.
macro_rules! paths {
    ($($(#[$doc:meta])* $method:ident = $name:expr;)+) => {
        $($(#[$doc])* pub fn $method(&self) -> PathBuf { self.root.join($name) })+
    };
}

/// A run's directory:
///
/// ```text
/// runs/00003-quick-s0/
///   config.toml                      the resolved configuration; a directory with it is a run
///   host.json                        machine and program
///   run.sqlite                       trials, scalars, images, events
///   events.out.tfevents.autogan      the same for TensorBoard
///   arch.json                        what a search found
///   scores.json                      what a training from scratch came to
///   best.safetensors                 its best weights
///   checkpoints/NNNNNNNN.safetensors the last two, named by tick
///   samples/sS-iNNNN-TAG.png         pictures
///   report.html  log.txt  run.lock
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
    /// Only what lies inside of this folder is read.
    within: Option<PathBuf>,
}

impl RunDir {
    /// Makes `runs/NNNNN-preset-sSEED` with the next number, and locks it.
    ///
    /// # Errors
    /// The file system's error; nothing is left behind then.
    pub fn create_numbered(
        runs: &Path,
        preset: &str,
        seed: u64,
        config_toml: &str,
        host: &Host,
    ) -> Result<(RunDir, RunLock)> {
        fs::create_dir_all(runs).map_err(Error::io("create the directory", runs))?;
        let numbers_path = runs.join(NUMBERS_LOCK);
        let numbers = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&numbers_path)
            .map_err(Error::io("open", &numbers_path))?;
        numbers.lock().map_err(Error::io("lock", &numbers_path))?;
        let number = naming::next_number(runs)?;
        let root = runs.join(naming::run_name(number, preset, seed));
        fs::create_dir(&root).map_err(Error::io("create the directory", &root))?;
        drop(numbers);
        let made = populate(&root, config_toml, host);
        if made.is_err() {
            // Ours alone since a moment ago; the first error is the one to report.
            let _ = fs::remove_dir_all(&root);
        }
        made
    }

    /// Makes the run directory `path` and locks it.
    ///
    /// # Errors
    /// [`Error::HoldsRun`] if a run is there, [`Error::NotEmpty`] if something else is,
    /// [`Error::Locked`] if another process makes one there now; otherwise the file system's error.
    pub fn create_at(path: &Path, config_toml: &str, host: &Host) -> Result<(RunDir, RunLock)> {
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => {
                return Err(Error::NotARun {
                    path: path.to_owned(),
                    why: "expected a directory, found a file",
                });
            }
            Ok(_) => check_vacant(path)?,
            Err(_) => fs::create_dir_all(path).map_err(Error::io("create the directory", path))?,
        }
        populate(path, config_toml, host)
    }

    /// Opens an existing run, to read or to resume.
    ///
    /// # Errors
    /// [`Error::NotARun`] if there is none.
    pub fn open(path: &Path) -> Result<RunDir> {
        let why = if !path.exists() {
            "there is no such directory"
        } else if !path.is_dir() {
            "expected a directory, found a file"
        } else if !path.join(CONFIG_FILE).is_file() {
            "it has no config.toml"
        } else {
            return Ok(RunDir { root: path.to_owned(), within: None });
        };
        Err(Error::NotARun { path: path.to_owned(), why })
    }

    /// The runs directly under `runs`, in the order in which they were made, the newest last.
    ///
    /// # Errors
    /// The file system's error; a directory that is not there holds no runs.
    pub fn list(runs: &Path) -> Result<Vec<RunDir>> {
        RunDir::list_where(runs, |run| run)
    }

    /// As [`RunDir::list`]; of each run only what lies inside of `runs` is read, see [`RunDir::within`].
    ///
    /// # Errors
    /// As [`RunDir::list`].
    pub fn list_within(runs: &Path) -> Result<Vec<RunDir>> {
        RunDir::list_where(runs, |run| run.within(runs))
    }

    fn list_where(runs: &Path, read: impl Fn(RunDir) -> RunDir) -> Result<Vec<RunDir>> {
        let paths = if_there(naming::entries(runs))?.unwrap_or_default();
        let mut found: Vec<RunDir> =
            paths.iter().flat_map(|path| RunDir::open(path)).map(read).collect();
        found.sort_by_cached_key(|run| {
            let name = run.name();
            (run.created_ms(), naming::run_number(&name), name)
        });
        Ok(found)
    }

    /// This run, of which from now on no file is read that lies outside of the folder `base`, a path without links; a
    /// file that is put there as a link is not followed out of it.
    #[must_use]
    pub fn within(self, base: &Path) -> RunDir {
        RunDir { within: Some(base.to_owned()), ..self }
    }

    /// The newest run under `runs`.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is none.
    pub fn newest(runs: &Path) -> Result<RunDir> {
        RunDir::list(runs)?.pop().ok_or_else(|| Error::NoRun {
            path: runs.to_owned(),
            wanted: "at all".to_owned(),
            advice: "start one with `autogan search`, or name a run's directory",
        })
    }

    /// The run that a user means: a path, a name under `runs`, or a number.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is none; [`Error::NotARun`] for a path that is something else.
    pub fn find(runs: &Path, wanted: &str) -> Result<RunDir> {
        let path = Path::new(wanted);
        if let Ok(run) = RunDir::open(path).or_else(|_| RunDir::open(&runs.join(wanted))) {
            return Ok(run);
        }
        if let Ok(number) = wanted.parse::<u32>() {
            let mut list = RunDir::list(runs)?;
            list.retain(|run| naming::run_number(&run.name()) == Some(number));
            if let Some(run) = list.pop() {
                return Ok(run);
            }
        }
        if path.exists() {
            return RunDir::open(path);
        }
        Err(Error::NoRun {
            path: runs.to_owned(),
            wanted: format!("{wanted:?}"),
            advice: "name a directory, a run's name or its number",
        })
    }

    /// As [`RunDir::find`], or the newest run where none is named.
    ///
    /// # Errors
    /// As [`RunDir::find`] and [`RunDir::newest`].
    pub fn find_or_newest(runs: &Path, wanted: Option<&str>) -> Result<RunDir> {
        wanted.map_or_else(|| RunDir::newest(runs), |wanted| RunDir::find(runs, wanted))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Its last component, as `00003-quick-s0`.
    pub fn name(&self) -> String {
        match self.root.file_name() {
            Some(_) => naming::name_of(&self.root),
            // "." and ".." have no name of their own.
            None => self.root.canonicalize().map_or(String::new(), |full| naming::name_of(&full)),
        }
    }

    paths! {
        /// The resolved configuration.
        config_path = CONFIG_FILE;
        /// What the machine and the program were.
        host_path = "host.json";
        /// Trials, scalars, images and events.
        store_path = STORE_FILE;
        /// The result of a search.
        arch_path = "arch.json";
        /// The scores of a training from scratch.
        scores_path = "scores.json";
        /// The best weights of a training from scratch.
        best_path = "best.safetensors";
        /// The log.
        log_path = "log.txt";
        /// The report.
        report_path = "report.html";
        /// TensorBoard's event file.
        events_path = "events.out.tfevents.autogan";
        /// The directory of pictures.
        samples_path = "samples";
        /// The directory of checkpoints.
        checkpoints_path = "checkpoints";
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.checkpoints_path(), &self.root)
    }

    /// The text of `config.toml`.
    ///
    /// # Errors
    /// The file system's error; text that is not UTF-8 is one.
    pub fn config(&self) -> Result<String> {
        String::from_utf8(self.config_bytes()?).map_err(|error| {
            let invalid = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
            Error::io("read", &self.config_path())(invalid)
        })
    }

    pub(crate) fn config_bytes(&self) -> Result<Vec<u8>> {
        Ok(plain::read(&self.config_path(), self.within.as_deref(), LARGEST_CONFIG)?)
    }

    /// The content of `host.json`.
    ///
    /// # Errors
    /// [`Error::Damaged`], or the file system's error.
    pub fn host(&self) -> Result<Host> {
        sealed::read_within(&self.host_path(), self.within.as_deref())
    }

    /// The content of `arch.json`; `None` before the search has written it.
    ///
    /// # Errors
    /// [`Error::Damaged`], or the file system's error.
    pub fn arch(&self) -> Result<Option<ArchFile>> {
        if_there(sealed::read_within(&self.arch_path(), self.within.as_deref()))
    }

    /// The content of `scores.json`; `None` before a training has written it.
    ///
    /// # Errors
    /// [`Error::Damaged`], or the file system's error.
    pub fn scores(&self) -> Result<Option<ScoresFile>> {
        if_there(sealed::read_within(&self.scores_path(), self.within.as_deref()))
    }

    /// Who writes the run now, if anyone does.
    ///
    /// # Errors
    /// The file system's error; a run that was never written to is held by nobody.
    pub fn holder(&self) -> Result<Option<String>> {
        let path = self.root.join(LOCK_FILE);
        lock::holder_by(&path, self.open_file(&path))
    }

    /// Opens the store to follow it, as [`StoreReader::open_live`].
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if it is no store; the file system's error.
    pub fn open_store(&self) -> Result<StoreReader> {
        StoreReader::open_within(&self.store_path(), self.within.as_deref())
    }

    /// Opens a plain file of the run, such as a picture.
    ///
    /// # Errors
    /// The file system's error; one that says so for anything but a plain file, and for one outside of the folder.
    pub fn open_file(&self, path: &Path) -> std::io::Result<fs::File> {
        self.within
            .as_deref()
            .map_or_else(|| plain::open(path), |base| plain::open_within(base, path))
    }

    /// Milliseconds since 1970 at which the run was made: as `host.json` says, for it survives
    /// copying, else by the age of `config.toml`.
    pub fn created_ms(&self) -> u64 {
        self.host().map(|host| host.created_ms).unwrap_or_else(|_| {
            let modified = fs::metadata(self.config_path()).and_then(|found| found.modified());
            modified.map_or(0, clock::unix_ms)
        })
    }

    /// Makes what is missing because a process was killed while it made the run, and removes
    /// unfinished files. Only the holder of the lock may call this.
    ///
    /// # Errors
    /// The file system's error.
    pub(crate) fn tidy(&self, host: &Host) -> Result<()> {
        for dir in [self.checkpoints_path(), self.samples_path()] {
            fs::create_dir_all(&dir).map_err(Error::io("create the directory", &dir))?;
            atomic::sweep(&dir)?;
        }
        atomic::sweep(&self.root)?;
        if !self.host_path().exists() {
            sealed::write(&self.host_path(), host)?;
        }
        Ok(())
    }
}

/// What a file or directory holds; `None` where there is none.
pub(crate) fn if_there<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Locks an existing vacant directory and makes a run of it.
fn populate(root: &Path, config_toml: &str, host: &Host) -> Result<(RunDir, RunLock)> {
    let lock = RunLock::acquire(root)?;
    // Another process may have made its run here before we had the lock.
    check_vacant(root)?;
    let run = RunDir { root: root.to_owned(), within: None };
    // First, because it makes the directory a run: a kill from here on can be resumed from.
    atomic::write(&run.config_path(), config_toml.as_bytes())?;
    run.tidy(host)?;
    // The directory's own name must be durable as well.
    if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        atomic::sync_dir(parent)?;
    }
    Ok((run, lock))
}

/// Refuses a directory that holds more than a process leaves that is killed before it has made a run.
fn check_vacant(root: &Path) -> Result<()> {
    let mut found: Vec<String> = Vec::new();
    for path in naming::entries(root)? {
        let name = naming::name_of(&path);
        if name == CONFIG_FILE || name == STORE_FILE {
            return Err(Error::HoldsRun { path: root.to_owned() });
        }
        if name != LOCK_FILE && !atomic::is_unfinished(&name) {
            found.push(name);
        }
    }
    match found.into_iter().min() {
        None => Ok(()),
        Some(found) => Err(Error::NotEmpty { path: root.to_owned(), found }),
    }
}
