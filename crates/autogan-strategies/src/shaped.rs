//! These helpers of tests make problems, observations, and landscapes of the shape that was measured.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::error::StrategyError;
use crate::model::Effects;
use crate::{Fidelity, Objective, Observation, Point, Problem, Query, Space, Strategy, drive};

/// A problem of architectures, with the costs of its fidelities and whether each is a length of a training.
pub fn problem_of_lengths(cells: usize, fidelities: &[(f64, bool)], budget: f64) -> Problem {
    let fidelities = fidelities.iter().map(|&(cost, continues)| Fidelity {
        name: format!("cost {cost}"),
        cost,
        continues,
    });
    Problem { space: Space::of_archs(cells), fidelities: fidelities.collect(), budget }
}

pub fn observation(
    point: Point,
    fidelity: usize,
    repeat: usize,
    value: Option<f64>,
) -> Observation {
    Observation { query: Query { point, fidelity, repeat }, value, cost: 1.0 }
}

/// Main effects of standard deviation about 1, and pairs of `pairs` times that.
pub fn random_effects(space: &Space, pairs: f64, rng: &mut impl Rng) -> Effects {
    let sizes: Vec<usize> = space.tokens().iter().map(|token| token.choices.len()).collect();
    let mut normals = |count: usize, scale: f64| -> Vec<f64> {
        (0..count).map(|_| scale * rng.sample::<f64, _>(StandardNormal)).collect()
    };
    let main = sizes.iter().map(|&size| normals(size, 1.0)).collect();
    let mut tables = Vec::new();
    for (one, a) in sizes.iter().enumerate() {
        for b in &sizes[one + 1..] {
            tables.push(normals(a * b, pairs));
        }
    }
    Effects::new(0.0, main, tables)
}

/// A landscape over all points: main effects explain 83 % of its variance of 1, pairs 10 %, and the rest 7 %.
pub struct Landscape {
    pub problem: Problem,
    /// The true value of each point at the last fidelity.
    pub values: Vec<f64>,
    /// For each fidelity below the last, a function that has nothing to do with the last.
    others: Vec<Vec<f64>>,
    seed: u64,
    /// What was paid for each training.
    paid: HashMap<(Point, usize), f64>,
}

/// The variance of a training's noise: a training tells 79 % of the variance of values.
const NOISE: f64 = 0.27;
/// The share of a lower fidelity that follows the last.
const FOLLOWS: f64 = 0.8;

impl Landscape {
    pub fn new(problem: Problem, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1_000_000 + seed);
        let values = shaped(&problem.space, &mut rng);
        let others =
            problem.fidelities[1..].iter().map(|_| shaped(&problem.space, &mut rng)).collect();
        Self { problem, values, others, seed, paid: HashMap::new() }
    }

    /// The place of a point.
    pub fn place(&self, point: &Point) -> usize {
        let tokens = self.problem.space.tokens().iter().zip(&point.0);
        tokens.fold(0, |at, (token, &choice)| at * token.choices.len() + usize::from(choice))
    }

    pub fn truth(&self, point: &Point) -> f64 {
        self.values[self.place(point)]
    }
}

impl Objective for Landscape {
    type Error = StrategyError;

    fn evaluate(&mut self, query: &Query) -> crate::Result<Observation> {
        let (at, fidelity) = (self.place(&query.point), query.fidelity);
        let number = (self.seed * 4_096 + at as u64) * 64 + query.repeat as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let noise: f64 = NOISE.sqrt() * rng.sample::<f64, _>(StandardNormal);
        rng.set_stream(1 + fidelity as u64);
        let other: f64 = 0.2 * rng.sample::<f64, _>(StandardNormal);
        let fidelities = &self.problem.fidelities;
        let last = fidelities.len() - 1;
        let value = if fidelity == last {
            self.values[at] + noise
        } else {
            let noise = if fidelities[fidelity].continues { noise } else { 0.0 };
            let bias = (1.0 - FOLLOWS * FOLLOWS).sqrt() * self.others[fidelity][at];
            fidelity as f64 + FOLLOWS * (self.values[at] + noise) + bias + other
        };
        let mut cost = fidelities[fidelity].cost;
        if fidelities[fidelity].continues {
            let training = (query.point.clone(), query.repeat);
            let paid = self.paid.insert(training, cost).unwrap_or(0.0);
            cost = (cost - paid).max(0.0);
        }
        Ok(Observation { query: query.clone(), value: Some(value), cost })
    }
}

fn shaped(space: &Space, rng: &mut impl Rng) -> Vec<f64> {
    let points: Vec<Point> = (0..space.count()).map(|at| space.at(at)).collect();
    let main = random_effects(space, 0.0, rng);
    let main = standard(points.iter().map(|point| main.value(point)).collect());
    let pairs = pure_pairs(space, rng);
    let pairs = standard(points.iter().map(|point| pairs.value(point)).collect());
    let rest = standard(points.iter().map(|_| rng.sample(StandardNormal)).collect());
    let sums = main.iter().zip(&pairs).zip(&rest);
    let shares = [0.83, 0.10, 0.07].map(f64::sqrt);
    sums.map(|((m, p), r)| shares[0] * m + shares[1] * p + shares[2] * r).collect()
}

/// Effects of pairs that sum to 0 over the choices of either token, so that no main effect is in them.
fn pure_pairs(space: &Space, rng: &mut impl Rng) -> Effects {
    let sizes: Vec<usize> = space.tokens().iter().map(|token| token.choices.len()).collect();
    let mut tables = Vec::new();
    for (one, &rows) in sizes.iter().enumerate() {
        for &cols in &sizes[one + 1..] {
            let table: Vec<f64> = (0..rows * cols).map(|_| rng.sample(StandardNormal)).collect();
            let row = |i: usize| table[i * cols..][..cols].iter().sum::<f64>() / cols as f64;
            let col = |j: usize| (0..rows).map(|i| table[i * cols + j]).sum::<f64>() / rows as f64;
            let all = table.iter().sum::<f64>() / table.len() as f64;
            let pure = (0..table.len()).map(|at| table[at] - row(at / cols) - col(at % cols) + all);
            tables.push(pure.collect());
        }
    }
    Effects::new(0.0, sizes.iter().map(|&size| vec![0.0; size]).collect(), tables)
}

fn standard(values: Vec<f64>) -> Vec<f64> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    values.iter().map(|v| (v - mean) / spread).collect()
}

/// How much more the pick of one strategy is worth than that of another after a budget, in standard deviations of the true
/// values: the mean over landscapes, and its standard error.
pub fn gain(
    problem: &Problem,
    seeds: u64,
    one: impl Fn(Problem, u64) -> Box<dyn Strategy>,
    two: impl Fn(Problem, u64) -> Box<dyn Strategy>,
) -> (f64, f64) {
    let differences: Vec<f64> = (0..seeds)
        .map(|seed| {
            let worth = |mut strategy: Box<dyn Strategy>| {
                let mut landscape = Landscape::new(problem.clone(), seed);
                drive(strategy.as_mut(), problem, &mut landscape).unwrap();
                landscape.truth(&strategy.best().unwrap().unwrap().point)
            };
            worth(one(problem.clone(), seed)) - worth(two(problem.clone(), seed))
        })
        .collect();
    let count = seeds as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

/// Drives a strategy and a copy that is saved and restored after every few queries: the same queries and the same best.
/// Batches are told in reverse, and some networks diverge.
pub fn assert_resumes(
    problem: &Problem,
    mut one: Box<dyn Strategy>,
    restore: impl Fn(serde_json::Value) -> Box<dyn Strategy>,
    at_once: usize,
) {
    let mut landscape = Landscape::new(problem.clone(), 77);
    let mut two = restore(one.save().unwrap());
    let mut count = 0;
    for round in 0.. {
        let queries = one.ask(at_once).unwrap();
        assert_eq!(two.ask(at_once).unwrap(), queries);
        if queries.is_empty() || count > 60 {
            break;
        }
        count += queries.len();
        if round % 3 == 0 {
            two = restore(serde_json::from_str(&two.save().unwrap().to_string()).unwrap());
        }
        for query in queries.iter().rev() {
            let mut observation = landscape.evaluate(query).unwrap();
            observation.value =
                observation.value.filter(|_| landscape.place(&query.point) % 7 != 3);
            one.tell(&observation).unwrap();
            two.tell(&observation).unwrap();
            // One is asked for its best each time, the other at the end.
            one.best().unwrap();
        }
    }
    assert!(count > 20);
    assert_eq!(one.best().unwrap(), two.best().unwrap());
    assert_eq!(one.save().unwrap(), two.save().unwrap());
}
