//! This module finds pairs of rows that are near each other. Distances are bounded by products in `f32`, which are quick,
//! and computed in `f64` where the bounds do not decide.
//!
//! Rows are taken about a common centre, since distances do not depend on it and norms then are no larger than distances
//! need. They are scaled by a power of two, so that no product overflows. A distance in `f64` is that of the rows as they
//! are, always summed in the same order: its bits depend neither on the tile nor on the number of threads.

use std::ops::Range;

use autogan_kernels::slices::vectorised;
use rayon::prelude::*;

use super::tiles::{Blocks, Pairs, TILE, walk};
use crate::Matrix;

/// Half of the distance from 1 to the next `f32`.
const UNIT: f64 = f32::EPSILON as f64 / 2.0;
/// Scales with which neither a difference in `f32` nor its product with the scale is beyond `f32`.
const QUICK: std::ops::RangeInclusive<f64> = 1e-36..=1e36;
/// Lanes of a sum, which a processor adds side by side.
const LANES: usize = 8;

/// The centre about which rows of some sets are taken, and their scale.
#[derive(Debug)]
pub(crate) struct Centre {
    /// Any point serves; this one is exact in `f32`, so that a difference to it is rounded once.
    point: Vec<f32>,
    /// A power of two: what values are multiplied by.
    scale: f64,
    /// What the error of an inner product is at most, over the product of the norms.
    relative: f64,
    /// What it may be more where numbers are too small for `f32`.
    absolute: f64,
}

impl Centre {
    /// The mean of the first set, for sets with the same number of columns.
    pub fn of(sets: [&Matrix; 2]) -> Self {
        let cols = sets[0].cols();
        let mut mean = vec![0.0; cols];
        for i in 0..sets[0].rows() {
            mean.iter_mut().zip(sets[0].row(i)).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        let point: Vec<f32> = mean.iter().map(|sum| (sum / sets[0].rows() as f64) as f32).collect();
        let farthest = |set: &Matrix, i: usize| {
            let gaps = set.row(i).iter().zip(&point);
            gaps.fold(0f64, |most, (&v, &p)| most.max((f64::from(v) - f64::from(p)).abs()))
        };
        let of_set = |set: &&Matrix| {
            (0..set.rows()).into_par_iter().map(|i| farthest(set, i)).reduce(|| 0.0, f64::max)
        };
        let largest = sets.iter().map(of_set).fold(0.0, f64::max);
        // The largest value becomes at most 1 and above a quarter.
        let scale = if largest > 0.0 { 2f64.powi(-1 - largest.log2().floor() as i32) } else { 1.0 };
        // Rounding of both factors, and a sum of products in any order (Higham, Accuracy and Stability, section 3.1).
        let sum = (cols as f64 + 8.0) * UNIT;
        let relative = if sum < 0.5 { sum / (1.0 - sum) } else { f64::INFINITY };
        Self { point, scale, relative, absolute: cols as f64 * 2f64.powi(-120) }
    }
}

/// A set whose rows are compared.
pub(crate) struct Rows<'a> {
    set: &'a Matrix,
    centre: &'a Centre,
    /// Squared norms about the centre, scaled.
    norms: Vec<f64>,
    roots: Vec<f64>,
}

impl<'a> Rows<'a> {
    pub fn new(set: &'a Matrix, centre: &'a Centre) -> Self {
        let norm = |i: usize| {
            let values = set.row(i).iter().zip(&centre.point);
            values.map(|(&v, &p)| ((f64::from(v) - f64::from(p)) * centre.scale).powi(2)).sum()
        };
        let norms: Vec<f64> = (0..set.rows()).into_par_iter().map(norm).collect();
        let roots = norms.iter().map(|norm| norm.sqrt()).collect();
        Self { set, centre, norms, roots }
    }
}

impl Blocks<f32> for Rows<'_> {
    fn rows(&self) -> usize {
        self.set.rows()
    }

    fn cols(&self) -> usize {
        self.set.cols()
    }

    /// The rows about the centre, scaled.
    fn block(&self, rows: &Range<usize>) -> Vec<f32> {
        let Centre { point, scale, .. } = self.centre;
        let quick = QUICK.contains(scale).then_some(*scale as f32);
        let mut block = vec![0.0; rows.len() * point.len()];
        vectorised(
            #[inline(always)]
            || {
                for (row, into) in rows.clone().zip(block.chunks_exact_mut(point.len())) {
                    let values = into.iter_mut().zip(self.set.row(row)).zip(point);
                    match quick {
                        Some(scale) => values.for_each(|((into, &v), &p)| *into = (v - p) * scale),
                        None => values.for_each(|((into, &v), &p)| {
                            *into = ((f64::from(v) - f64::from(p)) * scale) as f32;
                        }),
                    }
                }
            },
        );
        block
    }
}

/// What a quick look at some rows knows of them, scaled.
struct Look {
    norms: Vec<f32>,
    roots: Vec<f32>,
    reaches: Vec<f32>,
}

impl Look {
    /// The rows of a range, in f32. Rounding makes no row look farther away or its reach shorter.
    fn at(set: &Rows<'_>, range: &Range<usize>, reach: &[f64]) -> Self {
        let scale = set.centre.scale;
        let rounded = |values: &[f64], factor: f64| -> Vec<f32> {
            values.iter().map(|value| (value * factor) as f32).collect()
        };
        Self {
            norms: rounded(&set.norms[range.clone()], 1.0 - 1e-6),
            roots: rounded(&set.roots[range.clone()], 1.0 + 1e-6),
            reaches: rounded(reach, scale * scale * (1.0 + 1e-6)),
        }
    }

    /// Whether each of the rows may be near that at `col` of another look; `dots` are their products.
    #[inline(always)]
    fn within(
        &self,
        (other, col): (&Self, usize),
        dots: &[f32],
        (slope, room): (f32, f32),
        within: &mut [bool; TILE],
    ) {
        let (norm, slope, reach) =
            (other.norms[col] - room, slope * other.roots[col], other.reaches[col]);
        let rows = self.norms.iter().zip(&self.roots).zip(&self.reaches).zip(dots);
        for (within, (((own, root), own_reach), dot)) in within.iter_mut().zip(rows) {
            let least = own + norm - 2.0 * dot - slope * root;
            let gap = least - own_reach.max(reach);
            // What is no number is not ruled out.
            *within = gap <= 0.0 || gap.is_nan();
        }
    }
}

/// Pairs of the rows `rows` of the first set and the rows `cols` of the second.
pub(crate) struct NearTile<'a> {
    pub rows: Range<usize>,
    pub cols: Range<usize>,
    first: &'a Rows<'a>,
    second: &'a Rows<'a>,
    /// All products with the first row of the second set, then those with the next one.
    dots: &'a [f32],
}

impl NearTile<'_> {
    /// Squared distances between which that of the rows at these places of the tile lies.
    pub fn bounds(&self, row: usize, col: usize) -> (f64, f64) {
        let (i, j) = (self.rows.start + row, self.cols.start + col);
        let Centre { scale, relative, absolute, .. } = self.first.centre;
        let norms = self.first.norms[i] + self.second.norms[j];
        let about = norms - 2.0 * f64::from(self.dots[col * self.rows.len() + row]);
        let error = 2.0 * (relative * self.first.roots[i] * self.second.roots[j] + absolute)
            // The norms are sums in f64.
            + 1e-10 * norms;
        let unit = scale * scale;
        ((about - error) / unit, (about + error) / unit)
    }

    /// Calls `found` with the places of pairs whose distance may be at most the reach of their row or that of their column;
    /// with a few others, too.
    pub fn near(&self, row_reach: &[f64], col_reach: &[f64], mut found: impl FnMut(usize, usize)) {
        let Centre { relative, absolute, .. } = self.first.centre;
        let rows = Look::at(self.first, &self.rows, row_reach);
        let cols = Look::at(self.second, &self.cols, col_reach);
        let slope = (2.0 * relative * (1.0 + 1e-6)) as f32;
        let room = (2.0 * absolute) as f32 + 1e-30;
        let mut within = [false; TILE];
        for (j, dots) in self.dots.chunks_exact(self.rows.len()).enumerate() {
            vectorised(
                #[inline(always)]
                || rows.within((&cols, j), dots, (slope, room), &mut within),
            );
            let within = &within[..self.rows.len()];
            for (block, places) in within.chunks(16).enumerate() {
                if places.contains(&true) {
                    let hits = places.iter().enumerate().filter(|(_, within)| **within);
                    hits.for_each(|(i, _)| found(16 * block + i, j));
                }
            }
        }
    }

    /// The squared distance of the rows at these places of the tile.
    pub fn distance(&self, row: usize, col: usize) -> f64 {
        squared_distance(
            self.first.set.row(self.rows.start + row),
            self.second.set.row(self.cols.start + col),
        )
    }

    /// Whether the tile lies on the diagonal of a set with itself.
    pub fn on_diagonal(&self) -> bool {
        self.rows.start == self.cols.start
    }
}

/// The squared Euclidean distance of two rows.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    vectorised(
        #[inline(always)]
        || sum_of_squares(a, b),
    )
}

#[inline(always)]
fn sum_of_squares(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0f64; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            let gap = f64::from(a[lane]) - f64::from(b[lane]);
            sums[lane] += gap * gap;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

/// Visits the tiles of `first` and `second`; each strip of `first` has a state, and the states are returned in order.
pub(crate) fn near_strips<S: Send>(
    first: &Rows<'_>,
    second: &Rows<'_>,
    pairs: Pairs,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &NearTile<'_>) + Sync,
) -> Vec<S> {
    walk(first, second, pairs, start, |state, rows, cols, dots| {
        visit(state, &NearTile { rows, cols, first, second, dots });
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::numpy_rng::RandomState;

    /// Sets on which products in `f32` say little: far from the origin, in tight clusters, equal rows, very large and very
    /// small values.
    pub fn sets() -> Vec<[Matrix; 2]> {
        let mut rng = RandomState::new(3);
        let mut set = |rows: usize, cols: usize, make: &dyn Fn(usize, f64) -> f64| {
            let values = (0..rows * cols)
                .map(|i| make(i / cols, rng.interval(1 << 20) as f64 / f64::from(1 << 20)));
            Matrix::new(cols, values.map(|v| v as f32).collect()).unwrap()
        };
        let makes: [&dyn Fn(usize, f64) -> f64; 6] = [
            &|_, u| u - 0.5,
            &|_, u| 1e6 + u,
            &|row, u| f64::from(row as u32 % 3) + 1e-5 * u,
            &|row, _| f64::from(row as u32 % 5),
            &|row, u| 1e30 * (u - 0.5) * f64::from(row as u32 % 2 * 1000 + 1),
            &|row, u| 1e-38 * u * 10f64.powi(-(row as i32 % 8)),
        ];
        makes.into_iter().map(|make| [set(TILE + 9, 67, make), set(70, 67, make)]).collect()
    }

    #[test]
    fn the_distance_lies_between_its_bounds() {
        for [a, b] in sets() {
            let centre = Centre::of([&a, &b]);
            let (ra, rb) = (Rows::new(&a, &centre), Rows::new(&b, &centre));
            let widths = near_strips(
                &ra,
                &rb,
                Pairs::All,
                |_| 0usize,
                |pairs, tile| {
                    for i in 0..tile.rows.len() {
                        for j in 0..tile.cols.len() {
                            let (low, high) = tile.bounds(i, j);
                            let distance = tile.distance(i, j);
                            assert!(low <= distance && distance <= high, "{low} {distance} {high}");
                            *pairs += 1;
                        }
                    }
                },
            );
            assert_eq!(widths.iter().sum::<usize>(), a.rows() * b.rows());
        }
    }

    #[test]
    fn no_near_pair_is_missed_and_few_others_come() {
        for (case, [a, b]) in sets().iter().enumerate() {
            let centre = Centre::of([a, b]);
            let (ra, rb) = (Rows::new(a, &centre), Rows::new(b, &centre));
            let strips = near_strips(
                &ra,
                &rb,
                Pairs::All,
                |_| (0usize, 0usize),
                |(all, come), tile| {
                    let places = || {
                        (0..tile.rows.len()).flat_map(|i| (0..tile.cols.len()).map(move |j| (i, j)))
                    };
                    // Reaches at which a tenth of the pairs lie.
                    let mut distances: Vec<f64> =
                        places().map(|(i, j)| tile.distance(i, j)).collect();
                    distances.sort_by(f64::total_cmp);
                    let reach = distances[distances.len() / 10];
                    let row_reach: Vec<f64> = (0..tile.rows.len())
                        .map(|i| if i % 2 == 0 { reach } else { -1.0 })
                        .collect();
                    let col_reach: Vec<f64> = (0..tile.cols.len())
                        .map(|j| if j % 3 == 0 { reach } else { -1.0 })
                        .collect();
                    let mut found = std::collections::BTreeSet::new();
                    tile.near(&row_reach, &col_reach, |i, j| assert!(found.insert((i, j))));
                    for (i, j) in places() {
                        let near = tile.distance(i, j) <= row_reach[i].max(col_reach[j]);
                        assert!(!near || found.contains(&(i, j)), "case {case}: {i} {j}");
                    }
                    *all += places().count();
                    *come += found.len();
                },
            );
            let (all, come) = strips.iter().fold((0, 0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
            assert!(case != 0 || come < all / 9, "{come} of {all}");
        }
    }

    /// Products in `f32` may be off by all that the bound allows, whatever those of this processor are.
    #[test]
    fn products_at_the_edge_of_their_bound_lose_no_pair() {
        let [a, b] = &sets()[0];
        let centre = Centre::of([a, b]);
        let (first, second) = (&Rows::new(a, &centre), &Rows::new(b, &centre));
        let (rows, cols) = (0..TILE, 0..b.rows());
        let scaled = |set: &Matrix, i: usize| -> Vec<f64> {
            let gaps = set.row(i).iter().zip(&centre.point);
            gaps.map(|(&v, &p)| (f64::from(v) - f64::from(p)) * centre.scale).collect()
        };
        let dot = |i: usize, j: usize| {
            let (x, y) = (scaled(a, i), scaled(b, j));
            let exact: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            (exact - 0.9 * centre.relative * first.roots[i] * second.roots[j]) as f32
        };
        let dots: Vec<f32> = cols
            .clone()
            .flat_map(|j| rows.clone().map(move |i| (i, j)))
            .map(|(i, j)| dot(i, j))
            .collect();
        let tile = NearTile { rows, cols, first, second, dots: &dots };
        for j in 0..tile.cols.len() {
            // Each row reaches just to this column.
            let reach: Vec<f64> = (0..TILE).map(|i| tile.distance(i, j)).collect();
            let mut found = vec![false; TILE];
            tile.near(&reach, &vec![-1.0; tile.cols.len()], |row, col| found[row] |= col == j);
            assert!(found.iter().all(|found| *found), "column {j}");
            assert!((0..TILE).all(|i| tile.bounds(i, j).0 <= reach[i]), "column {j}");
        }
    }

    #[test]
    fn the_bounds_of_usual_features_are_narrow() {
        let [a, b] = &sets()[0];
        let centre = Centre::of([a, b]);
        let (ra, rb) = (Rows::new(a, &centre), Rows::new(b, &centre));
        near_strips(
            &ra,
            &rb,
            Pairs::All,
            |_| (),
            |(), tile| {
                let (low, high) = tile.bounds(3, 5);
                assert!((high - low) < 1e-4 * tile.distance(3, 5));
            },
        );
    }

    #[test]
    fn distances_by_hand() {
        let a: Vec<f32> = (0..11).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..11).map(|i| i as f32 + if i % 2 == 0 { 1.0 } else { -2.0 }).collect();
        assert_eq!(squared_distance(&a, &b), 6.0 + 5.0 * 4.0);
        assert_eq!(squared_distance(&a, &a), 0.0);
        let values = |step: f32| (0..2045).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let (a, b) = (values(0.37), values(1.91));
        assert_eq!(squared_distance(&a, &b).to_bits(), sum_of_squares(&a, &b).to_bits());
    }
}
