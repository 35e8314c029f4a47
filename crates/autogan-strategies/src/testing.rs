//! This module holds a made-up landscape and the checks that the tests of all strategies share.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::{Result, StrategyError};
use crate::kind::StrategyKind;
use crate::{Fidelity, Objective, Observation, Point, Problem, Query, Space, Strategy, drive};

/// The standard deviation of a training's noise, where that of the true values is about 1: the reliability of one
/// training is 0.8.
const NOISE: f64 = 0.5;

/// An additive landscape with noise: each choice of each token has an effect.
pub(crate) struct Landscape {
    problem: Problem,
    effects: Vec<Vec<f64>>,
    rng: ChaCha8Rng,
    /// What was paid for each training.
    paid: HashMap<(Point, usize), f64>,
}

impl Landscape {
    pub fn new(problem: &Problem, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let tokens = problem.space.tokens();
        let scale = (12.0 / tokens.len() as f64).sqrt();
        let effects = tokens
            .iter()
            .map(|token| token.choices.iter().map(|_| scale * rng.random::<f64>()).collect())
            .collect();
        Self { problem: problem.clone(), effects, rng, paid: HashMap::new() }
    }

    /// The true value of a point.
    pub fn truth(&self, point: &Point) -> f64 {
        point.0.iter().zip(&self.effects).map(|(&choice, of)| of[usize::from(choice)]).sum()
    }

    fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.rng.random::<f64>()).sum::<f64>() - 6.0
    }
}

impl Objective for Landscape {
    type Error = StrategyError;

    /// A training of a third of the length has twice the variance of the noise, so that the shortest one correlates with the true
    /// value by 0.7; one training of a hundred diverges.
    fn evaluate(&mut self, query: &Query) -> Result<Observation> {
        let shorter = self.problem.fidelities.len() - 1 - query.fidelity;
        let noise = NOISE * 2f64.powf(shorter as f64 / 2.0) * self.gauss();
        let value = self.truth(&query.point) + noise;
        let diverged = self.rng.random::<f64>() < 0.01;
        let price = self.problem.fidelities[query.fidelity].cost;
        let paid = self.paid.entry((query.point.clone(), query.repeat)).or_insert(0.0);
        let cost = price - *paid;
        *paid = price;
        Ok(Observation { query: query.clone(), value: (!diverged).then_some(value), cost })
    }
}

/// A problem with the lengths 1, 3 and 9 of a training, or only 9, and a budget in whole trainings.
pub(crate) fn problem(space: Space, lengths: bool, trainings: f64) -> Problem {
    let costs = if lengths { vec![1.0, 3.0, 9.0] } else { vec![9.0] };
    let fidelity = |cost: f64| Fidelity { name: format!("length {cost}"), cost, continues: true };
    let fidelities = costs.into_iter().map(fidelity).collect();
    Problem { space, fidelities, budget: 9.0 * trainings }
}

pub(crate) fn observation(query: &Query, value: Option<f64>) -> Observation {
    Observation { query: query.clone(), value, cost: 1.0 }
}

/// How much better than random search a strategy is at the end, on average over seeds, and the standard error of that.
pub(crate) fn gain(kind: &StrategyKind, problem: &Problem, seeds: u64) -> (f64, f64) {
    let end = |kind: &StrategyKind, seed: u64| {
        let mut landscape = Landscape::new(problem, seed);
        let mut strategy = kind.build(problem.clone(), seed + 1_000).unwrap();
        drive(&mut *strategy, problem, &mut landscape).unwrap();
        landscape.truth(&strategy.best().unwrap().unwrap().point)
    };
    let random = StrategyKind::named("random").unwrap();
    let gains: Vec<f64> = (0..seeds).map(|seed| end(kind, seed) - end(&random, seed)).collect();
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let variance = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

pub(crate) fn assert_beats_random(name: &str, problem: &Problem) {
    let (mean, error) = gain(&StrategyKind::named(name).unwrap(), problem, 200);
    assert!(
        mean > 4.0 * error,
        "{name} is better by {mean:.3}, with a standard error of {error:.3}"
    );
}

/// Runs a strategy for a number of steps with `open` queries at the same time, and again with a save and a restore, by
/// way of a text, after each step; both ask the same. Returns the queries.
pub(crate) fn assert_resumes(kind: &StrategyKind, problem: &Problem, open: usize) -> Vec<Query> {
    let run = |interrupted: bool| {
        let mut landscape = Landscape::new(problem, 1);
        let mut strategy = kind.build(problem.clone(), 2).unwrap();
        let again = |strategy: Box<dyn Strategy>| {
            if !interrupted {
                return strategy;
            }
            let text = strategy.save().unwrap().to_string();
            kind.restore(problem.clone(), serde_json::from_str(&text).unwrap()).unwrap()
        };
        let (mut asked, mut waiting, mut bests) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..150 {
            let queries = strategy.ask(open - waiting.len()).unwrap();
            asked.extend(queries.clone());
            waiting.extend(queries);
            strategy = again(strategy);
            // The last one comes first, the first one late.
            let Some(query) = waiting.pop() else { break };
            strategy.tell(&landscape.evaluate(&query).unwrap()).unwrap();
            strategy = again(strategy);
            bests.push(strategy.best().unwrap());
        }
        (asked, bests)
    };
    let (asked, bests) = run(false);
    assert_eq!((asked.clone(), bests), run(true), "{}", kind.name);
    asked
}
