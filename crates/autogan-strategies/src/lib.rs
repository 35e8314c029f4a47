//! This crate holds search strategies behind one trait, and the loop that drives them.
//!
//! - A [`Problem`] says what is searched: a [`Space`] of points, the [`Fidelity`]s at which a point can be evaluated, and the
//!   budget.
//! - A [`Strategy`] is asked for [`Query`]s and told [`Observation`]s. Each strategy is one file.
//! - A [`StrategyKind`] makes a strategy by its name.
//! - A [`Ledger`] keeps what was asked and told; every strategy of this crate has one.
//! - [`drive`] runs a strategy on an [`Objective`] until the budget is spent, and gives a [`Trace`].

mod asha;
mod begun;
mod drive;
mod error;
mod evolution;
mod halving;
mod identity;
mod kind;
mod led;
mod ledger;
mod local_search;
mod model;
mod on_ledger;
mod pairs;
mod random;
mod random_model;
mod rungs;
mod softmax;
mod space;
mod strategy;
#[cfg(test)]
mod testing;
mod thompson;

pub use asha::Asha;
pub use drive::{Objective, Trace, TracePoint, drive};
pub use error::{Result, StrategyError};
pub use evolution::Evolution;
pub use halving::Halving;
pub use kind::StrategyKind;
pub use led::LedHalving;
pub use ledger::Ledger;
pub use local_search::LocalSearch;
pub use model::{
    Among, Effects, Fitted, GaussianFit, ModelKind, Normal, RidgeFit, ScoreLevel, Surrogate,
    SurrogateState,
};
pub use random::Random;
pub use random_model::RandomModel;
pub use softmax::Softmax;
pub use space::{Point, Space, Token};
pub use strategy::{Belief, Fidelity, Observation, Problem, Query, Strategy};
pub use thompson::Thompson;
