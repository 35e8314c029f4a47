//! Carries jobs out, one after the other, each in its run directory: what is finished is left alone, what was stopped
//! goes on, and what was made with another configuration is an error.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use autogan_config::Configuration;
use autogan_run::{Host, RunDir, RunWriter};
use autogan_search::{
    Inputs, KnownReals, Outcome, Ran, RunOptions, Search, SearchConfig, SearchError, Training,
    TrainingConfig, TrainingInputs, run, run_training,
};
use candle_core::Device;

use crate::error::{ReproError, Result};
use crate::job::{Job, Work};
use crate::resolve::{architecture, blocked, search_config, training_config};
use crate::results::{Config, Results};
use crate::scale::Scale;
use crate::source::{Monitor, Notice, Source, Store, What};

/// How jobs went.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// Whether all of them had their turn.
    pub outcome: Outcome,
    /// Those that failed.
    pub failed: Vec<Failure>,
}

/// A job that failed, or cannot begin without one that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The job.
    pub job: String,
    /// Why.
    pub reason: String,
}

/// How one job went.
enum Ended {
    Finished,
    Stopped,
    Failed(String),
}

/// Runs the jobs of one scale.
pub struct Runner<'a> {
    scale: Scale,
    results: Results,
    source: &'a dyn Source,
    store: Store<'a>,
    /// What training images give, for jobs of one dataset and seed.
    known: KnownReals,
    options: RunOptions<'a>,
    device: Device,
    /// In words, for `host.json`.
    device_name: String,
}

impl<'a> Runner<'a> {
    /// Runs jobs under `root`, the directory of this scale, on a device that is noted under the name beside it.
    pub fn new(
        scale: Scale,
        root: PathBuf,
        source: &'a dyn Source,
        options: RunOptions<'a>,
        (device, device_name): (Device, String),
    ) -> Runner<'a> {
        let store = Store::new(source);
        Runner {
            scale,
            results: Results::new(&root),
            source,
            store,
            known: KnownReals::default(),
            options,
            device,
            device_name,
        }
    }

    /// Carries out all jobs, in this order, or until it is asked to stop. A job whose networks diverge is noted as failed,
    /// with those that need it; the others go on, and what failed before is not tried again.
    ///
    /// # Errors
    /// When a job fails for another reason; those before it are finished.
    pub fn carry_out(&mut self, jobs: &[Job], monitor: &mut dyn Monitor) -> Result<Carried> {
        let mut failed: Vec<Failure> = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let notify = |what, monitor: &mut dyn Monitor| {
                monitor.job(&Notice { job, place: (index + 1, jobs.len()), what });
            };
            match self.carry_out_one(job, &failed, &notify, monitor)? {
                Ended::Finished => {}
                Ended::Stopped => return Ok(Carried { outcome: Outcome::Stopped, failed }),
                Ended::Failed(reason) => {
                    notify(What::Fails, monitor);
                    monitor.warning(job, &reason);
                    failed.push(Failure { job: job.name.clone(), reason });
                }
            }
        }
        Ok(Carried { outcome: Outcome::Finished, failed })
    }

    fn carry_out_one(
        &mut self,
        job: &Job,
        failed: &[Failure],
        notify: &dyn Fn(What, &mut dyn Monitor),
        monitor: &mut dyn Monitor,
    ) -> Result<Ended> {
        if let Some(reason) = blocked(job, failed) {
            return Ok(Ended::Failed(reason));
        }
        let config = self.config(job)?;
        self.check_config(job, &config)?;
        if self.results.is_finished(job)? {
            notify(What::Known, monitor);
            return Ok(Ended::Finished);
        }
        if let Some(reason) = self.results.diverged(&job.name)? {
            return Ok(Ended::Failed(reason));
        }
        if self.options.stop.load(Ordering::Relaxed) {
            return Ok(Ended::Stopped);
        }
        let resumes = RunDir::open(&self.results.dir(&job.name)).is_ok();
        notify(if resumes { What::Resumes } else { What::Begins }, monitor);
        let ran = match config {
            Config::Search(config) => self.search(job, *config, monitor),
            Config::Training(config) => self.training(job, *config, monitor),
        };
        match ran {
            Err(ReproError::Job { source: source @ SearchError::Diverged { .. }, .. }) => {
                Ok(Ended::Failed(source.to_string()))
            }
            Err(error) => Err(error),
            Ok(ran) if ran.outcome == Outcome::Stopped => {
                notify(What::Stops, monitor);
                Ok(Ended::Stopped)
            }
            Ok(_) => {
                notify(What::Ends, monitor);
                Ok(Ended::Finished)
            }
        }
    }

    fn config(&self, job: &Job) -> Result<Config> {
        let on = (job.dataset, job.seed);
        Ok(match &job.work {
            Work::Search(method) => {
                Config::Search(Box::new(search_config(self.scale, *method, on, self.source)?))
            }
            Work::Train { arch, length } => {
                let arch = architecture(job, arch, &self.results)?;
                let config = training_config(self.scale, &arch, *length, on, self.source)?;
                Config::Training(Box::new(config))
            }
        })
    }

    /// Refuses a directory that was made with another configuration; where the images lie may differ.
    fn check_config(&self, job: &Job, config: &Config) -> Result<()> {
        let path = self.results.dir(&job.name);
        let Ok(run) = RunDir::open(&path) else { return Ok(()) };
        let (stored, wanted) = (run.config()?, config.to_toml()?);
        match difference(&stored, &wanted) {
            None => Ok(()),
            Some(difference) => Err(ReproError::OtherConfig { path, difference }),
        }
    }

    fn search(
        &mut self,
        job: &Job,
        config: SearchConfig,
        monitor: &mut dyn Monitor,
    ) -> Result<Ran> {
        let inputs = Inputs {
            images: self.store.images(&config.data, config.model.bottom * 8)?,
            extractor: self.store.scorer(&config.reward.scorer)?,
            device: self.device.clone(),
        };
        let text = config.to_toml()?;
        let (mut writer, checkpoint) = self.open(job, &text, monitor)?;
        let mut search = match &checkpoint {
            Some(checkpoint) => Search::restore(checkpoint, config, inputs)?,
            None => Search::new(config, inputs)?,
        };
        let ran = run(&mut search, &mut writer, monitor, &self.options);
        close(job, ran, writer)
    }

    fn training(
        &mut self,
        job: &Job,
        config: TrainingConfig,
        monitor: &mut dyn Monitor,
    ) -> Result<Ran> {
        let inputs = TrainingInputs {
            images: self.store.images(&config.data, config.side())?,
            extractor: self.store.scorer(&config.score.scorer)?,
            device: self.device.clone(),
        };
        let text = config.to_toml()?;
        let (mut writer, checkpoint) = self.open(job, &text, monitor)?;
        let mut training = match &checkpoint {
            Some(checkpoint) => Training::restore(checkpoint, config, inputs)?,
            None => Training::new(config, inputs)?,
        };
        training.share_reals(&self.known);
        let ran = run_training(&mut training, &mut writer, monitor, &self.options);
        close(job, ran, writer)
    }

    /// The job's run directory, made or gone on with, and where to go on.
    fn open(
        &self,
        job: &Job,
        config: &str,
        monitor: &mut dyn Monitor,
    ) -> Result<(RunWriter, Option<autogan_run::Checkpoint>)> {
        let (path, host) = (self.results.dir(&job.name), Host::detect(&self.device_name));
        match RunDir::open(&path) {
            Ok(run) => {
                let resumed = RunWriter::resume(run, &host)?;
                resumed.warnings.iter().for_each(|warning| monitor.warning(job, warning));
                Ok((resumed.writer, resumed.checkpoint))
            }
            Err(_) => {
                let (run, lock) = RunDir::create_at(&path, config, &host)?;
                Ok((RunWriter::start(run, lock)?, None))
            }
        }
    }
}

/// Ends the writing of a job that ran.
fn close(job: &Job, ran: Result<Ran, SearchError>, writer: RunWriter) -> Result<Ran> {
    let ran = ran.map_err(|source| ReproError::Job { job: job.name.clone(), source })?;
    if ran.outcome == Outcome::Finished {
        writer.finish()?;
    }
    Ok(ran)
}

/// The first line in which two configurations differ, that of the directory of images aside.
fn difference(stored: &str, wanted: &str) -> Option<String> {
    let lines = |text: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| !line.starts_with("dir = "));
        kept.map(str::to_owned).collect()
    };
    let (stored, wanted) = (lines(stored), lines(wanted));
    let line = |lines: &[String], at: usize| lines.get(at).cloned();
    (0..stored.len().max(wanted.len()))
        .map(|at| (line(&stored, at), line(&wanted, at)))
        .find(|(stored, wanted)| stored != wanted)
        .map(|(stored, wanted)| {
            let text = |line: Option<String>| line.unwrap_or_else(|| "nothing".to_owned());
            format!("it holds {}, this program would write {}", text(stored), text(wanted))
        })
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn configurations_differ_but_for_where_images_lie() {
        let one = "seed = 0\n[data]\ndir = \"/a\"\ncount = 4\n";
        assert_eq!(difference(one, &one.replace("/a", "/b")), None);
        let other = difference(one, &one.replace("count = 4", "count = 5")).unwrap();
        assert_eq!(other, "it holds count = 4, this program would write count = 5");
        assert!(difference(one, &format!("{one}[model]\n")).unwrap().contains("holds nothing"));
    }
}
