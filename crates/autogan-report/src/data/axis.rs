//! The [`Axis`] of iterations says which iteration a tick belongs to, and where within it.
//!
//! The store counts units of work (ticks); iterations are what people count. Within an iteration a
//! series is spread evenly, for its phases differ in length by a factor of ten and more.

use std::collections::BTreeMap;

/// Where iterations end, in ticks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Axis {
    /// Iteration by the last tick that is known to belong to it.
    ends: BTreeMap<u64, u32>,
}

impl Axis {
    /// From rows that tell both (tick, iteration).
    pub fn new(rows: impl IntoIterator<Item = (u64, u32)>) -> Axis {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (tick, iteration) in rows {
            let end = last.entry(iteration).or_insert(tick);
            *end = tick.max(*end);
        }
        Axis { ends: last.into_iter().map(|(iteration, tick)| (tick, iteration)).collect() }
    }

    /// The iteration of a tick: the first that ends at or after it, else the one after all.
    pub fn iteration(&self, tick: u64) -> u32 {
        match self.ends.range(tick..).next() {
            Some((_, &iteration)) => iteration,
            None => self.ends.values().next_back().map_or(0, |last| last + 1),
        }
    }

    /// The places of rows at these ticks, which do not fall: evenly spread within each iteration.
    pub fn spread(&self, ticks: &[u64]) -> Vec<f64> {
        let iterations: Vec<u32> = ticks.iter().map(|&tick| self.iteration(tick)).collect();
        spread(&iterations)
    }
}

/// The places of rows of these iterations, which do not fall: evenly spread within each. The last
/// iteration may be in progress: it is taken to become as long as the one before.
pub(crate) fn spread(iterations: &[u32]) -> Vec<f64> {
    let mut places = Vec::with_capacity(iterations.len());
    let mut before = 0;
    for group in iterations.chunk_by(|a, b| a == b) {
        let last = places.len() + group.len() == iterations.len();
        let length = if last { group.len().max(before) } else { group.len() };
        let place = |rank: usize| f64::from(group[0]) + (rank as f64 + 0.5) / length as f64;
        places.extend((0..group.len()).map(place));
        before = group.len();
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_belong_to_the_iteration_that_ends_after_them() {
        let axis = Axis::new([(7, 0), (9, 0), (19, 1), (15, 1)]);
        let found: Vec<u32> = [0, 9, 10, 19, 20, 99].map(|tick| axis.iteration(tick)).to_vec();
        assert_eq!(found, [0, 0, 1, 1, 2, 2]);
        assert_eq!(Axis::default().iteration(5), 0);
    }

    #[test]
    fn rows_are_spread_evenly_and_the_last_iteration_has_room_to_grow() {
        assert_eq!(spread(&[0, 0, 3, 3]), [0.25, 0.75, 3.25, 3.75]);
        assert_eq!(spread(&[0, 0, 0, 0, 1]), [0.125, 0.375, 0.625, 0.875, 1.125]);
        assert_eq!(spread(&[]), [0.0; 0]);
        let axis = Axis::new([(4, 0), (8, 1)]);
        assert_eq!(axis.spread(&[1, 3, 5]), [0.25, 0.75, 1.25]);
    }
}
