//! [`Warm`] is a supernet of three cells. Its scores on shared weights are one more fidelity that a strategy may ask for.
//!
//! The supernet is trained as that of a search at one level, on all architectures evenly, and no controller learns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use autogan_config::Configuration;
use autogan_metrics::FeatureExtractor;
use autogan_run::{Checkpoint, TrialKind};
use autogan_space::Arch;
use autogan_strategies::{Observation, Query};

use super::problem::score_cost;
use super::search::{Evaluated, StrategyEvent, StrategySearch};
use super::slot::ITERATIONS;

use crate::child::Latents;
use crate::config::{
    Levels, Policy, RewardConfig, RewardMetric, SearchConfig, SharedSampling, StrategyConfig,
};
use crate::error::{Result, SearchError};
use crate::event::{Reporter, Silent};
use crate::inputs::{Inputs, TrainingInputs};
use crate::job::Job;
use crate::position::Position;
use crate::score::ExtractorScore;
use crate::search::Search;

/// The latents that all architectures are scored on.
const LATENTS: Latents<'static> = Latents { name: "latents.warm", index: 0 };

/// A supernet that is trained before a strategy begins.
pub(super) struct Warm {
    search: Search,
    /// G iterations until it is ready.
    iterations: u64,
}

impl Warm {
    /// The supernet that `config` asks for, if it does, with its initial weights.
    pub fn new(config: &SearchConfig, inputs: &TrainingInputs) -> Result<Option<Self>> {
        Self::made(config, |own| Search::new(own, inputs_of(config, inputs)))
    }

    /// The supernet that [`Warm::save`] gave.
    pub fn restore(
        checkpoint: &Checkpoint,
        config: &SearchConfig,
        inputs: &TrainingInputs,
    ) -> Result<Option<Self>> {
        Self::made(config, |own| Search::restore(checkpoint, own, inputs_of(config, inputs)))
    }

    fn made(
        config: &SearchConfig,
        search: impl FnOnce(SearchConfig) -> Result<Search>,
    ) -> Result<Option<Self>> {
        let iterations = config.strategy.supernet_iterations;
        if iterations == 0 {
            return Ok(None);
        }
        Ok(Some(Self { search: search(supernet_config(config)?)?, iterations }))
    }

    /// Everything that it needs to go on.
    pub fn save(&self) -> Result<Checkpoint> {
        self.search.save()
    }

    /// The position of its training.
    pub fn position(&self) -> Position {
        self.search.position()
    }

    /// G iterations that are done.
    pub fn done(&self) -> u64 {
        self.position().stage_g_steps
    }

    /// Whether it is ready to score.
    pub fn is_ready(&self) -> bool {
        self.done() >= self.iterations
    }

    /// Trains for at most so many G iterations.
    pub fn train(&mut self, iterations: u64) -> Result<()> {
        let until = (self.done() + iterations).min(self.iterations);
        while self.done() < until {
            if !self.search.advance(&mut Silent)? {
                return Err(SearchError::Checkpoint("its supernet is trained no further".into()));
            }
        }
        Ok(())
    }

    /// −ln of the Fréchet distance of an architecture's images to the training images, and the time that it took; `None`
    /// where the images have no finite score.
    pub fn score(&mut self, arch: &Arch) -> Result<(Option<f64>, Duration)> {
        let begun = Instant::now();
        let images = self.search.config().reward.images;
        let value = self.search.score_on(LATENTS, images, arch)?;
        Ok((Some(value).filter(|value| value.is_finite()), begun.elapsed()))
    }
}

impl StrategySearch {
    /// One unit of the supernet's training.
    pub(super) fn warm_up(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<()> {
        let Some(warm) = &mut self.warm else { return Ok(()) };
        let before = warm.position();
        warm.train(ITERATIONS)?;
        let now = warm.position();
        let counted = &mut self.position;
        counted.d_steps += now.d_steps - before.d_steps;
        counted.images.real += now.images.real - before.images.real;
        counted.images.fake += now.images.fake - before.images.fake;
        reporter.event(&StrategyEvent::Advanced { spent: self.spent(), archs: Vec::new() });
        Ok(())
    }

    /// Scores an architecture on shared weights, and tells the strategy.
    pub(super) fn score_shared(
        &mut self,
        query: Query,
        arch: &Arch,
        reporter: &mut dyn Reporter<StrategyEvent>,
    ) -> Result<()> {
        let missing = || SearchError::Checkpoint("it has no supernet to score with".into());
        let warm = self.warm.as_mut().ok_or_else(missing)?;
        let (value, time) = warm.score(arch)?;
        let length = warm.done();
        self.position.images.scored += self.config.reward.images as u64;
        reporter.event(&StrategyEvent::Evaluated(Evaluated {
            kind: TrialKind::Shared,
            step: self.shared_scores(),
            arch: arch.clone(),
            repeat: query.repeat,
            length,
            value,
            is: None,
            seconds: time.as_secs_f64(),
        }));
        self.tell(Observation { query, value, cost: score_cost(&self.config) }, reporter)
    }
}

/// The configuration of a search that trains this supernet and nothing else.
fn supernet_config(config: &SearchConfig) -> Result<SearchConfig> {
    let mut own = config.clone();
    StrategyConfig::SUPERNET.clone_into(&mut own.strategy.name);
    (own.search.levels, own.search.grow_at) = (Levels::Single, [0, 0]);
    own.search.shared_sampling = match config.allowed()?.is_limited() {
        true => SharedSampling::Uniform,
        false => SharedSampling::Fair,
    };
    // An iteration has one D step or more, so that the last one is never reached.
    let iterations = usize::try_from(config.strategy.supernet_iterations).unwrap_or(usize::MAX);
    own.search.iterations = iterations.saturating_mul(config.train.n_critic).saturating_add(1);
    own.reset.enabled = false;
    (own.controller.policy, own.controller.steps) = (Policy::Uniform, 0);
    own.reward.metric = RewardMetric::LogFrechet;
    Ok(own.checked()?)
}

fn inputs_of(config: &SearchConfig, inputs: &TrainingInputs) -> Inputs {
    let extractor = Arc::<dyn FeatureExtractor>::clone(&inputs.extractor);
    let reward = RewardConfig { metric: RewardMetric::LogFrechet, ..config.reward.clone() };
    Inputs {
        images: Arc::clone(&inputs.images),
        score: Box::new(ExtractorScore::new(extractor, &reward)),
        device: inputs.device.clone(),
    }
}
