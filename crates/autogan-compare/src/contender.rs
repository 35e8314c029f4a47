//! A [`Contender`] is a strategy that takes part in a comparison.

use autogan_strategies::{Problem, Random, Result, Strategy};

/// The strategy that the others are compared with.
pub const BASELINE: &str = Random::NAME;

/// A strategy with its name.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// The name, as a command line gives it.
    pub name: &'static str,
    /// Makes the strategy from a problem and a seed.
    pub build: fn(Problem, u64) -> Result<Box<dyn Strategy>>,
}

/// Every strategy; the baseline is the first.
pub fn contenders() -> Vec<Contender> {
    vec![Contender {
        name: Random::NAME,
        build: |problem, seed| Ok(Box::new(Random::new(problem, seed)?)),
    }]
}
