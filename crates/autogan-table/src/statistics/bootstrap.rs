//! [`bootstrap`] gives the interval of any statistic by drawing the architectures anew.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the draws follow from.
const SEED: u64 = 202;

/// The 95 % interval of `statistic` over `items` by `draws` resamples with replacement (the percentile interval of
/// Efron): the draws are of whole items, so that the values of one item stay together. A resample on which the
/// statistic is `None` or not finite does not count; `None` when fewer than half of them count.
pub fn bootstrap<T>(
    items: &[T],
    draws: usize,
    statistic: impl Fn(&[&T]) -> Option<f64>,
) -> Option<(f64, f64)> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut found = Vec::with_capacity(draws);
    for _ in 0..draws {
        let sample: Vec<&T> =
            items.iter().map(|_| &items[rng.random_range(0..items.len())]).collect();
        found.extend(statistic(&sample).filter(|value| value.is_finite()));
    }
    if found.is_empty() || found.len() * 2 < draws {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let quantile = |share| autogan_stats::quantile(&found, share);
    Some((quantile(0.025), quantile(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sample: &[&f64]) -> Option<f64> {
        Some(sample.iter().copied().sum::<f64>() / sample.len() as f64)
    }

    #[test]
    fn a_mean_has_the_interval_that_theory_gives() {
        // 400 values of SD 1: the mean's standard error is 1/20, and 1.96 of them reach 0.098 to either side.
        let values: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let (low, high) = bootstrap(&values, 2000, mean).unwrap();
        assert!((low + 0.098).abs() < 0.012 && (high - 0.098).abs() < 0.012, "{low} {high}");
        assert_eq!(bootstrap(&values, 2000, mean), Some((low, high)), "the same draws each time");
    }

    #[test]
    fn two_items_by_hand() {
        // A mean of two draws from {0, 1} is 0, 1/2 or 1, with 1/4, 1/2 and 1/4: both ends have more than 2.5 %.
        assert_eq!(bootstrap(&[0.0, 1.0], 500, mean), Some((0.0, 1.0)));
    }

    #[test]
    fn no_interval_without_a_statistic() {
        assert_eq!(bootstrap(&[1.0, 2.0], 100, |_| None), None);
        assert_eq!(bootstrap(&[1.0, 2.0], 100, |_| Some(f64::NAN)), None);
        assert_eq!(bootstrap(&[], 100, mean), None);
    }
}
