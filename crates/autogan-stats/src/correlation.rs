//! This module correlates ranks, in one sample and over several, with a confidence interval: how well does a cheap
//! score predict an expensive one?
//!
//! Spearman's coefficient is the correlation of ranks. Its interval is Fisher's, with the variance of Bonett and Wright
//! (*Psychometrika* 65, 2000): (1 + ρ²/2) / (n − 3) on the scale of atanh ρ.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{QUANTILE, mean};

/// A rank correlation with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// Spearman's ρ.
    pub rho: f64,
    /// Lower end of the interval; NaN where there are too few pairs to estimate one, and where ρ is 1 or −1.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Pairs.
    pub pairs: usize,
}

/// The ranks of `values` from 1; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (same.len() as f64 + 1.0) / 2.0;
        same.iter().for_each(|&at| ranks[at] = rank);
        first += same.len();
    }
    ranks
}

/// Spearman's ρ between the first and the second numbers of `pairs`; `None` where the first do not vary, or the second.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<Correlation> {
    pooled_spearman(&[pairs])
}

/// Spearman's ρ within samples that must not be compared with each other, such as runs of different seeds: numbers are
/// ranked within their sample, and the ranks, relative to the sample's mean rank, are correlated over all of them. The
/// interval takes three pairs off each sample, also off one that has fewer. `None` where the first numbers vary within no
/// sample, or the second.
pub fn pooled_spearman(samples: &[&[(f64, f64)]]) -> Option<Correlation> {
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    let (mut pairs, mut freedom) = (0, 0.0);
    for sample in samples {
        let x = centred(&sample.iter().map(|pair| pair.0).collect::<Vec<_>>());
        let y = centred(&sample.iter().map(|pair| pair.1).collect::<Vec<_>>());
        for (x, y) in x.iter().zip(&y) {
            (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
        }
        pairs += sample.len();
        freedom += sample.len() as f64 - 3.0;
    }
    if xx <= 0.0 || yy <= 0.0 {
        return None;
    }
    let rho = (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0);
    let (low, high) = interval(rho, freedom);
    Some(Correlation { rho, low, high, pairs })
}

/// Ranks less their mean.
fn centred(values: &[f64]) -> Vec<f64> {
    let mut ranks = ranks(values);
    let middle = mean(&ranks);
    ranks.iter_mut().for_each(|rank| *rank -= middle);
    ranks
}

/// Fisher's interval; NaN where the ranks agree fully or are reversed, for no spread is seen there, or without freedom.
fn interval(rho: f64, freedom: f64) -> (f64, f64) {
    if freedom <= 0.0 || rho.abs() >= 1.0 - 1e-12 {
        return (f64::NAN, f64::NAN);
    }
    let error = ((1.0 + rho * rho / 2.0) / freedom).sqrt();
    let half = Normal::standard().inverse_cdf(QUANTILE) * error;
    ((rho.atanh() - half).tanh(), (rho.atanh() + half).tanh())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "expected {b}, found {a}");
    }

    #[test]
    fn equal_values_share_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[5.0, 5.0, 5.0]), [2.0, 2.0, 2.0]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn by_hand() {
        // Ranks 1 to 5 against 2 1 4 3 5: squared differences 1 1 1 1 0, so 1 - 6·4 / (5·24) = 0.8.
        let pairs = [(10.0, 0.2), (20.0, 0.1), (30.0, 0.4), (40.0, 0.3), (50.0, 9.0)];
        let found = spearman(&pairs).unwrap();
        close(found.rho, 0.8);
        assert_eq!(found.pairs, 5);
        // atanh 0.8 = 1.0986123, error sqrt(1.32 / 2) = 0.8124038, half 1.5922822.
        close(found.low, (1.098_612_288_668_11 - 1.959_963_984_540_05 * 0.66_f64.sqrt()).tanh());
        close(found.high, (1.098_612_288_668_11 + 1.959_963_984_540_05 * 0.66_f64.sqrt()).tanh());
    }

    #[test]
    fn samples_are_ranked_apart() {
        // Within each sample the order is reversed; that the second lies above the first in both must not count.
        let one = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)];
        let two = [(11.0, 13.0), (12.0, 12.0), (13.0, 11.0)];
        close(pooled_spearman(&[&one, &two]).unwrap().rho, -1.0);
        let merged: Vec<(f64, f64)> = one.iter().chain(&two).copied().collect();
        assert!(spearman(&merged).unwrap().rho > 0.5);
        // Of equal sizes without ties it is the mean: rho 1 and 0.5 of three pairs each.
        let up = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        let mixed = [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0)];
        close(pooled_spearman(&[&up, &mixed]).unwrap().rho, 0.75);
    }

    #[test]
    fn no_interval_where_nothing_is_known() {
        assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), None);
        let three = spearman(&[(1.0, 2.0), (2.0, 1.0), (3.0, 3.0)]).unwrap();
        assert!(three.low.is_nan(), "three pairs leave no freedom");
        let perfect: Vec<(f64, f64)> = (0..9).map(|i| (f64::from(i), f64::from(i))).collect();
        let perfect = spearman(&perfect).unwrap();
        assert!(perfect.rho == 1.0 && perfect.high.is_nan());
    }
}
