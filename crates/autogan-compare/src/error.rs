//! [`CompareError`] says why strategies could not be compared.

use std::path::PathBuf;

use autogan_strategies::StrategyError;

/// The result of an operation of a comparison.
pub type Result<T> = std::result::Result<T, CompareError>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A strategy, a problem or a point is wrong.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a file does not hold what it should.
    #[error("{}, line {line}: expected {expected}, found {found}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// What strategies are to be compared on does not suffice, or a setting cannot be.
    #[error("{what}: expected {expected}, found {found}")]
    Unfit {
        /// The thing that does not suffice.
        what: String,
        /// What is needed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A strategy asks on without ever spending anything.
    #[error(
        "it asked {queries} queries in a row that cost nothing: the lengths of trainings that it had paid for"
    )]
    Endless {
        /// How many.
        queries: usize,
    },
    /// One of the strategies failed.
    #[error("the strategy '{name}' with seed {seed}: {source}; --strategies leaves it out")]
    Failed {
        /// The strategy.
        name: String,
        /// The seed of its run.
        seed: u64,
        /// Why.
        source: Box<CompareError>,
    },
    /// The comparison was asked to stop.
    #[error("the comparison was stopped; nothing was written")]
    Stopped,
}

impl CompareError {
    /// Whether the comparison was asked to stop.
    pub fn is_stop(&self) -> bool {
        match self {
            CompareError::Stopped => true,
            CompareError::Failed { source, .. } => source.is_stop(),
            _ => false,
        }
    }

    pub(crate) fn unfit(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        CompareError::Unfit { what: what.into(), expected: expected.into(), found: found.into() }
    }
}
