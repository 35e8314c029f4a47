//! Shared training by itself, without controller and scorer, on architectures and images that the caller picks: for
//! measuring it.

use autogan_nn::{Discriminator, Ema, Generator};
use autogan_ops::Adam;
use autogan_space::Arch;
use candle_core::{DType, Device, Tensor};

use crate::config::SearchConfig;
use crate::error::Result;
use crate::parts::{adam, generator_config, new_discriminator};
use crate::step::Step;
use crate::streams::Streams;

/// Networks, average and optimizers of one stage, with the updates that a search makes.
pub struct SharedTraining {
    config: SearchConfig,
    stage: usize,
    streams: Streams,
    device: Device,
    generator: Generator,
    discriminator: Discriminator,
    ema: Ema,
    g_adam: Adam,
    d_adam: Adam,
    tick: u64,
}

impl SharedTraining {
    /// Initial values as a search with `config` has them, at `stage` 0, 1 or 2.
    ///
    /// # Errors
    /// When the configuration is impossible.
    pub fn new(config: SearchConfig, stage: usize, device: &Device) -> Result<Self> {
        let config = config.checked()?;
        let streams = Streams::new(config.seed);
        let model = generator_config(&config);
        let generator =
            Generator::supernet(&model, &mut streams.rng("init.g", 0), DType::F32, device)?;
        let discriminator =
            new_discriminator(&config.model, &mut streams.rng("init.d", 0), device)?;
        Ok(Self {
            ema: Ema::new(&generator, config.train.ema_decay, config.train.ema_buffers)?,
            g_adam: Adam::new(adam(&config.train, config.train.g_lr)),
            d_adam: Adam::new(adam(&config.train, config.train.d_lr)),
            stage,
            streams,
            device: device.clone(),
            generator,
            discriminator,
            tick: 0,
            config,
        })
    }

    /// Side of this stage's images.
    pub fn side(&self) -> usize {
        self.generator.side(self.stage)
    }

    /// One D step on `real` `[N, 3, side, side]` in [-1, 1] and as many fakes of `arch`; gives the loss before it.
    ///
    /// # Errors
    /// When `arch` does not belong to the stage, the loss is not finite or an operator fails.
    pub fn d_step(&mut self, arch: &Arch, real: &Tensor) -> Result<f64> {
        let z = self.latents("latents.d", real.dim(0)?)?;
        let (step, d_adam, _, _) = self.step();
        step.discriminator(d_adam, arch, real, &z)
    }

    /// One G step with the configured batch, and the step of the average; gives the loss before it.
    ///
    /// # Errors
    /// As [`SharedTraining::d_step`].
    pub fn g_step(&mut self, arch: &Arch) -> Result<f64> {
        let z = self.latents("latents.g", self.config.train.g_batch)?;
        let (step, _, g_adam, ema) = self.step();
        step.generator(g_adam, ema, arch, &z)
    }

    fn step(&mut self) -> (Step<'_>, &mut Adam, &mut Adam, &Ema) {
        let step = Step {
            generator: &self.generator,
            discriminator: &self.discriminator,
            train: &self.config.train,
            stage: self.stage,
            iteration: 0,
        };
        (step, &mut self.d_adam, &mut self.g_adam, &self.ema)
    }

    fn latents(&mut self, stream: &str, n: usize) -> Result<Tensor> {
        self.tick += 1;
        let length = self.config.model.latent;
        let z = self.streams.normal(stream, self.tick, n * length);
        Ok(Tensor::from_vec(z, (n, length), &self.device)?)
    }
}
