//! A [`StrategyKind`] makes a strategy by its name, or makes a saved one again.

use crate::error::{Result, StrategyError};
use crate::random::Random;
use crate::strategy::{Problem, Strategy};

/// A strategy that can be made by name.
///
/// A crate with strategies of its own has a list of its own; whoever offers strategies joins the lists.
#[derive(Clone, Copy, Debug)]
pub struct StrategyKind {
    /// The name, as a command line gives it.
    pub name: &'static str,
    /// Makes the strategy at its beginning; its random draws follow from the seed.
    pub new: fn(Problem, u64) -> Result<Box<dyn Strategy>>,
    /// Makes the strategy that [`Strategy::save`] wrote.
    pub restore: fn(Problem, serde_json::Value) -> Result<Box<dyn Strategy>>,
}

/// The kind of a type that has a `NAME`, a `new` and a `restore`.
macro_rules! kind {
    ($strategy:ty) => {
        StrategyKind {
            name: <$strategy>::NAME,
            new: |problem, seed| Ok(Box::new(<$strategy>::new(problem, seed)?)),
            restore: |problem, state| Ok(Box::new(<$strategy>::restore(problem, state)?)),
        }
    };
}

impl StrategyKind {
    /// The strategies of this crate.
    pub const ALL: &[Self] = &[kind!(Random)];

    /// The strategy of this crate with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name).collect();
            StrategyError::Problem {
                what: "the name of a strategy",
                expected: format!("one of {}", names.join(", ")),
                found: format!("'{name}'"),
            }
        })
    }

    /// The strategy at its beginning.
    ///
    /// # Errors
    /// When the problem does not fit the strategy.
    pub fn build(&self, problem: Problem, seed: u64) -> Result<Box<dyn Strategy>> {
        (self.new)(problem, seed)
    }

    /// The strategy that was saved.
    ///
    /// # Errors
    /// When the state is of another strategy or of another problem.
    pub fn restore(&self, problem: Problem, state: serde_json::Value) -> Result<Box<dyn Strategy>> {
        (self.restore)(problem, state)
    }
}
