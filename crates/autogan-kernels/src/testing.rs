//! This module holds helpers that the tests of the vector kernels share.

use pulp::Arch;

use crate::units::Unit;

/// The vector units that this processor has besides the widest, and the scalar one.
pub(crate) fn other_units() -> Vec<Arch> {
    let mut units: Vec<Arch> = Unit::available().into_iter().filter_map(Unit::arch).collect();
    units.pop();
    units
}

/// Checks that elements are equal up to the rounding of f32, as a part of the largest element or of 1.
#[track_caller]
pub(crate) fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |most, v| most.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let near = (f - e).abs() <= 2e-5 * scale;
        assert!(near, "{what}, element {i}: expected {e}, found {f}");
    }
}
