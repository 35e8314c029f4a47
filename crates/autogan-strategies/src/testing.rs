//! These helpers of tests make problems, observations, and landscapes of the shape that was measured, and hold the checks
//! that the tests of all strategies share.

use std::collections::HashMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::error::{Result, StrategyError};
use crate::kind::StrategyKind;
use crate::model::Effects;
use crate::{Fidelity, Objective, Observation, Point, Problem, Query, Space, drive};

/// The cost of a fidelity, and whether it is a length of a training: whole trainings alone.
pub(crate) const WHOLE: &[(f64, bool)] = &[(9.0, true)];
/// Three lengths.
pub(crate) const LENGTHS: &[(f64, bool)] = &[(1.0, true), (3.0, true), (9.0, true)];
/// Scores on shared weights, and three lengths.
pub(crate) const WARMED: &[(f64, bool)] = &[(0.1, false), (1.0, true), (3.0, true), (9.0, true)];

/// A problem with these fidelities, and a budget in whole trainings.
pub(crate) fn problem(space: Space, fidelities: &[(f64, bool)], trainings: f64) -> Problem {
    let fidelities: Vec<Fidelity> = fidelities
        .iter()
        .map(|&(cost, continues)| Fidelity { name: format!("cost {cost}"), cost, continues })
        .collect();
    let budget = trainings * fidelities.last().unwrap().cost;
    Problem { space, fidelities, budget }
}

pub(crate) fn query(point: Point, fidelity: usize, repeat: usize) -> Query {
    Query { point, fidelity, repeat }
}

/// The result of a query, at the cost 1.
pub(crate) fn observation(query: &Query, value: Option<f64>) -> Observation {
    Observation { query: query.clone(), value, cost: 1.0 }
}

/// Main effects of standard deviation about 1, and pairs of `pairs` times that.
pub(crate) fn random_effects(space: &Space, pairs: f64, rng: &mut impl Rng) -> Effects {
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

/// A function of all points: main effects explain 83 % of its variance of 1, pairs 10 %, and the rest 7 %.
struct Shape {
    effects: Effects,
    /// The seed of the rest.
    rest: u64,
}

impl Shape {
    fn new(space: &Space, rng: &mut impl Rng) -> Self {
        let sizes: Vec<usize> = space.tokens().iter().map(|token| token.choices.len()).collect();
        let mut normals =
            |count: usize| (0..count).map(|_| rng.sample(StandardNormal)).collect::<Vec<f64>>();
        let mut main: Vec<Vec<f64>> = sizes.iter().map(|&size| pure(normals(size), size)).collect();
        let mut pairs = Vec::new();
        for (one, &rows) in sizes.iter().enumerate() {
            for &cols in &sizes[one + 1..] {
                pairs.push(pure(normals(rows * cols), cols));
            }
        }
        // Pure effects share nothing: the variance of their sum is the sum of theirs.
        for (tables, share) in [(&mut main, 0.83), (&mut pairs, 0.10)] {
            let square =
                |table: &Vec<f64>| table.iter().map(|v| v * v).sum::<f64>() / table.len() as f64;
            let scale = (share / tables.iter().map(square).sum::<f64>()).sqrt();
            tables.iter_mut().flatten().for_each(|value| *value *= scale);
        }
        Self { effects: Effects::new(0.0, main, pairs), rest: rng.random() }
    }

    /// The value at a point, which has this place in the space.
    fn value(&self, point: &Point, place: u64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(self.rest.wrapping_add(place));
        self.effects.value(point) + 0.07f64.sqrt() * rng.sample::<f64, _>(StandardNormal)
    }
}

/// A table of so many columns without the means of its rows and its columns; of one row, without the row's mean.
fn pure(table: Vec<f64>, cols: usize) -> Vec<f64> {
    let rows = table.len() / cols;
    let row = |i: usize| table[i * cols..][..cols].iter().sum::<f64>() / cols as f64;
    let col = |j: usize| (0..rows).map(|i| table[i * cols + j]).sum::<f64>() / rows as f64;
    let all = table.iter().sum::<f64>() / table.len() as f64;
    let less = |at: usize| match rows {
        1 => row(0),
        _ => row(at / cols) + col(at % cols) - all,
    };
    (0..table.len()).map(|at| table[at] - less(at)).collect()
}

/// A landscape with noise, of which each fidelity below the last follows the last and has a bias of its own.
pub(crate) struct Landscape {
    pub problem: Problem,
    /// The values at the last fidelity.
    truth: Shape,
    /// For each fidelity below the last, a function that has nothing to do with the last.
    others: Vec<Shape>,
    seed: u64,
    /// The share of the trainings that diverge.
    pub diverging: f64,
    /// What was paid for each training.
    paid: HashMap<(Point, usize), f64>,
}

/// The variance of a training's noise: a training tells 79 % of the variance of values.
const NOISE: f64 = 0.27;
/// The share of a lower fidelity that follows the last.
const FOLLOWS: f64 = 0.8;

impl Landscape {
    pub fn new(problem: &Problem, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1_000_000 + seed);
        let truth = Shape::new(&problem.space, &mut rng);
        let others = problem.fidelities[1..].iter().map(|_| Shape::new(&problem.space, &mut rng));
        let (others, problem, paid) = (others.collect(), problem.clone(), HashMap::new());
        Self { problem, truth, others, seed, diverging: 0.0, paid }
    }

    /// The place of a point.
    fn place(&self, point: &Point) -> u64 {
        let tokens = self.problem.space.tokens().iter().zip(&point.0);
        tokens.fold(0, |at, (token, &choice)| at * token.choices.len() as u64 + u64::from(choice))
    }

    /// The true value of a point at the last fidelity.
    pub fn truth(&self, point: &Point) -> f64 {
        self.truth.value(point, self.place(point))
    }
}

impl Objective for Landscape {
    type Error = StrategyError;

    fn evaluate(&mut self, query: &Query) -> Result<Observation> {
        let Query { point, fidelity, repeat } = query;
        let number = (self.seed << 32) + (self.place(point) << 10) + *repeat as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let noise: f64 = NOISE.sqrt() * rng.sample::<f64, _>(StandardNormal);
        rng.set_stream(1 + *fidelity as u64);
        let other: f64 = 0.2 * rng.sample::<f64, _>(StandardNormal);
        let diverged = rng.random::<f64>() < self.diverging;
        let Fidelity { mut cost, continues, .. } = self.problem.fidelities[*fidelity];
        let value = match self.others.get(*fidelity) {
            None => self.truth(point) + noise,
            Some(shape) => {
                let noise = if continues { noise } else { 0.0 };
                let bias = (1.0 - FOLLOWS * FOLLOWS).sqrt() * shape.value(point, self.place(point));
                *fidelity as f64 + FOLLOWS * (self.truth(point) + noise) + bias + other
            }
        };
        if continues {
            let paid = self.paid.insert((point.clone(), *repeat), cost).unwrap_or(0.0);
            cost = (cost - paid).max(0.0);
        }
        Ok(Observation { query: query.clone(), value: (!diverged).then_some(value), cost })
    }
}

/// How much more the pick of a strategy is worth than that of random search after a budget, in standard deviations of the
/// true values: the mean over landscapes, of whose trainings 1 % diverge, and its standard error.
pub(crate) fn gain(name: &str, problem: &Problem, seeds: u64) -> (f64, f64) {
    let worth = |name: &str, seed: u64| {
        let mut landscape = Landscape { diverging: 0.01, ..Landscape::new(problem, seed) };
        let mut strategy =
            StrategyKind::named(name).unwrap().build(problem.clone(), seed + 1_000).unwrap();
        drive(&mut *strategy, problem, &mut landscape).unwrap();
        landscape.truth(&strategy.best().unwrap().unwrap().point)
    };
    let gains: Vec<f64> =
        (0..seeds).map(|seed| worth(name, seed) - worth("random", seed)).collect();
    let count = seeds as f64;
    let mean = gains.iter().sum::<f64>() / count;
    let squares: f64 = gains.iter().map(|gain| (gain - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

pub(crate) fn assert_beats_random(name: &str, problem: &Problem) {
    let (mean, error) = gain(name, problem, 200);
    assert!(
        mean > 4.0 * error,
        "{name} is better by {mean:.3}, with a standard error of {error:.3}"
    );
}

/// How [`assert_resumes`] runs a strategy.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Plain,
    /// Nobody asks for the best before the end.
    Quiet,
    /// It is saved and restored, by way of a text, after each step.
    Interrupted,
}

/// Runs a strategy for a number of steps with `open` queries at the same time; one training of seven diverges. It asks the
/// same, believes the same and saves the same when it is saved and restored after each step, and when its best is not asked
/// for on the way. Returns the queries.
pub(crate) fn assert_resumes(kind: &StrategyKind, problem: &Problem, open: usize) -> Vec<Query> {
    let run = |way: Way| {
        let mut landscape = Landscape { diverging: 1.0 / 7.0, ..Landscape::new(problem, 1) };
        let mut strategy = kind.build(problem.clone(), 2).unwrap();
        let (mut asked, mut waiting, mut bests) = (Vec::new(), Vec::new(), Vec::new());
        for step in 0..180 {
            if way == Way::Interrupted {
                let text = strategy.save().unwrap().to_string();
                let state = serde_json::from_str(&text).unwrap();
                strategy = kind.restore(problem.clone(), state).unwrap();
            }
            if step % 2 == 0 {
                let queries = strategy.ask(open - waiting.len()).unwrap();
                asked.extend(queries.clone());
                waiting.extend(queries);
                continue;
            }
            // The last one comes first, the first one late.
            let Some(query) = waiting.pop() else { break };
            strategy.tell(&landscape.evaluate(&query).unwrap()).unwrap();
            if way != Way::Quiet {
                bests.push(strategy.best().unwrap());
            }
        }
        (asked, bests, strategy.best().unwrap(), strategy.save().unwrap())
    };
    let (plain, quiet, interrupted) = (run(Way::Plain), run(Way::Quiet), run(Way::Interrupted));
    assert!(plain == interrupted, "{}", kind.name);
    assert!((&plain.0, &plain.2, &plain.3) == (&quiet.0, &quiet.2, &quiet.3), "{}", kind.name);
    plain.0
}
