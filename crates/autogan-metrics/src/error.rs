//! [`Error`] says what was expected, what was found, and what to do.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a score could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// Sizes do not fit each other.
    #[error(transparent)]
    Size(#[from] autogan_kernels::SizeError),
    /// The operating system refused to open, list, read or write something.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// A weight file could not be read.
    #[error(transparent)]
    Weights(#[from] autogan_weights::Error),
    /// There is no scorer of this name.
    #[error("the scorer: expected one of {known}, found {name}")]
    UnknownScorer {
        /// The name.
        name: String,
        /// The names of all scorers.
        known: String,
    },
    /// The weights of a scorer are not here and cannot be fetched.
    #[error(
        "the scorer is {scorer}, whose weights cannot be had: {source} (on the command line: --weights FILE); \
         compact-cifar10 and compact-shapes score without a file (reward.scorer of a search, score.scorer of a training)"
    )]
    ScorerWeights {
        /// The scorer.
        scorer: &'static str,
        /// The cause.
        source: autogan_hub::HubError,
    },
    /// A scorer cannot be made of a weight file.
    #[error(
        "cannot load the {scorer} weights in {}: {source}; the right file is {right}",
        path.display()
    )]
    ScorerFile {
        /// The scorer.
        scorer: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: Box<Error>,
        /// The right file.
        right: String,
    },
    /// A scorer has no classes, and the Inception Score needs them.
    #[error(
        "the scorer is {scorer}, which has no classes for the Inception Score: expected one of {with}"
    )]
    NoClasses {
        /// The scorer.
        scorer: &'static str,
        /// The names of the scorers that have classes.
        with: String,
    },
    /// The weights of a scorer are neither embedded nor on the hub.
    #[error(
        "the scorer is {scorer}, whose weights are not on the hub: give them as a file (on the command line: \
         --weights FILE); they are {origin}"
    )]
    ScorerNeedsFile {
        /// The scorer.
        scorer: &'static str,
        /// Where the file is published.
        origin: &'static str,
    },
    /// An array has another shape than the function needs.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which array.
        what: String,
        /// The shape that is needed.
        expected: String,
        /// The shape that was given.
        found: String,
    },
    /// A set holds too few images for the score.
    #[error("{score} needs at least {needed} images, found {found}: {remedy}")]
    TooFew {
        /// The score that was asked for.
        score: &'static str,
        /// The least number of images.
        needed: usize,
        /// The number of images in the set.
        found: usize,
        /// What to do about it.
        remedy: String,
    },
    /// A set holds NaN or infinite values.
    #[error(
        "{what} holds a value that is not finite at index {index}: check the images and the weights"
    )]
    NotFinite {
        /// Which array.
        what: String,
        /// Flat index of the first such value.
        index: usize,
    },
    /// The values are none that a covariance can have.
    #[error(
        "{what}: expected a covariance, found {found}; make the statistics from the images again"
    )]
    NoCovariance {
        /// Whose statistics they are.
        what: String,
        /// The first thing that is impossible.
        found: String,
    },
    /// A configuration value is out of range.
    #[error("{what} is {found}, expected {expected}")]
    Config {
        /// Name of the setting.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// An input is not what it should be: a directory, an archive, an image or statistics.
    #[error("{input}: expected {expected}, found {found}; {help}")]
    Input {
        /// The file, directory or dataset; `ARCHIVE: MEMBER` for a member of an archive.
        input: String,
        /// What should be there.
        expected: String,
        /// What is there instead.
        found: String,
        /// What to do about it.
        help: String,
    },
    /// A picture or a dataset could not be read.
    #[cfg(feature = "io")]
    #[error(transparent)]
    Data(#[from] autogan_data::DataError),
    /// A decomposition did not converge.
    #[error("{what} did not converge: check the statistics for values that are not finite")]
    Numerics {
        /// Which decomposition.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn shape(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Shape { what: what.into(), expected: expected.into(), found: found.into() }
    }

    pub(crate) fn config(
        what: &'static str,
        expected: &'static str,
        found: impl Into<String>,
    ) -> Self {
        Self::Config { what, expected, found: found.into() }
    }
}

/// Checks that there are enough images for a score.
pub(crate) fn enough(score: &'static str, needed: usize, found: usize, remedy: &str) -> Result<()> {
    if found >= needed {
        return Ok(());
    }
    Err(Error::TooFew { score, needed, found, remedy: remedy.into() })
}
