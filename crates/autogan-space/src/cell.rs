//! A [`CellArch`] is one cell of the generator: the tuple of `s + 5` choices of section 3.1.

use serde::{Deserialize, Serialize};

use crate::{Conv, MAX_CELLS, Norm, Skips, Upsample, count};

/// The choices of one cell. Its place follows from its skips: cell `s` (from 0) has `s` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellArch {
    /// Order inside both halves.
    pub conv: Conv,
    /// Normalisation of both halves.
    pub norm: Norm,
    /// Upsampling of the first half, of the shortcut and of incoming skips.
    pub upsample: Upsample,
    /// Whether the cell's input is added, upsampled and through a 1x1 convolution, to its output.
    pub shortcut: bool,
    /// Which earlier cells feed this one, the oldest first.
    pub skips: Skips,
}

impl CellArch {
    /// The cell's place in the generator, from 0; equal to its number of skip bits.
    pub const fn index(&self) -> usize {
        self.skips.len()
    }

    /// The factor by which the skip from earlier cell `from` has to grow: 2 for the cell just
    /// before, 4 for the one before that.
    pub const fn skip_factor(&self, from: usize) -> usize {
        1 << self.index().saturating_sub(from)
    }

    /// The numbers of the released vector for this cell: conv, norm, up, shortcut and, after the
    /// first cell, the skip mask.
    pub fn to_released(&self) -> Vec<u8> {
        let mut numbers = vec![
            self.conv.released(),
            self.norm.released(),
            self.upsample.released(),
            u8::from(self.shortcut),
        ];
        if !self.skips.is_empty() {
            numbers.push(self.skips.mask());
        }
        numbers
    }

    /// The named form: conv, norm and upsampling joined by `-`, then `-sc` with a shortcut, then
    /// `+i` for every earlier cell (counted from 1) that feeds it: `pre-none-bilinear-sc+1`.
    pub fn named(&self) -> String {
        let mut name = format!("{}-{}-{}", self.conv, self.norm, self.upsample);
        if self.shortcut {
            name.push_str("-sc");
        }
        for from in self.skips.sources() {
            name.push_str(&format!("+{}", from + 1));
        }
        name
    }

    /// The `n`-th of the [`count`]`(index)` cells for this place, ordered as their released
    /// vectors; `None` past the end.
    pub fn nth(index: usize, n: u64) -> Option<Self> {
        if index >= MAX_CELLS || n >= count(index) {
            return None;
        }
        let mut rest = n as usize;
        let mut digit = |base: usize| {
            let digit = rest % base;
            rest /= base;
            digit
        };
        // The last number of the released vector changes fastest.
        let mask = digit(1 << index) as u8;
        let shortcut = digit(2) == 1;
        let upsample = Upsample::ALL[digit(Upsample::ALL.len())];
        let norm = Norm::ALL[digit(Norm::ALL.len())];
        let conv = Conv::ALL[digit(Conv::ALL.len())];
        Some(Self { conv, norm, upsample, shortcut, skips: Skips::raw(index as u8, mask) })
    }

    /// Every cell for this place, ordered as their released vectors; empty past the last place.
    pub fn enumerate(index: usize) -> impl Iterator<Item = Self> {
        (0..).map_while(move |n| Self::nth(index, n))
    }
}

impl std::fmt::Display for CellArch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.named())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumeration_is_complete_sorted_and_without_repeats() {
        for (index, expected) in [(0, 36), (1, 72), (2, 144), (3, 0)] {
            let cells: Vec<CellArch> = CellArch::enumerate(index).collect();
            assert_eq!(cells.len(), expected);
            assert!(cells.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(cells.windows(2).all(|pair| pair[0].to_released() < pair[1].to_released()));
        }
    }

    #[test]
    fn names_say_every_choice() {
        let cell = CellArch {
            conv: Conv::Post,
            norm: Norm::Instance,
            upsample: Upsample::Deconv,
            shortcut: true,
            skips: Skips::from_bits(&[false, true]).unwrap(),
        };
        assert_eq!(cell.named(), "post-instance-deconv-sc+2");
        assert_eq!(cell.index(), 2);
        assert_eq!((cell.skip_factor(0), cell.skip_factor(1)), (4, 2));
    }

    #[test]
    fn json_is_plain_and_strict() {
        let cell = CellArch::nth(1, 71).unwrap();
        let json = serde_json::to_string(&cell).unwrap();
        assert_eq!(
            json,
            r#"{"conv":"pre","norm":"instance","upsample":"deconv","shortcut":true,"skips":[true]}"#
        );
        assert_eq!(serde_json::from_str::<CellArch>(&json).unwrap(), cell);
        let extra = json.replace("\"conv\"", "\"extra\":1,\"conv\"");
        assert!(serde_json::from_str::<CellArch>(&extra).is_err());
    }
}
