//! This module trains one architecture from scratch (sections 3.3.3 and 4): the network that it stands for and no other
//! parts, scored while it is trained.
//!
//! [`TrainingConfig`](crate::TrainingConfig) says how, [`Training`] does it one unit of work at a time, and a
//! [`Session`](crate::Session) keeps a run directory in step with it. The steps are those of the search; what differs is
//! that there is one architecture.

mod estimate;
mod job;
mod known;
mod measure;
mod training;

pub use estimate::TrainingEstimate;
pub use job::best_is_intact;
pub use known::KnownReals;
pub(crate) use measure::{Reals, score_reals};
pub use training::{Training, TrainingPhase, TrainingPosition};
