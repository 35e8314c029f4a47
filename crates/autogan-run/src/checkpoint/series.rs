//! [`Checkpoints`] keeps the last two checkpoints of a run, as `checkpoints/NNNNNNNN.safetensors`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Checkpoint, codec};
use crate::dir::if_there;
use crate::error::{Error, Result};
use crate::naming::{entries, name_of};
use autogan_files::atomic;

/// How many checkpoints are kept: the newest, and the one to fall back to.
const KEPT: usize = 2;
/// The file name has eight digits, so that sorting by name is sorting by tick.
const LARGEST: u64 = 99_999_999;
const EXTENSION: &str = ".safetensors";

/// The directory of a run's checkpoints, each named by its tick.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    dir: PathBuf,
    aside: PathBuf,
}

/// A checkpoint that was read.
#[derive(Debug)]
pub struct LoadedCheckpoint {
    /// The newest checkpoint that is intact.
    pub checkpoint: Checkpoint,
    /// Its file.
    pub path: PathBuf,
    /// One line for each newer checkpoint that is damaged, to be shown to the user.
    pub warnings: Vec<String>,
}

impl Checkpoints {
    /// The checkpoints in `dir`; unfinished files lie in `aside`, on the same file system.
    pub fn new(dir: impl Into<PathBuf>, aside: impl Into<PathBuf>) -> Checkpoints {
        Checkpoints { dir: dir.into(), aside: aside.into() }
    }

    /// Where the checkpoint of `tick` lies or would lie.
    pub fn path(&self, tick: u64) -> PathBuf {
        self.dir.join(format!("{tick:08}{EXTENSION}"))
    }

    /// Ticks of the checkpoints that are there, the newest last.
    ///
    /// # Errors
    /// The file system's error; a directory that is not there holds none.
    pub fn ticks(&self) -> Result<Vec<u64>> {
        let paths = if_there(entries(&self.dir))?.unwrap_or_default();
        let mut ticks: Vec<u64> = paths.iter().filter_map(|p| tick_of(&name_of(p))).collect();
        ticks.sort_unstable();
        Ok(ticks)
    }

    /// Writes `checkpoint` atomically under its tick, then removes all but the last two up to it,
    /// and those beyond it, which belong to a future that was given up (the run was resumed from
    /// an older one because they were damaged).
    ///
    /// # Errors
    /// [`Error::Invalid`] for a checkpoint that cannot be encoded or a tick of more than eight
    /// digits; otherwise the file system's error. What was there is intact then.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        if checkpoint.tick > LARGEST {
            return Err(Error::invalid(
                "tick of a checkpoint",
                format!("at most {LARGEST}"),
                checkpoint.tick.to_string(),
            ));
        }
        let path = self.path(checkpoint.tick);
        atomic::write_aside(&self.aside, &path, codec::prepare(checkpoint)?)?;
        self.prune(checkpoint.tick)?;
        Ok(path)
    }

    fn prune(&self, newest: u64) -> Result<()> {
        let ticks = self.ticks()?;
        let (past, future): (Vec<u64>, Vec<u64>) =
            ticks.into_iter().partition(|&tick| tick <= newest);
        self.remove(&past[..past.len().saturating_sub(KEPT)])?;
        self.remove(&future)
    }

    /// Removes all but the last two checkpoints up to `newest`: a writer that fails or is killed right after it wrote one
    /// leaves an older one behind. Those beyond it, which may be damaged, stay until the next is written.
    ///
    /// # Errors
    /// The file system's error.
    pub(crate) fn tidy(&self, newest: u64) -> Result<()> {
        let mut past = self.ticks()?;
        past.retain(|&tick| tick <= newest);
        self.remove(&past[..past.len().saturating_sub(KEPT)])
    }

    fn remove(&self, ticks: &[u64]) -> Result<()> {
        for &tick in ticks {
            let path = self.path(tick);
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(())
    }

    /// Reads the newest checkpoint; a damaged one is passed over with a warning. `None` if there
    /// is no checkpoint at all.
    ///
    /// # Errors
    /// [`Error::NoGoodCheckpoint`] if there are some and all of them are damaged; otherwise the
    /// file system's error.
    pub fn load_newest(&self) -> Result<Option<LoadedCheckpoint>> {
        // The run's writer may remove the file between listing and reading; then list again.
        for _ in 0..10 {
            match self.try_load() {
                Err(error) if error.is_not_found() => {}
                result => return result,
            }
        }
        self.try_load()
    }

    fn try_load(&self) -> Result<Option<LoadedCheckpoint>> {
        let mut causes: Vec<String> = Vec::new();
        for tick in self.ticks()?.into_iter().rev() {
            let path = self.path(tick);
            match read_at(&path, tick) {
                Ok(checkpoint) => {
                    let warnings = causes
                        .iter()
                        .map(|cause| format!("{cause}; falling back to tick {tick}"))
                        .collect();
                    return Ok(Some(LoadedCheckpoint { checkpoint, path, warnings }));
                }
                Err(error) if error.is_not_found() => return Err(error),
                Err(error) => causes.push(error.to_string()),
            }
        }
        if causes.is_empty() {
            return Ok(None);
        }
        Err(Error::NoGoodCheckpoint { path: self.dir.clone(), causes: causes.join("; ") })
    }
}

/// Reads the checkpoint of `tick`; another one's content under this name is damage.
fn read_at(path: &Path, tick: u64) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::read(path)?;
    if checkpoint.tick != tick {
        let what = format!("expected tick {tick}, found {}", checkpoint.tick);
        return Err(Error::damaged(path, what, "use the checkpoint before it"));
    }
    Ok(checkpoint)
}

fn tick_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let plain = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::codec::tests::sample;

    fn series(root: &Path) -> Checkpoints {
        let dir = root.join("checkpoints");
        fs::create_dir(&dir).unwrap();
        Checkpoints::new(dir, root)
    }

    #[test]
    fn keeps_the_last_two_and_loads_the_newest() {
        let root = tempfile::tempdir().unwrap();
        let series = series(root.path());
        assert!(series.load_newest().unwrap().is_none());
        for tick in [5, 40, 300] {
            series.save(&sample(tick)).unwrap();
        }
        assert_eq!(series.ticks().unwrap(), [40, 300]);
        assert!(root.path().join("checkpoints/00000300.safetensors").is_file());
        let loaded = series.load_newest().unwrap().unwrap();
        assert_eq!(loaded.checkpoint.tick, 300);
        assert!(loaded.warnings.is_empty());
        let same = fs::read(&loaded.path).unwrap();
        series.save(&sample(300)).unwrap();
        assert_eq!(fs::read(&loaded.path).unwrap(), same);
        assert_eq!(series.ticks().unwrap(), [40, 300]);
    }

    #[test]
    fn falls_back_with_a_warning_and_forgets_the_damaged_future() {
        let root = tempfile::tempdir().unwrap();
        let series = series(root.path());
        series.save(&sample(10)).unwrap();
        let newest = series.save(&sample(20)).unwrap();
        let good = fs::read(&newest).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 4;
        for bad in [&good[..good.len() / 2], &flipped, &vec![0; good.len()], &[]] {
            fs::write(&newest, bad).unwrap();
            let loaded = series.load_newest().unwrap().unwrap();
            assert_eq!(loaded.checkpoint.tick, 10);
            assert_eq!(loaded.warnings.len(), 1);
            let warning = &loaded.warnings[0];
            assert!(
                warning.contains("00000020") && warning.contains("falling back to tick 10"),
                "{warning}"
            );
        }
        series.save(&sample(15)).unwrap();
        assert_eq!(series.ticks().unwrap(), [10, 15]);
    }

    #[test]
    fn what_a_killed_writer_left_behind_goes_and_the_future_stays() {
        let root = tempfile::tempdir().unwrap();
        let series = series(root.path());
        for tick in [10, 20, 30, 40] {
            sample(tick).write(&series.path(tick)).unwrap();
        }
        series.tidy(30).unwrap();
        assert_eq!(series.ticks().unwrap(), [20, 30, 40]);
        series.tidy(40).unwrap();
        assert_eq!(series.ticks().unwrap(), [30, 40]);
        series.tidy(40).unwrap();
        assert_eq!(series.ticks().unwrap(), [30, 40]);
    }

    #[test]
    fn all_damaged_is_an_error_not_a_fresh_start() {
        let root = tempfile::tempdir().unwrap();
        let series = series(root.path());
        for tick in [1, 2] {
            let path = series.save(&sample(tick)).unwrap();
            fs::write(path, b"").unwrap();
        }
        let error = series.load_newest().unwrap_err().to_string();
        assert!(error.contains("00000001") && error.contains("00000002"), "{error}");
    }

    #[test]
    fn a_renamed_checkpoint_is_damage_and_foreign_files_are_ignored() {
        let root = tempfile::tempdir().unwrap();
        let series = series(root.path());
        series.save(&sample(1)).unwrap();
        fs::copy(series.path(1), series.path(9)).unwrap();
        fs::write(root.path().join("checkpoints/notes.safetensors"), b"x").unwrap();
        let loaded = series.load_newest().unwrap().unwrap();
        assert_eq!(loaded.checkpoint.tick, 1);
        assert!(loaded.warnings[0].contains("expected tick 9, found 1"));
        let too_large = series.save(&sample(LARGEST + 1)).unwrap_err();
        assert!(too_large.to_string().contains("99999999"), "{too_large}");
    }
}
