//! These functions say to a strategy what a configuration lets it search.

use autogan_config::Configuration;
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{Fidelity, Problem, Space, Strategy, StrategyKind};

use crate::config::{
    ConfigError, ScheduleConfig, ScoreConfig, SearchConfig, TrainingConfig, TrainingPrecision,
};
use crate::error::Result;

/// The architectures of three cells that `config` allows, and the lengths of its trainings; before these the score on shared
/// weights, where there is a supernet. The training of the supernet is taken off the budget.
pub(super) fn problem(config: &SearchConfig) -> Result<Problem> {
    let c = &config.strategy;
    let space = Space::allowed(MAX_CELLS, &config.allowed()?)?;
    let fidelity = |(at, &length): (usize, &u64)| Fidelity {
        name: format!("{length} iterations"),
        // A training that comes to this length step by step is scored at each.
        cost: length as f64 + (at + 1) as f64 * score_cost(config),
        continues: true,
    };
    let shared = (c.supernet_iterations > 0).then(|| Fidelity {
        name: "shared weights".into(),
        cost: score_cost(config),
        continues: false,
    });
    let lengths = c.lengths.iter().enumerate().map(fidelity);
    let fidelities = shared.into_iter().chain(lengths).collect();
    Ok(Problem { space, fidelities, budget: c.budget - c.supernet_iterations as f64 })
}

/// What is asked for at a fidelity of [`problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// A score on shared weights.
    Shared,
    /// A training of so many G iterations.
    Training(u64),
}

/// What is asked for at a fidelity; `None` where there is no such fidelity.
pub(super) fn measure(config: &SearchConfig, fidelity: usize) -> Option<Measure> {
    let c = &config.strategy;
    match fidelity.checked_sub(usize::from(c.supernet_iterations > 0)) {
        None => Some(Measure::Shared),
        Some(at) => c.lengths.get(at).copied().map(Measure::Training),
    }
}

/// What a score costs, in G iterations.
pub fn score_cost(config: &SearchConfig) -> f64 {
    config.reward.images as f64 * config.strategy.image_cost
}

/// The strategy that `config` names, whose draws follow from `seed`.
pub(super) fn new_strategy(
    config: &SearchConfig,
    problem: &Problem,
    seed: u64,
) -> Result<Box<dyn Strategy>> {
    let kind = strategy_kind(config)?;
    Ok(kind.build(problem.clone(), seed)?)
}

/// The strategy that `config` names, as it was saved.
pub(super) fn saved_strategy(
    config: &SearchConfig,
    problem: &Problem,
    state: serde_json::Value,
) -> Result<Box<dyn Strategy>> {
    let kind = strategy_kind(config)?;
    Ok(kind.restore(problem.clone(), state)?)
}

/// The strategy that a configuration names.
///
/// # Errors
/// When there is none of this name, or it is the paper's search.
pub fn strategy_kind(config: &SearchConfig) -> Result<StrategyKind> {
    let name = config.strategy.name.as_str();
    let all = || StrategyKind::ALL.iter().chain(autogan_rl::STRATEGIES);
    all().copied().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|kind| kind.name).collect();
        let expected = format!("one of {} (`Search` carries out supernet)", names.join(", "));
        ConfigError::value("strategy.name", expected, name).into()
    })
}

/// The configuration of a training of such a search, but for its architecture, seed and length.
pub(super) fn training_config(config: &SearchConfig) -> Result<TrainingConfig> {
    let reward = &config.reward;
    let training = TrainingConfig {
        preset: config.preset.clone(),
        seed: config.seed,
        arch: Arch::HAND_MADE,
        precision: TrainingPrecision::F32,
        data: config.data.clone(),
        model: config.model.clone(),
        train: config.train.clone(),
        schedule: ScheduleConfig {
            g_iterations: config.strategy.lengths[0],
            score_every: 0,
            samples_every: 0,
        },
        score: ScoreConfig {
            scorer: reward.scorer.clone(),
            images: reward.images,
            splits: reward.splits,
            batch: reward.batch,
            fid: true,
        },
    };
    Ok(training.checked()?)
}
