//! [`strategies`] lists the search strategies that can be compared.

use autogan_strategies::{Random, StrategyKind};

/// The strategy that the others are compared with.
pub const BASELINE: &str = Random::NAME;

/// Every strategy, of `autogan-strategies` and of other crates; the baseline is the first.
pub fn strategies(others: &[StrategyKind]) -> Vec<StrategyKind> {
    StrategyKind::ALL.iter().chain(others).copied().collect()
}
