//! [`Effects`] is a value that a point has by its choices alone and in pairs. It is drawn, or fitted by least squares
//! with a penalty (ridge regression).

use autogan_strategies::Point;
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

/// A constant, an effect of each choice of each token, and one of each two choices of two tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// The number of choices of each token.
    sizes: Vec<usize>,
    /// The constant, the choices token by token, then the pairs in the order of [`active`].
    weights: Vec<f64>,
}

/// Effects that were fitted to values.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The effects.
    pub effects: Effects,
    /// For each value, what the fit to all others predicts.
    pub left_out: Vec<f64>,
}

impl Effects {
    /// Effects that are drawn: over all points, main effects have the variance `main` and pairs the variance `pairs`,
    /// and nothing of a pair is a main effect. How the variances are shared out among tokens and pairs is drawn too,
    /// evenly over all ways to share.
    pub fn draw(sizes: &[usize], [main, pairs]: [f64; 2], rng: &mut impl Rng) -> Self {
        let tokens = sizes.len();
        let mut weights = vec![0.0];
        for (share, &size) in shares(tokens, main, rng).into_iter().zip(sizes) {
            weights.extend(scaled(centred(&normals(size, rng), size, 1), share));
        }
        let places = pair_places(tokens);
        for (share, (a, b)) in shares(places.len(), pairs, rng).into_iter().zip(places) {
            let table = normals(sizes[a] * sizes[b], rng);
            let rows = centred(&table, sizes[b], 1);
            weights.extend(scaled(centred(&rows, sizes[a], sizes[b]), share));
        }
        Self { sizes: sizes.to_vec(), weights }
    }

    /// Effects fitted to values of points. The penalty of the pairs is the one that predicts left-out values best.
    ///
    /// # Errors
    /// With fewer than three values.
    pub fn fit(sizes: &[usize], points: &[&Point], values: &[f64]) -> Result<Fit> {
        if points.len() < 3 || points.len() != values.len() {
            let found = format!("{} points and {} values", points.len(), values.len());
            return Err(CompareError::unfit("a fit of effects", "three or more points", found));
        }
        let rows: Vec<Vec<usize>> = points.iter().map(|point| active(sizes, point)).collect();
        let fits: Vec<(f64, Fit)> = PAIR_PENALTIES
            .into_par_iter()
            .map(|penalty| fit_with(sizes, &rows, values, penalty))
            .collect();
        let best = fits.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
        best.map(|(_, fit)| fit)
            .ok_or_else(|| CompareError::unfit("a fit of effects", "a penalty", "none"))
    }

    /// The value of a point.
    pub fn value(&self, point: &Point) -> f64 {
        let tokens = || point.0.iter().map(|&c| usize::from(c)).zip(self.sizes.iter().copied());
        let mut sum = self.weights[0];
        let mut start = 1;
        for (choice, size) in tokens() {
            sum += self.weights[start + choice];
            start += size;
        }
        for (at, (first, rows)) in tokens().enumerate() {
            for (second, columns) in tokens().skip(at + 1) {
                sum += self.weights[start + first * columns + second];
                start += rows * columns;
            }
        }
        sum
    }

    /// `share` times these effects and `other_share` times others of the same tokens.
    pub fn mixed(&self, share: f64, other: &Effects, other_share: f64) -> Self {
        let sum = |(a, b): (&f64, &f64)| share * a + other_share * b;
        let weights = self.weights.iter().zip(&other.weights).map(sum).collect();
        Self { sizes: self.sizes.clone(), weights }
    }
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

/// The fit with one penalty of pairs, and its mean squared error on left-out values.
fn fit_with(sizes: &[usize], rows: &[Vec<usize>], values: &[f64], penalty: f64) -> (f64, Fit) {
    let main = 1 + sizes.iter().sum::<usize>();
    let pairs: usize = pair_places(sizes.len()).into_iter().map(|(a, b)| sizes[a] * sizes[b]).sum();
    let count = main + pairs;
    let mut system = vec![0.0; count * count];
    let mut right = vec![0.0; count];
    for (row, value) in rows.iter().zip(values) {
        for &a in row {
            right[a] += value;
            row.iter().for_each(|&b| system[a * count + b] += 1.0);
        }
    }
    for at in 0..count {
        system[at * count + at] += match at {
            0 => CONSTANT_PENALTY,
            at if at < main => MAIN_PENALTY,
            _ => penalty,
        };
    }
    factor(&mut system, count);
    let mut weights = right;
    forward(&system, count, &mut weights);
    backward(&system, count, &mut weights);
    let mut left_out = Vec::with_capacity(rows.len());
    let mut error = 0.0;
    for (row, value) in rows.iter().zip(values) {
        let fitted: f64 = row.iter().map(|&at| weights[at]).sum();
        let mut half = vec![0.0; count];
        row.iter().for_each(|&at| half[at] = 1.0);
        forward(&system, count, &mut half);
        // How much the value pulls its own prediction.
        let pull: f64 = half.iter().map(|part| part * part).sum();
        let residual = (value - fitted) / (1.0 - pull).max(1e-9);
        left_out.push(value - residual);
        error += residual * residual / rows.len() as f64;
    }
    (error, Fit { effects: Effects { sizes: sizes.to_vec(), weights }, left_out })
}

/// Cholesky's factor of a positive matrix, in its lower half.
fn factor(matrix: &mut [f64], count: usize) {
    for row in 0..count {
        let (above, rest) = matrix.split_at_mut(row * count);
        for column in 0..row {
            let other = &above[column * count..column * count + column + 1];
            let sum: f64 = rest[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            rest[column] = (rest[column] - sum) / other[column];
        }
        let sum: f64 = rest[..row].iter().map(|a| a * a).sum();
        rest[row] = (rest[row] - sum).sqrt();
    }
}

/// Solves L x = b in place.
fn forward(lower: &[f64], count: usize, b: &mut [f64]) {
    for row in 0..count {
        let line = &lower[row * count..row * count + row + 1];
        let sum: f64 = line[..row].iter().zip(&b[..row]).map(|(l, x)| l * x).sum();
        b[row] = (b[row] - sum) / line[row];
    }
}

/// Solves Lᵀ x = b in place.
fn backward(lower: &[f64], count: usize, b: &mut [f64]) {
    for row in (0..count).rev() {
        let line = &lower[row * count..row * count + row + 1];
        let x = b[row] / line[row];
        b[row] = x;
        b[..row].iter_mut().zip(line).for_each(|(value, l)| *value -= l * x);
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

    fn variance(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn drawn_effects_have_their_variances_and_pairs_have_no_main_effects() {
        let space = Space::of_archs(2);
        for seed in 0..3 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let effects = Effects::draw(&sizes(&space), [0.83, 0.0], &mut rng);
            let values: Vec<f64> = all(&space).iter().map(|point| effects.value(point)).collect();
            assert!((variance(&values) - 0.83).abs() < 1e-9, "{}", variance(&values));
            let effects = Effects::draw(&sizes(&space), [0.0, 0.1], &mut rng);
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
        let truth = Effects::draw(&sizes(&space), [0.8, 0.2], &mut rng);
        let points = all(&space);
        // A third of the points, mixed: multiples of a number without common divisors with their count.
        let told: Vec<&Point> = (0..864).map(|at| &points[at * 1_001 % points.len()]).collect();
        let values: Vec<f64> = told.iter().map(|point| 5.0 + truth.value(point)).collect();
        let fit = Effects::fit(&sizes(&space), &told, &values).unwrap();
        let error = |point: &Point| (fit.effects.value(point) - 5.0 - truth.value(point)).powi(2);
        let mean = points.iter().map(error).sum::<f64>() / points.len() as f64;
        assert!(mean < 0.01, "{mean}");
    }

    #[test]
    fn left_out_predictions_are_those_of_fits_without_the_value() {
        let space = Space::of_archs(1);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let truth = Effects::draw(&sizes(&space), [0.8, 0.2], &mut rng);
        let points = all(&space);
        let rows: Vec<Vec<usize>> = points.iter().map(|p| active(&sizes(&space), p)).collect();
        let mut noisy = |point| {
            let noise: f64 = StandardNormal.sample(&mut rng);
            truth.value(point) + 0.1 * noise
        };
        let values: Vec<f64> = points.iter().map(&mut noisy).collect();
        let (_, whole) = fit_with(&sizes(&space), &rows, &values, 3.0);
        for at in [0, 7, 35] {
            let without = |n: usize| n != at;
            let rows: Vec<Vec<usize>> =
                (0..36).filter(|&n| without(n)).map(|n| rows[n].clone()).collect();
            let rest: Vec<f64> = (0..36).filter(|&n| without(n)).map(|n| values[n]).collect();
            let (_, fit) = fit_with(&sizes(&space), &rows, &rest, 3.0);
            let predicted = fit.effects.value(&points[at]);
            assert!((predicted - whole.left_out[at]).abs() < 1e-6, "{at}");
        }
    }

    #[test]
    fn one_by_hand() {
        // Two points of one token with values 1 and 3: the constant is the mean 2 but for its tiny penalty, and an
        // effect of ±1 from one observation shrinks to ±1 / 1.3.
        let (_, fit) = fit_with(&[2], &[vec![0, 1], vec![0, 2]], &[1.0, 3.0], 1.0);
        let [constant, first, second] = fit.effects.weights[..] else { panic!() };
        assert!((constant - 2.0).abs() < 1e-5, "{constant}");
        assert!((second - 1.0 / 1.3).abs() < 1e-5 && (first + 1.0 / 1.3).abs() < 1e-5);
    }
}
