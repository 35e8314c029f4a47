//! The loops of AutoGAN: shared training, controller training, growth and derivation; and training from scratch.
//!
//! [`SearchConfig`] says what is done, [`Search`] does it one unit of work at a time, and [`Event`]s tell what
//! happened. [`run`] ties a search to its run directory. [`TrainingConfig`], [`Training`] and [`run_training`] are the
//! same for one architecture that is trained from scratch.

mod checkpoint;
mod child;
mod derive;
mod draw;
mod error;
mod estimate;
mod event;
mod grow;
mod images;
mod losses;
mod networks;
mod parts;
mod policy;
mod rank;
mod record;
mod run;
pub mod scorer;
mod scratch;
mod search;
mod shared;
mod step;
mod streams;
mod tensors;
mod training;
mod window;

pub use autogan_config::{
    self as config, Configuration, ScheduleConfig, ScoreConfig, SearchConfig, TrainingConfig,
    TrainingPrecision,
};
pub use checkpoint::checkpoint_config;
pub use error::{Result, SearchError};
pub use estimate::{Estimate, Speed, StageCost};
pub use event::{Event, Reporter, Silent};
pub use images::to_u8;
pub use parts::action_space;
pub use run::{Outcome, Ran, RunOptions, metric_name, run};
pub use scratch::{
    KnownReals, Training, TrainingEstimate, TrainingPhase, TrainingPosition, best_is_intact,
    run_training, training_checkpoint_config,
};
pub use search::{ImageCount, Inputs, Phase, Position, Search};
pub use step::ComingLoss;
pub use streams::Streams;
pub use training::SharedTraining;

/// What a [`Training`] needs from outside: the same as a search.
pub type TrainingInputs = Inputs;
