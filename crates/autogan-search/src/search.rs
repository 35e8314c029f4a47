//! [`Search`] is the state of a search.
//!
//! A search is a state machine: [`advance`](crate::Job::advance) does one unit of work (a D step, a controller step, a
//! ranked child) and moves the position on (`walk.rs`). What a unit draws at random follows from seed and position
//! alone, so a search that is saved between two units and continued later ends in the same bits.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogan_config::Configuration;
use autogan_data::Images;
use autogan_nn::BatchNormStats;
use autogan_rl::{Beam, Candidate, Controller, PolicyTrainer, Reward};
use autogan_space::{Arch, Budget};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::child::{ChildScorer, Latents};
use crate::config::{ConfigError, RewardWeights, SearchConfig};
use crate::derivation::Derivation;
use crate::error::{Result, SearchError};
use crate::images::StageImages;
use crate::inputs::Inputs;
use crate::losses::ComingLosses;
use crate::networks::Networks;
use crate::parts::{new_controller, stage_images};
use crate::position::{Phase, Position};
use crate::score::ImageScore;
use crate::streams::Streams;
use crate::window::LossWindows;

/// A search in progress.
pub struct Search {
    pub(crate) config: SearchConfig,
    pub(crate) budget: Budget,
    pub(crate) streams: Streams,
    pub(crate) device: Device,
    pub(crate) images: Arc<Images>,
    pub(crate) stage_images: StageImages,
    pub(crate) score: Box<dyn ImageScore>,
    pub(crate) networks: Networks,
    pub(crate) controller: Controller,
    pub(crate) policy: PolicyTrainer,
    pub(crate) beam: Option<Beam>,
    pub(crate) windows: LossWindows,
    /// The losses of the last step of shared training, while it goes on.
    pub(crate) losses: Option<ComingLosses>,
    pub(crate) position: Position,
    /// Statistics of fixed cells for the present weights.
    prefixes: BTreeMap<String, BatchNormStats>,
    /// The best child of this iteration's controller steps, for the sample grid.
    pub(crate) favourite: Option<(Arch, f64)>,
    /// The children of this iteration with their rewards, in the order in which they were drawn.
    pub(crate) children: Vec<(Arch, f64)>,
    /// The rewards of this stage's children of earlier iterations, to choose candidates from; standardised where that is
    /// configured.
    pub(crate) seen: Vec<(Arch, f64)>,
    /// Every reward of this stage's children of earlier iterations, as in `seen`, but a child that came again is there
    /// again. Only a model reads it; empty without one.
    pub(crate) rewards: Vec<(Arch, f64)>,
    /// A ranking that has begun.
    pub(crate) ranking: Option<Ranking>,
    /// The final derivation, once it has begun.
    pub(crate) derivation: Option<Derivation>,
}

/// Architectures that are being scored one after the other, on common latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranking {
    /// The candidates as they were drawn; the rewards of the first `scored` are known.
    pub candidates: Vec<Candidate>,
    pub scored: usize,
    /// The tick at which they were drawn, which says which latents they are scored on.
    pub tick: u64,
}

impl Search {
    /// A search with its initial weights, and the images and the controller of `stage`.
    pub(crate) fn at_stage(stage: usize, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        let config = config.checked()?;
        if !config.strategy.is_supernet() {
            let expected = "supernet (`StrategySearch` carries out the other strategies)";
            return Err(ConfigError::value("strategy.name", expected, &config.strategy.name).into());
        }
        let budget = config.allowed()?;
        let streams = Streams::new(config.seed);
        let Inputs { images, score, device } = inputs;
        config.check_images(images.len())?;
        let networks = Networks::new(&config.model, &config.train, None, streams, &device)?;
        let (controller, policy) = new_controller(&config, stage, streams, &device)?;
        let stage_images = stage_images(&config, &images, stage)?;
        let mut search = Self {
            networks,
            streams,
            device,
            images,
            stage_images,
            score,
            controller,
            policy,
            beam: None,
            windows: LossWindows::default(),
            losses: None,
            position: Position { stage, ..Position::default() },
            prefixes: BTreeMap::new(),
            favourite: None,
            children: Vec::new(),
            seen: Vec::new(),
            rewards: Vec::new(),
            ranking: None,
            derivation: None,
            budget,
            config,
        };
        search.begin_scoring()?;
        Ok(search)
    }

    /// The number of training images.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// The position of the search.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Moves on to the first step of a phase.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.position.phase = phase;
        self.position.step = 0;
    }

    /// Fits a restored position to the number of iterations, which may have changed: a search that was over goes on
    /// where there are more. It fails when the new end lies behind.
    pub(crate) fn fit_iterations(&mut self) -> Result<()> {
        let over = matches!(self.position.phase, Phase::Derive | Phase::Done);
        let (done, wanted) = (self.position.iteration, self.config.search.iterations);
        if over && done < wanted {
            self.reset_if_due()?;
            self.derive_anew(Phase::Begin);
        } else if done > wanted || (done == wanted && !over) {
            let expected = format!("more than {done}, for so many are done");
            return Err(ConfigError::value("search.iterations", expected, wanted).into());
        }
        Ok(())
    }

    /// Forgets what was derived so far, and goes on with `phase`.
    pub(crate) fn derive_anew(&mut self, phase: Phase) {
        (self.ranking, self.derivation) = (None, None);
        self.enter(phase);
    }

    /// Re-initialises shared weights, their average and their optimizers, when a reset is due.
    pub(crate) fn reset_if_due(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.position.reset_due) {
            return Ok(());
        }
        self.position.resets += 1;
        self.networks.reset(self.streams, self.position.resets)?;
        self.windows.clear();
        self.weights_changed();
        Ok(())
    }

    /// First iteration of a stage, and the first one after it.
    pub(crate) fn stage_iterations(&self, stage: usize) -> (usize, usize) {
        let plan = &self.config.search;
        let begins = [0, plan.grow_at[0], plan.grow_at[1], plan.iterations];
        (begins[stage], begins[stage + 1])
    }

    /// D steps in an iteration's shared training.
    pub(crate) fn shared_steps(&self) -> u64 {
        self.config.search.shared_epochs as u64 * self.stage_images.batches()
    }

    /// Takes the state of another stage: its images with the reference that they give, and a fresh controller.
    pub(crate) fn set_stage(&mut self, stage: usize) -> Result<()> {
        self.position.stage = stage;
        self.stage_images = stage_images(&self.config, &self.images, stage)?;
        (self.controller, self.policy) =
            new_controller(&self.config, stage, self.streams, &self.device)?;
        self.begin_scoring()
    }

    /// Forgets what was computed from the weights, which have changed.
    pub(crate) fn weights_changed(&mut self) {
        self.prefixes.clear();
    }

    /// A scorer of children on the weights that the configuration names.
    pub(crate) fn scorer<'a>(&'a mut self, latents: Latents<'a>, images: usize) -> ChildScorer<'a> {
        ChildScorer {
            generator: match self.config.reward.weights {
                RewardWeights::Ema => self.networks.ema.generator(),
                RewardWeights::Live => &self.networks.generator,
            },
            config: &self.config.reward,
            score: &*self.score,
            streams: self.streams,
            device: &self.device,
            prefixes: &mut self.prefixes,
            latents,
            images,
        }
    }

    /// The score of an architecture's images on these latents; not finite where its networks have diverged.
    pub(crate) fn score_on(
        &mut self,
        latents: Latents<'_>,
        images: usize,
        arch: &Arch,
    ) -> Result<f64> {
        Ok(self.scorer(latents, images).reward(arch)?.value)
    }

    /// The score of `n` real images at the stage's side, which are compared with none of themselves.
    pub(crate) fn score_of_real(&self, n: usize) -> Result<f64> {
        let (images, seed) = (&self.stage_images, self.config.seed);
        let held = images.sample_u8(n, seed)?;
        let score = self.score.score_real(&held, &|| images.others_u8(n, seed))?;
        if score.value.is_finite() {
            return Ok(score.value);
        }
        let what =
            format!("the score of {n} real images is {}, expected a finite number", score.value);
        Err(SearchError::Score(what.into()))
    }

    /// Shows the score the images of the present stage.
    fn begin_scoring(&mut self) -> Result<()> {
        let (images, seed) = (&self.stage_images, self.config.seed);
        self.score.begin_stage(&|| images.sample_u8(images.len(), seed))
    }
}
