//! A [`Job`] is the work of a [`Session`](crate::Session): a search or a training from scratch, one unit at a time.

use autogan_config::Configuration;
use autogan_run::{Checkpoint, RunDir, RunWriter};
use candle_core::Device;

use crate::error::Result;
use crate::event::Reporter;
use crate::inputs::Sources;
use crate::unit::{Place, Unit};

/// A piece of work that is done unit by unit in a run directory. It can be saved between any two units, and one that is
/// restored ends in the same bits as one that was never interrupted.
pub trait Job: Sized {
    /// The configuration, which decides what the job does.
    type Config: Configuration;
    /// The inputs, which the job needs from outside.
    type Inputs;
    /// The events that the job reports.
    type Event;
    /// The key of a checkpoint's metadata under which the configuration lies, as TOML.
    const CONFIG_KEY: &'static str;

    /// The inputs that `config` names.
    ///
    /// # Errors
    /// When the images or the scorer cannot be loaded.
    fn load(config: &Self::Config, sources: &Sources, device: &Device) -> Result<Self::Inputs>;

    /// The job before its first unit of work.
    ///
    /// # Errors
    /// When the configuration is impossible or the images cannot be used.
    fn new(config: Self::Config, inputs: Self::Inputs) -> Result<Self>;

    /// The job that a checkpoint holds, to go on with `config`: its own, [`Job::config_of`], for the same bits as without
    /// the interruption, or one that differs in what [`Configuration::check_continues`] allows.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    fn restore(checkpoint: &Checkpoint, config: Self::Config, inputs: Self::Inputs)
    -> Result<Self>;

    /// The configuration that a checkpoint was written with.
    ///
    /// # Errors
    /// When it holds none, or one of another version.
    fn config_of(checkpoint: &Checkpoint) -> Result<Self::Config> {
        let (text, origin) = (checkpoint.text(Self::CONFIG_KEY)?, "the checkpoint's configuration");
        Ok(Self::Config::stored(text, origin)?)
    }

    /// The configuration.
    fn config(&self) -> &Self::Config;

    /// The middle part of the name of the job's run directory, and the seed, which is its last.
    fn run_name(&self) -> (String, u64);

    /// The job's place in its work.
    fn place(&self) -> Place;

    /// Does one unit of work. Returns false when nothing is left to do.
    ///
    /// # Errors
    /// When the networks diverge or an operator fails; the state is then that of the middle of a unit and must not be
    /// saved.
    fn advance(&mut self, reporter: &mut dyn Reporter<Self::Event>) -> Result<bool>;

    /// The whole state at the present position.
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

    /// Writes the file with the result, where the job is done. It is the same whenever it is written.
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
