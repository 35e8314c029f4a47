//! A [`Session`] runs targets; a [`Row`] is what one run came to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::build::Fuzzer;
use super::entries;

/// Seconds after which an input counts as one that hangs.
const HANGS: u64 = 10;
/// MiB of memory of the whole process.
const MEMORY: u64 = 4096;
/// Bytes and files of a corpus that the repository keeps for a target.
const KEPT_BYTES: u64 = 128 << 10;
const KEPT_FILES: usize = 100;

/// What one run of a target came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// Processor time in seconds.
    pub seconds: f64,
    /// Inputs that were tried.
    pub inputs: u64,
    /// Inputs that broke the reader, 0 or 1: libFuzzer stops at the first.
    pub crashes: u64,
}

impl Row {
    /// A line for the person at the terminal.
    pub(super) fn line(&self, target: &str) -> String {
        let Row { seconds, inputs, crashes } = self;
        let end = if *crashes == 0 { "fine" } else { "BROKEN" };
        format!("   {target:16} {seconds:8.1} s of processor time {inputs:10} inputs   {end}")
    }
}

/// Targets and folders of one command.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub fuzzer: &'a Fuzzer,
    /// The package of the targets.
    pub package: &'a Path,
    /// Seeds by target.
    pub seeds: &'a Path,
    /// What was found so far, by target.
    pub work: PathBuf,
    /// Seconds for each target.
    pub seconds: u64,
}

impl Session<'_> {
    /// Runs a target for its time, or until an input breaks it.
    pub(super) fn run(&self, target: &str) -> Result<Row> {
        let found = self.folder(&self.work.join(target))?;
        let regressions = self.package.join("regressions").join(target);
        let scratch = scratch()?;
        let log = self.work.join(format!("{target}.log"));
        let mut command = self.fuzzer.command(target);
        command.arg(&found).args(self.inputs(target)).args([
            format!("-max_total_time={}", self.seconds),
            format!("-timeout={HANGS}"),
            format!("-rss_limit_mb={MEMORY}"),
            format!("-artifact_prefix={}/", regressions.display()),
            "-print_final_stats=1".into(),
            "-use_value_profile=1".into(),
        ]);
        fs::create_dir_all(&regressions)
            .with_context(|| format!("cannot make {}", regressions.display()))?;
        let output =
            fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.env("TMPDIR", scratch.path()).stdout(Stdio::null()).stderr(output);
        let (seconds, fine) = timed(command)?;
        // Stays where an input was written.
        let _ = fs::remove_dir(&regressions);
        let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let inputs = executed(&text)
            .with_context(|| format!("it tried nothing: {} tells why", log.display()))?;
        Ok(Row { seconds, inputs, crashes: u64::from(!fine) })
    }

    /// The folders of inputs that are there.
    fn inputs(&self, target: &str) -> Vec<PathBuf> {
        let folders = [self.seeds.join(target), self.package.join("corpus").join(target)];
        folders.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    fn folder(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder.to_owned())
    }

    /// Puts the smallest inputs that reach what all found ones reach into the repository, in place of the corpus that is
    /// there.
    pub(super) fn keep(&self, target: &str) -> Result<()> {
        let merged = self.folder(&self.work.join(format!("{target}.merged")))?;
        for old in entries(&merged)? {
            fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        let scratch = scratch()?;
        let mut command = self.fuzzer.command(target);
        command.args(["-set_cover_merge=1", &format!("-timeout={HANGS}")]).arg(&merged);
        command.args(self.inputs(target)).arg(self.work.join(target));
        command.env("TMPDIR", scratch.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status().context("the fuzzer does not start")?;
        if !status.success() {
            bail!("the corpus of {target} could not be made small: {status}");
        }
        let corpus = self.package.join("corpus").join(target);
        if corpus.is_dir() {
            fs::remove_dir_all(&corpus)
                .with_context(|| format!("cannot empty {}", corpus.display()))?;
        }
        let corpus = self.folder(&corpus)?;
        for path in smallest(entries(&merged)?)? {
            let name = path.file_name().context("a file has a name")?;
            fs::copy(&path, corpus.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
        Ok(())
    }
}

/// A folder for the files of one target, in memory where the system has such a place.
fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.context("cannot make a temporary folder")
}

/// The smallest files within what the repository keeps.
fn smallest(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>> {
    let size = |path: PathBuf| Ok((path.metadata()?.len(), path));
    let mut sized: Vec<(u64, PathBuf)> =
        paths.into_iter().map(size).collect::<std::io::Result<_>>()?;
    sized.sort();
    let mut room = KEPT_BYTES;
    let fits = |(bytes, _): &(u64, PathBuf)| match room.checked_sub(*bytes) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    Ok(sized.into_iter().take(KEPT_FILES).take_while(fits).map(|(_, path)| path).collect())
}

/// Runs the command to its end: seconds of processor time, as of the last look, and whether it succeeded.
fn timed(mut command: Command) -> Result<(f64, bool)> {
    let mut child = command.spawn().context("the fuzzer does not start")?;
    let mut seconds = 0.0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((seconds, status.success()));
        }
        seconds = processor_seconds(child.id()).unwrap_or(seconds);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// User and system time of a process; none where the system does not tell it.
fn processor_seconds(process: u32) -> Option<f64> {
    /// Ticks of Linux's clock for programs, on every platform.
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before the last parenthesis may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// The number of inputs that libFuzzer's last lines tell.
fn executed(log: &str) -> Option<u64> {
    let stat = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    stat?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_inputs_is_read() {
        let log =
            "#2 INITED\nstat::number_of_executed_units: 1234\nstat::average_exec_per_sec:  9\n";
        assert_eq!(executed(log), Some(1234));
        assert_eq!(executed("INFO: nothing"), None);
    }

    #[test]
    fn a_corpus_is_kept_small() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: usize| {
            let path = dir.path().join(name);
            fs::write(&path, vec![0; bytes]).unwrap();
            path
        };
        let (large, small, huge) = (file("a", 100 << 10), file("b", 5), file("c", 40 << 10));
        assert_eq!(smallest(vec![large, small.clone(), huge.clone()]).unwrap(), [small, huge]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processor_time_of_this_process_is_told() {
        assert!(processor_seconds(std::process::id()).is_some());
        assert!(processor_seconds(0).is_none());
    }
}
