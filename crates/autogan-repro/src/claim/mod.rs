//! The claim: is the search of the proposed default better than random search, at the same price, on CIFAR-10?
//!
//! Everything that could be chosen after the fact is fixed here: the [arms](Arm), what a search may cost
//! ([`Rules`]) by a [price list](Prices), the seeds of a [round](Round), how its winners are judged, the contrasts, the
//! test, and what would refute the claim ([`Verdict`]). `docs/strategies.md` says the same in words.
//!
//! A search ends by its price, not by the clock, so that one seed gives one result on any machine. What a search found is
//! trained with seeds that no search saw; the endpoint is −ln of the Fréchet distance, averaged over these trainings.

mod arm;
mod judge;
mod maker;
mod prices;
mod round;
mod rules;
mod verdict;

pub use arm::Arm;
pub use maker::{ClaimMaker, Finished};
pub use prices::Prices;
pub use round::{Round, RoundFile, Row};
pub use rules::Rules;
pub use verdict::{Contrast, Verdict, verdict};

/// The trainings by which a winner is judged.
pub const JUDGED: usize = 6;
/// The architectures that a search on shared weights trains from scratch, to keep the best (section 3.3.3 of the paper).
pub const PICKED: usize = 3;
/// Searches of each arm in a round, each with a seed of its own.
pub const SEARCHES: u64 = 16;
/// The most rounds.
pub const ROUNDS: u64 = 3;
/// The level of significance of a contrast: 0.01 for all rounds together.
pub const LEVEL: f64 = 0.01 / ROUNDS as f64;
/// The smallest difference that counts.
pub const LEAST: f64 = 0.10;
