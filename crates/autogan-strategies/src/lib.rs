//! This crate holds search strategies behind one trait, and the loop that drives them.
//!
//! - A [`Problem`] says what is searched: a [`Space`] of points, the [`Fidelity`]s at which a point can be evaluated, and the
//!   budget.
//! - A [`Strategy`] is asked for [`Query`]s and told [`Observation`]s. Each strategy is one file.
//! - [`drive`] runs a strategy on an [`Objective`] until the budget is spent, and gives a [`Trace`].

mod drive;
mod error;
mod kind;
mod random;
mod space;
mod strategy;

pub use drive::{Objective, Trace, TracePoint, drive};
pub use error::{Result, StrategyError};
pub use kind::StrategyKind;
pub use random::Random;
pub use space::{Point, Space, Token};
pub use strategy::{Belief, Fidelity, Observation, Problem, Query, Strategy};
