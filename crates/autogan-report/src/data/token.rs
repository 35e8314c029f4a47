//! A [`Token`] is one decision of an architecture, for one cell and of one kind, with its choices.

use autogan_space::{Arch, MAX_CELLS, TokenOrder, stage_tokens};
use serde::Serialize;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// The cell that it belongs to, from 0.
    pub cell: usize,
    /// What it decides, in words.
    pub name: String,
    /// What can be chosen, in words.
    pub choices: Vec<String>,
}

/// The decisions of an architecture of all cells, the first cell's first; within a cell skips
/// first, then conv, norm, upsampling, shortcut.
pub fn tokens() -> Vec<Token> {
    let cell = |cell: usize| {
        stage_tokens(cell, TokenOrder::SkipsFirst).into_iter().map(move |kind| Token {
            cell,
            name: kind.name(),
            choices: (0..kind.choices()).map(|choice| kind.choice_name(choice)).collect(),
        })
    };
    (0..MAX_CELLS).flat_map(cell).collect()
}

/// What an architecture chose, in the order of [`tokens`].
pub(crate) fn choices(arch: &Arch) -> Vec<usize> {
    arch.cells().iter().flat_map(|cell| cell.to_tokens(TokenOrder::SkipsFirst)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_indices_into_the_tokens() {
        let tokens = tokens();
        assert_eq!(tokens.len(), 4 + 5 + 6);
        let words: Vec<&str> = choices(&Arch::AUTOGAN_A)
            .iter()
            .zip(&tokens)
            .map(|(&choice, token)| token.choices[choice].as_str())
            .collect();
        assert_eq!(words[..4], ["pre", "none", "nearest", "yes"]);
        assert_eq!(words[9..], ["yes", "yes", "pre", "none", "nearest", "no"]);
        assert_eq!(tokens[9].name, "skip from cell 1");
        assert_eq!(choices(&Arch::AUTOGAN_A.prefix(1)).len(), 4);
    }
}
