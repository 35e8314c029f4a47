//! [`Skips`] holds the skip bits of a cell: which earlier cells feed it (section 3.1).

use serde::{Deserialize, Serialize};

use crate::{MAX_CELLS, Result, SpaceError};

/// One bit for every earlier cell, the oldest first.
///
/// Equal skips have the same number of bits and the same bits set. They order as the released
/// masks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<bool>", into = "Vec<bool>")]
pub struct Skips {
    len: u8,
    /// The mask as released: the most significant of the `len` bits is the oldest cell.
    mask: u8,
}

impl Skips {
    /// Reads the released mask of a cell that follows `len` cells; the most significant of the `len` bits is the oldest
    /// cell.
    ///
    /// # Errors
    /// When the mask has more than `len` bits, or a cell cannot have that many cells before it.
    pub fn from_mask(len: usize, mask: u8) -> Result<Self> {
        if len >= MAX_CELLS {
            return Err(SpaceError::Cells { found: len + 1 });
        }
        if usize::from(mask) >= 1 << len {
            return Err(SpaceError::SkipMask { mask, len });
        }
        Ok(Self::raw(len as u8, mask))
    }

    /// Takes one bit for every earlier cell, the oldest first.
    ///
    /// # Errors
    /// When there are more bits than a cell can have cells before it.
    pub fn from_bits(bits: &[bool]) -> Result<Self> {
        if bits.len() >= MAX_CELLS {
            return Err(SpaceError::Cells { found: bits.len() + 1 });
        }
        let mask = bits.iter().fold(0, |mask, &bit| mask << 1 | u8::from(bit));
        Self::from_mask(bits.len(), mask)
    }

    /// The skips of a constant; the caller sees to `mask < 2^len` and `len < MAX_CELLS`.
    pub(crate) const fn raw(len: u8, mask: u8) -> Self {
        Self { len, mask }
    }

    /// The number of earlier cells, set or not.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there is no earlier cell.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether earlier cell `from` (counted from 0) feeds this one; `false` when there is no such
    /// cell.
    pub const fn get(self, from: usize) -> bool {
        from < self.len() && self.mask >> (self.len() - 1 - from) & 1 == 1
    }

    /// One bit for every earlier cell, the oldest first.
    pub fn iter(self) -> impl ExactSizeIterator<Item = bool> {
        (0..self.len()).map(move |from| self.get(from))
    }

    /// The earlier cells (counted from 0) that feed this one, the oldest first.
    pub fn sources(self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(move |&from| self.get(from))
    }

    /// The number of cells that feed this one.
    pub const fn count(self) -> usize {
        self.mask.count_ones() as usize
    }

    /// The released mask: the most significant of the [`Self::len`] bits is the oldest cell.
    pub const fn mask(self) -> u8 {
        self.mask
    }
}

impl TryFrom<Vec<bool>> for Skips {
    type Error = SpaceError;

    fn try_from(bits: Vec<bool>) -> Result<Self> {
        Self::from_bits(&bits)
    }
}

impl From<Skips> for Vec<bool> {
    fn from(skips: Skips) -> Self {
        skips.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_significant_bit_is_the_oldest_cell() {
        let first_only = Skips::from_mask(2, 2).unwrap();
        assert!(first_only.get(0) && !first_only.get(1));
        let second_only = Skips::from_mask(2, 1).unwrap();
        assert!(!second_only.get(0) && second_only.get(1));
        assert_eq!(second_only.sources().collect::<Vec<_>>(), [1]);
        assert_eq!(second_only.iter().collect::<Vec<_>>(), [false, true]);
        assert_eq!(Skips::from_mask(2, 3).unwrap().count(), 2);
        assert!(!first_only.get(2), "there is no third earlier cell");
    }

    #[test]
    fn bits_and_mask_agree() {
        for len in 0..MAX_CELLS {
            for mask in 0..1_u8 << len {
                let skips = Skips::from_mask(len, mask).unwrap();
                let bits: Vec<bool> = skips.iter().collect();
                assert_eq!(Skips::from_bits(&bits).unwrap(), skips);
                assert_eq!((skips.len(), skips.mask()), (len, mask));
            }
        }
    }

    #[test]
    fn impossible_masks_are_refused() {
        assert_eq!(Skips::from_mask(1, 2), Err(SpaceError::SkipMask { mask: 2, len: 1 }));
        assert_eq!(Skips::from_mask(3, 0), Err(SpaceError::Cells { found: 4 }));
        assert!(serde_json::from_str::<Skips>("[true, false, true]").is_err());
    }
}
