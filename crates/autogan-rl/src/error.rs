//! [`RlError`] says what went wrong with a controller or with its training.

use autogan_space::SpaceError;

/// Result with this crate's error.
pub type Result<T> = std::result::Result<T, RlError>;

/// An error of the controller or of its training.
#[derive(Debug, thiserror::Error)]
pub enum RlError {
    /// A tensor operation failed.
    #[error("controller tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),

    /// Drawn tokens do not make an architecture, or a stage does not exist.
    #[error(transparent)]
    Space(#[from] SpaceError),

    /// A configuration value is out of range.
    #[error("{key}: expected {expected}, found {found}; correct it in the configuration")]
    Config {
        /// The name of the value.
        key: &'static str,
        /// The accepted range.
        expected: &'static str,
        /// What was given.
        found: String,
    },

    /// A batch is empty; the value names what its rows should be.
    #[error("expected at least one {0}, found none; ask for a batch of 1 or more")]
    Empty(&'static str),

    /// Two things that belong together have different lengths.
    #[error(
        "{what}: expected {expected}, found {found}; pass one value for each {per}, in the same order"
    )]
    Length {
        /// What was counted.
        what: &'static str,
        /// The length that the other side has.
        expected: usize,
        /// The length given.
        found: usize,
        /// What there must be one value for.
        per: &'static str,
    },

    /// The cells before the decided ones are too many or too few.
    #[error(
        "architecture: expected {expected} cells here, found {found}; use a beam entry of the stage before"
    )]
    Prefix {
        /// Cells needed.
        expected: usize,
        /// Cells given.
        found: usize,
    },

    /// A forced action is not one of its token's choices.
    #[error(
        "action {found} for token {index} ({token}) of row {row}: expected a number below {choices}"
    )]
    Action {
        /// Row in the batch.
        row: usize,
        /// Position in the controller's token list.
        index: usize,
        /// The token's name.
        token: String,
        /// How many choices it has.
        choices: usize,
        /// The action given.
        found: usize,
    },

    /// A forced action is not allowed by the rule that holds.
    #[error(
        "action {found} for token {index} ({token}) of row {row} is not allowed here: expected a sequence that was \
         drawn within the same rule"
    )]
    Forbidden {
        /// Row in the batch.
        row: usize,
        /// Position in the controller's token list.
        index: usize,
        /// The token's name.
        token: String,
        /// The action given.
        found: usize,
    },

    /// The last token of the previous stage has no place in this controller's embedding table.
    #[error(
        "previous token {token} = {choice}: this controller's tokens ({tokens}) hold no such token or fewer \
         choices; use the same token order in every stage, or set first_input to zeros"
    )]
    PreviousToken {
        /// The token's name.
        token: String,
        /// What was chosen for it.
        choice: usize,
        /// The controller's tokens, separated by commas.
        tokens: String,
    },

    /// A reward is infinite or not a number.
    #[error(
        "reward {index} is {value}: expected a finite number; a single one would spoil the baseline for the rest \
         of the search, so check the scorer's input"
    )]
    Reward {
        /// Position in the batch.
        index: usize,
        /// The value.
        value: f64,
    },

    /// The loss `released`, which is defined for one child a step, was given this number of them.
    #[error(
        "policy loss `released`: expected a batch of 1, found {0}; the released code fails with a shape error \
         here, so set children per step to 1 or choose another loss"
    )]
    ReleasedBatch(usize),

    /// The controller's tensors could not be made, or a saved state does not fit them.
    #[error("the controller's tensors: {0}")]
    State(#[from] autogan_weights::Error),
}

impl RlError {
    /// Refuses things of different lengths.
    pub(crate) fn check_length(
        what: &'static str,
        expected: usize,
        found: usize,
        per: &'static str,
    ) -> Result<()> {
        if expected == found { Ok(()) } else { Err(Self::Length { what, expected, found, per }) }
    }
}
