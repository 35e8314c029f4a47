//! This crate holds every configuration of AutoGAN: of searches, of trainings from scratch, of trainings of a scorer.
//!
//! Every choice has a name, and none has a hidden default. Presets are files under `presets`; a run stores its resolved
//! configuration. The choices on which the paper, the released code and this project differ are named after what they
//! do, so that `paper` and `released` are configurations like any other.
//!
//! [`Configuration`] reads, changes, checks and writes each kind; [`RunConfig`] is what a run's directory holds. A [`Key`]
//! says of itself what `docs/configuration.md` says of it.

mod change;
mod check;
mod configuration;
mod cost;
mod error;
mod keys;
mod networks;
mod policy;
mod scorer;
mod search;
mod stored;
mod strategy;
mod training;

pub use change::{Flat, differences};
pub use configuration::{Configuration, Presets};
pub use error::{ConfigError, Result};
pub use keys::{Key, Values};
pub use networks::{
    AdamRule, DataConfig, DiscriminatorInit, EmaBuffers, LrDecay, ModelConfig, PowerIterations,
    PreOrder, SkipTap, TrainConfig,
};
pub use policy::{
    BaselineOrder, DistinctWithin, EntropyUnit, FirstInput, Policy, PolicyConfig, PolicyLoss,
};
pub use scorer::{AugmentConfig, ScorerConfig};
pub use search::{
    BudgetConfig, CandidatesFrom, DeriveConfig, Levels, Pick, PlanConfig, RankOrder, ResetCheck,
    ResetConfig, ResetStatistic, RewardConfig, RewardCost, RewardLatents, RewardMetric,
    RewardWeights, SearchConfig, SharedSampling, Standardise,
};
pub use stored::RunConfig;
pub use strategy::StrategyConfig;
pub use training::{ScheduleConfig, ScoreConfig, TrainingConfig, TrainingPrecision};
