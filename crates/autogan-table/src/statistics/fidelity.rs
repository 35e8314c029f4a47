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

/// Which architectures are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All that have both scores.
    All,
    /// The quarter, rounded up, whose second score is best. The first score has no part in the choice: to choose by the
    /// mean of both would bring their correlation down by itself.
    BestQuarter,
}

/// A rank correlation with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// Spearman's ρ of log F within pairs of seeds, pooled.
    pub rho: f64,
    /// The interval by a bootstrap over architectures; `None` when too few vary.
    pub interval: Option<(f64, f64)>,
    /// Architectures that have both scores.
    pub archs: usize,
}

/// An architecture's pairs of scores, each with the two seeds.
type Pairs = Vec<((u64, u64), (f64, f64))>;

/// The rank correlation of log F in `first` and in `second`, which are the samples of two lengths. Architectures are
/// compared with each other only within one pair of seeds. `None` when fewer than five architectures are compared, or
/// nothing varies.
pub fn fidelity(
    first: &[Sample<'_>],
    second: &[Sample<'_>],
    seeds: Seeds,
    part: Part,
    draws: usize,
) -> Option<Fidelity> {
    let all: Vec<Pairs> = matched(first, second)
        .map(|(a, b)| pairs(a, b, seeds))
        .filter(|pairs| !pairs.is_empty())
        .collect();
    if part.of(all.len()) < 5 {
        return None;
    }
    let of = |archs: &[&Pairs]| correlation(archs, part);
    let rho = of(&all.iter().collect::<Vec<_>>())?;
    Some(Fidelity { rho, interval: bootstrap(&all, draws, of), archs: all.len() })
}

impl Part {
    /// How many of `count` it is.
    fn of(self, count: usize) -> usize {
        match self {
            Self::All => count,
            Self::BestQuarter => count.div_ceil(4),
        }
    }
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
fn correlation(archs: &[&Pairs], part: Part) -> Option<f64> {
    let mut samples: std::collections::BTreeMap<(u64, u64), Vec<(f64, f64)>> = Default::default();
    for (seeds, scores) in archs.iter().copied().flatten() {
        samples.entry(*seeds).or_default().push(*scores);
    }
    for sample in samples.values_mut() {
        sample.sort_by(|a, b| a.1.total_cmp(&b.1));
        sample.truncate(part.of(sample.len()));
    }
    let samples: Vec<&[(f64, f64)]> = samples.values().map(Vec::as_slice).collect();
    Some(pooled_spearman(&samples)?.rho)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::samples;
    use crate::{Row, Table};
    use Part::{All, BestQuarter};

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
        let same = fidelity(&early, &late, Seeds::Same, All, 200).unwrap();
        assert!((same.rho - 0.9).abs() < 1e-12, "the mean of 1 and 0.8: {same:?}");
        assert_eq!(same.archs, 5);
        let (low, high) = same.interval.unwrap();
        assert!(low < same.rho && high <= 1.0, "{same:?}");
        // Early scores are equal for both seeds, so the other seed's late scores give the same two numbers.
        let other = fidelity(&early, &late, Seeds::Other, All, 200).unwrap();
        assert!((other.rho - 0.9).abs() < 1e-12, "{other:?}");
        // Late with late: ranks 1 2 3 4 5 against 2 1 4 3 5 in both directions.
        let late = fidelity(&late, &late, Seeds::Other, All, 200).unwrap();
        assert!((late.rho - 0.8).abs() < 1e-12, "{late:?}");
    }

    #[test]
    fn seeds_that_are_apart_are_not_mixed() {
        // All scores of seed 1 are far above those of seed 0 while each order is reversed.
        let scores = |i: f64| [i, 6.0 - i, 100.0 + i, 106.0 - i];
        let table = table([1.0, 2.0, 3.0, 4.0, 5.0].map(scores));
        let (early, late) = (samples(&table, 1, 75), samples(&table, 1, 300));
        assert!((fidelity(&early, &late, Seeds::Same, All, 10).unwrap().rho + 1.0).abs() < 1e-12);
        assert!((fidelity(&early, &late, Seeds::Other, All, 10).unwrap().rho + 1.0).abs() < 1e-12);
        assert_eq!(fidelity(&early[1..], &late, Seeds::Same, All, 10), None, "four architectures");
    }

    #[test]
    fn the_best_quarter_is_chosen_by_the_second_score_alone() {
        // Late scores 1 to 20; of the first five, early scores are 2 1 4 3 5, which gives 0.8; the others are reversed.
        let early = [2.0, 1.0, 4.0, 3.0, 5.0].into_iter().chain((6..=20).rev().map(f64::from));
        let lines = autogan_space::Arch::enumerate(0).zip(early).zip(1..).flat_map(
            |((arch, early), late)| {
                let line =
                    |length: u64, f: f64| format!("{arch},1,0,{length},2.0,{f},8,9,0.5,false");
                [line(75, early), line(300, f64::from(late))]
            },
        );
        let table = Table::new(lines.map(|line| Row::from_csv(&line).unwrap()).collect());
        let (early, late) = (samples(&table, 1, 75), samples(&table, 1, 300));
        let found = fidelity(&early, &late, Seeds::Same, BestQuarter, 50).unwrap();
        assert!((found.rho - 0.8).abs() < 1e-12 && found.archs == 20, "{found:?}");
        assert_eq!(
            fidelity(&early[4..], &late, Seeds::Same, BestQuarter, 50),
            None,
            "four of sixteen"
        );
        assert_eq!(fidelity(&early, &late, Seeds::Other, BestQuarter, 50), None, "one seed");
    }
}
