//! [`stage_tokens`] lists the decisions by which a controller draws a cell: which tokens, in which order, with how many
//! choices (section 3.1 and figure 2).
//!
//! The paper's figure draws one binary token per earlier cell first; the released code draws one
//! `2^s`-way mask last.

use serde::{Deserialize, Serialize};

use crate::error::one_of;
use crate::{CellArch, Conv, Norm, Result, Skips, SpaceError, Upsample};

/// The order of a cell's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenOrder {
    /// As in the paper's figure: one binary token for each earlier cell (the oldest first), then
    /// conv, norm, upsampling, shortcut.
    SkipsFirst,
    /// As in the released code: conv, norm, upsampling, shortcut, then one `2^s`-way skip mask.
    Released,
}

/// One decision of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Whether one earlier cell (from 0) feeds this one: 0 no, 1 yes.
    Skip {
        /// The earlier cell, from 0.
        from: usize,
    },
    /// Which of the earlier cells feed this one, as the released mask.
    SkipMask {
        /// The number of earlier cells.
        cells: usize,
    },
    /// [`Conv`] by its released integer.
    Conv,
    /// [`Norm`] by its released integer.
    Norm,
    /// [`Upsample`] by its released integer.
    Upsample,
    /// In-cell shortcut: 0 no, 1 yes.
    Shortcut,
}

impl TokenKind {
    /// The number of values that the token can take.
    pub const fn choices(self) -> usize {
        match self {
            Self::Skip { .. } | Self::Shortcut => 2,
            Self::SkipMask { cells } => 1 << cells,
            Self::Conv => Conv::ALL.len(),
            Self::Norm => Norm::ALL.len(),
            Self::Upsample => Upsample::ALL.len(),
        }
    }

    /// What the token decides, in words.
    pub fn name(self) -> String {
        match self {
            Self::Skip { from } => format!("skip from cell {}", from + 1),
            Self::SkipMask { .. } => "skip mask".to_owned(),
            Self::Conv => "conv".to_owned(),
            Self::Norm => "norm".to_owned(),
            Self::Upsample => "upsampling".to_owned(),
            Self::Shortcut => "shortcut".to_owned(),
        }
    }

    /// What value `choice` means, in words; for a value that the token cannot take, its number.
    pub fn choice_name(self, choice: usize) -> String {
        let names = match self {
            Self::Skip { .. } | Self::Shortcut => &["no", "yes"],
            Self::Conv => Conv::NAMES,
            Self::Norm => Norm::NAMES,
            Self::Upsample => Upsample::NAMES,
            Self::SkipMask { cells } => return mask_name(cells, choice),
        };
        match names.get(choice) {
            Some(name) => (*name).to_owned(),
            None => choice.to_string(),
        }
    }

    /// The values that the token can take with their meanings: `0 (post) or 1 (pre)`.
    pub(crate) fn allowed(self) -> String {
        let options: Vec<String> = (0..self.choices())
            .map(|choice| format!("{choice} ({})", self.choice_name(choice)))
            .collect();
        one_of(&options)
    }
}

/// `none`, or the cells (from 1) in a skip mask: `cells 1 and 2`.
fn mask_name(cells: usize, mask: usize) -> String {
    let from: Vec<String> = (0..cells)
        .filter(|cell| mask >> (cells - 1 - cell) & 1 == 1)
        .map(|cell| (cell + 1).to_string())
        .collect();
    match from.as_slice() {
        [] => "none".to_owned(),
        [only] => format!("cell {only}"),
        _ => format!("cells {}", from.join(" and ")),
    }
}

/// The tokens by which the cell of a stage (from 0) is drawn.
pub fn stage_tokens(stage: usize, order: TokenOrder) -> Vec<TokenKind> {
    let body = [TokenKind::Conv, TokenKind::Norm, TokenKind::Upsample, TokenKind::Shortcut];
    match order {
        TokenOrder::SkipsFirst => {
            (0..stage).map(|from| TokenKind::Skip { from }).chain(body).collect()
        }
        TokenOrder::Released => {
            let mask = (stage > 0).then_some(TokenKind::SkipMask { cells: stage });
            body.into_iter().chain(mask).collect()
        }
    }
}

impl CellArch {
    /// The cell that a controller has drawn for a stage, from one value per token of
    /// [`stage_tokens`]`(stage, order)`.
    ///
    /// # Errors
    /// When there is not one value per token, or when a value is not below the token's
    /// [`TokenKind::choices`].
    pub fn from_tokens(stage: usize, order: TokenOrder, values: &[usize]) -> Result<Self> {
        let tokens = stage_tokens(stage, order);
        if values.len() != tokens.len() {
            return Err(SpaceError::TokenCount {
                cell: stage + 1,
                expected: tokens.len(),
                found: values.len(),
            });
        }
        // Each token writes its part; the starting cell only gives the parts a place.
        let mut cell = Self {
            conv: Conv::Post,
            norm: Norm::None,
            upsample: Upsample::Bilinear,
            shortcut: false,
            skips: Skips::from_mask(stage, 0)?,
        };
        let mut mask = 0;
        for (at, (&token, &value)) in tokens.iter().zip(values).enumerate() {
            if value >= token.choices() {
                return Err(SpaceError::Token {
                    position: at + 1,
                    token: token.name(),
                    found: value,
                    allowed: token.allowed(),
                });
            }
            match token {
                TokenKind::Skip { from } => mask |= (value as u8) << (stage - 1 - from),
                TokenKind::SkipMask { .. } => mask = value as u8,
                TokenKind::Conv => cell.conv = Conv::ALL[value],
                TokenKind::Norm => cell.norm = Norm::ALL[value],
                TokenKind::Upsample => cell.upsample = Upsample::ALL[value],
                TokenKind::Shortcut => cell.shortcut = value == 1,
            }
        }
        cell.skips = Skips::from_mask(stage, mask)?;
        Ok(cell)
    }

    /// The values by which a controller draws this cell, one per token of
    /// [`stage_tokens`]`(self.index(), order)`.
    pub fn to_tokens(&self, order: TokenOrder) -> Vec<usize> {
        stage_tokens(self.index(), order)
            .into_iter()
            .map(|token| match token {
                TokenKind::Skip { from } => usize::from(self.skips.get(from)),
                TokenKind::SkipMask { .. } => usize::from(self.skips.mask()),
                TokenKind::Conv => usize::from(self.conv.released()),
                TokenKind::Norm => usize::from(self.norm.released()),
                TokenKind::Upsample => usize::from(self.upsample.released()),
                TokenKind::Shortcut => usize::from(self.shortcut),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: [TokenOrder; 2] = [TokenOrder::SkipsFirst, TokenOrder::Released];

    #[test]
    fn tokens_of_the_last_stage_in_both_orders() {
        let choices = |order| -> Vec<usize> {
            stage_tokens(2, order).into_iter().map(TokenKind::choices).collect()
        };
        assert_eq!(choices(TokenOrder::SkipsFirst), [2, 2, 2, 3, 3, 2]);
        assert_eq!(choices(TokenOrder::Released), [2, 3, 3, 2, 4]);
        assert_eq!(stage_tokens(0, TokenOrder::Released).len(), 4);
    }

    #[test]
    fn choices_multiply_to_the_count_and_tokens_round_trip() {
        for stage in 0..crate::MAX_CELLS {
            for order in ORDERS {
                let product: usize =
                    stage_tokens(stage, order).into_iter().map(TokenKind::choices).product();
                assert_eq!(product as u64, crate::count(stage));
                for cell in CellArch::enumerate(stage) {
                    let values = cell.to_tokens(order);
                    assert_eq!(CellArch::from_tokens(stage, order, &values), Ok(cell));
                }
            }
        }
    }

    #[test]
    fn released_tokens_are_the_released_numbers() {
        for cell in CellArch::enumerate(2) {
            let numbers: Vec<usize> = cell.to_released().into_iter().map(usize::from).collect();
            assert_eq!(cell.to_tokens(TokenOrder::Released), numbers);
        }
    }

    #[test]
    fn skip_tokens_come_oldest_first() {
        let cell = CellArch::from_tokens(2, TokenOrder::SkipsFirst, &[1, 0, 0, 0, 0, 0]).unwrap();
        assert!(cell.skips.get(0) && !cell.skips.get(1));
        assert_eq!(cell.skips.mask(), 2);
    }

    #[test]
    fn wrong_tokens_say_what_they_may_be() {
        let error = CellArch::from_tokens(0, TokenOrder::SkipsFirst, &[0, 3, 0, 0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "token 2 (norm) is 3; it may be 0 (none), 1 (batch) or 2 (instance)"
        );
        let error = CellArch::from_tokens(1, TokenOrder::Released, &[0, 0, 0, 0]).unwrap_err();
        assert_eq!(error.to_string(), "cell 2 is drawn with 5 tokens in this order, found 4");
    }

    #[test]
    fn masks_name_their_cells() {
        let mask = TokenKind::SkipMask { cells: 2 };
        let names: Vec<String> = (0..4).map(|choice| mask.choice_name(choice)).collect();
        assert_eq!(names, ["none", "cell 2", "cell 1", "cells 1 and 2"]);
    }

    #[test]
    fn configurations_name_the_order_in_snake_case() {
        let names = ORDERS.map(|order| serde_json::to_string(&order).unwrap());
        assert_eq!(names, ["\"skips_first\"", "\"released\""]);
    }
}
