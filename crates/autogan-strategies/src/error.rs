//! [`StrategyError`] says what is wrong with a problem, a question, or a saved state.

/// The result of an operation of a strategy.
pub type Result<T> = std::result::Result<T, StrategyError>;

/// What can go wrong with a strategy.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// A problem or a point does not fit.
    #[error("{what}: expected {expected}, found {found}")]
    Problem {
        /// The thing that does not fit.
        what: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A saved state is of another problem.
    #[error(
        "the saved state is of another problem: {what} is {found} there, and {expected} here; go on with the problem \
         that it was saved with"
    )]
    OtherProblem {
        /// The first thing that differs.
        what: String,
        /// What it is in the problem of the state.
        found: String,
        /// What it is in the problem that was given.
        expected: String,
    },
    /// A saved state cannot be read.
    #[error("the saved state of the strategy '{strategy}' cannot be read: {source}")]
    State {
        /// The strategy.
        strategy: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A strategy failed for a reason of its own.
    #[error("the strategy '{strategy}' failed: {message}")]
    Failed {
        /// The strategy.
        strategy: &'static str,
        /// Why.
        message: String,
    },
}
