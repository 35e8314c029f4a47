//! [`fidelity`] says how well the score after some iterations orders architectures as another length does.

use autogan_stats::pooled_spearman;

use super::bootstrap::bootstrap;
use super::sample::{Measure, Sample};

/// Which trainings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// A training with itself, earlier or later.
    Same,
    /// Trainings of one architecture with different seeds: what an early score says of architectures, not of trainings.
    Other,
}

/// A rank correlation with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// Spearman's ρ of log F within pairs of seeds, pooled.
    pub rho: f64,
    /// The interval by a bootstrap over architectures; `None` when too few vary.
    pub interval: Option<(f64, f64)>,
    /// Architectures.
    pub archs: usize,
    /// Pairs of scores.
    pub pairs: usize,
}

/// An architecture's pairs of scores, each with the two seeds.
type Pairs = Vec<((u64, u64), (f64, f64))>;

/// The rank correlation of log F in `first` and in `second`, which are the samples of two lengths. Architectures are
/// compared with each other only within one pair of seeds. `None` when fewer than five have both scores, or nothing
/// varies.
pub fn fidelity(
    first: &[Sample<'_>],
    second: &[Sample<'_>],
    seeds: Seeds,
    draws: usize,
) -> Option<Fidelity> {
    let all: Vec<Pairs> = matched(first, second)
        .map(|(a, b)| pairs(a, b, seeds))
        .filter(|pairs| !pairs.is_empty())
        .collect();
    if all.len() < 5 {
        return None;
    }
    let rho = correlation(&all.iter().collect::<Vec<_>>())?;
    let pairs = all.iter().map(Vec::len).sum();
    Some(Fidelity { rho, interval: bootstrap(&all, draws, correlation), archs: all.len(), pairs })
}

/// The samples of the quarter of architectures with the lowest mean of log F, at least one; equal means keep their
/// order.
pub fn best_quarter<'a>(samples: &[Sample<'a>]) -> Vec<Sample<'a>> {
    let mut means: Vec<(f64, usize)> = Vec::with_capacity(samples.len());
    means.extend(samples.iter().map(|sample| sample.mean(Measure::LogFrechet)).zip(0..));
    means.sort_by(|a, b| a.0.total_cmp(&b.0));
    means.truncate(samples.len().div_ceil(4));
    let mut best: Vec<usize> = means.into_iter().map(|(_, at)| at).collect();
    best.sort_unstable();
    best.into_iter().map(|at| samples[at].clone()).collect()
}

/// The samples of the architectures that are in both; both are in the table's order.
fn matched<'s, 'a>(
    first: &'s [Sample<'a>],
    second: &'s [Sample<'a>],
) -> impl Iterator<Item = (&'s Sample<'a>, &'s Sample<'a>)> {
    let place: std::collections::HashMap<_, _> =
        second.iter().map(|sample| (sample.arch(), sample)).collect();
    first.iter().filter_map(move |a| Some((a, *place.get(a.arch())?)))
}

fn pairs(first: &Sample<'_>, second: &Sample<'_>, seeds: Seeds) -> Pairs {
    let mut pairs = Vec::new();
    for &(a, x) in &first.seeds {
        for &(b, y) in &second.seeds {
            if (a == b) == (seeds == Seeds::Same) {
                let measure = Measure::LogFrechet;
                pairs.push(((a, b), (measure.of(x), measure.of(y))));
            }
        }
    }
    pairs
}

/// Spearman's ρ, pooled over the pairs of seeds.
fn correlation(archs: &[&Pairs]) -> Option<f64> {
    let mut samples: std::collections::BTreeMap<(u64, u64), Vec<(f64, f64)>> = Default::default();
    for (seeds, scores) in archs.iter().copied().flatten() {
        samples.entry(*seeds).or_default().push(*scores);
    }
    let samples: Vec<&[(f64, f64)]> = samples.values().map(Vec::as_slice).collect();
    Some(pooled_spearman(&samples)?.rho)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::samples;
    use crate::{Row, Table};

    /// Five architectures with two seeds; `scores` holds F after 75 and after 300 for each seed.
    fn table(scores: [[f64; 4]; 5]) -> Table {
        let archs = ["0 0 0 0", "0 0 1 0", "0 0 2 0", "1 0 0 0", "1 0 1 0"];
        let mut rows = Vec::new();
        for (arch, scores) in archs.into_iter().zip(scores) {
            for (at, frechet) in scores.into_iter().enumerate() {
                let (seed, length) = (at / 2, [75, 300][at % 2]);
                let line = format!("{arch},1,{seed},{length},2.0,{frechet},8,9,0.5,false");
                rows.push(Row::from_csv(&line).unwrap());
            }
        }
        Table::new(rows)
    }

    #[test]
    fn same_and_other_seeds_by_hand() {
        // Seed 0: 1 2 3 4 5 against 1 2 3 4 5. Seed 1: 1 2 3 4 5 against 2 1 4 3 5, which gives 0.8 (squares 4 of 20).
        let table = table([
            [1.0, 10.0, 1.0, 20.0],
            [2.0, 20.0, 2.0, 10.0],
            [3.0, 30.0, 3.0, 40.0],
            [4.0, 40.0, 4.0, 30.0],
            [5.0, 50.0, 5.0, 50.0],
        ]);
        let (early, late) = (samples(&table, 1, 75), samples(&table, 1, 300));
        let same = fidelity(&early, &late, Seeds::Same, 200).unwrap();
        assert!((same.rho - 0.9).abs() < 1e-12, "the mean of 1 and 0.8: {same:?}");
        assert_eq!((same.archs, same.pairs), (5, 10));
        let (low, high) = same.interval.unwrap();
        assert!(low < same.rho && high <= 1.0, "{same:?}");
        // Early scores are equal for both seeds, so the other seed's late scores give the same two numbers.
        let other = fidelity(&early, &late, Seeds::Other, 200).unwrap();
        assert!((other.rho - 0.9).abs() < 1e-12, "{other:?}");
        // Late with late: ranks 1 2 3 4 5 against 2 1 4 3 5 in both directions.
        let late = fidelity(&late, &late, Seeds::Other, 200).unwrap();
        assert!((late.rho - 0.8).abs() < 1e-12, "{late:?}");
    }

    #[test]
    fn seeds_that_are_apart_are_not_mixed() {
        // All scores of seed 1 are far above those of seed 0 while each order is reversed.
        let scores = |i: f64| [i, 6.0 - i, 100.0 + i, 106.0 - i];
        let table = table([1.0, 2.0, 3.0, 4.0, 5.0].map(scores));
        let (early, late) = (samples(&table, 1, 75), samples(&table, 1, 300));
        assert!((fidelity(&early, &late, Seeds::Same, 10).unwrap().rho + 1.0).abs() < 1e-12);
        assert!((fidelity(&early, &late, Seeds::Other, 10).unwrap().rho + 1.0).abs() < 1e-12);
        assert_eq!(fidelity(&early[1..], &late, Seeds::Same, 10), None, "four architectures");
    }

    #[test]
    fn the_best_quarter_has_the_lowest_means() {
        let scores = |i: f64| [1.0, i, 1.0, i];
        let table = table([5.0, 1.0, 4.0, 2.0, 3.0].map(scores));
        let best = best_quarter(&samples(&table, 1, 300));
        let archs: Vec<String> = best.iter().map(|sample| sample.arch().to_string()).collect();
        assert_eq!(archs, ["0 0 1 0", "1 0 0 0"], "two of five, in the table's order");
        assert!(best_quarter(&[]).is_empty());
    }
}
