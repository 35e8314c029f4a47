//! An [`Arch`] is an architecture: one to three cells, each made for its place (section 3.1). Constants hold the
//! published architectures.

use std::borrow::Cow;

use rand::{Rng, RngExt};

use crate::{CellArch, Conv, MAX_CELLS, Norm, Result, Skips, SpaceError, Upsample, count_archs};

/// One to [`MAX_CELLS`] cells; cell `s` (from 0) has exactly `s` skip bits.
///
/// It is written as the released vector ([`Display`](std::fmt::Display), serde) or in the named form ([`Arch::named`]);
/// it is read from either, or from the name of a published architecture ([`std::str::FromStr`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arch {
    cells: Cow<'static, [CellArch]>,
}

/// A cell of the published architectures.
const fn cell(
    conv: Conv,
    norm: Norm,
    upsample: Upsample,
    shortcut: bool,
    skips: Skips,
) -> CellArch {
    CellArch { conv, norm, upsample, shortcut, skips }
}

const NO_SKIPS: Skips = Skips::raw(0, 0);
use Conv::{Post, Pre};
use Norm::{Batch, None as Plain};
use Upsample::{Bilinear, Deconv, Nearest};

impl Arch {
    /// A generator as hand-made GANs have it, such as SN-GAN's: pre-activation, batch norm, nearest neighbours, shortcuts
    /// within cells, and no skips between them.
    pub const HAND_MADE: Self = Self {
        cells: Cow::Borrowed(&[
            cell(Pre, Batch, Nearest, true, NO_SKIPS),
            cell(Pre, Batch, Nearest, true, Skips::raw(1, 0)),
            cell(Pre, Batch, Nearest, true, Skips::raw(2, 0)),
        ]),
    };
    /// AutoGAN's top architecture on CIFAR-10 (released `autogan_cifar10_a`; IS 8.55, FID 12.42).
    pub const AUTOGAN_A: Self = Self {
        cells: Cow::Borrowed(&[
            cell(Pre, Plain, Nearest, true, NO_SKIPS),
            cell(Pre, Plain, Bilinear, true, Skips::raw(1, 1)),
            cell(Pre, Plain, Nearest, false, Skips::raw(2, 3)),
        ]),
    };
    /// AutoGAN's second architecture (released `autogan_cifar10_b`; IS 8.42, FID 13.67).
    pub const AUTOGAN_B: Self = Self {
        cells: Cow::Borrowed(&[
            cell(Pre, Plain, Nearest, true, NO_SKIPS),
            cell(Pre, Plain, Nearest, true, Skips::raw(1, 1)),
            cell(Pre, Plain, Nearest, true, Skips::raw(2, 3)),
        ]),
    };
    /// AutoGAN's third architecture (released `autogan_cifar10_c`; IS 8.41, FID 13.87).
    pub const AUTOGAN_C: Self = Self {
        cells: Cow::Borrowed(&[
            cell(Pre, Batch, Nearest, true, NO_SKIPS),
            cell(Pre, Plain, Bilinear, true, Skips::raw(1, 1)),
            cell(Pre, Plain, Nearest, false, Skips::raw(2, 3)),
        ]),
    };
    /// The architecture that E2GAN released, in the same space (IS 8.51, FID 11.26).
    pub const E2GAN: Self = Self {
        cells: Cow::Borrowed(&[
            cell(Post, Batch, Bilinear, true, NO_SKIPS),
            cell(Post, Batch, Deconv, true, Skips::raw(1, 0)),
            cell(Post, Batch, Bilinear, true, Skips::raw(2, 2)),
        ]),
    };

    /// The published architectures by the names that parsing understands; `a`, `b` and `c` stand for the first three.
    pub const KNOWN: [(&'static str, Self); 4] = [
        ("autogan-a", Self::AUTOGAN_A),
        ("autogan-b", Self::AUTOGAN_B),
        ("autogan-c", Self::AUTOGAN_C),
        ("e2gan", Self::E2GAN),
    ];

    /// The architecture of these cells, the first (8x8 where the bottom is 4x4) first.
    ///
    /// # Errors
    /// When there are none or more than [`MAX_CELLS`], or when a cell has not one skip bit for
    /// each cell before it.
    pub fn new(cells: Vec<CellArch>) -> Result<Self> {
        if cells.is_empty() || cells.len() > MAX_CELLS {
            return Err(SpaceError::Cells { found: cells.len() });
        }
        for (index, cell) in cells.iter().enumerate() {
            if cell.skips.len() != index {
                return Err(SpaceError::SkipCount {
                    cell: index + 1,
                    expected: index,
                    found: cell.skips.len(),
                });
            }
        }
        Ok(Self { cells: Cow::Owned(cells) })
    }

    /// The cells, the first first; never empty.
    pub fn cells(&self) -> &[CellArch] {
        &self.cells
    }

    /// The index of the last cell, which is the stage that the architecture belongs to.
    pub fn stage(&self) -> usize {
        self.cells.len() - 1
    }

    /// The first `cells` cells; at least one, at most all of them.
    #[must_use]
    pub fn prefix(&self, cells: usize) -> Self {
        Self { cells: Cow::Owned(self.cells[..cells.clamp(1, self.cells.len())].to_vec()) }
    }

    /// This architecture with one more cell.
    ///
    /// # Errors
    /// When there are [`MAX_CELLS`] cells already, or when the cell has not one skip bit for each
    /// cell of this architecture.
    pub fn with_cell(&self, cell: CellArch) -> Result<Self> {
        let mut cells = self.cells.to_vec();
        cells.push(cell);
        Self::new(cells)
    }

    /// The released vector: `conv norm up shortcut` of the first cell, then
    /// `conv norm up shortcut skip` of each later one.
    pub fn to_released(&self) -> Vec<u8> {
        self.cells.iter().flat_map(CellArch::to_released).collect()
    }

    /// The named form: the cells' names joined by ` / `.
    pub fn named(&self) -> String {
        let names: Vec<String> = self.cells.iter().map(CellArch::named).collect();
        names.join(" / ")
    }

    /// The name of a published architecture, such as `autogan-a`, if this is one.
    pub fn known_name(&self) -> Option<&'static str> {
        Self::KNOWN.iter().find(|(_, known)| known == self).map(|&(name, _)| name)
    }

    /// The `n`-th of the [`count_archs`]`(stage)` architectures of a stage, ordered as their
    /// released vectors; `None` past the end.
    pub fn nth(stage: usize, n: u64) -> Option<Self> {
        if stage >= MAX_CELLS || n >= count_archs(stage) {
            return None;
        }
        let mut rest = n;
        let mut cells = Vec::with_capacity(stage + 1);
        for index in (0..=stage).rev() {
            let base = crate::count(index);
            cells.push(CellArch::nth(index, rest % base)?);
            rest /= base;
        }
        cells.reverse();
        Some(Self { cells: Cow::Owned(cells) })
    }

    /// Every architecture of a stage, ordered as their released vectors; empty past the last stage.
    pub fn enumerate(stage: usize) -> impl Iterator<Item = Self> {
        (0..).map_while(move |n| Self::nth(stage, n))
    }

    /// An architecture of a stage, every one as likely as any other.
    ///
    /// # Errors
    /// When `stage` is not below [`MAX_CELLS`].
    pub fn random(stage: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self> {
        let past_the_end = SpaceError::Cells { found: stage + 1 };
        if stage >= MAX_CELLS {
            return Err(past_the_end);
        }
        let n = rng.random_range(0..count_archs(stage));
        Self::nth(stage, n).ok_or(past_the_end)
    }
}

/// The released vector, its numbers separated by spaces.
impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.to_released().iter().map(u8::to_string).collect();
        f.pad(&numbers.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn constants_are_the_published_vectors() {
        for (arch, vector) in [
            (Arch::AUTOGAN_A, "1 0 1 1 1 0 0 1 1 1 0 1 0 3"),
            (Arch::AUTOGAN_B, "1 0 1 1 1 0 1 1 1 1 0 1 1 3"),
            (Arch::AUTOGAN_C, "1 1 1 1 1 0 0 1 1 1 0 1 0 3"),
            (Arch::E2GAN, "0 1 0 1 0 1 2 1 0 0 1 0 1 2"),
        ] {
            assert_eq!(arch.to_string(), vector);
            Arch::new(arch.cells().to_vec()).unwrap();
            let name = arch.known_name().unwrap();
            assert_eq!(name.parse::<Arch>().unwrap(), arch);
            let short = name.trim_start_matches("autogan-");
            assert_eq!(short.parse::<Arch>().unwrap(), arch);
        }
        assert_eq!(Arch::HAND_MADE.to_string(), "1 1 1 1 1 1 1 1 0 1 1 1 1 0");
        assert_eq!(Arch::AUTOGAN_A.prefix(1).known_name(), None);
    }

    #[test]
    fn enumeration_of_two_cells_is_complete_and_sorted() {
        let archs: Vec<Arch> = Arch::enumerate(1).collect();
        assert_eq!(archs.len(), 36 * 72);
        assert!(archs.windows(2).all(|pair| pair[0] < pair[1]));
        let vectors: Vec<Vec<u8>> = archs.iter().map(Arch::to_released).collect();
        assert!(vectors.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Arch::enumerate(3).count(), 0);
    }

    #[test]
    fn the_last_of_the_whole_space_has_every_choice_at_its_largest() {
        let last = Arch::nth(2, crate::count_all() - 1).unwrap();
        assert_eq!(last.to_string(), "1 2 2 1 1 2 2 1 1 1 2 2 1 3");
        assert_eq!(Arch::nth(2, crate::count_all()), None);
    }

    #[test]
    fn random_reaches_every_cell_and_repeats_from_its_seed() {
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..600).map(|_| Arch::random(0, &mut rng).unwrap()).collect::<Vec<_>>()
        };
        let archs = draw(1);
        assert_eq!(archs.iter().collect::<HashSet<_>>().len(), 36);
        assert_eq!(archs, draw(1));
        assert_ne!(archs, draw(2));
        assert!(Arch::random(3, &mut ChaCha8Rng::seed_from_u64(0)).is_err());
    }

    #[test]
    fn prefix_and_with_cell_undo_each_other() {
        let arch = Arch::AUTOGAN_C;
        let grown = arch.prefix(2).with_cell(arch.cells()[2]).unwrap();
        assert_eq!(grown, arch);
        assert_eq!(arch.prefix(0).stage(), 0);
        assert_eq!(
            arch.prefix(1).with_cell(arch.cells()[2]),
            Err(SpaceError::SkipCount { cell: 2, expected: 1, found: 2 })
        );
        assert_eq!(arch.with_cell(arch.cells()[2]), Err(SpaceError::Cells { found: 4 }));
        assert_eq!(Arch::new(Vec::new()), Err(SpaceError::Cells { found: 0 }));
    }
}
