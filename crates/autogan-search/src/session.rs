//! A [`Session`] carries a job out in its run directory until it is done or is asked to stop. It stores events as rows and
//! pictures, writes checkpoints, and resumes what was stopped.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use autogan_config::Configuration;
use autogan_run::{Checkpoint, Host, RunDir, RunWriter};

use crate::error::{Result, SearchError};
use crate::event::Reporter;
use crate::job::Job;
use crate::unit::Unit;

/// The two ways in which a run can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All work is done.
    Finished,
    /// It was asked to stop, and can be continued.
    Stopped,
}

/// The settings of a session; none of them changes a run's result.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    /// Time between checkpoints; one is written anyway at the end of a search's iteration and after a training's score.
    pub checkpoint_every: Duration,
    /// Set by whoever wants the run to stop after the present unit of work.
    pub stop: &'a AtomicBool,
}

/// How a session ended, and the time that it took.
#[derive(Clone, Copy, Debug)]
pub struct RunReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Time in this process from the first unit of work to the last.
    pub elapsed: Duration,
    /// The part of it that the run directory took: rows, curves, pictures and checkpoints.
    pub recording: Duration,
}

/// The place where the directory of a new run is made.
#[derive(Clone, Copy, Debug)]
pub enum RunPlace<'a> {
    /// At this path, for this run alone.
    At(&'a Path),
    /// In this directory of runs, under the next number.
    Under(&'a Path),
}

/// A job with its run directory, which is locked as long as the session lives.
pub struct Session<J> {
    job: J,
    writer: RunWriter,
}

impl<J: Job> Session<J> {
    /// Makes the run directory of a job that is about to begin.
    ///
    /// # Errors
    /// When the directory cannot be made or is in use.
    pub fn start(job: J, place: RunPlace<'_>, host: &Host) -> Result<Self> {
        let (text, (name, seed)) = (job.config().to_toml()?, job.run_name());
        let (dir, lock) = match place {
            RunPlace::At(path) => RunDir::create_at(path, &text, host)?,
            RunPlace::Under(runs) => RunDir::create_numbered(runs, &name, seed, &text, host)?,
        };
        Ok(Self { job, writer: RunWriter::start(dir, lock)? })
    }

    /// The job.
    pub fn job(&self) -> &J {
        &self.job
    }

    /// The run directory.
    pub fn dir(&self) -> &RunDir {
        self.writer.dir()
    }

    /// Seconds that the run has taken, in this session and those before it.
    pub fn seconds(&self) -> f64 {
        self.writer.seconds()
    }

    /// Carries the job out to its end, or until it is asked to stop, keeping the run directory in step.
    ///
    /// # Errors
    /// When the job fails or the directory cannot be written; the last checkpoint is intact then.
    pub fn run(
        &mut self,
        reporter: &mut dyn Reporter<J::Event>,
        options: &RunOptions<'_>,
    ) -> Result<RunReport> {
        let begun = Instant::now();
        let (mut saved, mut recording) = (begun, Duration::ZERO);
        let config = self.job.config().clone();
        self.job.mend(&mut self.writer, reporter)?;
        let outcome = loop {
            let before = self.job.place();
            let unit = Unit::new(&mut self.writer, before);
            let (failure, spent) = (None, Duration::ZERO);
            let mut recorder = Recorder::<J> { config: &config, unit, reporter, failure, spent };
            let advanced = self.job.advance(&mut recorder);
            if let Some(failure) = recorder.failure {
                return Err(failure.into());
            }
            let marks = recorder.unit.marks();
            recording += recorder.spent;
            if !advanced.or_else(|error| self.diverged(error, before.tick))? {
                // It may be gone or damaged in a run that was over.
                self.job.write_result(self.writer.dir())?;
                break Outcome::Finished;
            }
            let at = Instant::now();
            if marks.best {
                self.job.write_best(self.writer.dir())?;
            }
            let done = self.job.place().done;
            let stop = options.stop.load(Ordering::Relaxed);
            let due = saved.elapsed() >= options.checkpoint_every;
            if marks.milestone || done || stop || due {
                self.save()?;
                saved = Instant::now();
            }
            recording += at.elapsed();
            if stop && !done {
                break Outcome::Stopped;
            }
        };
        let report = RunReport { outcome, elapsed: begun.elapsed(), recording };
        self.note_end(report)?;
        Ok(report)
    }

    /// Closes the run directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<()> {
        Ok(self.writer.finish()?)
    }

    /// Writes a checkpoint.
    fn save(&mut self) -> Result<()> {
        let tick = self.job.place().tick;
        let checkpoint = self.job.save().or_else(|error| self.diverged(error, tick))?;
        Ok(self.writer.save(checkpoint)?)
    }

    /// Notes in the run directory how this session ended.
    fn note_end(&mut self, report: RunReport) -> Result<()> {
        let outcome = match report.outcome {
            Outcome::Finished => "finished",
            Outcome::Stopped => "stopped",
        };
        let json = serde_json::json!({
            "outcome": outcome,
            "elapsed_seconds": report.elapsed.as_secs_f64(),
            "recording_seconds": report.recording.as_secs_f64(),
        });
        Ok(self.writer.session("end", json.to_string(), self.job.place().tick)?)
    }

    /// Notes in the run directory that the networks diverged, where that is the error: whoever resumes the run would come
    /// to the same end.
    fn diverged<T>(&mut self, error: SearchError, tick: u64) -> Result<T> {
        if matches!(error, SearchError::Diverged { .. }) {
            let json = serde_json::json!({ "outcome": "diverged", "reason": error.to_string() });
            self.writer.session("end", json.to_string(), tick)?;
        }
        Err(error)
    }
}

/// Stores the events of a unit of work, then passes them on.
struct Recorder<'a, J: Job> {
    config: &'a J::Config,
    unit: Unit<'a>,
    reporter: &'a mut dyn Reporter<J::Event>,
    /// The first thing that went wrong; reporters cannot return it.
    failure: Option<autogan_run::Error>,
    /// Time that storing took.
    spent: Duration,
}

impl<J: Job> Reporter<J::Event> for Recorder<'_, J> {
    fn event(&mut self, event: &J::Event) {
        if self.failure.is_none() {
            let begun = Instant::now();
            self.failure = J::record(self.config, event, &mut self.unit).err();
            self.spent += begun.elapsed();
        }
        self.reporter.event(event);
    }
}

/// A run that is about to go on: its directory is locked, and holds nothing behind its last checkpoint.
pub struct Resumption {
    writer: RunWriter,
    checkpoint: Option<Checkpoint>,
    text: String,
    warnings: Vec<String>,
}

impl Resumption {
    /// Opens a run directory.
    ///
    /// # Errors
    /// When it is in use, or cannot be read or mended.
    pub fn open(dir: RunDir, host: &Host) -> Result<Self> {
        let resumed = RunWriter::resume(dir, host)?;
        let text = resumed.writer.dir().config()?;
        let warnings = resumed.warnings;
        Ok(Self { writer: resumed.writer, checkpoint: resumed.checkpoint, text, warnings })
    }

    /// The damage that was found and mended.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The configuration that the run goes on from: that of its last checkpoint, which may be older than the last change
    /// that was allowed, or its own where there is none.
    ///
    /// # Errors
    /// When it is that of another kind of job.
    pub fn newest_config<J: Job>(&self) -> Result<J::Config> {
        match &self.checkpoint {
            Some(checkpoint) => J::config_of(checkpoint),
            None => self.stored_config::<J>(),
        }
    }

    fn stored_config<J: Job>(&self) -> Result<J::Config> {
        Ok(J::Config::from_toml(&self.text, "the run's config.toml", &[])?)
    }

    /// The session that goes on with `config`, which may differ from the run's own in what a run of its kind may change
    /// and in the keys `allowed`. `load` loads the inputs once that is sure.
    ///
    /// # Errors
    /// When the run cannot go on so, or the inputs do not fit it.
    pub fn session<J: Job>(
        mut self,
        config: J::Config,
        allowed: &[String],
        load: impl FnOnce() -> Result<J::Inputs>,
    ) -> Result<Session<J>> {
        let stored = self.stored_config::<J>()?;
        self.newest_config::<J>()?.check_continues(&config, allowed)?;
        let inputs = load()?;
        let job = match &self.checkpoint {
            Some(checkpoint) => J::restore(checkpoint, config.clone(), inputs)?,
            None => J::new(config.clone(), inputs)?,
        };
        if config != stored {
            self.writer.replace_config(&config.to_toml()?, job.place().tick)?;
        }
        Ok(Session { job, writer: self.writer })
    }
}
