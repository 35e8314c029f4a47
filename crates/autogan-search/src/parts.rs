//! The parts of a search or a training, made from its configuration.

use autogan_data::Images;
use autogan_nn::{Discriminator, DiscriminatorConfig, GeneratorConfig, Rules};
use autogan_ops::AdamConfig;
use autogan_rl::{Controller, ControllerConfig, PolicyTrainer, ReinforceConfig};
use candle_core::{DType, Device};

use crate::config::{ModelConfig, SearchConfig, TrainConfig};
use crate::error::Result;
use crate::images::StageImages;
use crate::streams::Streams;

/// The generator's sizes and rules.
pub(crate) fn generator_config(config: &SearchConfig) -> GeneratorConfig {
    generator_sizes(&config.model)
}

/// The generator's sizes and rules.
pub(crate) fn generator_sizes(model: &ModelConfig) -> GeneratorConfig {
    GeneratorConfig {
        latent: model.latent,
        width: model.gf,
        bottom: model.bottom,
        rules: Rules { skip_tap: model.skip_tap, pre_order: model.pre_order },
    }
}

/// The discriminator with its initial values.
pub(crate) fn new_discriminator(
    model: &ModelConfig,
    rng: &mut impl rand::Rng,
    device: &Device,
) -> Result<Discriminator> {
    let sizes = DiscriminatorConfig { width: model.df, init: model.discriminator_init };
    Ok(Discriminator::new(&sizes, rng, DType::F32, device)?)
}

/// Adam with this step size, for either network.
pub(crate) fn adam(train: &TrainConfig, lr: f64) -> AdamConfig {
    AdamConfig { lr, beta1: train.beta1, beta2: train.beta2, eps: 1e-8 }
}

/// The training images of a stage.
pub(crate) fn stage_images(
    config: &SearchConfig,
    images: &Images,
    stage: usize,
) -> Result<StageImages> {
    let side = config.model.bottom << (stage + 1);
    StageImages::new(images, side, config.train.d_batch, config.seed)
}

/// The controller of a stage with what trains it.
pub(crate) fn new_controller(
    config: &SearchConfig,
    stage: usize,
    streams: Streams,
    device: &Device,
) -> Result<(Controller, PolicyTrainer)> {
    let c = &config.controller;
    let tokens = config.actions(stage).tokens()?;
    let sizes = ControllerConfig { hidden: c.hidden, first_input: c.first_input };
    let rng = &mut streams.rng("init.controller", stage as u64);
    let controller = Controller::new(&tokens, &sizes, DType::F32, device, rng)?;
    let reinforce = ReinforceConfig {
        loss: c.loss,
        entropy_weight: c.entropy_weight,
        baseline_decay: c.baseline_decay,
        baseline_order: c.baseline_order,
        restart_baseline: c.restart_baseline,
    };
    let adam = AdamConfig { lr: c.lr, beta1: c.beta1, beta2: c.beta2, eps: 1e-8 };
    Ok((controller, PolicyTrainer::new(&reinforce, adam)?))
}
