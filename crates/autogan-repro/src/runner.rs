//! The [`Runner`] carries jobs out, one after the other, each in its run directory. A finished job is left alone, a
//! stopped one goes on, and one that was made with another configuration is an error.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use autogan_config::{RunConfig, differences};
use autogan_run::{Host, RunDir};
use autogan_search::{
    ExtractorScore, Inputs, Job as SearchJob, KnownReals, Outcome, Reporter, Resumption,
    RunOptions, RunPlace, Search, SearchConfig, SearchError, Session, Training, TrainingConfig,
    TrainingInputs,
};
use candle_core::Device;

use crate::error::{ReproError, Result};
use crate::job::{Job, Work};
use crate::monitor::{Failure, JobEvent, Monitor, Notice};
use crate::resolve::{architecture, blocked, search_config, training_config};
use crate::results::Results;
use crate::scale::Scale;
use crate::source::{Files, Store};

/// How far jobs came.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Whether all of them had their turn.
    pub outcome: Outcome,
    /// Those that failed.
    pub failed: Vec<Failure>,
}

/// How one job ended.
enum End {
    Finished,
    Stopped,
    Failed(String),
}

/// Runs the jobs of one scale.
pub struct Runner<'a> {
    scale: Scale,
    results: Results,
    files: &'a Files,
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
        files: &'a Files,
        options: RunOptions<'a>,
        (device, device_name): (Device, String),
    ) -> Runner<'a> {
        let store = Store::new(&files.sources, &device);
        Runner {
            scale,
            results: Results::new(&root),
            files,
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
    pub fn carry_out(&mut self, jobs: &[Job], monitor: &mut dyn Monitor) -> Result<Progress> {
        let mut failed: Vec<Failure> = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let notify = |event, monitor: &mut dyn Monitor| {
                monitor.job(&Notice { job, place: (index + 1, jobs.len()), event });
            };
            match self.carry_out_one(job, &failed, &notify, monitor)? {
                End::Finished => {}
                End::Stopped => return Ok(Progress { outcome: Outcome::Stopped, failed }),
                End::Failed(reason) => {
                    notify(JobEvent::Fails, monitor);
                    monitor.warning(job, &reason);
                    failed.push(Failure { job: job.name.clone(), reason });
                }
            }
        }
        Ok(Progress { outcome: Outcome::Finished, failed })
    }

    fn carry_out_one(
        &mut self,
        job: &Job,
        failed: &[Failure],
        notify: &dyn Fn(JobEvent, &mut dyn Monitor),
        monitor: &mut dyn Monitor,
    ) -> Result<End> {
        if let Some(reason) = blocked(job, failed) {
            return Ok(End::Failed(reason));
        }
        let config = self.config(job)?;
        check_config(&self.results.dir(&job.name), &config)?;
        if self.results.is_finished(job)? {
            notify(JobEvent::Known, monitor);
            return Ok(End::Finished);
        }
        if let Some(reason) = self.results.diverged(&job.name)? {
            return Ok(End::Failed(reason));
        }
        if self.options.stop.load(Ordering::Relaxed) {
            return Ok(End::Stopped);
        }
        let resumes = RunDir::open(&self.results.dir(&job.name)).is_ok();
        notify(if resumes { JobEvent::Resumes } else { JobEvent::Begins }, monitor);
        let outcome = match config {
            RunConfig::Search(config) => self.search(job, *config, monitor),
            RunConfig::Training(config) => self.training(job, *config, monitor),
        };
        match outcome {
            Err(ReproError::Job { source: source @ SearchError::Diverged { .. }, .. }) => {
                Ok(End::Failed(source.to_string()))
            }
            Err(error) => Err(error),
            Ok(Outcome::Stopped) => {
                notify(JobEvent::Stops, monitor);
                Ok(End::Stopped)
            }
            Ok(Outcome::Finished) => {
                notify(JobEvent::Ends, monitor);
                Ok(End::Finished)
            }
        }
    }

    fn config(&self, job: &Job) -> Result<RunConfig> {
        let on = (job.dataset, job.seed);
        Ok(match &job.work {
            Work::Search(method) => {
                RunConfig::Search(Box::new(search_config(self.scale, *method, on, self.files)?))
            }
            Work::Train { arch, length } => {
                let arch = architecture(job, arch, &self.results)?;
                let config = training_config(self.scale, &arch, *length, on, self.files)?;
                RunConfig::Training(Box::new(config))
            }
        })
    }

    fn search(
        &mut self,
        job: &Job,
        config: SearchConfig,
        monitor: &mut dyn Monitor,
    ) -> Result<Outcome> {
        let images = self.store.images(&config.data, config.model.bottom * 8)?;
        let extractor = self.store.scorer(&config.reward.scorer)?;
        let inputs = Inputs {
            images,
            score: Box::new(ExtractorScore::new(extractor, &config.reward)),
            device: self.device.clone(),
        };
        let session = self.open::<Search>(job, config, inputs, monitor)?;
        self.run(job, session, monitor)
    }

    fn training(
        &mut self,
        job: &Job,
        config: TrainingConfig,
        monitor: &mut dyn Monitor,
    ) -> Result<Outcome> {
        let inputs = TrainingInputs {
            images: self.store.images(&config.data, config.side())?,
            extractor: self.store.scorer(&config.score.scorer)?,
            known: self.known.clone(),
            device: self.device.clone(),
        };
        let session = self.open::<Training>(job, config, inputs, monitor)?;
        self.run(job, session, monitor)
    }

    /// The job in its run directory, begun or gone on with.
    fn open<J: SearchJob>(
        &self,
        job: &Job,
        config: J::Config,
        inputs: J::Inputs,
        monitor: &mut dyn Monitor,
    ) -> Result<Session<J>> {
        let (path, host) = (self.results.dir(&job.name), Host::detect(&self.device_name));
        open_job(&path, &host, config, inputs, &mut |warning| monitor.warning(job, warning))
    }

    fn run<J: SearchJob>(
        &self,
        job: &Job,
        mut session: Session<J>,
        reporter: &mut dyn Reporter<J::Event>,
    ) -> Result<Outcome> {
        let report = session.run(reporter, &self.options);
        let report = report.map_err(|source| ReproError::Job { job: job.name.clone(), source })?;
        if report.outcome == Outcome::Finished {
            session.finish()?;
        }
        Ok(report.outcome)
    }
}

/// Refuses a directory that was made with another configuration; where the images lie may differ.
pub(crate) fn check_config(path: &Path, config: &RunConfig) -> Result<()> {
    let Ok(run) = RunDir::open(path) else { return Ok(()) };
    let stored = RunConfig::read(&run.config()?, &run.config_path().display().to_string())?;
    match difference(&stored, config)? {
        None => Ok(()),
        Some(difference) => Err(ReproError::OtherConfig { path: path.to_owned(), difference }),
    }
}

/// A job in the run directory `path`, begun or gone on with; `warn` is told what was damaged.
pub(crate) fn open_job<J: SearchJob>(
    path: &Path,
    host: &Host,
    config: J::Config,
    inputs: J::Inputs,
    warn: &mut dyn FnMut(&str),
) -> Result<Session<J>> {
    let Ok(run) = RunDir::open(path) else {
        let begun = J::new(config, inputs)?;
        return Ok(Session::start(begun, RunPlace::At(path), host)?);
    };
    let resumption = Resumption::open(run, host)?;
    resumption.warnings().iter().for_each(|warning| warn(warning));
    // The run's own configuration differs from this one in the directory of the images at most.
    let own = resumption.newest_config::<J>()?;
    Ok(resumption.session(own, &[], || Ok(inputs))?)
}

/// The first key in which two configurations differ, the directory of the images aside.
fn difference(stored: &RunConfig, wanted: &RunConfig) -> Result<Option<String>> {
    let all = differences(&[stored.flat()?, wanted.flat()?]);
    let first = all.into_iter().find(|(key, _)| key != "data.dir");
    Ok(first.map(|(key, values)| {
        let [stored, wanted] = [0, 1].map(|at| {
            let value = values[at].as_ref();
            value.map_or("nothing".to_owned(), |value| format!("{key} = {value}"))
        });
        format!("it holds {stored}, this program would write {wanted}")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use autogan_config::Configuration;

    #[test]
    fn configurations_differ_but_for_where_images_lie() {
        let of = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
            RunConfig::Search(Box::new(SearchConfig::preset("quick", &settings).unwrap()))
        };
        let one = of(&["data.dir=/a", "data.count=4"]);
        assert_eq!(difference(&one, &of(&["data.dir=/b", "data.count=4"])).unwrap(), None);
        let other = difference(&one, &of(&["data.dir=/a", "data.count=5"])).unwrap().unwrap();
        assert_eq!(other, "it holds data.count = 4, this program would write data.count = 5");
        let training = TrainingConfig::preset("quick", &[]).unwrap();
        let training = RunConfig::Training(Box::new(training));
        let other = difference(&one, &training).unwrap().unwrap();
        assert!(other.contains("holds nothing"), "{other}");
    }
}
