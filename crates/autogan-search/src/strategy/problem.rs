//! These functions say to a strategy what a configuration lets it search.

use autogan_config::Configuration;
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{Fidelity, Point, Problem, Space, Strategy, StrategyKind};

use crate::config::{
    ConfigError, ScheduleConfig, ScoreConfig, SearchConfig, TrainingConfig, TrainingPrecision,
};
use crate::error::Result;

/// The architectures of three cells that `config` allows, and the lengths of its trainings.
pub(super) fn problem(config: &SearchConfig) -> Result<Problem> {
    let c = &config.strategy;
    let allowed = config.allowed()?;
    let mut space = Space::of_archs(MAX_CELLS);
    if allowed.is_limited() {
        let stage = MAX_CELLS - 1;
        let archs = Arch::enumerate(stage).filter(|arch| allowed.allows(arch));
        let points: Vec<Point> = archs.filter_map(|arch| space.point(&arch)).collect();
        space = space.only(points)?;
    }
    let fidelity = |&length: &u64| Fidelity {
        name: format!("{length} iterations"),
        cost: whole_cost(config, length),
        continues: true,
    };
    let fidelities = c.lengths.iter().map(fidelity).collect();
    Ok(Problem { space, fidelities, budget: c.budget })
}

/// What a training of this length costs from its beginning, in G iterations: with its score at each length.
pub(super) fn whole_cost(config: &SearchConfig, length: u64) -> f64 {
    let c = &config.strategy;
    let scores = c.lengths.iter().filter(|&&scored| scored <= length).count();
    length as f64 + scores as f64 * config.reward.images as f64 * c.image_cost
}

/// The strategy that `config` names, whose draws follow from `seed`.
pub(super) fn new_strategy(
    config: &SearchConfig,
    problem: &Problem,
    seed: u64,
) -> Result<Box<dyn Strategy>> {
    let kind = kind(config)?;
    Ok(kind.build(problem.clone(), seed)?)
}

/// The strategy that `config` names, as it was saved.
pub(super) fn saved_strategy(
    config: &SearchConfig,
    problem: &Problem,
    state: serde_json::Value,
) -> Result<Box<dyn Strategy>> {
    let kind = kind(config)?;
    Ok(kind.restore(problem.clone(), state)?)
}

fn kind(config: &SearchConfig) -> Result<StrategyKind> {
    let name = config.strategy.name.as_str();
    let all = || StrategyKind::ALL.iter().chain(autogan_rl::STRATEGIES);
    all().copied().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|kind| kind.name).collect();
        let expected = format!("supernet, or one of {}", names.join(", "));
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
