//! [`SpaceError`] says what is wrong with a written architecture, in words by which it can be mended.

use crate::MAX_CELLS;

/// Result of this crate.
pub type Result<T, E = SpaceError> = std::result::Result<T, E>;

/// A description of an architecture that names no architecture of the space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A released vector of an impossible length.
    #[error(
        "an architecture vector has 4, 9 or 14 numbers (one, two or three cells: conv norm up \
         shortcut, and for the second and third cell a skip mask as well), found {found}"
    )]
    Length {
        /// The numbers found.
        found: usize,
    },
    /// A number of a released vector that stands for no choice.
    #[error("number {position} ({token} of cell {cell}) is {found}; it may be {allowed}")]
    Number {
        /// Position in the vector, from 1.
        position: usize,
        /// Cell, from 1.
        cell: usize,
        /// What the number decides, as [`crate::TokenKind::name`] has it.
        token: String,
        /// What was found there.
        found: String,
        /// What it may be, with meanings.
        allowed: String,
    },
    /// A part of the named form that stands for no choice.
    #[error("cell {cell}: {found} is no {part}; it may be {allowed}")]
    Name {
        /// Cell, from 1.
        cell: usize,
        /// What the part decides.
        part: &'static str,
        /// What was found there.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// Text that is neither a vector, nor a named form, nor the name of a known architecture.
    #[error(
        "`{found}` is no architecture: expected a released vector such as \
         `1 0 1 1 1 0 0 1 1 1 0 1 0 3`, a named form such as \
         `pre-none-nearest-sc / pre-none-bilinear-sc+1`, or one of {known}"
    )]
    Text {
        /// The text.
        found: String,
        /// The names of the known architectures.
        known: String,
    },
    /// Too few or too many cells.
    #[error("an architecture has 1 to {MAX_CELLS} cells, found {found}")]
    Cells {
        /// The cells found.
        found: usize,
    },
    /// A cell with the wrong number of skip bits for its place.
    #[error(
        "cell {cell} has one skip bit for each of the {expected} cells before it, found {found}"
    )]
    SkipCount {
        /// Cell, from 1.
        cell: usize,
        /// The cells before it.
        expected: usize,
        /// The skip bits found.
        found: usize,
    },
    /// A skip mask with more bits than there are earlier cells.
    #[error("skip mask {mask} needs more than the {len} bits that a cell after {len} cells has")]
    SkipMask {
        /// The mask.
        mask: u8,
        /// The cells before this one.
        len: usize,
    },
    /// The wrong number of tokens for a cell.
    #[error("cell {cell} is drawn with {expected} tokens in this order, found {found}")]
    TokenCount {
        /// Cell, from 1.
        cell: usize,
        /// The tokens that [`crate::stage_tokens`] lists.
        expected: usize,
        /// The tokens found.
        found: usize,
    },
    /// A token value outside its choices.
    #[error("token {position} ({token}) is {found}; it may be {allowed}")]
    Token {
        /// Position in the cell's tokens, from 1.
        position: usize,
        /// What the token decides.
        token: String,
        /// The value found.
        found: usize,
        /// What it may be, with meanings.
        allowed: String,
    },
    /// A budget that no architecture meets.
    #[error(
        "expected a budget of at least {least} {what}, those of the cheapest generator of these \
         sizes, found {found}"
    )]
    Budget {
        /// What is limited.
        what: &'static str,
        /// The smallest number with which there is an architecture.
        least: u64,
        /// The limit.
        found: u64,
    },
}

/// Joins the options as `a, b or c`.
pub(crate) fn one_of<S: AsRef<str>>(options: &[S]) -> String {
    match options {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [rest @ .., last] => {
            let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
            format!("{} or {}", rest.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::one_of;

    #[test]
    fn lists_read_as_prose() {
        assert_eq!(one_of(&["a"]), "a");
        assert_eq!(one_of(&["a", "b"]), "a or b");
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
    }
}
