//! [`Entry`] holds the trainings of one point, as a table has them.

use std::collections::BTreeSet;

use autogan_stats::mean;
use autogan_strategies::Point;

/// A training at each fidelity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Training {
    /// Its values; `None` when the networks had diverged by then.
    pub values: Vec<Option<f64>>,
    /// What it cost from its beginning.
    pub costs: Vec<f64>,
}

/// The trainings of one point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub point: Point,
    pub trainings: Vec<Training>,
}

/// What the entries of a table hold at the last fidelity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    /// For each entry, one value for each training.
    pub of: Vec<Vec<f64>>,
    /// Trainings that had diverged.
    pub diverged: usize,
}

impl Values {
    /// The values at the last fidelity. One that diverged counts as the worst that did not.
    pub fn new(entries: &[Entry]) -> Self {
        let last = |training: &Training| training.values.last().copied().flatten();
        let all = || entries.iter().flat_map(|entry| &entry.trainings);
        let worst = all().filter_map(last).fold(f64::INFINITY, f64::min);
        let value = |training| last(training).unwrap_or(worst);
        let of = entries.iter().map(|entry| entry.trainings.iter().map(value).collect()).collect();
        Self { of, diverged: all().filter(|training| last(training).is_none()).count() }
    }

    /// The mean of each entry.
    pub fn means(&self) -> Vec<f64> {
        self.of.iter().map(|values| mean(values)).collect()
    }

    /// The variance between trainings of one entry, over all entries; 0 where no entry has two.
    pub fn noise_variance(&self) -> f64 {
        let (mut squares, mut freedom) = (0.0, 0);
        for values in &self.of {
            let middle = mean(values);
            squares += values.iter().map(|value| (value - middle).powi(2)).sum::<f64>();
            freedom += values.len() - 1;
        }
        if freedom == 0 { 0.0 } else { squares / freedom as f64 }
    }

    /// The mean of an entry's values whose places are not in `told`.
    pub fn mean_beyond(&self, entry: usize, told: &BTreeSet<usize>) -> f64 {
        let values = self.of[entry].iter().enumerate();
        let others: Vec<f64> =
            values.filter(|(place, _)| !told.contains(place)).map(|(_, value)| *value).collect();
        mean(&others)
    }
}
