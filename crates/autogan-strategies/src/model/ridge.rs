//! [`RidgeFit`] is Bayesian ridge regression on main effects and pairs of tokens.
//!
//! The function is `f(point) = Φ · w` with the features of [`Contrasts`]; the weights of main effects and those of pairs have
//! prior variances of their own. Each lower fidelity adds an intercept and main effects for its bias. Everything but slopes
//! and variances is linear with normal noise, so that the posterior of the weights is exact: with prior variances `D` and
//! noise `N`, its precision is `Λ = D⁻¹ + Φᵀ N⁻¹ Φ`.
//!
//! The marginal likelihood follows from the same factor:
//!
//! `−2 log p(y) = n log 2π + log|N| + log|D| + log|Λ| + yᵀ N⁻¹ y − hᵀ Λ⁻¹ h`, with `h = Φᵀ N⁻¹ y`.
//!
//! The observations enter it by sums over each fidelity, which are formed once. So a step of the hyperparameters costs one
//! factor of 88 (two cells) or 245 (three) features for any number of observations, and it does not pay to change to a
//! matrix of the observations when they are few.

use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::model::Normal;
use crate::model::contrasts::Contrasts;
use crate::model::data::{Data, INTERCEPT, Level};
use crate::model::effects::Effects;
use crate::model::hyper::{Prior, Scales};
use crate::model::linear::{Cholesky, add_gram};
use crate::space::{Point, Space};

/// The number of hyperparameters of the function: the standard deviations of all main effects and of all pairs.
pub(crate) const FUNCTION: usize = 2;

/// The priors of them, in units of the spread of the values.
pub(crate) fn function_priors() -> Vec<Prior> {
    vec![Prior::around(0.9, 0.7), Prior::around(0.35, 0.7)]
}

/// What the observations say, before hyperparameters.
#[derive(Debug)]
pub(crate) struct Moments {
    contrasts: Contrasts,
    levels: Vec<LevelMoments>,
}

/// The sums over the observations of a fidelity.
#[derive(Debug)]
struct LevelMoments {
    /// The first column of its intercept and bias; none of the last fidelity and of one without observations.
    block: Option<usize>,
    rows: Sums,
    /// Of trainings that reached the last fidelity: the value here, and that there.
    pairs: Sums,
    pairs_last: Sums,
    /// The sum of the products of the two.
    product: f64,
}

/// `Φᵀ Φ` (its lower triangle), `Φᵀ y` and `yᵀ y`.
#[derive(Debug)]
struct Sums {
    count: f64,
    gram: Mat<f64>,
    values: Vec<f64>,
    square: f64,
}

impl Sums {
    fn new(contrasts: &Contrasts, width: usize, rows: &[(&Point, f64)]) -> Self {
        let mut features = Mat::zeros(rows.len(), width);
        let mut values = vec![0.0; width];
        for (i, (point, value)) in rows.iter().enumerate() {
            contrasts.write(point, |at, feature| {
                if at < width {
                    features[(i, at)] = feature;
                    values[at] += feature * value;
                }
            });
        }
        let mut gram = Mat::zeros(width, width);
        if !rows.is_empty() {
            add_gram(&mut gram, 1.0, &features);
        }
        let square = rows.iter().map(|(_, value)| value * value).sum();
        Self { count: rows.len() as f64, gram, values, square }
    }
}

impl Moments {
    pub fn new(space: &Space, data: &Data) -> Self {
        let contrasts = Contrasts::new(space);
        let mut next = contrasts.width();
        let levels = data.levels.iter().enumerate().map(|(at, level)| {
            let empty = level.rows.is_empty() && level.pairs.is_empty();
            let block = (at != data.last() && !empty).then_some(next);
            next += if block.is_some() { 1 + contrasts.mains } else { 0 };
            LevelMoments::new(&contrasts, block, level)
        });
        Self { levels: levels.collect(), contrasts }
    }

    /// The prior variances of all weights.
    fn variances(&self, scales: &Scales) -> Vec<f64> {
        let Contrasts { mains, pairs, .. } = self.contrasts;
        let tokens = self.contrasts.tokens() as f64;
        let [main, pair] = [scales.function[0].powi(2), scales.function[1].powi(2)];
        let mut variances = vec![INTERCEPT];
        variances.extend(std::iter::repeat_n(main / tokens, mains));
        variances
            .extend(std::iter::repeat_n(pair / self.contrasts.token_pairs().max(1) as f64, pairs));
        for (level, low) in self.levels.iter().zip(&scales.low) {
            if level.block.is_some() {
                variances.push(INTERCEPT);
                variances.extend(std::iter::repeat_n(low.bias.powi(2) / tokens, mains));
            }
        }
        variances
    }

    /// The precision of the weights, `Φᵀ N⁻¹ y`, and the terms of −2 log p(y) that need no factor.
    fn system(&self, data: &Data, scales: &Scales) -> (Mat<f64>, Vec<f64>, f64) {
        let variances = self.variances(scales);
        let size = variances.len();
        let mut precision = Mat::zeros(size, size);
        let mut constant = 0.0;
        for (at, variance) in variances.iter().enumerate() {
            precision[(at, at)] = 1.0 / variance;
            constant += variance.ln();
        }
        let mut right = vec![0.0; size];
        let log_two_pi = std::f64::consts::TAU.ln();
        for (at, level) in self.levels.iter().enumerate() {
            let (slope, noise) = (data.slope(at, scales), data.row_noise(at, scales));
            level.add_rows(&mut precision, &mut right, slope, noise, self.contrasts.width());
            constant += level.rows.count * (log_two_pi + noise.ln()) + level.rows.square / noise;
            if let (Some(block), Some(low)) = (level.block, scales.low.get(at)) {
                let noise = low.noise.powi(2);
                level.add_pairs(&mut precision, &mut right, block, slope, noise);
                let square = level.pairs.square - 2.0 * slope * level.product
                    + slope.powi(2) * level.pairs_last.square;
                constant += level.pairs.count * (log_two_pi + noise.ln()) + square / noise;
            }
        }
        (precision, right, constant)
    }

    /// The logarithm of the marginal likelihood; `None` when it cannot be computed.
    pub fn evidence(&self, data: &Data, scales: &Scales) -> Option<f64> {
        let (precision, mut right, constant) = self.system(data, scales);
        let factor = Cholesky::of(precision)?;
        factor.half_solve(&mut right);
        let explained: f64 = right.iter().map(|value| value * value).sum();
        Some(-0.5 * (constant + factor.log_det() - explained)).filter(|value| value.is_finite())
    }

    /// The posterior; `None` when it cannot be computed.
    pub fn fit(self, data: &Data, scales: &Scales) -> Option<RidgeFit> {
        let (precision, mut mean, _) = self.system(data, scales);
        let factor = Cholesky::of(precision)?;
        factor.half_solve(&mut mean);
        factor.half_solve_transposed(&mut mean);
        let effects = self.contrasts.effects(&mean);
        let (centre, unit) = (data.raw(0.0), data.unit());
        mean.iter().all(|value| value.is_finite()).then_some(RidgeFit {
            contrasts: self.contrasts,
            mean,
            factor,
            effects,
            centre,
            unit,
        })
    }
}

impl LevelMoments {
    fn new(contrasts: &Contrasts, block: Option<usize>, level: &Level) -> Self {
        let rows: Vec<(&Point, f64)> =
            level.rows.iter().map(|(point, value)| (point, *value)).collect();
        let here: Vec<(&Point, f64)> =
            level.pairs.iter().map(|(point, here, _)| (point, *here)).collect();
        let there: Vec<(&Point, f64)> =
            level.pairs.iter().map(|(point, _, last)| (point, *last)).collect();
        let bias = 1 + contrasts.mains;
        Self {
            block,
            rows: Sums::new(contrasts, contrasts.width(), &rows),
            pairs: Sums::new(contrasts, bias, &here),
            pairs_last: Sums::new(contrasts, bias, &there),
            product: level.pairs.iter().map(|(_, here, there)| here * there).sum(),
        }
    }

    /// Adds the rows, whose features are `slope · φ` and, in the block, the first of φ.
    fn add_rows(
        &self,
        precision: &mut Mat<f64>,
        right: &mut [f64],
        slope: f64,
        noise: f64,
        width: usize,
    ) {
        let bias = self.pairs.values.len();
        let gram = &self.rows.gram;
        for (right, sum) in right.iter_mut().zip(&self.rows.values) {
            *right += slope / noise * sum;
        }
        for j in 0..width {
            for i in j..width {
                precision[(i, j)] += slope * slope / noise * gram[(i, j)];
            }
        }
        let Some(block) = self.block else { return };
        for j in 0..width {
            for i in 0..bias {
                let product = if i >= j { gram[(i, j)] } else { gram[(j, i)] };
                precision[(block + i, j)] += slope / noise * product;
            }
        }
        for j in 0..bias {
            right[block + j] += self.rows.values[j] / noise;
            for i in j..bias {
                precision[(block + i, block + j)] += gram[(i, j)] / noise;
            }
        }
    }

    /// Adds the pairs: `here − slope · there` is observed of the block alone.
    fn add_pairs(
        &self,
        precision: &mut Mat<f64>,
        right: &mut [f64],
        block: usize,
        slope: f64,
        noise: f64,
    ) {
        let bias = self.pairs.values.len();
        for j in 0..bias {
            let target = self.pairs.values[j] - slope * self.pairs_last.values[j];
            right[block + j] += target / noise;
            for i in j..bias {
                precision[(block + i, block + j)] += self.pairs.gram[(i, j)] / noise;
            }
        }
    }
}

/// A fitted ridge regression.
#[derive(Debug)]
pub struct RidgeFit {
    contrasts: Contrasts,
    mean: Vec<f64>,
    /// Of the precision of the weights.
    factor: Cholesky,
    /// Those of the mean.
    effects: Effects,
    centre: f64,
    unit: f64,
}

impl RidgeFit {
    /// The posterior mean at a point.
    pub fn mean(&self, point: &Point) -> f64 {
        self.centre + self.unit * self.effects.value(point)
    }

    /// The posterior mean and standard deviation at a point.
    pub fn belief(&self, point: &Point) -> Normal {
        let mut features = vec![0.0; self.mean.len()];
        self.contrasts.write(point, |at, feature| features[at] = feature);
        Normal { mean: self.mean(point), sd: self.sd(features) }
    }

    /// The main effects: for each token and choice, how much it adds to the mean over the choices.
    pub fn main_effects(&self) -> Vec<Vec<Normal>> {
        let tokens = self.effects.main().iter().enumerate();
        tokens
            .map(|(token, effects)| {
                let choices = effects.iter().enumerate();
                choices
                    .map(|(choice, effect)| {
                        let mut features = vec![0.0; self.mean.len()];
                        let (first, values) = self.contrasts.main_effect(token, choice);
                        features[first..first + values.len()].copy_from_slice(values);
                        Normal { mean: self.unit * effect, sd: self.sd(features) }
                    })
                    .collect()
            })
            .collect()
    }

    /// The function with the highest posterior density, in the unit of the model.
    pub(crate) fn effects(&self) -> &Effects {
        &self.effects
    }

    /// A whole function drawn from the posterior, in the unit of the model.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Effects {
        let mut weights: Vec<f64> = self.mean.iter().map(|_| rng.sample(StandardNormal)).collect();
        self.factor.half_solve_transposed(&mut weights);
        for (weight, mean) in weights.iter_mut().zip(&self.mean) {
            *weight += mean;
        }
        self.contrasts.effects(&weights)
    }

    /// The standard deviation of a sum of weights times features.
    fn sd(&self, mut features: Vec<f64>) -> f64 {
        self.factor.half_solve(&mut features);
        self.unit * features.iter().map(|value| value * value).sum::<f64>().sqrt()
    }
}
