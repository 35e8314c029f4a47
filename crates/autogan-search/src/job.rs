//! What a [`Session`](crate::Session) carries out: a search or a training from scratch, one unit of work at a time.

use autogan_config::{Configuration, DataConfig};
use autogan_run::{Checkpoint, RunDir, RunWriter};
use candle_core::Device;

use crate::error::Result;
use crate::event::Reporter;
use crate::inputs::Sources;
use crate::unit::Unit;

/// A piece of work that is done unit by unit in a run directory. It can be saved between any two units, and one that is
/// restored ends in the same bits as one that was never interrupted.
pub trait Job: Sized {
    /// Everything that decides what the job does.
    type Config: RunConfig;
    /// What the job needs from outside.
    type Inputs;
    /// What the job tells.
    type Event;

    /// The inputs that `config` names.
    ///
    /// # Errors
    /// When the images or the scorer cannot be loaded.
    fn load(config: &Self::Config, sources: &Sources, device: &Device) -> Result<Self::Inputs>;

    /// The job before its first unit of work.
    ///
    /// # Errors
    /// When the configuration is impossible or the images cannot be used.
    fn begin(config: Self::Config, inputs: Self::Inputs) -> Result<Self>;

    /// The job that a checkpoint holds, to go on with `config`.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    fn resume(checkpoint: &Checkpoint, config: Self::Config, inputs: Self::Inputs) -> Result<Self>;

    /// The configuration that a checkpoint was written with.
    ///
    /// # Errors
    /// When it holds none, or one of another version.
    fn config_of(checkpoint: &Checkpoint) -> Result<Self::Config>;

    /// The configuration.
    fn config(&self) -> &Self::Config;

    /// Where the job is.
    fn place(&self) -> Place;

    /// Does one unit of work. Returns false when nothing is left to do.
    ///
    /// # Errors
    /// When the networks diverge or an operator fails; the job must not be saved then.
    fn advance(&mut self, reporter: &mut dyn Reporter<Self::Event>) -> Result<bool>;

    /// The whole state.
    ///
    /// # Errors
    /// When the last step's loss is not finite, or a tensor cannot be read back.
    fn save(&self) -> Result<Checkpoint>;

    /// Stores what an event of a job with `config` says.
    ///
    /// # Errors
    /// When the run directory cannot be written.
    fn record(
        config: &Self::Config,
        event: &Self::Event,
        unit: &mut Unit<'_>,
    ) -> autogan_run::Result<()>;

    /// Whether the file with the result of a finished job is there.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    fn has_result(dir: &RunDir) -> autogan_run::Result<bool>;

    /// Writes the file with the result, where the job is done.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write_result(&self, dir: &RunDir) -> Result<()>;

    /// Writes the weights with the best score, which are the present ones.
    ///
    /// # Errors
    /// When a tensor cannot be read back or the file cannot be written.
    fn write_best(&self, _dir: &RunDir) -> Result<()> {
        Ok(())
    }

    /// Mends what is gone or damaged of the files that the state speaks of, before the job goes on.
    ///
    /// # Errors
    /// When the run directory cannot be read or written.
    fn mend(
        &mut self,
        _writer: &mut RunWriter,
        _reporter: &mut dyn Reporter<Self::Event>,
    ) -> Result<()> {
        Ok(())
    }
}

/// A configuration that a run directory holds.
pub trait RunConfig: Configuration {
    /// The middle part of the name of a run's directory.
    fn run_name(&self) -> String;

    /// What every random draw follows from.
    fn seed(&self) -> u64;

    /// The images.
    fn data_mut(&mut self) -> &mut DataConfig;
}

/// Where a job is between two units of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The stage, from 0.
    pub stage: usize,
    /// The iteration of a search, or the G iteration of a training.
    pub iteration: u64,
    /// D steps that are done.
    pub d_steps: u64,
    /// Nothing is left to do.
    pub done: bool,
}
