//! [`SharedTraining`] makes the steps of shared training alone, without controller and scorer, on architectures and images
//! that the caller picks: a benchmark measures it.

use autogan_config::Configuration;
use autogan_space::Arch;
use candle_core::{Device, Tensor};

use crate::config::SearchConfig;
use crate::error::Result;
use crate::networks::Networks;
use crate::step::{ComingLoss, Step};
use crate::streams::Streams;

/// Networks, average and optimizers of one stage, with the updates that a search makes.
pub struct SharedTraining {
    config: SearchConfig,
    stage: usize,
    streams: Streams,
    networks: Networks,
    tick: u64,
}

impl SharedTraining {
    /// Networks with initial values as a search with `config` has them, at `stage` 0, 1 or 2.
    ///
    /// # Errors
    /// When the configuration is impossible.
    pub fn new(config: SearchConfig, stage: usize, device: &Device) -> Result<Self> {
        let config = config.checked()?;
        let streams = Streams::new(config.seed);
        Ok(Self {
            networks: Networks::new(&config.model, &config.train, None, streams, device)?,
            stage,
            streams,
            tick: 0,
            config,
        })
    }

    /// Side of this stage's images.
    pub fn side(&self) -> usize {
        self.networks.generator.side(self.stage)
    }

    /// One D step on `real` `[N, 3, side, side]` in [-1, 1] and as many fakes of `arch`; gives the loss before it,
    /// which says whether it is finite once it is read.
    ///
    /// # Errors
    /// When `arch` does not belong to the stage or an operator fails.
    pub fn d_step(&mut self, arch: &Arch, real: &Tensor) -> Result<ComingLoss> {
        let step = next(&self.config, self.stage, self.streams, &mut self.tick);
        self.networks.d_step(&step, arch, real)
    }

    /// One G step with the configured batch, and the step of the average; gives the loss before it.
    ///
    /// # Errors
    /// As [`SharedTraining::d_step`].
    pub fn g_step(&mut self, arch: &Arch) -> Result<ComingLoss> {
        let step = next(&self.config, self.stage, self.streams, &mut self.tick);
        self.networks.g_step(&step, arch)
    }
}

/// The next training step.
fn next<'a>(config: &'a SearchConfig, stage: usize, streams: Streams, tick: &mut u64) -> Step<'a> {
    *tick += 1;
    Step { train: &config.train, stage, iteration: 0, streams, index: *tick }
}
