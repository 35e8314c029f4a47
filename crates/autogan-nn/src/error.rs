//! [`NnError`] says what went wrong with a network, its input or its checkpoint, and what to do about it.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, NnError>;

/// An error of a network.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The network's tensors could not be made, saved, or loaded: with the names of all that do not fit.
    #[error(transparent)]
    Weights(#[from] autogan_weights::Error),
    /// A size of a network that cannot be.
    #[error("{field}: expected {expected}, found {found}")]
    Config {
        /// The field of the configuration.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The network lacks a part that the architecture uses.
    #[error(
        "{cell} has no {part}: the network was derived for another architecture; run it \
         with its own architecture or use a supernet"
    )]
    MissingPart {
        /// The cell, as in the tensors' names.
        cell: String,
        /// The part that is not there.
        part: &'static str,
    },
    /// A cell was run out of order, or with an architecture for another place.
    #[error("cell {expected} is next (counted from 1), found {found}")]
    CellOrder {
        /// The cell that follows what was computed so far.
        expected: usize,
        /// The cell that was asked for, or the place that its architecture belongs to.
        found: usize,
    },
    /// A stage beyond the last one.
    #[error("stage: expected 0 to {last}, found {found}")]
    Stage {
        /// The last stage.
        last: usize,
        /// The stage that was asked for.
        found: usize,
    },
    /// Input of the wrong shape.
    #[error("{what}: expected shape {expected}, found {found:?}")]
    Shape {
        /// The tensor.
        what: &'static str,
        /// The expected shape, in words.
        expected: String,
        /// The shape found.
        found: Vec<usize>,
    },
    /// Batch norm in training mode needs more than one value per channel.
    #[error(
        "{layer}: batch norm in training mode needs more than one value per channel, found \
         {count}; use a larger batch"
    )]
    SingleValue {
        /// The batch norm layer.
        layer: String,
        /// Values per channel.
        count: usize,
    },
    /// Recalibrated statistics without an entry for a layer that is used.
    #[error(
        "no recalibrated batch-norm statistics for {layer}; collect them with this \
         architecture first (found those of {found:?})"
    )]
    NoStatistics {
        /// The batch norm layer.
        layer: String,
        /// The layers that have statistics.
        found: Vec<String>,
    },
    /// A checkpoint from which the sizes of a network cannot be read: which tensor is missing or has which impossible
    /// shape.
    #[error("cannot read the network's sizes from the checkpoint: {0}")]
    Infer(String),
}

impl NnError {
    /// A size that is 0.
    pub(crate) fn zero(field: &'static str) -> Self {
        Self::Config { field, expected: "1 or more".to_owned(), found: "0".to_owned() }
    }
}

/// The conversion that networks and layers need as modules of candle.
impl From<NnError> for candle_core::Error {
    fn from(error: NnError) -> Self {
        match error {
            NnError::Tensor(error) => error,
            other => Self::wrap(other),
        }
    }
}
