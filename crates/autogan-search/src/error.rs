//! [`SearchError`] says what went wrong in a search or a training.

/// Result of this crate.
pub type Result<T, E = SearchError> = std::result::Result<T, E>;

/// Everything that can go wrong in a search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// An error of the configuration.
    #[error(transparent)]
    Config(#[from] autogan_config::ConfigError),
    /// A number is infinite or NaN: the networks have diverged.
    #[error(
        "{what} became {value} at stage {}, iteration {}: the networks have diverged; try a lower learning rate (train.d_lr, train.g_lr)",
        stage + 1,
        iteration + 1
    )]
    Diverged {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The stage, from 0.
        stage: usize,
        /// The iteration, from 0.
        iteration: usize,
    },
    /// A checkpoint that does not fit this run.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// An error of a search strategy.
    #[error(transparent)]
    Strategy(#[from] autogan_strategies::StrategyError),
    /// Threads that the operating system does not give.
    #[error("cannot start a thread: {0}")]
    Threads(String),
    /// An error of the search space.
    #[error(transparent)]
    Space(#[from] autogan_space::SpaceError),
    /// An error of the networks.
    #[error(transparent)]
    Network(#[from] autogan_nn::NnError),
    /// An error of the controller.
    #[error(transparent)]
    Controller(#[from] autogan_rl::RlError),
    /// An error of the scores.
    #[error(transparent)]
    Metric(#[from] autogan_metrics::Error),
    /// An error of the dataset.
    #[error(transparent)]
    Data(#[from] autogan_data::DataError),
    /// A dataset that cannot be loaded.
    #[error("cannot load the dataset {name}: {source}")]
    Dataset {
        /// Its name.
        name: String,
        /// The cause.
        source: autogan_data::DataError,
    },
    /// The directory of the images is not there.
    #[error(
        "the images are looked for in {}, and there is no such directory{from}: give it (on the command line: --data DIR)",
        dir.display()
    )]
    NoData {
        /// The directory.
        dir: std::path::PathBuf,
        /// Where a relative path begins, in words, or empty.
        from: String,
    },
    /// An error of a score that is not of this crate.
    #[error("the images cannot be scored: {0}")]
    Score(Box<dyn std::error::Error + Send + Sync>),
    /// An error of the run directory.
    #[error(transparent)]
    Run(#[from] autogan_run::Error),
    /// An error of a tensor operation.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}
