//! These functions make the parts of a search or a training from its configuration.

use autogan_data::Images;
use autogan_nn::{GeneratorConfig, Rules};
use autogan_ops::{Adam, AdamConfig};
use autogan_rl::{ActionSpace, Controller, PolicyTrainer};
use candle_core::{DType, Device};

use crate::config::{AdamRule, Levels, ModelConfig, SearchConfig, TrainConfig};
use crate::error::Result;
use crate::images::StageImages;
use crate::streams::Streams;

/// The generator's sizes and rules.
pub(crate) fn generator_sizes(model: &ModelConfig) -> GeneratorConfig {
    GeneratorConfig {
        latent: model.latent,
        width: model.gf,
        bottom: model.bottom,
        rules: Rules { skip_tap: model.skip_tap, pre_order: model.pre_order },
    }
}

/// Adam with this step size, for either network.
pub(crate) fn adam(train: &TrainConfig, lr: f64) -> Adam {
    let TrainConfig { beta1, beta2, .. } = *train;
    let adam = Adam::new(AdamConfig { lr, beta1, beta2, eps: 1e-8 });
    match train.adam {
        AdamRule::SkipIdle => adam,
        AdamRule::Torch11 => adam.as_in_torch_1_1(),
    }
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

/// The decisions of the controller of a stage.
pub fn action_space(config: &SearchConfig, stage: usize) -> ActionSpace {
    let order = config.controller.tokens;
    match config.search.levels {
        Levels::Multi => ActionSpace::Stage { stage, order },
        Levels::Single => ActionSpace::Joint { stage, order },
    }
}

/// The controller of a stage with what trains it.
pub(crate) fn new_controller(
    config: &SearchConfig,
    stage: usize,
    streams: Streams,
    device: &Device,
) -> Result<(Controller, PolicyTrainer)> {
    let c = &config.controller;
    let tokens = action_space(config, stage).tokens()?;
    let rng = &mut streams.rng("init.controller", stage as u64);
    let controller = Controller::new(&tokens, &c.into(), DType::F32, device, rng)?;
    Ok((controller, PolicyTrainer::new(c, PolicyTrainer::adam(c))?))
}
