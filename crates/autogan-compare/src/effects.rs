//! This module draws the effects of choices and of pairs of choices, and fits them to values by least squares with a penalty
//! (ridge regression).

use autogan_strategies::{Effects, Point};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Mat, Par};
use rand::Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use rayon::prelude::*;

use crate::error::{CompareError, Result};

/// The penalty of main effects in a fit: the noise of a value over the variance of an effect. Main effects are large.
const MAIN_PENALTY: f64 = 0.3;
/// The penalties of pairs that a fit tries; the last leaves none of them.
const PAIR_PENALTIES: [f64; 7] = [0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e6];
/// The constant has hardly any penalty. It has one, so that the system is never singular.
const CONSTANT_PENALTY: f64 = 1e-6;

/// The numbers of [`Effects`] in one list: the constant, the choices token by token, then the choices of each pair of
/// tokens, the second's running fastest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights {
    /// The number of choices of each token.
    sizes: Vec<usize>,
    values: Vec<f64>,
}

/// Effects that were fitted to values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fit {
    /// The effects.
    pub effects: Effects,
    /// For each value, what the fit to all others predicts.
    pub left_out: Vec<f64>,
}

impl Weights {
    /// Weights that are drawn: over all points, main effects have the variance `main` and pairs the variance `pairs`,
    /// and nothing of a pair is a main effect. How the variances are shared out among tokens and pairs is drawn too,
    /// evenly over all ways to share.
    pub fn draw(sizes: &[usize], [main, pairs]: [f64; 2], rng: &mut impl Rng) -> Self {
        let tokens = sizes.len();
        let mut values = vec![0.0];
        for (share, &size) in shares(tokens, main, rng).into_iter().zip(sizes) {
            values.extend(scaled(centred(&normals(size, rng), size, 1), share));
        }
        let places = pair_places(tokens);
        for (share, (a, b)) in shares(places.len(), pairs, rng).into_iter().zip(places) {
            let table = normals(sizes[a] * sizes[b], rng);
            let rows = centred(&table, sizes[b], 1);
            values.extend(scaled(centred(&rows, sizes[a], sizes[b]), share));
        }
        Self { sizes: sizes.to_vec(), values }
    }

    /// `share` times these weights and `other_share` times others of the same tokens.
    pub fn mixed(&self, share: f64, other: &Weights, other_share: f64) -> Self {
        let sum = |(a, b): (&f64, &f64)| share * a + other_share * b;
        let values = self.values.iter().zip(&other.values).map(sum).collect();
        Self { sizes: self.sizes.clone(), values }
    }

    /// The effects with these weights.
    pub fn effects(&self) -> Effects {
        let mut rest = self.values.as_slice();
        let mut take = |count: usize| {
            let (part, others) = rest.split_at(count);
            rest = others;
            part.to_vec()
        };
        let constant = take(1)[0];
        let main = self.sizes.iter().map(|&size| take(size)).collect();
        let places = pair_places(self.sizes.len()).into_iter();
        let pairs = places.map(|(a, b)| take(self.sizes[a] * self.sizes[b])).collect();
        Effects::new(constant, main, pairs)
    }
}

/// Effects fitted to values of points. The penalty of the pairs is the one that predicts left-out values best.
///
/// # Errors
/// With fewer than three values.
pub(crate) fn fit(sizes: &[usize], points: &[&Point], values: &[f64]) -> Result<Fit> {
    if points.len() < 3 || points.len() != values.len() {
        let found = format!("{} points and {} values", points.len(), values.len());
        return Err(CompareError::unfit("a fit of effects", "three or more points", found));
    }
    let system = System::new(sizes, points, values);
    let fits: Vec<Result<(f64, Fit)>> =
        PAIR_PENALTIES.into_par_iter().map(|penalty| system.solve(penalty)).collect();
    let fits: Vec<(f64, Fit)> = fits.into_iter().collect::<Result<_>>()?;
    let best = fits.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, fit)| fit)
        .ok_or_else(|| CompareError::unfit("a fit of effects", "a penalty", "none"))
}

/// Pairs of tokens, the first before the second.
fn pair_places(tokens: usize) -> Vec<(usize, usize)> {
    (0..tokens).flat_map(|a| (a + 1..tokens).map(move |b| (a, b))).collect()
}

/// Which of the weights count for a point, ascending.
fn active(sizes: &[usize], point: &Point) -> Vec<usize> {
    let mut places = vec![0];
    let mut start = 1;
    for (&choice, &size) in point.0.iter().zip(sizes) {
        places.push(start + usize::from(choice));
        start += size;
    }
    for (a, b) in pair_places(sizes.len()) {
        places.push(start + usize::from(point.0[a]) * sizes[b] + usize::from(point.0[b]));
        start += sizes[a] * sizes[b];
    }
    places
}

/// `total` shared out among `count`, evenly over all ways to share.
fn shares(count: usize, total: f64, rng: &mut impl Rng) -> Vec<f64> {
    let parts: Vec<f64> = (0..count).map(|_| Exp1.sample(rng)).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part: f64| total * part / sum).collect()
}

fn normals(count: usize, rng: &mut impl Rng) -> Vec<f64> {
    (0..count).map(|_| StandardNormal.sample(rng)).collect()
}

/// The values less the means of their groups: `size` values each, `stride` apart.
fn centred(values: &[f64], size: usize, stride: usize) -> Vec<f64> {
    let group = |at: usize| at / (size * stride) * stride + at % stride;
    let mut sums = vec![0.0; values.len() / size.max(1)];
    for (at, value) in values.iter().enumerate() {
        sums[group(at)] += value;
    }
    values.iter().enumerate().map(|(at, value)| value - sums[group(at)] / size as f64).collect()
}

/// The values, whose mean is 0, with this variance.
fn scaled(values: Vec<f64>, variance: f64) -> Vec<f64> {
    let own = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
    let factor = if own > 0.0 { (variance / own).sqrt() } else { 0.0 };
    values.into_iter().map(|value| factor * value).collect()
}

/// The normal equations of a fit, without its penalties.
struct System<'a> {
    sizes: &'a [usize],
    /// For each value, the weights that count for its point.
    rows: Vec<Vec<usize>>,
    values: &'a [f64],
    /// How often two weights count for one point.
    products: Mat<f64>,
    /// For each weight, the sum of the values that it counts for.
    sums: Mat<f64>,
}

impl<'a> System<'a> {
    fn new(sizes: &'a [usize], points: &[&Point], values: &'a [f64]) -> Self {
        let rows: Vec<Vec<usize>> = points.iter().map(|point| active(sizes, point)).collect();
        let pairs = pair_places(sizes.len()).into_iter().map(|(a, b)| sizes[a] * sizes[b]);
        let count = 1 + sizes.iter().sum::<usize>() + pairs.sum::<usize>();
        let (mut products, mut sums) = (Mat::zeros(count, count), Mat::zeros(count, 1));
        for (row, value) in rows.iter().zip(values) {
            for &a in row {
                sums[(a, 0)] += value;
                row.iter().for_each(|&b| products[(a, b)] += 1.0);
            }
        }
        Self { sizes, rows, values, products, sums }
    }

    /// The fit with one penalty of pairs, and its mean squared error on left-out values. All on one thread, so that the bits
    /// are the same on any number of threads.
    fn solve(&self, penalty: f64) -> Result<(f64, Fit)> {
        let main = 1 + self.sizes.iter().sum::<usize>();
        let mut system = self.products.clone();
        for at in 0..system.nrows() {
            system[(at, at)] += match at {
                0 => CONSTANT_PENALTY,
                at if at < main => MAIN_PENALTY,
                _ => penalty,
            };
        }
        let scratch =
            cholesky_in_place_scratch::<f64>(system.nrows(), Par::Seq, Default::default());
        let mut buffer = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut buffer);
        cholesky_in_place(system.as_mut(), Default::default(), Par::Seq, stack, Default::default())
            .map_err(|_| {
                CompareError::unfit("a fit of effects", "a system that can be solved", "none")
            })?;
        let lower = system.as_ref();
        let mut weights = self.sums.clone();
        solve_lower_triangular_in_place(lower, weights.as_mut(), Par::Seq);
        solve_upper_triangular_in_place(lower.transpose(), weights.as_mut(), Par::Seq);
        // A column for each value: where it counts. Then L⁻¹ of that.
        let mut half = Mat::zeros(system.nrows(), self.rows.len());
        for (value, row) in self.rows.iter().enumerate() {
            row.iter().for_each(|&at| half[(at, value)] = 1.0);
        }
        solve_lower_triangular_in_place(lower, half.as_mut(), Par::Seq);
        let mut left_out = Vec::with_capacity(self.rows.len());
        let mut error = 0.0;
        for (at, (row, value)) in self.rows.iter().zip(self.values).enumerate() {
            let fitted: f64 = row.iter().map(|&weight| weights[(weight, 0)]).sum();
            // How much the value pulls its own prediction.
            let pull: f64 = half.col(at).iter().map(|part| part * part).sum();
            let residual = (value - fitted) / (1.0 - pull).max(1e-9);
            left_out.push(value - residual);
            error += residual * residual / self.rows.len() as f64;
        }
        let values = weights.col(0).iter().copied().collect();
        let effects = Weights { sizes: self.sizes.to_vec(), values }.effects();
        Ok((error, Fit { effects, left_out }))
    }
}

#[cfg(test)]
mod tests {
    use autogan_strategies::Space;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn all(space: &Space) -> Vec<Point> {
        (0..space.count()).map(|at| space.at(at)).collect()
    }

    fn sizes(space: &Space) -> Vec<usize> {
        space.tokens().iter().map(|token| token.choices.len()).collect()
    }

    fn drawn(sizes: &[usize], variances: [f64; 2], rng: &mut ChaCha8Rng) -> Effects {
        Weights::draw(sizes, variances, rng).effects()
    }

    fn variance(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn drawn_effects_have_their_variances_and_pairs_have_no_main_effects() {
        let space = Space::of_archs(2);
        for seed in 0..3 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let effects = drawn(&sizes(&space), [0.83, 0.0], &mut rng);
            let values: Vec<f64> = all(&space).iter().map(|point| effects.value(point)).collect();
            assert!((variance(&values) - 0.83).abs() < 1e-9, "{}", variance(&values));
            let effects = drawn(&sizes(&space), [0.0, 0.1], &mut rng);
            let values: Vec<f64> = all(&space).iter().map(|point| effects.value(point)).collect();
            assert!((variance(&values) - 0.1).abs() < 1e-9, "{}", variance(&values));
            for token in 0..space.tokens().len() {
                let with: Vec<f64> = all(&space)
                    .iter()
                    .filter(|point| point.0[token] == 0)
                    .map(|point| effects.value(point))
                    .collect();
                assert!(with.iter().sum::<f64>().abs() < 1e-9 * with.len() as f64);
            }
        }
    }

    #[test]
    fn a_fit_finds_the_effects_and_predicts_what_it_was_not_told() {
        let space = Space::of_archs(2);
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let truth = drawn(&sizes(&space), [0.8, 0.2], &mut rng);
        let points = all(&space);
        // A third of the points, mixed: multiples of a number without common divisors with their count.
        let told: Vec<&Point> = (0..864).map(|at| &points[at * 1_001 % points.len()]).collect();
        let values: Vec<f64> = told.iter().map(|point| 5.0 + truth.value(point)).collect();
        let fit = fit(&sizes(&space), &told, &values).unwrap();
        let error = |point: &Point| (fit.effects.value(point) - 5.0 - truth.value(point)).powi(2);
        let mean = points.iter().map(error).sum::<f64>() / points.len() as f64;
        assert!(mean < 0.01, "{mean}");
    }

    #[test]
    fn left_out_predictions_are_those_of_fits_without_the_value() {
        let space = Space::of_archs(1);
        let sizes = sizes(&space);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let truth = drawn(&sizes, [0.8, 0.2], &mut rng);
        let points = all(&space);
        let mut noisy = |point| {
            let noise: f64 = StandardNormal.sample(&mut rng);
            truth.value(point) + 0.1 * noise
        };
        let values: Vec<f64> = points.iter().map(&mut noisy).collect();
        let points: Vec<&Point> = points.iter().collect();
        let (_, whole) = System::new(&sizes, &points, &values).solve(3.0).unwrap();
        for at in [0, 7, 35] {
            let without = |n: &usize| *n != at;
            let rest: Vec<&Point> = (0..36).filter(without).map(|n| points[n]).collect();
            let others: Vec<f64> = (0..36).filter(without).map(|n| values[n]).collect();
            let (_, fit) = System::new(&sizes, &rest, &others).solve(3.0).unwrap();
            let predicted = fit.effects.value(points[at]);
            assert!((predicted - whole.left_out[at]).abs() < 1e-6, "{at}");
        }
    }

    #[test]
    fn one_by_hand() {
        // Two points of one token with values 1 and 3: the constant is the mean 2 but for its tiny penalty, and an
        // effect of ±1 from one observation shrinks to ±1 / 1.3.
        let points = [Point(vec![0]), Point(vec![1])];
        let points: Vec<&Point> = points.iter().collect();
        let (_, fit) = System::new(&[2], &points, &[1.0, 3.0]).solve(1.0).unwrap();
        let [first, second] = fit.effects.main()[0][..] else { panic!() };
        let constant = fit.effects.value(points[0]) - first;
        assert!((constant - 2.0).abs() < 1e-5, "{constant}");
        assert!((second - 1.0 / 1.3).abs() < 1e-5 && (first + 1.0 / 1.3).abs() < 1e-5);
    }

    #[test]
    fn weights_are_those_of_the_choices_of_a_point() {
        let space = Space::of_archs(2);
        let weights = Weights::draw(&sizes(&space), [1.0, 1.0], &mut ChaCha8Rng::seed_from_u64(2));
        let effects = weights.effects();
        for point in all(&space).iter().step_by(131) {
            let sum: f64 = active(&sizes(&space), point).iter().map(|&at| weights.values[at]).sum();
            assert!((effects.value(point) - sum).abs() < 1e-12);
        }
    }
}
