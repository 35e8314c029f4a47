//! [`LedHalving`] is successive halving led by a model, warmed by scores on shared weights.
//!
//! 1. Where the problem has a fidelity that is no length of a training (scores on shared weights), a tenth of the budget goes
//!    there, on points drawn evenly.
//! 2. Then come brackets. A bracket starts trainings at the shortest length: each point is the best of a function drawn from
//!    the model's posterior (Thompson sampling). At each next length those go on whose points have the highest posterior mean
//!    of the last length, of all trainings that have paused at the length before, in whichever bracket; raw values decide
//!    nothing. Each length of a bracket counts as many trainings as make it cost about as much as the first.
//! 3. What is left for no whole training lets paused trainings go on, the most promising first, while a step can be paid.
//!
//! The model has all observations of all fidelities and is fitted anew at each question. The winner is the point with the
//! highest posterior mean of those that reached the last length. With one fidelity this is Thompson sampling.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::asked::Asked;
use crate::error::{Result, StrategyError};
use crate::model::{Among, ModelKind, Surrogate, SurrogateState};
use crate::space::Point;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// The share of the budget for scores on shared weights.
const WARM: f64 = 0.1;
/// The most of these scores.
const MOST_WARM: usize = 512;
/// The trainings of a bracket that reach the last length.
const WINNERS: f64 = 2.0;

/// Successive halving led by a ridge regression.
#[derive(Debug)]
pub struct LedHalving {
    /// The fidelities that are lengths of a training, the last among them.
    lengths: Vec<usize>,
    /// The fidelity on shared weights, and how many points are scored there.
    warm: Option<(usize, usize)>,
    model: Surrogate,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    rng: ChaCha8Rng,
    /// Points scored on shared weights.
    warmed: Asked,
    /// Points that are trained.
    asked: Asked,
    trainings: Vec<Training>,
    /// The length at which trainings are asked, as an index into the lengths.
    rung: usize,
    /// How many are still to be asked there.
    left: usize,
    /// How many the bracket has at each length.
    sizes: Vec<usize>,
    /// Queries that were not answered.
    waiting: Vec<Query>,
    spent: f64,
}

/// A training of a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    point: Point,
    repeat: usize,
    /// The length that it was asked for, as an index into the lengths.
    rung: usize,
    /// Whether it reached it and can go on.
    paused: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    search: State,
    model: SurrogateState,
}

impl LedHalving {
    /// Its name.
    pub const NAME: &'static str = "led_halving";

    /// A search whose draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            warmed: Asked::default(),
            asked: Asked::default(),
            trainings: Vec::new(),
            rung: 0,
            left: 0,
            sizes: Vec::new(),
            waiting: Vec::new(),
            spent: 0.0,
        };
        let model = Surrogate::new(problem, ModelKind::Ridge)?;
        Self::of(model, state)
    }

    /// The search that [`Strategy::save`] wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        let Saved { search, model } = serde_json::from_value(state).map_err(source)?;
        Self::of(Surrogate::restore(problem, ModelKind::Ridge, model)?, search)
    }

    fn of(model: Surrogate, state: State) -> Result<Self> {
        let problem = model.problem();
        let last = problem.last()?;
        let of_kind =
            |continues| (0..last).filter(move |&at| problem.fidelities[at].continues == continues);
        let mut lengths: Vec<usize> = Vec::new();
        if problem.fidelities[last].continues {
            lengths.extend(of_kind(true));
        }
        lengths.push(last);
        let warm = of_kind(false).next().map(|at| {
            let affordable = WARM * problem.budget / problem.fidelities[at].cost;
            (at, (affordable as usize).min(problem.space.count()).min(MOST_WARM))
        });
        let known = state.trainings.iter().all(|training| training.rung < lengths.len())
            && (state.sizes.is_empty() || state.sizes.len() == lengths.len())
            && state.rung < lengths.len();
        if !known {
            return Err(StrategyError::Problem {
                what: "the saved lengths of trainings",
                expected: format!("{} of them, those of this problem", lengths.len()),
                found: format!("{:?} at {}", state.sizes, state.rung),
            });
        }
        Ok(Self { lengths, warm, model, state })
    }

    /// The next query; `None` when it has to wait, or has nothing left to ask.
    fn next(&mut self) -> Result<Option<Query>> {
        let warming = self.warm.filter(|(_, count)| self.state.warmed.len() < *count);
        if let Some((fidelity, _)) = warming {
            return Ok(Some(self.score(fidelity)));
        }
        while self.state.left == 0 {
            if self.state.waiting.iter().any(|query| self.lengths.contains(&query.fidelity)) {
                return Ok(None);
            }
            if self.state.rung + 1 < self.state.sizes.len() {
                self.state.rung += 1;
                self.state.left = self.state.sizes[self.state.rung];
            } else if !self.start_bracket() {
                return self.go_on(None);
            }
        }
        self.state.left -= 1;
        if self.state.rung == 0 {
            return self.start();
        }
        match self.go_on(Some(self.state.rung - 1))? {
            Some(query) => Ok(Some(query)),
            None => {
                // All that paused there have gone on, or diverged.
                self.state.left = 0;
                self.next()
            }
        }
    }

    /// Scores a new point on shared weights.
    fn score(&mut self, fidelity: usize) -> Query {
        let space = &self.model.problem().space;
        loop {
            let point = space.draw(&mut self.state.rng);
            if !self.state.warmed.contains(&point) {
                self.state.warmed.insert(&point);
                return Query { point, fidelity, repeat: 0 };
            }
        }
    }

    /// Plans the largest bracket that the budget has room for, up to the usual size; false when there is room for none.
    fn start_bracket(&mut self) -> bool {
        let left = self.left();
        let cost = |at: usize| self.model.problem().fidelities[self.lengths[at]].cost;
        let last = self.lengths.len() - 1;
        let most = if last == 0 { 1 } else { (WINNERS * cost(last) / cost(0)).ceil() as usize };
        for count in (1..=most).rev() {
            let size = |at: usize| ((count as f64 * cost(0) / cost(at)).round() as usize).max(1);
            let sizes: Vec<usize> = (0..=last).map(size).collect();
            let step = |at: usize| if at == 0 { cost(0) } else { cost(at) - cost(at - 1) };
            let total: f64 =
                sizes.iter().enumerate().map(|(at, &size)| size as f64 * step(at)).sum();
            if total <= left {
                (self.state.rung, self.state.left, self.state.sizes) = (0, sizes[0], sizes);
                return true;
            }
        }
        false
    }

    /// Starts a training of the best point of a drawn function.
    fn start(&mut self) -> Result<Option<Query>> {
        let space = &self.model.problem().space;
        let State { rng, asked, trainings, .. } = &mut self.state;
        let allowed = |point: &Point| asked.may_ask(space, point);
        let Some(point) = self.model.fitted()?.draw_best(space, allowed, rng)? else {
            return Ok(None);
        };
        let repeat = asked.insert(&point);
        trainings.push(Training { point: point.clone(), repeat, rung: 0, paused: false });
        Ok(Some(Query { point, fidelity: self.lengths[0], repeat }))
    }

    /// Lets the paused training with the highest posterior mean go on that has paused at this length, or with `None` at any,
    /// and whose next length can be paid.
    fn go_on(&mut self, rung: Option<usize>) -> Result<Option<Query>> {
        let left = self.left();
        let cost = |at: usize| self.model.problem().fidelities[self.lengths[at]].cost;
        let fitted = self.model.fitted()?;
        let trainings = self.state.trainings.iter().enumerate();
        let able = trainings.filter(|(_, training)| {
            let next = training.rung + 1;
            training.paused
                && rung.is_none_or(|rung| training.rung == rung)
                && next < self.lengths.len()
                && cost(next) - cost(training.rung) <= left
        });
        let valued = able.map(|(at, training)| (fitted.mean(&training.point), at));
        let best = valued.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((_, at)) = best else { return Ok(None) };
        let training = &mut self.state.trainings[at];
        training.rung += 1;
        training.paused = false;
        let (point, repeat) = (training.point.clone(), training.repeat);
        Ok(Some(Query { point, fidelity: self.lengths[training.rung], repeat }))
    }

    /// What is left of the budget when all that was asked is paid.
    fn left(&self) -> f64 {
        let fidelities = &self.model.problem().fidelities;
        let price = |query: &Query| {
            let rung = self.lengths.iter().position(|&length| length == query.fidelity);
            let before = rung.filter(|&rung| rung > 0).map(|rung| self.lengths[rung - 1]);
            fidelities[query.fidelity].cost - before.map_or(0.0, |before| fidelities[before].cost)
        };
        let waiting: f64 = self.state.waiting.iter().map(price).sum();
        // Sums of costs may exceed a budget that they fill by rounding.
        self.model.problem().affordable() - self.state.spent - waiting
    }
}

impl Strategy for LedHalving {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>> {
        let mut queries = Vec::new();
        while queries.len() < at_once {
            let Some(query) = self.next()? else { break };
            self.state.waiting.push(query.clone());
            queries.push(query);
        }
        Ok(queries)
    }

    fn tell(&mut self, observation: &Observation) -> Result<()> {
        self.model.tell(observation)?;
        let query = &observation.query;
        self.state.waiting.retain(|waiting| waiting != query);
        self.state.spent += observation.cost;
        let mut trainings = self.state.trainings.iter_mut();
        if let Some(training) =
            trainings.find(|t| t.point == query.point && t.repeat == query.repeat)
            && self.lengths[training.rung] == query.fidelity
        {
            training.paused = observation.value.is_some();
        }
        Ok(())
    }

    fn best(&self) -> Result<Option<Belief>> {
        self.model.pick(Among::Evaluated)
    }

    fn save(&self) -> Result<serde_json::Value> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        let saved = Saved { search: self.state.clone(), model: self.model.state().clone() };
        serde_json::to_value(saved).map_err(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shaped::{Landscape, assert_resumes, gain, problem_of_lengths};
    use crate::{Random, drive};

    /// Costs and kinds of fidelities: one, three lengths, and these with shared weights.
    const ONE: &[(f64, bool)] = &[(4.0, true)];
    const LENGTHS: &[(f64, bool)] = &[(1.0, true), (2.0, true), (4.0, true)];
    const WARMED: &[(f64, bool)] = &[(0.1, false), (1.0, true), (2.0, true), (4.0, true)];

    fn led(problem: Problem, seed: u64) -> Box<dyn Strategy> {
        Box::new(LedHalving::new(problem, seed).unwrap())
    }

    #[test]
    fn it_beats_random_search_at_the_same_cost() {
        for fidelities in [ONE, LENGTHS, WARMED] {
            let problem = problem_of_lengths(2, fidelities, 240.0);
            let random = |problem, seed| -> Box<dyn Strategy> {
                Box::new(Random::new(problem, seed).unwrap())
            };
            let (mean, error) = gain(&problem, 50, led, random);
            assert!(mean > 4.0 * error && mean > 0.4, "{}: {mean} ± {error}", fidelities.len());
        }
    }

    #[test]
    fn it_spends_its_budget() {
        // Three brackets of 16, one of 8, a step of 1; nothing, where no whole training fits; 97 scores, five brackets, one of 7.
        let cases =
            [(ONE, 57.0, 56.0), (LENGTHS, 57.0, 57.0), (LENGTHS, 3.0, 0.0), (WARMED, 97.5, 96.7)];
        for (fidelities, budget, expected) in cases {
            let problem = problem_of_lengths(2, fidelities, budget);
            let mut landscape = Landscape::new(problem.clone(), 2);
            let mut search = led(problem.clone(), 3);
            let trace = drive(search.as_mut(), &problem, &mut landscape).unwrap();
            let spent = trace.points.last().map_or(0.0, |point| point.spent);
            assert!((spent - expected).abs() < 1e-9, "{spent} of {budget}");
            assert!(search.ask(1).unwrap().is_empty());
        }
    }

    #[test]
    fn those_go_on_that_the_model_believes_in() {
        let problem = problem_of_lengths(2, LENGTHS, 400.0);
        let mut landscape = Landscape::new(problem.clone(), 5);
        let mut search = LedHalving::new(problem, 6).unwrap();
        let mut counts = [0; 3];
        while let [query] = &search.ask(1).unwrap()[..] {
            counts[query.fidelity] += 1;
            if query.fidelity > 0 {
                // All others that paused at that length are believed to be no better.
                let fitted = search.model.fitted().unwrap();
                let others = search.state.trainings.iter().filter(|other| {
                    other.paused && search.lengths[other.rung] + 1 == query.fidelity
                });
                let mean = fitted.mean(&query.point);
                assert!(others.into_iter().all(|other| fitted.mean(&other.point) <= mean));
            }
            let observation = crate::Objective::evaluate(&mut landscape, query).unwrap();
            search.tell(&observation).unwrap();
        }
        // 25 brackets of 8, 4, 2.
        assert_eq!(counts, [200, 100, 50]);
    }

    #[test]
    fn it_resumes_to_the_same_bits() {
        for fidelities in [ONE, LENGTHS, WARMED] {
            let problem = problem_of_lengths(2, fidelities, 100.0);
            let restore = |state| -> Box<dyn Strategy> {
                Box::new(LedHalving::restore(problem.clone(), state).unwrap())
            };
            assert_resumes(&problem, led(problem.clone(), 1), restore, 3);
        }
    }
}
