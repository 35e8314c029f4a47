//! This module finds the nearest neighbours of each row of a set, and counts which rows of two sets lie inside each
//! other's balls. All samples of [`Samples`] are handled in the same walk over the pairs.
//!
//! The ball of a row reaches to its `k`-th nearest neighbour, itself not counted. Distances are squared; those that decide
//! are computed in `f64` ([`near`](super::near)). Memory grows with the rows, not with the pairs.

use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::near::{NearTile, Rows, near_strips};
use super::resample::Samples;
use super::tiles::{Blocks, Pairs, TILE};
use crate::{Error, Result};

/// The nearest rows that were seen so far.
struct Nearest {
    keep: usize,
    /// Nothing beyond this distance is among the nearest.
    limit: f64,
    found: Vec<(f64, usize)>,
}

/// Nearer first; rows at the same distance in their order, so that the order in which they are seen does not matter.
fn nearer(a: &(f64, usize), b: &(f64, usize)) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

impl Nearest {
    fn new(keep: usize) -> Self {
        Self { keep, limit: f64::INFINITY, found: Vec::new() }
    }

    /// Takes a row, unless its distance, which is `least` or more, is too large.
    fn offer(&mut self, least: f64, distance: impl FnOnce() -> f64, row: usize) {
        if least > self.limit {
            return;
        }
        let distance = distance();
        if distance > self.limit {
            return;
        }
        self.found.push((distance, row));
        if self.found.len() >= 2 * self.keep + 8 {
            let (_, last, _) = self.found.select_nth_unstable_by(self.keep - 1, nearer);
            self.limit = last.0;
            self.found.truncate(self.keep);
        }
    }

    fn finish(mut self) -> Vec<(f64, usize)> {
        self.found.sort_unstable_by(nearer);
        self.found.truncate(self.keep);
        self.found
    }
}

/// The `keep` nearest other rows of each row, nearest first.
fn nearest(set: &Rows<'_>, keep: usize) -> Vec<Vec<(f64, usize)>> {
    let tile_of = |start: usize| -> Vec<Nearest> {
        (start..(start + TILE).min(set.rows())).map(|_| Nearest::new(keep)).collect()
    };
    let lists: Vec<Mutex<Vec<Nearest>>> =
        (0..set.rows()).step_by(TILE).map(|start| Mutex::new(tile_of(start))).collect();
    near_strips(
        set,
        set,
        Pairs::Upper,
        |_| (),
        |(), tile| {
            let lists = [&tile.rows, &tile.cols].map(|range| &lists[range.start / TILE]);
            // Limits only fall, so that those of now leave nothing out.
            let mut limits: [Vec<f64>; 2] =
                lists.map(|all| lock(all).iter().map(|list| list.limit).collect());
            if tile.on_diagonal() {
                // Each pair comes twice there.
                limits[1] = vec![-1.0; tile.cols.len()];
            }
            let mut pairs = Vec::new();
            tile.near(&limits[0], &limits[1], |i, j| {
                if tile.rows.start + i != tile.cols.start + j {
                    pairs.push((i, j, tile.bounds(i, j).0));
                }
            });
            let mut rows = lock(lists[0]);
            for &(i, j, least) in &pairs {
                rows[i].offer(least, || tile.distance(i, j), tile.cols.start + j);
            }
            drop(rows);
            if !tile.on_diagonal() {
                let mut cols = lock(lists[1]);
                for &(i, j, least) in &pairs {
                    cols[j].offer(least, || tile.distance(i, j), tile.rows.start + i);
                }
            }
        },
    );
    let lists =
        lists.into_iter().flat_map(|m| m.into_inner().unwrap_or_else(PoisonError::into_inner));
    lists.map(Nearest::finish).collect()
}

/// Nothing is left half done where a thread panics, as nobody reads on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The squared radius of the ball of each row in each sample.
pub(crate) struct Radii {
    samples: usize,
    /// `[rows, samples]`; below 0 where the sample does not hold the row.
    values: Vec<f64>,
    /// The largest radius of each row.
    largest: Vec<f64>,
}

impl Radii {
    /// The distance to the `k`-th nearest row of the same sample.
    ///
    /// # Errors
    /// [`Error::Numerics`] when a half holds too few of the nearest rows that are kept, which does not happen by
    /// chance.
    pub fn new(set: &Rows<'_>, k: usize, samples: &Samples) -> Result<Self> {
        let count = samples.count();
        // Half of the neighbours are in a half. Of so many it holds fewer than k once in 1e14 times at most.
        let keep = if count == 1 { k } else { (4 * k + 60).min(set.rows() - 1) };
        let lists = nearest(set, keep);
        let radius = |(row, list): (usize, &Vec<(f64, usize)>)| {
            let in_sample = |sample| {
                if !samples.holds(sample, row) {
                    return Some(-1.0);
                }
                let held = list.iter().filter(|(_, other)| samples.holds(sample, *other));
                held.map(|(distance, _)| *distance).nth(k - 1)
            };
            (0..count).map(in_sample).collect::<Option<Vec<f64>>>()
        };
        let values: Option<Vec<Vec<f64>>> = lists.par_iter().enumerate().map(radius).collect();
        let what = "the search for neighbours in random halves (another seed draws others); it";
        let values = values.ok_or(Error::Numerics { what })?.concat();
        let largest =
            values.chunks_exact(count).map(|r| r.iter().copied().fold(-1.0, f64::max)).collect();
        Ok(Self { samples: count, values, largest })
    }

    fn of(&self, row: usize) -> &[f64] {
        &self.values[row * self.samples..][..self.samples]
    }
}

/// Whether the border of a ball belongs to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Border {
    /// It does, as in Kynkäänniemi et al. and torch-fidelity.
    Inside,
    /// It does not, as in Naeem et al.'s `prdc`.
    Outside,
}

/// Counts of rows in one sample of two sets, real and generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Generated rows in the ball of any real one.
    pub generated_inside: u64,
    /// Real rows in the ball of any generated one.
    pub real_inside: u64,
    /// Pairs of a generated row in the ball of a real one.
    pub pairs: u64,
    /// Real rows whose ball holds any generated one.
    pub real_covered: u64,
}

/// One set: its rows, its balls, its samples.
pub(crate) struct Balls<'a> {
    pub set: Rows<'a>,
    pub radii: Radii,
    pub samples: &'a Samples,
}

/// A distance that is computed only where its bounds do not decide.
struct Gap {
    bounds: (f64, f64),
    exact: Option<f64>,
}

impl Gap {
    /// A distance that lies on the same side of each radius of a row as the true one.
    fn beside(&mut self, radii: &Radii, row: usize, distance: impl FnOnce() -> f64) -> f64 {
        let (least, most) = self.bounds;
        if least > radii.largest[row] {
            return f64::INFINITY;
        }
        if radii.samples == 1 && most < radii.largest[row] {
            return most;
        }
        *self.exact.get_or_insert_with(distance)
    }
}

/// What a strip of real rows has seen.
struct Seen {
    pairs: Vec<u64>,
    /// Samples in which each row of the strip is inside a generated ball, `[rows, words]`.
    inside: Vec<u64>,
    /// Samples in which its own ball holds a generated row.
    covered: Vec<u64>,
}

/// The counts in each sample; both sets have the same number of samples.
pub(crate) fn count(real: &Balls<'_>, generated: &Balls<'_>, border: Border) -> Vec<Counts> {
    let (samples, words) = (real.samples.count(), real.samples.words());
    let generated_inside: Vec<AtomicU64> =
        (0..generated.set.rows() * words).map(|_| AtomicU64::new(0)).collect();
    let seen = near_strips(
        &real.set,
        &generated.set,
        Pairs::All,
        |rows| Seen {
            pairs: vec![0; samples],
            inside: vec![0; rows.len() * words],
            covered: vec![0; rows.len() * words],
        },
        |seen, tile| visit(seen, tile, (real, generated), border, &generated_inside),
    );
    let mut counts = vec![Counts::default(); samples];
    let generated_inside: Vec<u64> =
        generated_inside.iter().map(|word| word.load(atomic::Ordering::Relaxed)).collect();
    for (sample, counts) in counts.iter_mut().enumerate() {
        let held = |masks: &[u64]| {
            masks
                .iter()
                .skip(sample / 64)
                .step_by(words)
                .map(|word| (word >> (sample % 64)) & 1)
                .sum::<u64>()
        };
        counts.generated_inside = held(&generated_inside);
        for strip in &seen {
            counts.real_inside += held(&strip.inside);
            counts.real_covered += held(&strip.covered);
            counts.pairs += strip.pairs[sample];
        }
    }
    counts
}

fn visit(
    seen: &mut Seen,
    tile: &NearTile<'_>,
    (real, generated): (&Balls<'_>, &Balls<'_>),
    border: Border,
    generated_inside: &[AtomicU64],
) {
    let words = real.samples.words();
    let inside = |distance: f64, radius: f64| match border {
        Border::Inside => distance <= radius,
        Border::Outside => distance < radius,
    };
    let mut mask = vec![0u64; words];
    let largest =
        [&real.radii.largest[tile.rows.clone()], &generated.radii.largest[tile.cols.clone()]];
    tile.near(largest[0], largest[1], |i, j| {
        let (row, col) = (tile.rows.start + i, tile.cols.start + j);
        let mut gap = Gap { bounds: tile.bounds(i, j), exact: None };
        let mut to = |radii: &Radii, of| gap.beside(radii, of, || tile.distance(i, j));
        let (distance, other) = (to(&real.radii, row), to(&generated.radii, col));
        if distance <= real.radii.largest[row] {
            mask.fill(0);
            for (sample, &radius) in real.radii.of(row).iter().enumerate() {
                if inside(distance, radius) && generated.samples.holds(sample, col) {
                    mask[sample / 64] |= 1 << (sample % 64);
                    seen.pairs[sample] += 1;
                }
            }
            for (word, &mask) in mask.iter().enumerate().filter(|(_, mask)| **mask != 0) {
                seen.covered[i * words + word] |= mask;
                generated_inside[col * words + word].fetch_or(mask, atomic::Ordering::Relaxed);
            }
        }
        if other <= generated.radii.largest[col] {
            for (sample, &radius) in generated.radii.of(col).iter().enumerate() {
                if inside(other, radius) && real.samples.holds(sample, row) {
                    seen.inside[i * words + sample / 64] |= 1 << (sample % 64);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;
    use crate::scores::near::Centre;

    #[test]
    fn neighbours_across_tiles() {
        // Points on a line at 0, 1, 2, …: the nearest others are one and two steps away.
        let n = 2 * TILE + 5;
        let line = Matrix::new(1, (0..n).map(|i| i as f32).collect()).unwrap();
        let found = nearest(&Rows::new(&line, &Centre::of([&line, &line])), 3);
        assert_eq!(found[0], [(1.0, 1), (4.0, 2), (9.0, 3)]);
        assert_eq!(found[TILE], [(1.0, TILE - 1), (1.0, TILE + 1), (4.0, TILE - 2)]);
        assert_eq!(found[n - 1], [(1.0, n - 2), (4.0, n - 3), (9.0, n - 4)]);
    }

    #[test]
    fn the_order_of_offers_does_not_matter() {
        let mut rng = crate::numpy_rng::RandomState::new(7);
        let offers: Vec<(f64, usize)> = (0..500).map(|i| (rng.interval(40) as f64, i)).collect();
        let mut sorted = offers.clone();
        sorted.sort_by(nearer);
        sorted.truncate(13);
        for _ in 0..10 {
            let mut list = Nearest::new(13);
            let order = rng.permutation(500);
            order.iter().for_each(|&i| list.offer(offers[i].0 - 0.5, || offers[i].0, offers[i].1));
            assert_eq!(list.finish(), sorted);
        }
    }
}
