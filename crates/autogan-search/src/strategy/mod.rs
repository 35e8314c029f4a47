//! This module searches by trainings from scratch, in place of shared weights: a strategy of `autogan-strategies` asks for
//! trainings and is told their scores.
//!
//! [`StrategySearch`] is the state; `work.rs` does a unit of its work, `job.rs` saves it, and `warm.rs` holds the supernet
//! whose scores a strategy may ask for, too.

mod job;
mod paused;
mod problem;
mod search;
mod slot;
mod warm;
mod work;

pub use problem::{score_cost, strategy_kind};
pub use search::{Evaluated, StrategyEvent, StrategyPhase, StrategyPosition, StrategySearch};
