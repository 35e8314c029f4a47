//! The sign permutation test of paired differences, exact: of all ways to turn the signs of the differences around, how
//! many give a sum that is at least as far from zero as the one that was found?
//!
//! The 2ⁿ sums are never listed. The differences are split into halves, the sums of each half are made in ascending
//! order, and the pairs beyond the limit are counted by walking through both lists at once.

/// The most differences that are tested: the halves of 44 have four million sums each.
const MOST: usize = 44;

/// The two-sided p-value of the hypothesis that each difference is as likely to be of the other sign; `None` without
/// differences, with more than 44, and when one is not finite.
///
/// ```
/// use autogan_stats::sign_permutation;
///
/// // Of the 8 ways, only all signs as they are and all turned around reach the sum of 6.
/// assert_eq!(sign_permutation(&[1.0, 2.0, 3.0]), Some(0.25));
/// ```
pub fn sign_permutation(differences: &[f64]) -> Option<f64> {
    let n = differences.len();
    if n == 0 || n > MOST || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let size: f64 = differences.iter().map(|d| d.abs()).sum();
    let found: f64 = differences.iter().sum();
    // Sums that are equal but for rounding count as equal.
    let limit = found.abs() - 1e-12 * size;
    if limit <= 0.0 {
        return Some(1.0);
    }
    let (one, other) = differences.split_at(n / 2);
    let (one, other) = (signed_sums(one), signed_sums(other));
    // Sums are symmetric around zero: as many lie at or below −limit as at or above it.
    Some(2.0 * count_beyond(&one, &other, limit) as f64 / 2_f64.powi(n as i32))
}

/// The sums of `values` under all signs, ascending.
fn signed_sums(values: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for value in values {
        let step = value.abs();
        let (mut low, mut high) = (0, 0);
        let mut next = Vec::with_capacity(2 * sums.len());
        while low < sums.len() || high < sums.len() {
            // The sums less `step` run ahead of the sums plus `step`.
            let below = sums.get(low).map_or(f64::INFINITY, |sum| sum - step);
            let above = sums.get(high).map_or(f64::INFINITY, |sum| sum + step);
            if below <= above {
                next.push(below);
                low += 1;
            } else {
                next.push(above);
                high += 1;
            }
        }
        sums = next;
    }
    sums
}

/// How many pairs of one number from each ascending list have a sum of `limit` or more.
fn count_beyond(one: &[f64], other: &[f64], limit: f64) -> u64 {
    let mut first = other.len();
    let mut count = 0;
    for a in one {
        while first > 0 && a + other[first - 1] >= limit {
            first -= 1;
        }
        count += (other.len() - first) as u64;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by listing all signs.
    fn listed(differences: &[f64]) -> f64 {
        let n = differences.len();
        let sum = |signs: u32| -> f64 {
            let signed = |(at, d): (usize, &f64)| if signs >> at & 1 == 1 { -d } else { *d };
            differences.iter().enumerate().map(signed).sum()
        };
        let found = sum(0).abs();
        let beyond = (0..1_u32 << n).filter(|&signs| sum(signs).abs() >= found - 1e-9).count();
        beyond as f64 / f64::from(1_u32 << n)
    }

    #[test]
    fn by_hand() {
        // Sums of 3, 1, -1 under all signs: ±5 once each, ±3 twice, ±1 once; found 3: 6 of 8 are as far.
        assert_eq!(sign_permutation(&[3.0, 1.0, -1.0]), Some(0.75));
        assert_eq!(sign_permutation(&[0.5]), Some(1.0));
        assert_eq!(sign_permutation(&[1.0; 10]), Some(2.0 / 1024.0));
        assert_eq!(sign_permutation(&[1.0, -1.0]), Some(1.0));
        assert_eq!(sign_permutation(&[0.0, 0.0]), Some(1.0));
    }

    #[test]
    fn it_agrees_with_the_list_of_all_signs() {
        let mut state = 7_u64;
        for n in 1..=13 {
            let differences: Vec<f64> = (0..n)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Tenths, so that there are ties.
                    ((state >> 40) % 41) as f64 / 10.0 - 1.5
                })
                .collect();
            let found = sign_permutation(&differences).unwrap();
            assert!((found - listed(&differences)).abs() < 1e-12, "{differences:?}: {found}");
        }
    }

    #[test]
    fn many_differences_are_tested_and_too_many_are_not() {
        let p = sign_permutation(&[0.3; 32]).unwrap();
        assert_eq!(p, 2.0 / 2_f64.powi(32));
        assert_eq!(sign_permutation(&[1.0; 45]), None);
        assert_eq!(sign_permutation(&[]), None);
        assert_eq!(sign_permutation(&[1.0, f64::NAN]), None);
    }
}
