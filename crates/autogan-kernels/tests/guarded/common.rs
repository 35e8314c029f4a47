//! Sizes, numbers and comparisons that all kernels share.

use autogan_kernels::units::Unit;
use autogan_testing::paths::cases;

/// Sides of images: all small ones, and two primes beyond a vector.
pub const SIDES: [usize; 11] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 17];

/// Channels: below, at and above the lanes of vectors and the blocks of kernels.
pub const CHANNELS: [usize; 6] = [1, 3, 5, 15, 17, 33];

/// Sides of a kernel, its stride, and zeros above and left of the image.
pub type Kind = ((usize, usize), usize, (usize, usize));

/// Some images.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// A number that tells cases apart.
    pub number: usize,
    pub n: usize,
    pub ci: usize,
    pub co: usize,
    pub h: usize,
    pub w: usize,
}

/// All pairs of sides, with batches of one to three images and all channels in turn.
pub fn sizes() -> Vec<Sizes> {
    let sides = SIDES.into_iter().flat_map(|h| SIDES.map(|w| (h, w)));
    let all = sides.enumerate().map(|(i, (h, w))| Sizes {
        number: i,
        n: 1 + i % 3,
        ci: CHANNELS[(i + i / 6) % 6],
        co: CHANNELS[i % 6],
        h,
        w,
    });
    cases(all.collect())
}

/// Numbers in -1..1 that differ by seed, in a buffer without room for more.
pub fn noise(len: usize, seed: usize) -> Vec<f32> {
    let step = 0.37 + 0.11 * (seed % 13) as f32;
    let numbers: Vec<f32> = (0..len).map(|i| (i as f32 * step + seed as f32).sin()).collect();
    assert_eq!(numbers.capacity(), len, "a buffer with room for more hides a read beyond it");
    numbers
}

/// The same numbers as `f64`.
pub fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&v| f64::from(v)).collect()
}

/// Panics unless elements are equal up to `bound`, as a part of the largest element or of 1.
#[track_caller]
fn assert_within(found: &[f64], expected: &[f64], bound: f64, what: impl Fn() -> String) {
    assert_eq!(found.len(), expected.len(), "{}", what());
    let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let near = (f - e).abs() <= bound * scale;
        assert!(near, "{}, element {i}: expected {e}, found {f}", what());
    }
}

/// Panics unless numbers are those of a plain form in `f64`, up to the rounding of `f32`.
#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f64], what: impl Fn() -> String) {
    assert_within(&wide(found), expected, 2e-5, what);
}

/// The same for `f64`, with its rounding.
#[track_caller]
pub fn assert_near_f64(found: &[f64], expected: &[f64], what: impl Fn() -> String) {
    assert_within(found, expected, 1e-12, what);
}

/// Panics unless each path gave the bits of the first, which is the plain one.
#[track_caller]
pub fn assert_same_bits(kernel: &str, found: &[(Unit, Vec<Vec<f32>>)]) {
    let bits = |all: &[Vec<f32>]| -> Vec<Vec<u32>> {
        all.iter().map(|one| one.iter().map(|v| v.to_bits()).collect()).collect()
    };
    let (plain, first) = &found[0];
    let first = bits(first);
    for (unit, all) in &found[1..] {
        for (i, (a, b)) in bits(all).iter().zip(&first).enumerate() {
            assert!(a == b, "{kernel}, result {i}: {unit} gives other bits than {plain}");
        }
    }
}
