//! This crate holds search strategies behind one trait, and the loop that drives them.
//!
//! - A [`Problem`] says what is searched: a [`Space`] of points, the [`Fidelity`]s at which a point can be evaluated, and the
//!   budget.
//! - A [`Strategy`] is asked for [`Query`]s and told [`Observation`]s. Each strategy is one file.
//! - [`drive`] runs a strategy on an [`Objective`] until the budget is spent, and gives a [`Trace`].

mod asked;
mod drive;
mod error;
mod led;
mod model;
mod random;
mod random_model;
mod space;
mod strategy;
#[cfg(test)]
mod testing;
mod thompson;

pub use drive::{Objective, Trace, TracePoint, drive};
pub use error::{Result, StrategyError};
pub use led::LedHalving;
pub use model::{
    Among, Effects, Fitted, GaussianFit, ModelKind, Normal, RidgeFit, Surrogate, SurrogateState,
};
pub use random::Random;
pub use random_model::RandomModel;
pub use space::{Point, Space, Token};
pub use strategy::{Belief, Fidelity, Observation, Problem, Query, Strategy};
pub use thompson::Thompson;
