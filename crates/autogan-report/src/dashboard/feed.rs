//! [`Feed`] keeps the data of the runs in memory and reads them anew when their files change.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use autogan_run::RunDir;
use serde::Serialize;

use super::root::Root;
use crate::data::{Follower, RunData, Status, Summary};
use crate::error::Result;

/// Runs whose rows are kept in memory; of the others only what the list shows.
const KEPT: usize = 6;

/// The runs of a directory.
#[derive(Debug)]
pub struct Feed {
    /// The directory.
    pub root: Root,
    runs: Mutex<HashMap<String, Arc<Mutex<KnownRun>>>>,
}

/// A line of the list.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    name: String,
    /// Absent where the run may not be read.
    summary: Option<Summary>,
    /// What is wrong with it, each in a sentence.
    problems: Vec<String>,
}

/// A run as it was at some moment.
#[derive(Debug, Clone)]
pub struct Look {
    /// Changes when the run does.
    pub mark: String,
    /// All of it.
    pub data: Arc<RunData>,
}

#[derive(Debug, Default)]
struct KnownRun {
    mark: String,
    line: Option<Line>,
    rows: Option<(Follower, Arc<RunData>)>,
    /// When it was last asked for.
    asked: Option<Instant>,
}

impl Feed {
    /// Of a directory of which nothing is known yet.
    pub fn new(root: Root) -> Feed {
        Feed { root, runs: Mutex::new(HashMap::new()) }
    }

    /// Every run, the newest first.
    ///
    /// # Errors
    /// [`crate::Error::Run`] if the directory cannot be listed any more.
    pub fn list(&self) -> Result<Vec<Line>> {
        let admitted = self.root.list()?;
        let names: Vec<&String> = admitted.iter().map(|(name, _)| name).collect();
        locked(&self.runs).retain(|name, _| names.contains(&name));
        let lines = admitted.into_iter().map(|(name, run)| match run {
            Ok(run) => self.line(name, &run),
            Err(why) => Line { name, summary: None, problems: vec![why] },
        });
        Ok(lines.collect())
    }

    /// All of a run.
    pub fn look(&self, run: &RunDir) -> Look {
        let known = self.known(&run.name());
        let mut known = locked(&known);
        known.asked = Some(Instant::now());
        let mark = mark(run);
        let data = known.data(run, &mark);
        drop(known);
        self.forget();
        Look { mark, data }
    }

    fn line(&self, name: String, run: &RunDir) -> Line {
        let known = self.known(&name);
        let mut known = locked(&known);
        let mark = mark(run);
        if let Some(line) = known.line.as_ref().filter(|_| known.mark == mark) {
            return line.clone();
        }
        let data = known.data(run, &mark);
        let line =
            Line { name, summary: Some(data.summary.clone()), problems: data.problems.clone() };
        known.line = Some(line.clone());
        // A run that goes on will be asked for again, and then only what is new is to be read.
        if known.asked.is_none() && !matches!(data.summary.status, Status::Running { .. }) {
            known.rows = None;
        }
        line
    }

    fn known(&self, name: &str) -> Arc<Mutex<KnownRun>> {
        Arc::clone(locked(&self.runs).entry(name.to_owned()).or_default())
    }

    /// Lets go of the rows of runs that were not asked for lately.
    fn forget(&self) {
        let runs: Vec<_> = locked(&self.runs).values().cloned().collect();
        let mut asked: Vec<Option<Instant>> =
            runs.iter().map(|known| locked(known).asked).collect();
        asked.sort_unstable_by(|a, b| b.cmp(a));
        let Some(&oldest) = asked.get(KEPT - 1) else { return };
        for known in runs {
            let mut known = locked(&known);
            if known.asked < oldest {
                known.rows = None;
            }
        }
    }
}

impl KnownRun {
    fn data(&mut self, run: &RunDir, mark: &str) -> Arc<RunData> {
        if let Some((_, data)) = self.rows.as_ref().filter(|_| self.mark == mark) {
            return Arc::clone(data);
        }
        let known = self.rows.take().map(|(follower, _)| follower);
        let mut follower = known.unwrap_or_else(|| Follower::new(run.clone()));
        let data = Arc::new(follower.look());
        mark.clone_into(&mut self.mark);
        self.line = None;
        self.rows = Some((follower, Arc::clone(&data)));
        data
    }
}

/// What changes when a run does: lengths and ages of its files, and who writes it. Taken before
/// the run is read, so that a change meanwhile shows at the next look.
fn mark(run: &RunDir) -> String {
    let mut hasher = DefaultHasher::new();
    let store = run.store_path();
    let mut wal = store.clone().into_os_string();
    wal.push("-wal");
    let results = [run.arch_path(), run.scores_path()];
    let files = [run.config_path(), run.host_path(), store, PathBuf::from(wal)];
    for path in files.into_iter().chain(results) {
        let found = std::fs::metadata(&path).ok();
        found.map(|found| (found.len(), found.modified().ok())).hash(&mut hasher);
    }
    run.holder().ok().hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// A thread that panicked has at most left something out, which the next look reads again.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use autogan_config::{Configuration, SearchConfig};
    use autogan_run::{Event, Host, RunWriter};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    /// A run whose configuration, machine and store all hold the word.
    fn made(path: &Path, word: &str) {
        let settings = [format!("preset={word}")];
        let config = SearchConfig::preset("quick", &settings).unwrap().to_toml().unwrap();
        let host = Host { hostname: word.to_owned(), ..Host::detect("cpu") };
        let (dir, lock) = RunDir::create_at(path, &config, &host).unwrap();
        let mut writer = RunWriter::start(dir, lock).unwrap();
        let json = format!("{{\"word\": \"{word}\"}}");
        let event = Event { tick: 1, kind: word.to_owned(), json, seconds: 0.0 };
        writer.event(&event).unwrap();
        writer.finish().unwrap();
    }

    #[test]
    fn a_link_that_comes_after_the_run_was_admitted_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (runs, secret) = (home.path().join("runs"), home.path().join("secret"));
        made(&runs.join("a"), "plain");
        made(&secret, "smuggled");
        fs::write(secret.join("run.lock"), "smuggled").unwrap();
        let text =
            |feed: &Feed, run: &RunDir| serde_json::to_string(&*feed.look(run).data).unwrap();
        let feed = || Feed::new(Root::open(&runs).unwrap());
        for file in ["config.toml", "host.json", "run.sqlite", "run.lock", "all"] {
            let feed = feed();
            let run = feed.root.run("a").unwrap().unwrap();
            let (path, from) = match file {
                "all" => (runs.join("a"), secret.clone()),
                file => (runs.join("a").join(file), secret.join(file)),
            };
            fs::rename(&path, home.path().join("kept")).unwrap();
            symlink(&from, &path).unwrap();
            let shown = text(&feed, &run);
            fs::remove_file(&path).unwrap();
            fs::rename(home.path().join("kept"), &path).unwrap();
            assert!(!shown.contains("smuggled"), "{file}: {shown}");
            if file != "run.lock" {
                assert!(shown.contains("lies outside of"), "{file}: {shown}");
            }
        }
        let feed = feed();
        let shown = text(&feed, &feed.root.run("a").unwrap().unwrap());
        assert!(shown.contains("plain") && !shown.contains("lies outside"), "{shown}");
    }
}
