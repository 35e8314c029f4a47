//! [`ActionSpace`] lists the decisions that a controller takes, and decodes them into an architecture.

use autogan_space::{Arch, CellArch, MAX_CELLS, SpaceError, TokenKind, TokenOrder, stage_tokens};
use serde::{Deserialize, Serialize};

use crate::error::{Result, RlError};

/// The decisions of one cell (multi-level search, MLAS) or of all cells at once (single-level search, SLAS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionSpace {
    /// The cell of one stage; the cells before it come from a beam entry.
    Stage {
        /// The stage, from 0.
        stage: usize,
        /// The order of the tokens.
        order: TokenOrder,
    },
    /// Every cell up to and including the one of a stage, the first cell's tokens first.
    Joint {
        /// The last stage, from 0.
        stage: usize,
        /// The order of the tokens within each cell.
        order: TokenOrder,
    },
}

impl ActionSpace {
    /// The decisions, in the order in which the controller takes them.
    ///
    /// # Errors
    /// When there is no such stage.
    pub fn tokens(self) -> Result<Vec<TokenKind>> {
        let (stages, order) = self.stages()?;
        Ok(stages.flat_map(|stage| stage_tokens(stage, order)).collect())
    }

    /// The architecture that the actions stand for: the prefix and what they add to it.
    ///
    /// `prefix` holds the cells before the first one that is decided here; none for the first cell.
    ///
    /// # Errors
    /// When the prefix has another number of cells, or there is not one valid action for each token.
    pub fn decode(self, prefix: Option<&Arch>, actions: &[usize]) -> Result<Arch> {
        let (stages, order) = self.stages()?;
        let (expected, found) = (stages.start, prefix.map_or(0, |p| p.cells().len()));
        if expected != found {
            return Err(RlError::Prefix { expected, found });
        }
        let total: usize = stages.clone().map(|s| stage_tokens(s, order).len()).sum();
        RlError::check_length("actions", total, actions.len(), "token")?;
        let mut cells = prefix.map_or_else(Vec::new, |p| p.cells().to_vec());
        let mut rest = actions;
        for stage in stages {
            let (own, others) = rest.split_at(stage_tokens(stage, order).len());
            cells.push(CellArch::from_tokens(stage, order, own)?);
            rest = others;
        }
        Ok(Arch::new(cells)?)
    }

    /// The actions by which an architecture is drawn: the inverse of [`ActionSpace::decode`].
    ///
    /// # Errors
    /// When the architecture does not end at this space's stage.
    pub fn encode(self, arch: &Arch) -> Result<Vec<usize>> {
        let (stages, order) = self.stages()?;
        if arch.cells().len() != stages.end {
            return Err(RlError::Prefix { expected: stages.end, found: arch.cells().len() });
        }
        Ok(arch.cells()[stages].iter().flat_map(|cell| cell.to_tokens(order)).collect())
    }

    /// The stages whose cells are decided, and the order of their tokens.
    pub(crate) fn stages(self) -> Result<(std::ops::Range<usize>, TokenOrder)> {
        let (stages, order) = match self {
            Self::Stage { stage, order } => (stage..stage + 1, order),
            Self::Joint { stage, order } => (0..stage + 1, order),
        };
        if stages.end > MAX_CELLS {
            return Err(SpaceError::Cells { found: stages.end }.into());
        }
        Ok((stages, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: [TokenOrder; 2] = [TokenOrder::SkipsFirst, TokenOrder::Released];

    #[test]
    fn joint_space_has_all_tokens_and_round_trips() {
        for order in ORDERS {
            let space = ActionSpace::Joint { stage: 2, order };
            let choices: usize = space.tokens().unwrap().iter().map(|t| t.choices()).product();
            assert_eq!(choices, 373_248);
            for arch in [Arch::AUTOGAN_A, Arch::AUTOGAN_B, Arch::AUTOGAN_C] {
                let actions = space.encode(&arch).unwrap();
                assert_eq!(space.decode(None, &actions).unwrap(), arch);
            }
        }
    }

    #[test]
    fn a_stage_extends_its_prefix() {
        let arch = Arch::AUTOGAN_C;
        for order in ORDERS {
            for stage in 0..3 {
                let space = ActionSpace::Stage { stage, order };
                let part = arch.prefix(stage + 1);
                let actions = space.encode(&part).unwrap();
                let prefix = (stage > 0).then(|| arch.prefix(stage));
                assert_eq!(space.decode(prefix.as_ref(), &actions).unwrap(), part);
            }
        }
    }

    #[test]
    fn wrong_prefixes_and_lengths_are_errors() {
        let order = TokenOrder::SkipsFirst;
        let space = ActionSpace::Stage { stage: 1, order };
        let error = space.decode(None, &[0; 5]).unwrap_err();
        assert!(matches!(error, RlError::Prefix { expected: 1, found: 0 }), "{error}");
        let prefix = Arch::AUTOGAN_A.prefix(1);
        assert!(space.decode(Some(&prefix), &[0; 4]).is_err());
        assert!(space.decode(Some(&prefix), &[0, 0, 3, 0, 0]).is_err());
        assert!(space.encode(&Arch::AUTOGAN_A).is_err());
        assert!(ActionSpace::Joint { stage: 3, order }.tokens().is_err());
    }
}
