//! [`Data`] is what a model is fitted to: the observations of all fidelities, in units of their spread.
//!
//! # The model of the fidelities
//! `f` is the function of points that the last fidelity measures, and `F = f(point) + noise` what one training gives there.
//! A lower fidelity `l` is an affine function of it, with a bias of its own that depends on the point, and noise of its own:
//!
//! `y_l = a_l + b_l · F + g_l(point) + e_l`.
//!
//! This is co-kriging read from the last fidelity down. The bias `g_l` is what keeps many cheap observations from being
//! taken for the truth: what they share with each other, but not with the last fidelity, goes there.
//! - Of the lengths of one training the longest is taken for all that the training says about `f`. The shorter ones of a
//!   training that reached the last fidelity say what `a_l`, `b_l`, `g_l` and `e_l` are: `y_l − b_l · F` is observed with
//!   noise `e_l` alone. This is unbiased although the trainings that went on were chosen by their first lengths.
//! - A score on shared weights is no length of a training: there `F` is `f(point)`, and it is a feature of the point. Its
//!   prior has a smaller slope and a larger bias.
//! - The intercepts, the biases and `f` are integrated out; slopes and variances are hyperparameters.
//!
//! Networks that diverged count as the worst value seen at that fidelity less one standard deviation of its noise, so that
//! they are bad, but not so bad that they bend the model. They are left out while nothing else was seen at that fidelity.

use std::collections::BTreeMap;

use crate::model::hyper::Scales;
use crate::space::Point;
use crate::strategy::{Observation, Problem};

/// The prior variance of an intercept, in units of the spread of the values.
pub(crate) const INTERCEPT: f64 = 4.0;

/// The observations by fidelity.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// One for each fidelity; the last is the one that counts.
    pub levels: Vec<Level>,
}

/// The observations of a fidelity.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// Whether a training goes on from here to the last fidelity.
    pub continues: bool,
    /// What is taken from a value, and what the rest is divided by.
    pub centre: f64,
    pub unit: f64,
    /// Trainings whose longest length this is, and scores on shared weights.
    pub rows: Vec<(Point, f64)>,
    /// Trainings that reached the last fidelity: the value here and there.
    pub pairs: Vec<(Point, f64, f64)>,
}

/// One linear observation: `target = scale · f(point) + (bias of the level) + noise`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub point: Point,
    pub scale: f64,
    /// The fidelity whose intercept and bias it has; none of the last.
    pub level: Option<usize>,
    pub target: f64,
    /// The variance of its noise.
    pub noise: f64,
}

impl Data {
    /// The data of observations; `noise` gives the standard deviation of a fidelity's noise in units of its spread.
    pub fn new(
        problem: &Problem,
        observations: &[Observation],
        noise: impl Fn(usize) -> f64,
    ) -> Self {
        let last = problem.fidelities.len() - 1;
        let mut levels: Vec<Level> = problem
            .fidelities
            .iter()
            .map(|fidelity| Level {
                continues: fidelity.continues,
                centre: 0.0,
                unit: 1.0,
                rows: Vec::new(),
                pairs: Vec::new(),
            })
            .collect();
        let diverged = measure(&mut levels, observations, noise);
        // By training, in an order that does not depend on that of the observations.
        let mut trainings: BTreeMap<(&Point, usize), BTreeMap<usize, f64>> = BTreeMap::new();
        for observation in observations {
            let query = &observation.query;
            let level = &levels[query.fidelity];
            let value = match observation.finite() {
                Some(value) => (value - level.centre) / level.unit,
                None => match diverged[query.fidelity] {
                    Some(value) => value,
                    None => continue,
                },
            };
            trainings
                .entry((&query.point, query.repeat))
                .or_default()
                .insert(query.fidelity, value);
        }
        for ((point, _), values) in trainings {
            let longest = values.keys().copied().filter(|&at| levels[at].continues).max();
            for (&at, &value) in &values {
                if Some(at) == longest || !levels[at].continues {
                    levels[at].rows.push((point.clone(), value));
                } else if longest == Some(last) {
                    levels[at].pairs.push((point.clone(), value, values[&last]));
                }
            }
        }
        Self { levels }
    }

    /// The index of the last fidelity.
    pub fn last(&self) -> usize {
        self.levels.len() - 1
    }

    /// All observations as linear ones, those of the last fidelity first.
    pub fn rows(&self, scales: &Scales) -> Vec<Row> {
        let mut rows = Vec::new();
        for (at, level) in self.levels.iter().enumerate().rev() {
            let (scale, noise) = (self.slope(at, scales), self.row_noise(at, scales));
            let own = (at != self.last()).then_some(at);
            rows.extend(level.rows.iter().map(|(point, value)| Row {
                point: point.clone(),
                scale,
                level: own,
                target: *value,
                noise,
            }));
            rows.extend(level.pairs.iter().map(|(point, value, last)| Row {
                point: point.clone(),
                scale: 0.0,
                level: own,
                target: value - scale * last,
                noise: scales.low[at].noise.powi(2),
            }));
        }
        rows
    }

    /// What a fidelity's values are multiplied by, seen from `f`.
    pub fn slope(&self, level: usize, scales: &Scales) -> f64 {
        if level == self.last() { 1.0 } else { scales.low[level].slope }
    }

    /// The variance of a row's noise around `a + b · f + g`: that of the training, seen through the slope, and its own.
    pub fn row_noise(&self, level: usize, scales: &Scales) -> f64 {
        if level == self.last() {
            return scales.noise.powi(2);
        }
        let low = &scales.low[level];
        let training = if self.levels[level].continues { low.slope * scales.noise } else { 0.0 };
        training.powi(2) + low.noise.powi(2)
    }

    /// A value of the last fidelity, as the problem gives it.
    pub fn raw(&self, value: f64) -> f64 {
        let last = &self.levels[self.last()];
        last.centre + last.unit * value
    }

    /// The unit of the last fidelity.
    pub fn unit(&self) -> f64 {
        self.levels[self.last()].unit
    }
}

/// Sets the centres and units, and gives for each fidelity the value of networks that diverged.
///
/// The lengths of a training share a unit, the spread within them, since they measure the same; scores on shared weights
/// have their own. A fidelity without values has the centre of the nearest length below it.
fn measure(
    levels: &mut [Level],
    observations: &[Observation],
    noise: impl Fn(usize) -> f64,
) -> Vec<Option<f64>> {
    let mut values = vec![Vec::new(); levels.len()];
    for observation in observations {
        values[observation.query.fidelity].extend(observation.finite());
    }
    // Sums of sorted values do not depend on the order of the observations.
    values.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
    let (mut shared, mut freedom, mut centre) = (0.0, 0.0, 0.0);
    for (level, values) in levels.iter_mut().zip(&values) {
        let count = values.len() as f64;
        if !values.is_empty() {
            level.centre = values.iter().sum::<f64>() / count;
        } else {
            level.centre = centre;
        }
        let squares: f64 = values.iter().map(|value| (value - level.centre).powi(2)).sum();
        if level.continues {
            centre = level.centre;
            shared += squares;
            freedom += (count - 1.0).max(0.0);
        } else {
            level.unit = spread(squares, count - 1.0);
        }
    }
    for level in levels.iter_mut().filter(|level| level.continues) {
        level.unit = spread(shared, freedom);
    }
    let worst = |at: usize| {
        let worst = values[at].iter().copied().reduce(f64::min)?;
        Some((worst - levels[at].centre) / levels[at].unit - noise(at))
    };
    (0..levels.len()).map(worst).collect()
}

fn spread(squares: f64, freedom: f64) -> f64 {
    let spread = (squares / freedom).sqrt();
    if freedom > 0.0 && spread > 0.0 && spread.is_finite() { spread } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Space;
    use crate::testing::{observation, problem, query};

    #[test]
    fn a_training_counts_once_and_its_lengths_are_pairs() {
        // Fidelities: shared weights, two lengths; 1 and 3 with one value each have no spread.
        let problem = problem(Space::of_archs(1), &[(0.1, false), (1.0, true), (2.0, true)], 10.0);
        let at = |i| problem.space.at(i);
        let observations = [
            observation(&query(at(0), 1, 0), Some(2.0)),
            observation(&query(at(0), 2, 0), Some(5.0)),
            observation(&query(at(1), 1, 0), Some(4.0)),
            observation(&query(at(2), 0, 0), Some(-1.0)),
            observation(&query(at(3), 1, 0), None),
            observation(&query(at(4), 2, 1), Some(7.0)),
        ];
        let data = Data::new(&problem, &observations, |at| at as f64);
        // The lengths: 2, 4 around 3 and 5, 7 around 6: squares 4, freedom 2.
        let unit = 2f64.sqrt();
        assert_eq!(
            (data.levels[1].centre, data.levels[2].centre, data.levels[0].centre),
            (3.0, 6.0, -1.0)
        );
        assert!((data.unit() - unit).abs() < 1e-12 && data.levels[0].unit == 1.0);
        assert_eq!(data.levels[1].pairs, [(at(0), -1.0 / unit, -1.0 / unit)]);
        // Diverged at fidelity 1: the worst, −1 / unit, less its noise, 1.
        assert_eq!(data.levels[1].rows, [(at(1), 1.0 / unit), (at(3), -1.0 / unit - 1.0)]);
        assert_eq!(data.levels[2].rows, [(at(0), -1.0 / unit), (at(4), 1.0 / unit)]);
        assert_eq!(data.levels[0].rows, [(at(2), 0.0)]);
        assert!((data.raw(1.0) - 6.0 - unit).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_the_observations_does_not_matter() {
        let problem = problem(Space::of_archs(2), &[(1.0, true), (2.0, true)], 10.0);
        let mut observations: Vec<Observation> = (0..12)
            .map(|i| {
                observation(&query(problem.space.at(i * 50), i % 2, 0), Some((i * i % 7) as f64))
            })
            .collect();
        let one = Data::new(&problem, &observations, |_| 0.5);
        observations.rotate_left(5);
        let two = Data::new(&problem, &observations, |_| 0.5);
        for (one, two) in one.levels.iter().zip(&two.levels) {
            assert_eq!(one.rows, two.rows);
        }
    }
}
