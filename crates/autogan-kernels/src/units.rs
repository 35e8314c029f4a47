//! A [`Unit`] is a vector unit of a processor: a path that the kernels can take.
//!
//! Kernels run on the widest unit that the processor has. A test, or whoever measures, lets them run on another one with
//! [`choose`]. All code asks here which unit to take; nothing else does.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Arch, Simd, WithSimd};

use crate::error::{Result, SizeError, bail};

/// A vector unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// One number at a time: the plain form of each vector loop. Every processor has it.
    Scalar,
    /// Four numbers of `f32`: NEON, on ARM.
    Neon,
    /// Eight numbers of `f32`: AVX2 with FMA, on x86.
    Avx2,
    /// Sixteen numbers of `f32`: AVX-512 (F, BW, CD, DQ and VL), on x86.
    Avx512,
}

impl Unit {
    /// All units, the widest last.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    /// The units that this processor has, the widest last.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|unit| unit.arch().is_some()).collect()
    }

    /// The name in messages and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The number of `f32` in a vector.
    pub fn lanes(self) -> usize {
        match self {
            Self::Scalar => 1,
            Self::Neon => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// The unit as pulp has it; none where the processor lacks it.
    pub(crate) fn arch(self) -> Option<Arch> {
        match self {
            Self::Scalar => Some(Arch::Scalar),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Arch::Neon),
            _ => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Unit {
    type Err = SizeError;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|unit| unit.name() == name) {
            Some(unit) => Ok(unit),
            None => bail!("expected a vector unit, one of {}, found {name:?}", names(&Self::ALL)),
        }
    }
}

fn names(units: &[Unit]) -> String {
    units.iter().map(|unit| unit.name()).collect::<Vec<_>>().join(", ")
}

/// The chosen unit as a number, or [`WIDEST`].
static CHOSEN: AtomicU8 = AtomicU8::new(WIDEST);

/// No unit is chosen.
const WIDEST: u8 = u8::MAX;

/// Lets all kernels of this process run on a unit from now on; with none, they run on the widest again.
///
/// For tests and measurements. A kernel that is running meanwhile finishes on its unit or goes on on the new one; only
/// rounding differs. Weights that are packed already, as in [`crate::inference::Convolution`], keep theirs. Products by
/// the GEMM crate do not follow, since that crate chooses by itself.
///
/// # Errors
/// When this processor lacks the unit.
pub fn choose(unit: Option<Unit>) -> Result<()> {
    if let Some(unit) = unit
        && unit.arch().is_none()
    {
        bail!("this processor has no vector unit {unit}; it has {}", names(&Unit::available()));
    }
    CHOSEN.store(unit.map_or(WIDEST, |unit| unit as u8), Ordering::Relaxed);
    Ok(())
}

/// The number of `f32` in a vector of the unit that kernels run on now.
pub fn lanes() -> usize {
    lanes_of(arch())
}

/// The number of `f32` in a vector of a unit.
pub(crate) fn lanes_of(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}

/// The unit that kernels run on.
#[inline(always)]
pub(crate) fn arch() -> Arch {
    match CHOSEN.load(Ordering::Relaxed) {
        WIDEST => widest(),
        chosen => other(chosen),
    }
}

#[inline(always)]
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks for it")]
fn widest() -> Arch {
    Arch::new()
}

/// The unit with a number; [`choose`] checked that it is there.
#[cold]
fn other(chosen: u8) -> Arch {
    let unit = Unit::ALL.into_iter().find(|unit| *unit as u8 == chosen);
    unit.and_then(Unit::arch).unwrap_or_else(widest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_its_lanes_and_the_last_is_what_kernels_take() {
        let all = Unit::available();
        assert_eq!(all[0], Unit::Scalar);
        for unit in &all {
            assert_eq!(lanes_of(unit.arch().unwrap()), unit.lanes(), "{unit}");
            assert_eq!(unit.name().parse::<Unit>().unwrap(), *unit);
        }
        assert_eq!(lanes_of(widest()), all[all.len() - 1].lanes());
    }

    #[test]
    fn what_is_no_unit_or_is_not_there_is_an_error() {
        let text = "sse".parse::<Unit>().unwrap_err().to_string();
        assert!(text.contains("one of scalar, neon, avx2, avx512, found \"sse\""), "{text}");
        for unit in Unit::ALL.into_iter().filter(|unit| !Unit::available().contains(unit)) {
            let text = choose(Some(unit)).unwrap_err().to_string();
            assert!(text.contains(&format!("no vector unit {unit}; it has scalar")), "{text}");
        }
    }
}
