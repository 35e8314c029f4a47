//! [`ScorerError`] says why a scorer could not be trained.

/// Result of scorer training.
pub type ScorerResult<T> = Result<T, ScorerError>;

/// Why a scorer could not be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The network's tensors could not be made.
    #[error(transparent)]
    Weights(#[from] autogan_weights::Error),
    /// The images could not be read in batches.
    #[error(transparent)]
    Data(#[from] autogan_data::DataError),
    /// The trained network could not be evaluated.
    #[error(transparent)]
    Metrics(#[from] autogan_metrics::Error),
    /// A value of the configuration is not allowed.
    #[error(transparent)]
    Config(#[from] autogan_config::ConfigError),
    /// The images cannot train a classifier.
    #[error(
        "{name}: expected labelled 32x32 images of at least 2 classes, found {found}: choose a dataset with labels, such as shapes or cifar10"
    )]
    Images {
        /// Name of the dataset.
        name: String,
        /// What it holds.
        found: String,
    },
    /// The loss is no longer a number.
    #[error("the loss became {loss} at step {step}: lower the learning rate")]
    Diverged {
        /// The loss.
        loss: f64,
        /// The step, from 0.
        step: usize,
    },
}
