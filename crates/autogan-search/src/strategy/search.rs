//! [`StrategySearch`] is the state of a search by trainings from scratch.

use std::collections::BTreeMap;
use std::sync::Arc;

use autogan_metrics::FeatureExtractor;
use autogan_rl::RewardValue;
use autogan_run::{ArchFile, Checkpoint, FoundArch, Protocol, Score, TrialKind};
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{Belief, Observation, Point, Problem, Strategy};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::paused::Paused;
use super::problem::{Measure, measure};
use super::slot::Slot;
use super::warm::Warm;
use crate::config::{RewardConfig, RewardMetric, SearchConfig, TrainingConfig};
use crate::derivation::{Ranked, found_archs, median};
use crate::event::SampleGrid;
use crate::inputs::TrainingInputs;
use crate::position::ImageCount;
use crate::score::{metric_name, minus_log};
use crate::scratch::{KnownReals, Reals};
use crate::streams::Streams;

/// The part of such a search that is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyPhase {
    /// The supernet is trained, where there is one; then the strategy asks for trainings.
    #[default]
    Explore,
    /// The winner and what it is to be read against are trained with seeds of their own.
    Derive,
    /// Nothing is left to do.
    Done,
}

/// The position of such a search; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyPosition {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The phase that is next.
    pub phase: StrategyPhase,
    /// Trainings that were begun or taken up again in this phase.
    pub begun: u64,
    /// Trainings of this phase that have ended.
    pub ended: u64,
    /// What the strategy's trainings cost, and scores on shared weights, in G iterations; trainings that go on included, but
    /// not the training of the supernet.
    pub spent: f64,
    /// D steps of all trainings that have ended.
    pub d_steps: u64,
    /// Images so far.
    pub images: ImageCount,
}

/// A training that has ended, or a score on shared weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// Its purpose.
    pub kind: TrialKind,
    /// Its number among those of its kind, from 0.
    pub step: u64,
    /// The architecture.
    pub arch: Arch,
    /// Which training of its architecture it is among those that the strategy asked for, from 0.
    pub repeat: usize,
    /// G iterations at which it ended; of a score on shared weights those of the supernet.
    pub length: u64,
    /// −ln of the Fréchet distance to the training images; `None` when the networks diverged.
    pub value: Option<f64>,
    /// The formula of the Inception Score.
    pub is: Option<f64>,
    /// Seconds that the training took, from the length before, its score included.
    pub seconds: f64,
}

/// Something that happened in a search by trainings from scratch.
#[derive(Clone, Debug)]
pub enum StrategyEvent {
    /// The search begins: what real images score, −ln of the distance of one part of them to the others.
    Real {
        /// The score.
        value: f64,
    },
    /// Trainings went on.
    Advanced {
        /// What is spent of the budget: the supernet, trainings that have ended, and what is done of the others.
        spent: f64,
        /// The architectures that are trained.
        archs: Vec<Arch>,
    },
    /// A training has ended.
    Evaluated(Evaluated),
    /// What the strategy would return now has changed.
    Leads {
        /// The architecture.
        arch: Arch,
        /// Its expected value.
        belief: Belief,
    },
    /// Sample images of the winner.
    Samples(SampleGrid),
    /// The images that the search took so far, at its end.
    Images {
        /// The counts, by purpose.
        so_far: ImageCount,
    },
    /// The search is over.
    Found(Box<ArchFile>),
}

/// A search by trainings from scratch, in progress.
pub struct StrategySearch {
    pub(super) config: SearchConfig,
    pub(super) training: TrainingConfig,
    pub(super) inputs: TrainingInputs,
    pub(super) reals: Arc<Reals>,
    pub(super) problem: Problem,
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) streams: Streams,
    pub(super) position: StrategyPosition,
    pub(super) state: State,
    /// The trainings that go on; none where there is room for another.
    pub(super) slots: Vec<Option<Slot>>,
    pub(super) pools: Vec<rayon::ThreadPool>,
    pub(super) paused: Paused,
    /// The supernet, as long as the strategy may ask for its scores.
    pub(super) warm: Option<Warm>,
    /// The averaged generator of the winner, once it is trained anew.
    pub(super) winner: Option<Checkpoint>,
}

/// What a search has learnt so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// What the strategy was told, in this order.
    pub observations: Vec<Observation>,
    /// Whether the strategy has nothing left to ask that can be paid.
    pub exhausted: bool,
    /// What the strategy would return.
    pub lead: Option<Belief>,
    /// The value of the winner with an untrained generator.
    pub untrained: Option<f64>,
    /// The value of the winner with a seed of its own; that of the untrained generator where the networks diverged.
    pub winner: Option<f64>,
    /// The values of random architectures, likewise, by their numbers.
    pub random: BTreeMap<u64, f64>,
}

impl StrategySearch {
    /// The position of the search.
    pub fn position(&self) -> StrategyPosition {
        self.position
    }

    /// The number of trainings that the strategy was told of.
    pub fn trainings(&self) -> u64 {
        self.trained().count() as u64
    }

    /// The number of scores on shared weights that the strategy was told of.
    pub fn shared_scores(&self) -> u64 {
        self.state.observations.len() as u64 - self.trainings()
    }

    /// What is spent of the budget.
    pub fn spent(&self) -> f64 {
        let supernet = match &self.warm {
            Some(warm) => warm.done(),
            None => self.config.strategy.supernet_iterations,
        };
        supernet as f64 + self.position.spent
    }

    /// The observations of trainings.
    pub(super) fn trained(&self) -> impl Iterator<Item = &Observation> {
        let is_training = |fidelity| measure(&self.config, fidelity) != Some(Measure::Shared);
        self.state.observations.iter().filter(move |one| is_training(one.query.fidelity))
    }

    /// What the strategy would return now.
    pub fn lead(&self) -> Option<(Arch, Belief)> {
        let lead = self.state.lead.clone()?;
        Some((self.problem.space.arch(&lead.point)?, lead))
    }

    /// What real images score.
    pub fn real(&self) -> f64 {
        minus_log(self.reals.score.frechet.unwrap_or(f64::NAN))
    }

    /// The result, once the search is over.
    pub fn found(&self) -> Option<ArchFile> {
        let (config, state) = (&self.config, &self.state);
        let median_random = median(state.random.values().copied().collect())?;
        let (untrained, best) = (state.untrained?, state.winner?);
        let reward = &config.reward;
        let length = config.strategy.lengths[2];
        let metric = RewardConfig { metric: RewardMetric::LogFrechet, ..reward.clone() };
        let name = format!("{}_{}_{}", metric_name(&metric), reward.scorer, reward.images);
        (self.position.phase == StrategyPhase::Done).then(|| ArchFile {
            dataset: config.data.dataset.clone(),
            scorer: reward.scorer.clone(),
            preset: config.preset.clone(),
            seed: config.seed,
            stage: MAX_CELLS as u32 - 1,
            protocol: Protocol {
                reward: format!("{name}_expected_after_{length}"),
                score: format!("{name}_after_{length}"),
            },
            score: Some(Score { real: self.real(), untrained, best, median_random }),
            top: self.top(),
        })
    }

    /// The winner, and behind it the best others by the mean of what was seen of them at their greatest length. What
    /// diverged there is left out.
    fn top(&self) -> Vec<FoundArch> {
        let Some(lead) = &self.state.lead else { return Vec::new() };
        let mut seen: BTreeMap<&Point, (usize, Vec<Option<f64>>)> = BTreeMap::new();
        for Observation { query, value, .. } in self.trained() {
            let (fidelity, values) = seen.entry(&query.point).or_default();
            if query.fidelity > *fidelity {
                (*fidelity, *values) = (query.fidelity, Vec::new());
            }
            if query.fidelity == *fidelity {
                values.push(*value);
            }
        }
        seen.remove(&lead.point);
        let mut others: Vec<(usize, f64, &Point)> = seen
            .into_iter()
            .filter_map(|(point, (fidelity, values))| {
                let n = values.len() as f64;
                let values: Option<Vec<f64>> = values.into_iter().collect();
                Some((fidelity, values?.iter().sum::<f64>() / n, point))
            })
            .collect();
        others.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let others = others.into_iter().map(|(_, mean, point)| (point, mean, 0.0));
        let first = (&lead.point, lead.mean, lead.sd.unwrap_or(0.0));
        let all = std::iter::once(first).chain(others).take(self.config.derive.top_k);
        let all = all.filter_map(|(point, value, spread)| {
            let arch = self.problem.space.arch(point)?;
            Some(Ranked { arch, score: RewardValue { value, spread }, expected: None })
        });
        found_archs(all, &self.config.model.shape())
    }

    /// What a training needs from outside.
    pub(super) fn inputs(&self) -> TrainingInputs {
        TrainingInputs {
            images: Arc::clone(&self.inputs.images),
            extractor: Arc::<dyn FeatureExtractor>::clone(&self.inputs.extractor),
            known: KnownReals::default(),
            device: self.inputs.device.clone(),
        }
    }

    pub(super) fn device(&self) -> &Device {
        &self.inputs.device
    }
}
