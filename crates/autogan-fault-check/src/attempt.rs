//! A [`Bench`] lets a run meet one fault, continues it, and compares it with the run to which nothing happened.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::library::{Library, Log};
use crate::outcome::Outcome;
use crate::plan::Fault;
use crate::results::{Row, Verdict};
use crate::subject::{IMAGES, OLD, RUN, RUNS, STATS, Subject, newest_checkpoint};

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A finished run beside the one under test. A fault must not touch it.
const OLDER: &str = "older";

/// The code with which Rust ends a program that panicked.
const PANIC: i32 = 101;

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended; `None` where it hung, and was killed.
    pub status: Option<ExitStatus>,
    /// What it said.
    pub stderr: String,
}

impl Ended {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn run(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("the program does not start")?;
        let stderr = child.stderr.take();
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.map(|mut stderr| stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let status = wait(&mut child)?;
        let stderr = reader.join().unwrap_or_default();
        Ok(Self { status, stderr })
    }

    fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    fn is_success(&self) -> bool {
        self.code() == Some(0)
    }

    /// The status, for people.
    fn words(&self) -> String {
        match self.status {
            Some(status) => status.to_string(),
            None => format!("hung for {} s", PATIENCE.as_secs()),
        }
    }

    /// The one sentence that explains a failure, or what is wrong with the explanation.
    fn sentence(&self) -> Result<&str, String> {
        if self.stderr.contains("panicked") || self.code() == Some(PANIC) {
            return Err("it panicked".to_owned());
        }
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        let last = self.stderr.lines().last().unwrap_or_default();
        match last.strip_prefix("error: ") {
            Some(sentence) if errors == 1 && names_a_path(sentence) => Ok(sentence),
            Some(_) if errors == 1 => Err(format!("the error names no path: {last}")),
            _ => Err(format!("expected one line `error: …` at the end, found {errors}: {last}")),
        }
    }
}

/// Whether a sentence names a file of the folder in which the command runs.
fn names_a_path(sentence: &str) -> bool {
    [RUNS, IMAGES].iter().any(|path| sentence.contains(path))
}

/// Waits, but not for ever.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What all attempts of a sweep share.
#[derive(Debug)]
pub struct Bench {
    /// The program under test.
    pub program: PathBuf,
    /// The library that injects faults.
    pub library: Library,
    /// What is run.
    pub subject: Subject,
    /// The run to which nothing happened.
    pub whole: PathBuf,
    /// Its outcome.
    pub outcome: Outcome,
}

impl Bench {
    /// Lets a run in the new folder `dir` meet a fault, continues it, and judges.
    ///
    /// # Errors
    /// When this program itself cannot go on; the run's own errors are in the row.
    pub fn attempt(&self, fault: Fault, dir: &Path) -> Result<Row> {
        let begun = Instant::now();
        let root = self.prepare(dir)?;
        let log = dir.join("faults.log");
        let mut command = self.subject.start(&self.program, &root);
        self.library.attach(&mut command, &root, &log, Some(fault));
        let first = Ended::run(command)?;
        let log = Log::read(&log);
        let mut row = Row {
            subject: self.subject.name().to_owned(),
            fault: fault.to_string(),
            verdict: Verdict::NotReached,
            seconds: 0.0,
            struck: log
                .struck
                .as_deref()
                .unwrap_or("-")
                .replace(&format!("{}/", root.display()), ""),
            words: String::new(),
        };
        (row.verdict, row.words) = self.judge(fault, &root, &first, &log)?;
        fs::write(dir.join("first.txt"), &first.stderr)?;
        row.words = row.words.replace(&format!("{}/", root.display()), "");
        row.seconds = begun.elapsed().as_secs_f64();
        Ok(row)
    }

    /// Makes the folder in which the run lies, with an older run in it.
    fn prepare(&self, dir: &Path) -> Result<PathBuf> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let root = dir.canonicalize()?.join("root");
        copy(&self.whole, &root.join(RUNS).join(OLDER))?;
        self.subject.prepare(&root)?;
        Ok(root)
    }

    /// The verdict on what a fault did, and its reason or the sentence that was said.
    fn judge(
        &self,
        fault: Fault,
        root: &Path,
        first: &Ended,
        log: &Log,
    ) -> Result<(Verdict, String)> {
        let loss = |why: String| Ok((Verdict::Loss, why));
        let said = match self.explained(fault, first, log) {
            Ok(said) => said,
            Err(why) => return loss(why),
        };
        if log.struck.is_none() {
            return Ok((Verdict::NotReached, said));
        }
        let warned = warning(first);
        if first.is_success()
            && warned.is_none()
            && let Some(why) = self.compared(&root.join(RUN))
        {
            return loss(format!("it ended with success and without a warning, but {why}"));
        }
        if let Some(newest) = newest_checkpoint(&log.renamed)
            && !root.join(newest).exists()
        {
            return loss(format!("the checkpoint {} is gone", newest.display()));
        }
        if self.subject == Subject::Stats
            && let Some(why) = self.neither_old_nor_new(&root.join(RUN))
        {
            return loss(why);
        }
        let second = Ended::run(self.subject.go_on(&self.program, root))?;
        let last = second.stderr.lines().last().unwrap_or_default();
        if !second.is_success() {
            return loss(format!("continued, it ended with {}: {last}", second.words()));
        }
        if let Some(why) = self.compared(&root.join(RUN)) {
            return loss(format!("continued, {why}"));
        }
        if let Some(why) = self.compared(&root.join(RUNS).join(OLDER)) {
            return loss(format!("of the older run, {why}"));
        }
        Ok(match (first.is_success(), warned.or_else(|| warning(&second))) {
            (_, Some(warning)) => (Verdict::Warned, warning),
            (true, None) => (Verdict::Unharmed, said),
            (false, None) => (Verdict::Continued, said),
        })
    }

    /// What the run said that met the fault, or what is wrong with how it ended.
    fn explained(&self, fault: Fault, first: &Ended, log: &Log) -> Result<String, String> {
        let killed = first.status.is_some_and(|status| status.code().is_none());
        if fault.way.kills() && log.struck.is_some() {
            return if killed { Ok("killed".to_owned()) } else { Err(first.words()) };
        }
        match first.code() {
            Some(0) if !first.stderr.contains("panicked") => Ok("success".to_owned()),
            Some(1) if log.struck.is_some() => first.sentence().map(str::to_owned),
            _ => Err(format!(
                "{}: {}",
                first.words(),
                first.stderr.lines().last().unwrap_or_default()
            )),
        }
    }

    /// What is wrong with the file of statistics, which has to hold what was there before or what is written, and nothing
    /// between.
    fn neither_old_nor_new(&self, folder: &Path) -> Option<String> {
        match fs::read(folder.join(STATS)) {
            Ok(found) if found == OLD => None,
            _ => self.compared(folder).map(|why| format!("it is not the older file, and {why}")),
        }
    }

    /// How a run differs from the one to which nothing happened.
    fn compared(&self, run: &Path) -> Option<String> {
        match Outcome::read(run, self.subject) {
            Ok(outcome) => self.outcome.difference(&outcome),
            Err(error) => Some(format!("{error:#}")),
        }
    }
}

/// What a process warned of first.
fn warning(ended: &Ended) -> Option<String> {
    ended.stderr.lines().find(|line| line.starts_with("warning: ")).map(str::to_owned)
}

/// Copies a directory.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
