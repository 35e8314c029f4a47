//! This crate holds the loops of AutoGAN: shared and controller training, growth, derivation, training from scratch.
//!
//! [`SearchConfig`] says what is done, [`Search`] does it one unit of work at a time, and [`SearchEvent`]s tell what
//! happened. [`TrainingConfig`], [`Training`] and [`TrainingEvent`]s are the same for one architecture that is trained from
//! scratch. Both are [`Job`]s, which a [`Session`] carries out in a run directory.
//!
//! [`Inputs`] are what a search needs from outside: images, and an [`ImageScore`] that says what generated ones are worth.
//! `examples/search.rs` is a whole search with a score and a progress display of its own.

/// The code on the page for programs that use candle, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/candle.md")]
struct PageForCandle;

mod child;
mod derivation;
mod derive;
mod distinct;
mod draw;
mod error;
mod estimate;
mod event;
mod fair;
mod grow;
mod images;
mod inputs;
mod job;
mod losses;
mod networks;
mod parts;
mod pick;
mod policy;
mod position;
mod rank;
mod score;
pub mod scorer;
mod scratch;
mod search;
mod search_job;
mod session;
mod shared;
mod step;
mod strategy;
mod streams;
mod tensors;
mod training;
mod unit;
mod walk;
mod window;

pub use autogan_config::{
    self as config, Configuration, ScheduleConfig, ScoreConfig, SearchConfig, TrainingConfig,
    TrainingPrecision,
};
pub use autogan_rl::RewardValue;
pub use error::{Result, SearchError};
pub use estimate::{Estimate, Speed, StageCost};
pub use event::{Reporter, SampleGrid, ScoredArch, SearchEvent, Silent, StepLosses, TrainingEvent};
pub use images::to_u8;
pub use inputs::{Inputs, Sources, TrainingInputs};
pub use job::Job;
pub use parts::action_space;
pub use position::{ImageCount, Phase, Position};
pub use score::{ExtractorScore, ImageScore, metric_name};
pub use scratch::{
    KnownReals, Training, TrainingEstimate, TrainingPhase, TrainingPosition, best_is_intact,
};
pub use search::Search;
pub use session::{Outcome, Resumption, RunOptions, RunPlace, RunReport, Session};
pub use step::ComingLoss;
pub use strategy::{
    Evaluated, StrategyEvent, StrategyPhase, StrategyPosition, StrategySearch, score_cost,
    strategy_kind,
};
pub use streams::Streams;
pub use training::SharedTraining;
pub use unit::{Place, Unit};
