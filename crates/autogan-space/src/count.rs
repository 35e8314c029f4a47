//! These functions count cells and architectures (section 3.1): 36 · 72 · 144 = 373,248.

use crate::{Conv, MAX_CELLS, Norm, Upsample};

/// The cells that stage `stage` chooses from: 36, 72, 144.
///
/// `stage` is the index of the stage's cell, from 0; each earlier cell doubles the number.
pub const fn count(stage: usize) -> u64 {
    let shortcut = 2;
    let first = Conv::ALL.len() * Norm::ALL.len() * Upsample::ALL.len() * shortcut;
    (first << stage) as u64
}

/// The architectures of `stage + 1` cells: 36, 2,592, 373,248.
pub const fn count_archs(stage: usize) -> u64 {
    let mut archs = 1;
    let mut index = 0;
    while index <= stage {
        archs *= count(index);
        index += 1;
    }
    archs
}

/// The architectures of the whole space, 373,248.
pub const fn count_all() -> u64 {
    count_archs(MAX_CELLS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_paper() {
        assert_eq!([count(0), count(1), count(2)], [36, 72, 144]);
        assert_eq!(count_archs(1), 2_592);
        assert_eq!(count_all(), 373_248);
    }
}
