//! [`Networks`] holds what a training step changes: both networks, the moving average and the optimizers; it also
//! writes them to a checkpoint and reads them back.

use std::collections::BTreeMap;

use autogan_nn::{Discriminator, DiscriminatorConfig, Ema, Generator, Params};
use autogan_ops::Adam;
use autogan_run::Checkpoint;
use autogan_space::Arch;
use candle_core::{DType, Device};

use crate::config::{ModelConfig, TrainConfig};
use crate::error::Result;
use crate::parts::{adam, generator_sizes};
use crate::streams::Streams;
use crate::tensors::{Steps, StoredTensors, put_adam, put_network};

/// Generator and discriminator, with the moving average and the optimizers.
pub(crate) struct Networks {
    pub generator: Generator,
    pub discriminator: Discriminator,
    pub ema: Ema,
    pub g_adam: Adam,
    pub d_adam: Adam,
}

/// Adam's step counts by optimizer and parameter.
pub(crate) type AdamSteps = BTreeMap<String, Steps>;

impl Networks {
    /// Networks with initial values; the generator is for all architectures, or for `arch` alone.
    pub fn new(
        model: &ModelConfig,
        train: &TrainConfig,
        arch: Option<&Arch>,
        streams: Streams,
        device: &Device,
    ) -> Result<Self> {
        let (sizes, dtype, rng) =
            (generator_sizes(model), DType::F32, &mut streams.rng("init.g", 0));
        let generator = match arch {
            None => Generator::supernet(&sizes, rng, dtype, device)?,
            Some(arch) => Generator::derived(&sizes, arch, rng, dtype, device)?,
        };
        let sizes = DiscriminatorConfig {
            width: model.df,
            init: model.discriminator_init,
            warm_up: model.spectral_warm_up,
        };
        let rng = &mut streams.rng("init.d", 0);
        let discriminator = Discriminator::new(&sizes, rng, dtype, device)?;
        Ok(Self {
            ema: Ema::new(&generator, train.ema_decay, train.ema_buffers)?,
            g_adam: adam(train, train.g_lr),
            d_adam: adam(train, train.d_lr),
            generator,
            discriminator,
        })
    }

    /// Sets the step sizes to the part `left` of the configured ones.
    pub fn set_learning_rates(&mut self, train: &TrainConfig, left: f64) {
        self.d_adam.set_lr(train.d_lr * left);
        self.g_adam.set_lr(train.g_lr * left);
    }

    /// Draws other initial values, those of reset number `count`.
    pub fn reset(&mut self, streams: Streams, count: u64) -> Result<()> {
        self.generator.reset(&mut streams.rng("init.g", count))?;
        self.discriminator.reset(&mut streams.rng("init.d", count))?;
        self.ema.restart(&self.generator)?;
        self.g_adam.set_moments(BTreeMap::new());
        self.d_adam.set_moments(BTreeMap::new());
        Ok(())
    }

    /// Adds all tensors to a checkpoint; returns the step counts, which are no tensors.
    pub fn save(&self, into: &mut Checkpoint) -> Result<AdamSteps> {
        for (prefix, params) in self.params() {
            put_network(into, prefix, params)?;
        }
        let mut steps = AdamSteps::new();
        for (prefix, adam) in [("g_adam", &self.g_adam), ("d_adam", &self.d_adam)] {
            steps.insert(prefix.to_owned(), put_adam(into, prefix, adam)?);
        }
        Ok(steps)
    }

    /// Restores what [`Networks::save`] added and returned.
    pub fn restore(&mut self, stored: &StoredTensors<'_>, steps: &AdamSteps) -> Result<()> {
        for (prefix, params) in self.params() {
            stored.fill(prefix, params)?;
        }
        let (g, d) = (self.generator.params().trainable(), self.discriminator.params().trainable());
        let g = stored.moments("g_adam", g, steps.get("g_adam"))?;
        let d = stored.moments("d_adam", d, steps.get("d_adam"))?;
        self.g_adam.set_moments(g);
        self.d_adam.set_moments(d);
        Ok(())
    }

    /// The networks by the prefix of their tensors' names.
    fn params(&self) -> [(&'static str, &Params); 3] {
        [
            ("g", self.generator.params()),
            ("d", self.discriminator.params()),
            (AVERAGED, self.ema.generator().params()),
        ]
    }
}

/// The prefix of the averaged generator's tensors.
pub(crate) const AVERAGED: &str = "ema";
