//! One training in its run directory: begun, or continued.

use std::path::Path;

use autogan_config::Configuration;
use autogan_run::{Host, LogFile, RunDir, RunWriter};
use autogan_search::{
    KnownReals, Outcome, RunOptions, Training, TrainingConfig, run_training,
    training_checkpoint_config,
};
use candle_core::Device;

use super::Args;
use super::progress::Progress;
use crate::called::program;
use crate::device::describe;
use crate::inputs::Wanted;
use crate::report::after_search;
use crate::search::failed;
use crate::signals::Signals;
use crate::terminal::Terminal;

/// What all trainings of a command share.
pub struct Trainer<'a> {
    pub args: &'a Args,
    pub terminal: &'a Terminal,
    pub device: Device,
    pub signals: &'a Signals,
    /// What the training images give, taken once for all of them.
    pub known: KnownReals,
}

impl Trainer<'_> {
    /// Begins a run in `path`, or in a new directory among all runs, and gives where it is.
    ///
    /// # Errors
    /// When something is wrong with the input, which is found before a directory is made; when the training fails.
    pub fn start(
        &self,
        config: TrainingConfig,
        path: Option<&Path>,
    ) -> anyhow::Result<(RunDir, Outcome)> {
        let inputs = self.wanted(&config).load(self.device.clone())?;
        let mut training = Training::new(config.clone(), inputs)?;
        let (text, host) = (config.to_toml()?, Host::detect(&describe(&self.device)));
        let (dir, lock) = match path {
            Some(path) => RunDir::create_at(path, &text, &host)?,
            None => {
                let name = format!("train-{}", config.preset);
                RunDir::create_numbered(&self.args.runs_dir, &name, config.seed, &text, &host)?
            }
        };
        let writer = RunWriter::start(dir.clone(), lock)?;
        Ok((dir, self.carry_on(&mut training, writer)?))
    }

    /// Continues a run: with `wanted`, or with its own configuration and what the command line changes in it.
    ///
    /// # Errors
    /// When the run cannot go on so, or fails.
    pub fn resume(&self, dir: RunDir, wanted: Option<&TrainingConfig>) -> anyhow::Result<Outcome> {
        let resumed = RunWriter::resume(dir, &Host::detect(&describe(&self.device)))?;
        for warning in &resumed.warnings {
            self.terminal.warn(warning);
        }
        let mut writer = resumed.writer;
        let stored = stored_config(writer.dir(), &[])?;
        let config = match wanted {
            Some(config) => config.clone(),
            None => stored_config(writer.dir(), &self.args.set)?,
        };
        // The checkpoint may be older than the last change that was allowed.
        let own = resumed.checkpoint.as_ref().map(training_checkpoint_config).transpose()?;
        own.as_ref().unwrap_or(&stored).check_continues(&config, &self.args.may_change)?;
        let mut at = config.clone();
        if let Some(dir) = &self.args.data {
            at.data.dir = dir.display().to_string();
        }
        let inputs = self.wanted(&at).load(self.device.clone())?;
        let mut training = match &resumed.checkpoint {
            Some(checkpoint) => Training::restore(checkpoint, config.clone(), inputs)?,
            None => Training::new(config.clone(), inputs)?,
        };
        if config != stored {
            writer.replace_config(&config.to_toml()?, training.position().tick)?;
        }
        self.carry_on(&mut training, writer)
    }

    /// Trains to the end or until it is stopped, and says how it went.
    fn carry_on(&self, training: &mut Training, mut writer: RunWriter) -> anyhow::Result<Outcome> {
        let dir = writer.dir().clone();
        let path = dir.path();
        let mut log = LogFile::open(&dir.log_path())?;
        training.share_reals(&self.known);
        let mut progress = Progress::new(self.terminal, training, &mut log);
        progress.intro(path);
        let every = self.args.checkpoint_every;
        let options = RunOptions { checkpoint_every: every, stop: self.signals.stop() };
        let ran = run_training(training, &mut writer, &mut progress, &options);
        progress.finish();
        let ran = ran.map_err(|error| failed(error, path))?;
        if ran.outcome == Outcome::Finished {
            writer.finish()?;
            after_search(&dir, self.terminal);
        }
        Ok(ran.outcome)
    }

    fn wanted<'c>(&'c self, config: &'c TrainingConfig) -> Wanted<'c> {
        Wanted::by_training(config, self.args.weights.as_deref(), self.args.offline)
    }
}

/// The configuration of a training's run, with settings over it.
///
/// # Errors
/// When it is that of something else, or a setting does not fit.
pub fn stored_config(dir: &RunDir, settings: &[String]) -> anyhow::Result<TrainingConfig> {
    let text = dir.config()?;
    // A search is continued by another command.
    if autogan_search::SearchConfig::from_toml(&text, "", &[]).is_ok() {
        anyhow::bail!(
            "{} is the run of a search; continue it with: {} search --resume {}",
            dir.path().display(),
            program(),
            dir.path().display()
        );
    }
    Ok(TrainingConfig::from_toml(&text, "the run's config.toml", settings)?)
}
