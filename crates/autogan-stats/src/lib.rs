//! This crate computes statistics of scores: means and differences with their intervals, quantiles, rank correlations, and
//! a permutation test of signs. All functions are plain: they take slices, and keep nothing.

mod correlation;
mod permutation;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

pub use correlation::{Correlation, pooled_spearman, ranks, spearman};
pub use permutation::sign_permutation;

/// The intervals' coverage is 95 %.
const QUANTILE: f64 = 0.975;

/// A mean, or a difference of means, with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub error: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Difference {
    /// The interval that reaches `quantile` standard errors to either side.
    fn within(estimate: f64, error: f64, quantile: f64) -> Difference {
        let half = quantile * error;
        Difference { estimate, error, low: estimate - half, high: estimate + half }
    }

    /// Whether the interval leaves zero out; an end that is NaN leaves out nothing.
    pub fn is_clear(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The mean of `a` minus that of `b`, with Welch's interval; `None` with fewer than two values of either, and where
/// neither varies.
pub fn difference(a: &[f64], b: &[f64]) -> Option<Difference> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let (va, vb) = (variance(a) / a.len() as f64, variance(b) / b.len() as f64);
    let estimate = mean(a) - mean(b);
    let error = (va + vb).sqrt();
    let freedom =
        (va + vb).powi(2) / (va.powi(2) / (a.len() - 1) as f64 + vb.powi(2) / (b.len() - 1) as f64);
    // Without any spread there is nothing to estimate an interval from.
    let quantile = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(QUANTILE);
    Some(Difference::within(estimate, error, quantile))
}

/// The mean of `values` with Student's interval, which has no width where they do not vary; `None` with fewer than two.
pub fn mean_interval(values: &[f64]) -> Option<Difference> {
    if values.len() < 2 {
        return None;
    }
    let error = (variance(values) / values.len() as f64).sqrt();
    let freedom = (values.len() - 1) as f64;
    let quantile = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(QUANTILE);
    let estimate = mean(values);
    Some(Difference::within(estimate, error, quantile))
}

/// Differences of several cells as one: weighted by the inverse of their variances, with a normal interval. `None` without
/// differences, and where the error of one is 0 or not a number.
pub fn pooled(differences: &[Difference]) -> Option<Difference> {
    let weights: Vec<f64> = differences.iter().map(|d| 1.0 / (d.error * d.error)).collect();
    let total: f64 = weights.iter().sum();
    if !(total.is_finite() && total > 0.0) {
        return None;
    }
    let sum: f64 = differences.iter().zip(&weights).map(|(d, weight)| d.estimate * weight).sum();
    let (estimate, error) = (sum / total, total.recip().sqrt());
    Some(Difference::within(estimate, error, Normal::standard().inverse_cdf(QUANTILE)))
}

/// The mean; NaN without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation of the sample, whose square is unbiased; NaN for fewer than two values.
pub fn deviation(values: &[f64]) -> f64 {
    variance(values).sqrt()
}

/// The variance of the sample, unbiased; NaN for fewer than two values.
///
/// ```
/// use autogan_stats::variance;
///
/// assert_eq!(variance(&[1.0, 3.0]), 2.0);
/// assert!(variance(&[1.0]).is_nan() && variance(&[]).is_nan());
/// ```
pub fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (values.len() - 1) as f64
}

/// The `share` quantile of ascending values, linear between neighbours; NaN without values. A share below 0 counts as 0, one
/// above 1 as 1.
pub fn quantile(ascending: &[f64], share: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    ascending[low] + (ascending[high] - ascending[low]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "expected {b}, found {a}");
    }

    #[test]
    fn welch_by_hand() {
        // Means 3 and 1, variances 1 and 4 of 3 each: the error is sqrt(1/3 + 4/3), and the degrees
        // of freedom (5/3)^2 / ((1/3)^2/2 + (4/3)^2/2) = 50/17.
        let d = difference(&[2.0, 3.0, 4.0], &[-1.0, 1.0, 3.0]).unwrap();
        close(d.estimate, 2.0);
        close(d.error, (5.0_f64 / 3.0).sqrt());
        // The quantile for 50/17 degrees lies between those for 2 (4.302653) and 3 (3.182446).
        let quantile = (d.high - d.estimate) / d.error;
        assert!((3.18..3.30).contains(&quantile), "{quantile}");
        close(d.high - d.estimate, d.estimate - d.low);
        assert!(!d.is_clear());
    }

    #[test]
    fn intervals_of_a_mean_use_students_quantile() {
        // Ten values, standard deviation 1 by construction: the table's t(9) is 2.262157.
        let values: Vec<f64> = (0..10).map(|i| if i % 2 == 0 { 0.9_f64 } else { -0.9 }).collect();
        let m = mean_interval(&values).unwrap();
        close(m.estimate, 0.0);
        close(m.error, (0.9_f64 * 0.9 / 9.0).sqrt());
        assert!((m.high / m.error - 2.262_157).abs() < 1e-5);
        assert_eq!(mean_interval(&[1.0]), None);
        assert_eq!(difference(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(difference(&[1.0, 1.0], &[2.0, 2.0]), None, "no spread, no interval");
    }

    #[test]
    fn one_value_or_none_has_no_variance() {
        close(variance(&[1.0, 3.0]), 2.0);
        close(deviation(&[1.0, 3.0]), 2.0_f64.sqrt());
        for few in [&[][..], &[1.0]] {
            assert!(variance(few).is_nan() && deviation(few).is_nan(), "{few:?}");
        }
        assert!(mean(&[]).is_nan());
        let same = mean_interval(&[2.0, 2.0]).unwrap();
        assert_eq!((same.estimate, same.low, same.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn pooling_weighs_by_precision() {
        let one = Difference { estimate: 1.0, error: 1.0, low: 0.0, high: 0.0 };
        let two = Difference { estimate: 4.0, error: 0.5, low: 0.0, high: 0.0 };
        // Weights 1 and 4: (1 + 16) / 5, error 1 / sqrt 5.
        let p = pooled(&[one, two]).unwrap();
        close(p.estimate, 3.4);
        close(p.error, 0.2_f64.sqrt());
        assert!((p.high - p.estimate - 1.959_964 * p.error).abs() < 1e-6);
        assert_eq!(pooled(&[]), None);
        assert_eq!(pooled(&[one, Difference { error: 0.0, ..two }]), None);
    }

    #[test]
    fn quantiles_interpolate() {
        let values = [1.0, 2.0, 4.0];
        close(quantile(&values, 0.5), 2.0);
        close(quantile(&values, 0.75), 3.0);
        close(quantile(&values, 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
