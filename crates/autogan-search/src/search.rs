//! The state of a search and its walk through stages and iterations (sections 3.2 and 3.3).
//!
//! A search is a state machine: [`Search::advance`] does one unit of work (a D step, a controller step, a ranked child)
//! and moves the position on. What a unit draws at random follows from seed and position alone, so a search that is
//! saved between two units and continued later ends in the same bits.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogan_config::Configuration;
use autogan_data::Images;
use autogan_metrics::{FeatureExtractor, GaussianStats};
use autogan_nn::BatchNormStats;
use autogan_rl::{Beam, Controller, PolicyTrainer};
use autogan_run::TrialKind;
use autogan_space::{Arch, Budget};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::child::{ChildScorer, Latents, reference_statistics, score_real};
use crate::config::{ConfigError, RankOrder, RewardMetric, RewardWeights, SearchConfig};
use crate::derive::Derivation;
use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::images::StageImages;
use crate::losses::Unheard;
use crate::networks::Networks;
use crate::parts::{new_controller, stage_images};
use crate::rank::Ranking;
use crate::streams::Streams;
use crate::window::LossWindows;

/// What a search is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to begin an iteration, and with it perhaps a stage.
    Begin,
    /// Shared training.
    Shared,
    /// Controller training.
    Controller,
    /// The end of an iteration: samples, and a ranking where a stage ends.
    End,
    /// The final derivation.
    Derive,
    /// Nothing is left to do.
    Done,
}

/// Where a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The stage, from 0.
    pub stage: usize,
    /// The iteration, from 0.
    pub iteration: usize,
    /// What is next.
    pub phase: Phase,
    /// Units of this phase that are done.
    pub step: u64,
    /// D steps over the whole search.
    pub d_steps: u64,
    /// D steps of this stage, which say where its epochs are.
    pub stage_steps: u64,
    /// A reset is due at the end of this iteration.
    pub reset_due: bool,
    /// Resets so far, each of which draws other initial weights.
    pub resets: u64,
    /// Images so far.
    pub images: ImageCount,
}

/// Images that a search took, by what for: what searches are compared by under an equal budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCount {
    /// Real images that shared training saw.
    pub real: u64,
    /// Images that were generated for shared training, in D steps and in G steps.
    pub fake: u64,
    /// Images that were generated and scored, of children, candidates and results; without those from which batch-norm
    /// statistics were recalibrated.
    pub scored: u64,
}

/// A search in progress.
pub struct Search {
    pub(crate) config: SearchConfig,
    pub(crate) budget: Budget,
    pub(crate) streams: Streams,
    pub(crate) device: Device,
    pub(crate) images: Arc<Images>,
    pub(crate) stage_images: StageImages,
    pub(crate) extractor: Arc<dyn FeatureExtractor>,
    reference: Option<GaussianStats>,
    pub(crate) networks: Networks,
    pub(crate) controller: Controller,
    pub(crate) policy: PolicyTrainer,
    pub(crate) beam: Option<Beam>,
    pub(crate) windows: LossWindows,
    /// The losses of the last step of shared training, while it goes on.
    pub(crate) unheard: Option<Unheard>,
    pub(crate) position: Position,
    /// Statistics of fixed cells for the present weights.
    prefixes: BTreeMap<String, BatchNormStats>,
    /// The best child of this iteration's controller steps, for the sample grid.
    pub(crate) favourite: Option<(Arch, f64)>,
    /// What this stage's children were worth, to choose candidates from.
    pub(crate) seen: Vec<(Arch, f64)>,
    /// A ranking that has begun.
    pub(crate) ranking: Option<Ranking>,
    /// The final derivation, once it has begun.
    pub(crate) derivation: Option<Derivation>,
}

/// What a search needs from outside.
pub struct Inputs {
    /// Training images in any side.
    pub images: Arc<Images>,
    /// What scores the children.
    pub extractor: Arc<dyn FeatureExtractor>,
    /// Where tensors live.
    pub device: Device,
}

impl Search {
    /// A search before its first unit of work.
    ///
    /// # Errors
    /// When the configuration is impossible or the images cannot be used.
    pub fn new(config: SearchConfig, inputs: Inputs) -> Result<Self> {
        Self::at_stage(config.first_stage(), config, inputs)
    }

    /// A search with its initial weights, and the images and the controller of `stage`.
    pub(crate) fn at_stage(stage: usize, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        let config = config.checked()?;
        let budget = config.allowed()?;
        let streams = Streams::new(config.seed);
        let Inputs { images, extractor, device } = inputs;
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
            extractor,
            reference: None,
            controller,
            policy,
            beam: None,
            windows: LossWindows::default(),
            unheard: None,
            position: Position {
                tick: 0,
                stage,
                iteration: 0,
                phase: Phase::Begin,
                step: 0,
                d_steps: 0,
                stage_steps: 0,
                reset_due: false,
                resets: 0,
                images: ImageCount::default(),
            },
            prefixes: BTreeMap::new(),
            favourite: None,
            seen: Vec::new(),
            ranking: None,
            derivation: None,
            budget,
            config,
        };
        search.set_reference()?;
        Ok(search)
    }

    /// The configuration.
    pub fn config(&self) -> &SearchConfig {
        &self.config
    }

    /// Where the search is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Does one unit of work. Returns false when nothing is left to do.
    ///
    /// # Errors
    /// When the networks diverge or an operator fails; the state is then that of the middle of a unit and must not
    /// be saved.
    pub fn advance(&mut self, reporter: &mut dyn Reporter) -> Result<bool> {
        match self.position.phase {
            Phase::Begin => self.begin_iteration(reporter)?,
            Phase::Shared => self.shared_step(reporter)?,
            Phase::Controller => self.controller_step(reporter)?,
            Phase::End => self.end_iteration(reporter)?,
            Phase::Derive => self.derive(reporter)?,
            Phase::Done => return Ok(false),
        }
        self.position.tick += 1;
        Ok(true)
    }

    /// Moves on to the first step of a phase.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.position.phase = phase;
        self.position.step = 0;
    }

    fn begin_iteration(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        let (stage, iteration) = (self.position.stage, self.position.iteration);
        let begins = self.stage_iterations(stage);
        if iteration == begins.0 {
            let side = self.networks.generator.side(stage);
            let real = self.score_of_real(self.config.reward.images)?;
            reporter.event(&Event::Stage { stage, side, iterations: begins, real });
        }
        self.policy.reinforce.begin_iteration();
        self.favourite = None;
        let shared_steps = self.shared_steps();
        let controller_steps = self.config.controller.steps as u64;
        reporter.event(&Event::Iteration { iteration, shared_steps, controller_steps });
        self.enter(Phase::Shared);
        Ok(())
    }

    fn end_iteration(&mut self, reporter: &mut dyn Reporter) -> Result<()> {
        if self.position.step == 0 {
            self.report_policy(reporter)?;
            self.report_samples(reporter)?;
            if self.config.reset.rank == RankOrder::AfterReset {
                self.reset_if_due()?;
            }
        }
        let (stage, next) = (self.position.stage, self.position.iteration + 1);
        if self.config.search.grow_at.get(stage) == Some(&next) {
            self.position.step += 1;
            let m = self.config.search.candidates;
            let Some(scored) = self.rank_next(m, TrialKind::Candidate, reporter)? else {
                return Ok(());
            };
            self.grow(scored, reporter)?;
        }
        reporter.event(&Event::Images { so_far: self.position.images });
        let ends = next == self.config.search.iterations;
        // The final derivation also comes before a reset, so that it ranks trained weights.
        if !ends {
            self.reset_if_due()?;
        }
        self.position.iteration = next;
        self.enter(if ends { Phase::Derive } else { Phase::Begin });
        Ok(())
    }

    /// Fits a restored position to the number of iterations, which may have changed: a search that was over goes on
    /// where there are more.
    ///
    /// # Errors
    /// When the new end lies behind.
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
    fn reset_if_due(&mut self) -> Result<()> {
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

    /// Takes the state of another stage: its images and the reference that they give.
    pub(crate) fn set_stage(&mut self, stage: usize) -> Result<()> {
        self.position.stage = stage;
        self.stage_images = stage_images(&self.config, &self.images, stage)?;
        self.set_reference()
    }

    /// Puts a fresh controller in place.
    pub(crate) fn renew_controller(&mut self) -> Result<()> {
        let stage = self.position.stage;
        (self.controller, self.policy) =
            new_controller(&self.config, stage, self.streams, &self.device)?;
        Ok(())
    }

    /// What was computed from the weights no longer holds.
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
            extractor: &*self.extractor,
            streams: self.streams,
            device: &self.device,
            reference: self.reference.as_ref(),
            prefixes: &mut self.prefixes,
            latents,
            images,
        }
    }

    /// The score of `n` real images at the stage's side.
    pub(crate) fn score_of_real(&self, n: usize) -> Result<f64> {
        let images = self.stage_images.sample_u8(n, self.config.seed)?;
        let reference = self.reference.as_ref();
        Ok(score_real(&*self.extractor, &images, &self.config.reward, reference)?.value)
    }

    fn set_reference(&mut self) -> Result<()> {
        self.reference = match self.config.reward.metric {
            RewardMetric::Is => None,
            RewardMetric::InverseFid => {
                let n = self.images.len();
                let images = self.stage_images.sample_u8(n, self.config.seed)?;
                let batch = self.config.reward.batch;
                Some(reference_statistics(&*self.extractor, &images, batch)?)
            }
        };
        Ok(())
    }
}
