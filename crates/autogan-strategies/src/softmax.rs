//! [`Softmax`] is REINFORCE with one independent softmax for each token, in the place of a recurrent controller.
//!
//! The gradient is that of Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement
//! learning* (1992). The advantage of a point follows from its rank within its batch, so that neither the scale of the
//! values nor one that is far off matters (Wierstra et al., *Natural Evolution Strategies*, JMLR 2014, arXiv 1106.4487:
//! fitness shaping).

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::{Score, damaged};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::Point;
use crate::strategy::{Problem, Query};

/// The points whose values are compared with each other, after which the policy changes.
const BATCH: usize = 5;

/// The step size of plain gradient ascent. This and [`BATCH`] are the best of a few that were tried on the landscapes of
/// the tests, with 40 to 1,000 evaluations.
const RATE: f64 = 2.0;

/// The weight of the entropy, which keeps the policy from settling too early.
const ENTROPY: f64 = 0.01;

/// How many draws may fall on points that were asked before, until a new point is drawn evenly. Each draw follows the
/// policy less and chance more than the one before.
const TRIES: usize = 100;

/// Factorised REINFORCE at the last fidelity; each point is asked once.
#[derive(Debug)]
pub struct Softmax {
    problem: Problem,
    fidelity: usize,
    state: State<Policy>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// One for each choice of each token.
    logits: Vec<Vec<f64>>,
    /// The number of points of this batch that were asked.
    asked: usize,
    /// The results of this batch, by the numbers of their queries.
    told: BTreeMap<u64, (Point, Option<f64>)>,
}

impl Softmax {
    /// Its name.
    pub const NAME: &'static str = "reinforce_softmax";

    /// A policy that draws evenly; its draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let fidelity = problem.last()?;
        let tokens = problem.space.tokens().iter();
        let logits = tokens.map(|token| vec![0.0; token.choices.len()]).collect();
        let state = State::new(&problem, seed, Policy { logits, asked: 0, told: BTreeMap::new() });
        Ok(Self { problem, fidelity, state })
    }

    /// The policy that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let fidelity = problem.last()?;
        let state: State<Policy> = State::read(Self::NAME, &problem, state)?;
        let sizes = problem.space.tokens().iter().map(|token| token.choices.len());
        if !state.own.logits.iter().map(Vec::len).eq(sizes)
            || state.own.told.values().any(|(point, _)| !problem.space.contains(point))
        {
            return Err(damaged());
        }
        Ok(Self { problem, fidelity, state })
    }

    /// A point that was not asked before, drawn from the policy; `None` when all were.
    fn draw(&mut self) -> Option<Point> {
        let State { rng, ledger, own: Policy { logits, .. } } = &mut self.state;
        let space = &self.problem.space;
        for attempt in 0..TRIES {
            let evenly = attempt as f64 / TRIES as f64;
            let mut begun = Vec::with_capacity(logits.len());
            for logits in &*logits {
                let probs = probabilities(logits, space.choices_after(&begun).as_deref());
                let even = 1.0 / probs.iter().filter(|&&p| p > 0.0).count() as f64;
                let mixed = |p: f64| if p > 0.0 { (1.0 - evenly) * p + evenly * even } else { 0.0 };
                begun.push(pick(probs.into_iter().map(mixed), rng.random()));
            }
            let point = Point(begun);
            if !ledger.holds(&point) {
                return Some(point);
            }
        }
        ledger.fresh(space, rng)
    }

    /// Changes the policy so that the better points of the batch become more likely.
    fn step(&mut self) {
        let batch = std::mem::take(&mut self.state.own.told);
        self.state.own.asked = 0;
        let scores: Vec<Score> = batch.values().map(|(_, value)| Score::from(*value)).collect();
        let rate = RATE / batch.len() as f64;
        let mut changes: Vec<Vec<f64>> =
            self.state.own.logits.iter().map(|logits| vec![0.0; logits.len()]).collect();
        for ((point, _), advantage) in batch.values().zip(advantages(&scores)) {
            for (token, logits) in self.state.own.logits.iter().enumerate() {
                let allowed = self.problem.space.choices_after(&point.0[..token]);
                let probs = probabilities(logits, allowed.as_deref());
                let gradient = gradient(&probs, point.0[token].into(), advantage);
                for (change, gradient) in changes[token].iter_mut().zip(gradient) {
                    *change += rate * gradient;
                }
            }
        }
        let logits = self.state.own.logits.iter_mut().flatten();
        logits.zip(changes.iter().flatten()).for_each(|(logit, change)| *logit += change);
    }
}

/// The softmax of the logits among the choices that are allowed; 0 for the others.
fn probabilities(logits: &[f64], allowed: Option<&[bool]>) -> Vec<f64> {
    let may = |choice: usize| allowed.is_none_or(|allowed| allowed[choice]);
    let kept = logits.iter().enumerate().filter(|(choice, _)| may(*choice));
    let largest = kept.map(|(_, &logit)| logit).fold(f64::NEG_INFINITY, f64::max);
    let raised = logits.iter().enumerate();
    let raised: Vec<f64> = raised
        .map(|(choice, logit)| if may(choice) { (logit - largest).exp() } else { 0.0 })
        .collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|raised| raised / sum).collect()
}

/// The choice that the uniform number `u` in [0, 1) falls on; never one of probability 0.
fn pick(probs: impl Iterator<Item = f64>, u: f64) -> u8 {
    let (mut sum, mut last) = (0.0, 0);
    for (choice, p) in (0..).zip(probs) {
        sum += p;
        if p > 0.0 {
            last = choice;
            if u < sum {
                break;
            }
        }
    }
    last
}

/// The advantage of each score: from −1 for the worst to 1 for the best in even steps by rank; equals share the mean of
/// their ranks.
fn advantages(scores: &[Score]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort();
    let most = scores.len().saturating_sub(1).max(1) as f64;
    let rank = |score: &Score| {
        let below = sorted.partition_point(|other| other < score);
        let upto = sorted.partition_point(|other| other <= score);
        // The mean of the ranks from `below` to `upto` − 1.
        (below + upto - 1) as f64 / 2.0
    };
    match scores.len() {
        1 => vec![0.0],
        _ => scores.iter().map(|score| 2.0 * rank(score) / most - 1.0).collect(),
    }
}

/// The gradient of `advantage · ln p(choice) + ENTROPY · H` by the logits of one token.
fn gradient(probs: &[f64], choice: usize, advantage: f64) -> Vec<f64> {
    let ln = |p: f64| if p > 0.0 { p.ln() } else { 0.0 };
    let entropy: f64 = -probs.iter().map(|&p| p * ln(p)).sum::<f64>();
    let by_logit = |(other, &p): (usize, &f64)| {
        let policy = f64::from(u8::from(other == choice)) - p;
        advantage * policy - ENTROPY * p * (ln(p) + entropy)
    };
    probs.iter().enumerate().map(by_logit).collect()
}

impl OnLedger for Softmax {
    type Own = Policy;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Policy> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Policy> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        if self.state.own.asked >= BATCH {
            return Ok(None);
        }
        let Some(point) = self.draw() else { return Ok(None) };
        self.state.own.asked += 1;
        Ok(Some(self.state.ledger.ask(point, self.fidelity)))
    }

    fn learn(&mut self, Told { number, query, value }: Told<'_>) {
        self.state.own.told.insert(number, (query.point.clone(), value));
        if self.state.own.told.len() == BATCH {
            self.step();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{WHOLE, assert_beats_random, observation, problem};
    use crate::{Space, Strategy, Token};

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let same = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(same, "{found:?}, expected {expected:?}");
    }

    #[test]
    fn advantages_are_ranks() {
        let of = |values: &[Option<f64>]| {
            advantages(&values.iter().map(|&value| Score::from(value)).collect::<Vec<_>>())
        };
        close(&of(&[Some(5.0), Some(-70.0), Some(5.1)]), &[0.0, -1.0, 1.0]);
        // The ranks 0 and 1 are shared by two that diverged, 2 and 3 by equals; then 4.
        let values = [None, Some(2.0), Some(3.0), None, Some(2.0)];
        close(&of(&values), &[-0.75, 0.25, 1.0, -0.75, 0.25]);
        close(&of(&[None, None]), &[0.0, 0.0]);
        close(&of(&[Some(1.0)]), &[0.0]);
    }

    #[test]
    fn the_gradient_is_the_derivative() {
        let logits = [0.3, -0.5, 1.1];
        let target = |logits: &[f64]| {
            let probs = probabilities(logits, Some(&[true, true, true]));
            let entropy = -probs.iter().map(|p| p * p.ln()).sum::<f64>();
            -0.7 * probs[1].ln() + ENTROPY * entropy
        };
        let found = gradient(&probabilities(&logits, None), 1, -0.7);
        for at in 0..3 {
            let moved = |by: f64| {
                let mut logits = logits;
                logits[at] += by;
                target(&logits)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found[at] - slope).abs() < 1e-8, "{found:?}: {slope}");
        }
        // What is not allowed has neither probability nor gradient.
        let probs = probabilities(&[0.0, 7.0, 0.0], Some(&[true, false, true]));
        close(&probs, &[0.5, 0.0, 0.5]);
        close(&gradient(&probs, 0, 1.0), &[0.5, 0.0, -0.5]);
    }

    #[test]
    fn a_batch_moves_the_logits_by_hand_worked_steps() {
        let name = |choices: usize| (0..choices).map(|choice| choice.to_string()).collect();
        let token = |choices| Token { name: "t".into(), choices: name(choices), kind: None };
        let space = Space::of_tokens(vec![token(2), token(10)]);
        let mut policy = Softmax::new(problem(space, WHOLE, 99.0), 4).unwrap();
        let queries = policy.ask(99).unwrap();
        assert_eq!((queries.len(), policy.ask(1).unwrap().len()), (BATCH, 0));
        // The first choice of the first token is better than the second.
        let ones = queries.iter().filter(|query| query.point.0[0] == 0).count();
        for query in queries.iter().rev() {
            policy.tell(&observation(query, Some(-f64::from(query.point.0[0])))).unwrap();
        }
        // With n `ones` and m others: the `ones` share the best ranks, and so the advantage m / 4, the others −n / 4. For
        // each point the logit of its choice moves by RATE / 5 · A · (1 − 1/2), the other one by the opposite; an even
        // policy has no gradient of the entropy.
        let (n, m) = (ones as f64, (BATCH - ones) as f64);
        let moved = RATE / 5.0 * (n * (m / 4.0) / 2.0 + m * (n / 4.0) / 2.0);
        close(&policy.state.own.logits[0], &[moved, -moved]);
        assert!(moved > 0.1, "{ones} of 5");
        assert_eq!(policy.ask(99).unwrap().len(), BATCH);
    }

    #[test]
    fn draws_follow_the_policy() {
        let mut policy = Softmax::new(problem(Space::of_archs(3), WHOLE, 99.0), 4).unwrap();
        // The norm of the first cell: 1/8, 2/8, 5/8.
        policy.state.own.logits[1] = vec![0.0, 2f64.ln(), 5f64.ln()];
        let mut counts = [0; 3];
        (0..8_000).for_each(|_| counts[usize::from(policy.draw().unwrap().0[1])] += 1);
        for (count, expected) in counts.into_iter().zip([1_000, 2_000, 5_000]) {
            assert!(i32::abs(count - expected) < 200, "{counts:?}");
        }
    }

    #[test]
    fn a_settled_policy_goes_on_to_new_points_around_its_mode() {
        let mut policy = Softmax::new(problem(Space::of_archs(3), WHOLE, 99.0), 4).unwrap();
        policy.state.own.logits.iter_mut().for_each(|logits| logits[0] = 40.0);
        let points: Vec<Point> = (0..12)
            .map(|_| {
                let point = policy.draw().unwrap();
                policy.state.ledger.ask(point, 0).point
            })
            .collect();
        let changed = |point: &Point| point.0.iter().filter(|&&choice| choice > 0).count();
        assert_eq!(changed(&points[0]), 0);
        assert!(points[1..].iter().all(|point| (1..5).contains(&changed(point))), "{points:?}");
    }

    #[test]
    fn it_beats_random_search() {
        assert_beats_random(Softmax::NAME, &problem(Space::of_archs(3), WHOLE, 200.0));
    }
}
