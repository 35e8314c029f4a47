//! A [`Contender`] is a strategy that takes part in a comparison.

use autogan_strategies::{Problem, Random, Result, Strategy, StrategyKind};

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

/// Every strategy, of `autogan-strategies` and of other crates; the baseline is the first.
pub fn contenders(others: &[StrategyKind]) -> Vec<Contender> {
    let all = StrategyKind::ALL.iter().chain(others);
    all.map(|kind| Contender { name: kind.name, build: kind.new }).collect()
}
