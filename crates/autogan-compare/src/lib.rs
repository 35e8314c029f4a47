//! This crate compares search strategies on objectives that cost microseconds in place of trainings.
//!
//! - A [`Testbed`] is what they are compared on: [`Tabular`] holds trainings of a table, [`Synthetic`] draws landscapes,
//!   [`Fitted`] draws landscapes around effects that are fitted to a table.
//! - A [`World`] is what one seed draws from a testbed. All strategies of that seed search the same world.
//! - [`compare`] runs search [`strategies`] on every seed, and gives [`Results`]; [`page`] writes them down.
//! - [`power`] says how many seeds a test of two strategies needs.

mod account;
mod chain;
mod contest;
mod course;
mod effects;
mod error;
mod fitted;
mod grid;
mod landscape;
mod nas_gan_bench;
mod page;
mod power;
mod results;
mod strategies;
mod streams;
mod synthetic;
mod tabular;
mod testbed;
mod trainings;

#[cfg(test)]
mod made_up;

pub use contest::{Limit, Settings, compare};
pub use course::{Course, Step};
pub use error::{CompareError, Result};
pub use fitted::Fitted;
pub use nas_gan_bench::nas_gan_bench;
pub use page::{Power, page};
pub use power::{PowerPlan, PowerRow, power};
pub use results::{Place, Results, StrategyResult};
pub use strategies::{BASELINE, strategies};
pub use synthetic::Synthetic;
pub use tabular::Tabular;
pub use testbed::{About, Outcome, Testbed, World};
