//! [`GaussianFit`] is a Gaussian process over points, with a kernel that falls by a factor for each token that differs.
//!
//! The kernel is `variance · ∏ exp(−decay of the token)` over the tokens whose choices differ; a token that does not matter
//! has a decay near 0. A constant is added, whose prior is wide. Lower fidelities are as [`Data`] says, their biases are
//! Gaussian processes with the same decays. Hyperparameters are chosen by the marginal likelihood.
//!
//! The posterior is exact for as many observations as [`MOST_ROWS`]. Of more, those of the last fidelity come first, an even
//! choice of them where they are too many, and an even choice of the others fills up. Hyperparameters are fitted to
//! [`MOST_FITTED`] of them, chosen alike.
//!
//! A function is drawn on a set of candidates at once, so that it is consistent between them: all points of a small space,
//! otherwise the neighbours of the best points, and points drawn evenly.

use std::collections::BTreeSet;

use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::model::Normal;
use crate::model::data::{Data, INTERCEPT, Row};
use crate::model::hyper::{Prior, Scales};
use crate::model::linear::{Cholesky, add_gram};
use crate::space::{Point, Space};

/// The most observations that the posterior is computed from.
const MOST_ROWS: usize = 1_000;
/// The most observations that hyperparameters are fitted to.
const MOST_FITTED: usize = 200;
/// The most points on which a function is drawn.
const MOST_CANDIDATES: usize = 256;
/// The fewest of them, however many observations there are.
const FEWEST_CANDIDATES: usize = 96;
/// What solving for the candidates may cost, in multiplications: candidates times observations squared.
const MOST_WORK: usize = 100_000_000;
/// The best points whose neighbours are candidates.
const BEST: usize = 3;
/// The most points of a space whose best is found by going through all.
const ENUMERATED: usize = 5_000;

/// The number of hyperparameters of the function: its standard deviation, and a decay for each token.
pub(crate) fn function(space: &Space) -> usize {
    1 + space.tokens().len()
}

/// The priors of them.
pub(crate) fn function_priors(space: &Space) -> Vec<Prior> {
    let mut priors = vec![Prior::around(1.0, 0.5)];
    // All tokens different: the correlation falls to about a fifth.
    let decay = 1.6 / space.tokens().len().max(1) as f64;
    priors.extend(space.tokens().iter().map(|_| Prior::around(decay, 1.0)));
    priors
}

/// The observations that hyperparameters are fitted to.
pub(crate) fn rows_to_fit(data: &Data, scales: &Scales) -> Vec<Row> {
    thinned(data.rows(scales), MOST_FITTED)
}

/// At most so many rows: those of the last fidelity first, and of what does not fit an even choice.
fn thinned(rows: Vec<Row>, most: usize) -> Vec<Row> {
    if rows.len() <= most {
        return rows;
    }
    let (last, low): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.level.is_none());
    let room = most.saturating_sub(last.len());
    let mut kept = even(last, most);
    kept.extend(even(low, room));
    kept
}

fn even(rows: Vec<Row>, most: usize) -> Vec<Row> {
    let count = rows.len();
    let keep = |at: usize| count <= most || (at + 1) * most / count > at * most / count;
    rows.into_iter().enumerate().filter(|(at, _)| keep(*at)).map(|(_, row)| row).collect()
}

/// The kernel, by tables: a point is a code of a few bytes in which each token has bits of its own, so that the bits in which
/// two codes differ tell which tokens do.
#[derive(Clone, Debug)]
struct Kernel {
    variance: f64,
    /// For each byte of a code, the tokens in it and by how many bits they are shifted.
    bytes: Vec<Vec<(usize, u32)>>,
    /// For each byte of a code, the factor of each difference.
    factors: Vec<Vec<f64>>,
    /// For each lower fidelity, the variance of its bias over that of the function.
    biases: Vec<f64>,
}

/// The codes of points, one after the other.
#[derive(Debug)]
struct Codes(Vec<u8>);

impl Kernel {
    fn new(scales: &Scales, space: &Space) -> Self {
        let variance = scales.function[0].powi(2);
        let mut bytes: Vec<Vec<(usize, u32)>> = Vec::new();
        let mut widths: Vec<u32> = Vec::new();
        let mut used = u8::BITS;
        for (at, token) in space.tokens().iter().enumerate() {
            let width = usize::BITS - token.choices.len().saturating_sub(1).leading_zeros();
            if used + width > u8::BITS {
                bytes.push(Vec::new());
                used = 0;
            }
            if let Some(byte) = bytes.last_mut() {
                byte.push((at, used));
            }
            used += width;
            widths.push(width);
        }
        let factors = bytes.iter().map(|tokens| {
            let factor = |difference: u32| -> f64 {
                let differ = tokens.iter().filter(|&&(token, shift)| {
                    (difference >> shift) & ((1 << widths[token]) - 1) != 0
                });
                differ.map(|&(token, _)| (-scales.function[1 + token]).exp()).product()
            };
            (0..256).map(factor).collect()
        });
        let factors = factors.collect();
        let biases = scales.low.iter().map(|low| low.bias.powi(2) / variance).collect();
        Self { variance, bytes, factors, biases }
    }

    fn codes<'a>(&self, points: impl IntoIterator<Item = &'a Point>) -> Codes {
        let code = |point: &'a Point| {
            let byte = |tokens: &Vec<(usize, u32)>| {
                tokens.iter().fold(0, |byte, &(token, shift)| byte | (point.0[token] << shift))
            };
            self.bytes.iter().map(byte)
        };
        Codes(points.into_iter().flat_map(code).collect())
    }

    /// The code with an index.
    fn code<'a>(&self, codes: &'a Codes, at: usize) -> &'a [u8] {
        &codes.0[at * self.bytes.len()..][..self.bytes.len()]
    }

    /// The covariance of the function, without its constant, between two points.
    fn between(&self, one: &[u8], two: &[u8]) -> f64 {
        let bytes = one.iter().zip(two).zip(&self.factors);
        bytes.fold(self.variance, |k, ((a, b), factors)| k * factors[usize::from(a ^ b)])
    }

    /// The covariance between an observation and the function at a point.
    fn of_row_and_point(&self, row: &Row, one: &[u8], point: &[u8]) -> f64 {
        row.scale * (INTERCEPT + self.between(one, point))
    }

    /// The covariance of all observations: its lower triangle.
    fn matrix(&self, rows: &[Row], codes: &Codes) -> Mat<f64> {
        let mut matrix = Mat::zeros(rows.len(), rows.len());
        for (j, two) in rows.iter().enumerate() {
            let code = self.code(codes, j);
            for (i, one) in rows.iter().enumerate().skip(j) {
                let between = self.between(self.code(codes, i), code);
                let own = match (one.level, two.level) {
                    (Some(a), Some(b)) if a == b => INTERCEPT + self.biases[a] * between,
                    _ => 0.0,
                };
                matrix[(i, j)] = one.scale * two.scale * (INTERCEPT + between) + own;
            }
            matrix[(j, j)] += two.noise;
        }
        matrix
    }
}

/// The logarithm of the marginal likelihood of observations; `None` when it cannot be computed.
pub(crate) fn evidence(rows: &[Row], scales: &Scales, space: &Space) -> Option<f64> {
    let kernel = Kernel::new(scales, space);
    let codes = kernel.codes(rows.iter().map(|row| &row.point));
    let factor = Cholesky::of(kernel.matrix(rows, &codes))?;
    let mut targets: Vec<f64> = rows.iter().map(|row| row.target).collect();
    factor.half_solve(&mut targets);
    let misfit: f64 = targets.iter().map(|value| value * value).sum();
    let constant = rows.len() as f64 * std::f64::consts::TAU.ln();
    Some(-0.5 * (constant + factor.log_det() + misfit)).filter(|value| value.is_finite())
}

/// A fitted Gaussian process.
#[derive(Debug)]
pub struct GaussianFit {
    kernel: Kernel,
    rows: Vec<Row>,
    /// Of the rows' points.
    codes: Codes,
    /// Of the covariance of the rows.
    factor: Cholesky,
    /// The inverse of that covariance times the targets.
    weights: Vec<f64>,
    centre: f64,
    unit: f64,
}

impl GaussianFit {
    /// The posterior; `None` when it cannot be computed.
    pub(crate) fn new(space: &Space, data: &Data, scales: &Scales) -> Option<Self> {
        let kernel = Kernel::new(scales, space);
        let rows = thinned(data.rows(scales), MOST_ROWS);
        let codes = kernel.codes(rows.iter().map(|row| &row.point));
        let factor = Cholesky::of(kernel.matrix(&rows, &codes))?;
        let mut weights: Vec<f64> = rows.iter().map(|row| row.target).collect();
        factor.half_solve(&mut weights);
        factor.half_solve_transposed(&mut weights);
        let (centre, unit) = (data.raw(0.0), data.unit());
        let finite = weights.iter().all(|weight| weight.is_finite());
        finite.then_some(Self { kernel, rows, codes, factor, weights, centre, unit })
    }

    /// The posterior mean at a point.
    pub fn mean(&self, point: &Point) -> f64 {
        let sum: f64 =
            self.covariances(point).zip(&self.weights).map(|(k, weight)| k * weight).sum();
        self.centre + self.unit * sum
    }

    /// The covariances of the observations with the function at a point.
    fn covariances(&self, point: &Point) -> impl Iterator<Item = f64> {
        let code = self.kernel.codes([point]);
        self.rows.iter().enumerate().map(move |(i, row)| {
            self.kernel.of_row_and_point(row, self.kernel.code(&self.codes, i), &code.0)
        })
    }

    /// The posterior mean and standard deviation at a point.
    pub fn belief(&self, point: &Point) -> Normal {
        let mut covariances: Vec<f64> = self.covariances(point).collect();
        self.factor.half_solve(&mut covariances);
        let explained: f64 = covariances.iter().map(|value| value * value).sum();
        let variance = (INTERCEPT + self.kernel.variance - explained).max(0.0);
        Normal { mean: self.mean(point), sd: self.unit * variance.sqrt() }
    }

    /// The values at the points of a function drawn from the posterior; `None` when it cannot be computed.
    pub(crate) fn draw(&self, points: &[Point], rng: &mut impl Rng) -> Option<Vec<f64>> {
        let kernel = &self.kernel;
        let codes = kernel.codes(points);
        let mut across = Mat::from_fn(self.rows.len(), points.len(), |i, j| {
            let row = kernel.code(&self.codes, i);
            kernel.of_row_and_point(&self.rows[i], row, kernel.code(&codes, j))
        });
        // Before it is solved, it gives the means.
        let means: Vec<f64> = (0..points.len())
            .map(|j| {
                self.weights.iter().enumerate().map(|(i, weight)| weight * across[(i, j)]).sum()
            })
            .collect();
        self.factor.half_solve_columns(&mut across);
        let mut covariance = Mat::from_fn(points.len(), points.len(), |i, j| {
            if i < j {
                return 0.0;
            }
            INTERCEPT + kernel.between(kernel.code(&codes, i), kernel.code(&codes, j))
        });
        add_gram(&mut covariance, -1.0, &across);
        // Rounding may leave a covariance that is known to be 0 a little below it.
        let jitter = 1e-8 * (INTERCEPT + self.kernel.variance);
        for i in 0..points.len() {
            covariance[(i, i)] += jitter;
        }
        let normals: Vec<f64> = points.iter().map(|_| rng.sample(StandardNormal)).collect();
        let noise = Cholesky::of(covariance)?.times(&normals);
        let values = means.iter().zip(noise);
        Some(values.map(|(mean, noise)| self.centre + self.unit * (mean + noise)).collect())
    }

    /// The points on which a function is drawn: those of `allowed` among all of a small space, else among the neighbours of
    /// the best observed ones and points drawn evenly.
    pub(crate) fn candidates(
        &self,
        space: &Space,
        allowed: impl Fn(&Point) -> bool,
        rng: &mut impl Rng,
    ) -> Vec<Point> {
        let work = MOST_WORK / self.rows.len().max(1).pow(2);
        let most = work.clamp(FEWEST_CANDIDATES, MOST_CANDIDATES);
        if space.count() <= most {
            return (0..space.count()).map(|at| space.at(at)).filter(allowed).collect();
        }
        let best = self.best_observed(BEST);
        let neighbours = best.iter().flat_map(|best| space.neighbours(best));
        let mut candidates: BTreeSet<Point> = neighbours.chain(best.iter().cloned()).collect();
        candidates.retain(&allowed);
        // A space in which nearly all points are taken must not be searched for ever.
        for _ in 0..4 * most {
            if candidates.len() >= most {
                break;
            }
            candidates.extend(Some(space.draw(rng)).filter(&allowed));
        }
        candidates.into_iter().collect()
    }

    /// The point with the highest posterior mean: exact up to 5,000 points, otherwise the best that is reached from the best
    /// observed points through better neighbours.
    pub(crate) fn best_of(&self, space: &Space) -> Option<Point> {
        let best = |points: Vec<Point>| {
            let valued = points.into_iter().map(|point| (self.mean(&point), point));
            valued.reduce(|best, next| if next.0 > best.0 { next } else { best })
        };
        if space.count() <= ENUMERATED {
            return best((0..space.count()).map(|at| space.at(at)).collect())
                .map(|(_, point)| point);
        }
        let climbed = self.best_observed(BEST).into_iter().map(|start| {
            let mut at = (self.mean(&start), start);
            while let Some(next) = best(space.neighbours(&at.1)).filter(|next| next.0 > at.0) {
                at = next;
            }
            at
        });
        climbed
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, point)| point)
    }

    /// The points with the highest posterior means among those of the last fidelity, or where there is none, among all.
    fn best_observed(&self, count: usize) -> Vec<Point> {
        // At an observation of the function, its mean is the target less what the noise is taken for.
        let last = self.rows.iter().zip(&self.weights).filter(|(row, _)| row.level.is_none());
        let mut valued: Vec<(f64, &Point)> =
            last.map(|(row, weight)| (row.target - row.noise * weight, &row.point)).collect();
        if valued.is_empty() {
            valued = self.rows.iter().map(|row| (self.mean(&row.point), &row.point)).collect();
        }
        valued.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        valued.dedup_by(|a, b| a.1 == b.1);
        valued.into_iter().take(count).map(|(_, point)| point.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_fidelity_is_kept_first_and_the_rest_is_thinned_evenly() {
        let row = |at: usize, level| Row {
            point: Point(vec![at as u8]),
            scale: 1.0,
            level,
            target: 0.0,
            noise: 1.0,
        };
        let rows = |last: usize| -> Vec<Row> {
            (0..100).map(|at| row(at, (at >= last).then_some(0))).collect()
        };
        let kept = thinned(rows(30), 65);
        assert!(kept[..30].iter().all(|row| row.level.is_none()));
        let places: Vec<u8> = kept[30..].iter().map(|row| row.point.0[0]).collect();
        assert_eq!(places, (31..100).step_by(2).collect::<Vec<u8>>());
        assert_eq!(thinned(rows(80), 40).iter().filter(|row| row.level.is_none()).count(), 40);
        assert_eq!(thinned(rows(80), 100).len(), 100);
    }
}
