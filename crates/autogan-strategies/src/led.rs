//! [`LedHalving`] is successive halving led by a model, warmed by scores on shared weights.
//!
//! 1. Where the problem has a fidelity that is no length of a training (scores on shared weights), a tenth of the budget goes
//!    there, on points drawn evenly, each once and at most 512.
//! 2. Then come brackets. A bracket starts trainings at the shortest length: each point is the best of a function drawn from
//!    the model's posterior (Thompson sampling). At each next length those go on whose points have the highest posterior mean
//!    of the last length, of all trainings that have paused at the length before, in whichever bracket; raw values decide
//!    nothing. Each length of a bracket counts as many trainings as cost about as much, from their beginning, as all of the
//!    first.
//! 3. What is left for no whole training lets paused trainings go on, the most promising first, while a step can be paid.
//!
//! The model has all observations of all fidelities and is fitted anew after each. The winner is the point with the highest
//! posterior mean of those that reached the last length; while there is none, of all. With one fidelity this is Thompson
//! sampling, which ends where the rest of the budget pays for no training.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::damaged;
use crate::model::{ModelKind, Surrogate};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::Point;
use crate::strategy::{Problem, Query};

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
    state: State<Brackets>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Brackets {
    /// Points scored on shared weights; the ledger counts trainings alone.
    warmed: BTreeSet<Point>,
    trainings: Vec<Training>,
    /// The length at which trainings are asked, as an index into the lengths.
    rung: usize,
    /// How many are still to be asked there.
    left: usize,
    /// How many the bracket has at each length.
    sizes: Vec<usize>,
}

/// A training of a point.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    point: Point,
    repeat: usize,
    /// The length that it was asked for, as an index into the lengths.
    rung: usize,
    /// Whether it reached it and can go on.
    paused: bool,
}

impl LedHalving {
    /// Its name.
    pub const NAME: &'static str = "led_halving";

    /// A search whose draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let state = State::new(&problem, seed, Brackets::default());
        let model = Surrogate::new(problem, ModelKind::Ridge)?;
        Self::of(model, state)
    }

    /// The search that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let (state, model) = State::read_with_model(Self::NAME, &problem, ModelKind::Ridge, state)?;
        let known = |point: &Point| problem.space.contains(point);
        let Brackets { warmed, trainings, .. } = &state.own;
        if !warmed.iter().all(known) || !trainings.iter().all(|training| known(&training.point)) {
            return Err(damaged());
        }
        Self::of(model, state)
    }

    fn of(model: Surrogate, state: State<Brackets>) -> Result<Self> {
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
        let Brackets { trainings, sizes, rung, .. } = &state.own;
        let known = trainings.iter().all(|training| training.rung < lengths.len())
            && (sizes.is_empty() || sizes.len() == lengths.len())
            && *rung < lengths.len();
        if !known {
            return Err(damaged());
        }
        Ok(Self { lengths, warm, model, state })
    }

    /// The next query; `None` when it has to wait, or has nothing left to ask.
    fn next(&mut self) -> Result<Option<Query>> {
        let warming = self.warm.filter(|(_, count)| self.state.own.warmed.len() < *count);
        if let Some((fidelity, _)) = warming {
            return Ok(Some(self.score(fidelity)));
        }
        while self.state.own.left == 0 {
            if self
                .state
                .ledger
                .waiting()
                .iter()
                .any(|query| self.lengths.contains(&query.fidelity))
            {
                return Ok(None);
            }
            if self.state.own.rung + 1 < self.state.own.sizes.len() {
                self.state.own.rung += 1;
                self.state.own.left = self.state.own.sizes[self.state.own.rung];
            } else if !self.start_bracket() {
                return self.go_on(None);
            }
        }
        self.state.own.left -= 1;
        if self.state.own.rung == 0 {
            return self.start();
        }
        match self.go_on(Some(self.state.own.rung - 1))? {
            Some(query) => Ok(Some(query)),
            None => {
                // All that paused there have gone on, or diverged.
                self.state.own.left = 0;
                self.next()
            }
        }
    }

    /// Scores a new point on shared weights.
    fn score(&mut self, fidelity: usize) -> Query {
        let (space, State { rng, ledger, own }) = (&self.model.problem().space, &mut self.state);
        loop {
            let point = space.draw(rng);
            if own.warmed.insert(point.clone()) {
                return ledger.note(Query { point, fidelity, repeat: 0 });
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
                (self.state.own.rung, self.state.own.left, self.state.own.sizes) =
                    (0, sizes[0], sizes);
                return true;
            }
        }
        false
    }

    /// Starts a training of the best point of a drawn function.
    fn start(&mut self) -> Result<Option<Query>> {
        let space = &self.model.problem().space;
        let State { rng, ledger, own } = &mut self.state;
        let allowed = |point: &Point| ledger.may_ask(space, point);
        let Some(point) = self.model.fitted()?.draw_best(space, allowed, rng)? else {
            return Ok(None);
        };
        let query = ledger.ask(point.clone(), self.lengths[0]);
        own.trainings.push(Training { point, repeat: query.repeat, rung: 0, paused: false });
        Ok(Some(query))
    }

    /// Lets the paused training with the highest posterior mean go on that has paused at this length, or with `None` at any,
    /// and whose next length can be paid.
    fn go_on(&mut self, rung: Option<usize>) -> Result<Option<Query>> {
        let left = self.left();
        let cost = |at: usize| self.model.problem().fidelities[self.lengths[at]].cost;
        let fitted = self.model.fitted()?;
        let trainings = self.state.own.trainings.iter().enumerate();
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
        let training = &mut self.state.own.trainings[at];
        training.rung += 1;
        training.paused = false;
        let (point, repeat) = (training.point.clone(), training.repeat);
        let query = Query { point, fidelity: self.lengths[training.rung], repeat };
        Ok(Some(self.state.ledger.note(query)))
    }

    /// What is left of the budget when all that was asked is paid.
    fn left(&self) -> f64 {
        let fidelities = &self.model.problem().fidelities;
        let price = |query: &Query| {
            let rung = self.lengths.iter().position(|&length| length == query.fidelity);
            let before = rung.filter(|&rung| rung > 0).map(|rung| self.lengths[rung - 1]);
            fidelities[query.fidelity].cost - before.map_or(0.0, |before| fidelities[before].cost)
        };
        let waiting: f64 = self.state.ledger.waiting().iter().map(price).sum();
        // Sums of costs may exceed a budget that they fill by rounding.
        self.model.problem().affordable() - self.state.ledger.spent - waiting
    }
}

impl OnLedger for LedHalving {
    type Own = Brackets;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Brackets> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Brackets> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        self.next()
    }

    fn learn(&mut self, Told { query, value, .. }: Told<'_>) {
        let mut trainings = self.state.own.trainings.iter_mut();
        if let Some(training) =
            trainings.find(|t| t.point == query.point && t.repeat == query.repeat)
            && self.lengths[training.rung] == query.fidelity
        {
            training.paused = value.is_some();
        }
    }

    fn model(&self) -> Option<&Surrogate> {
        Some(&self.model)
    }

    fn model_mut(&mut self) -> Option<&mut Surrogate> {
        Some(&mut self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Landscape, gain, problem};
    use crate::{Objective, Space, Strategy, drive};

    /// Costs and kinds of fidelities: one, three lengths, and these with shared weights.
    const ONE: &[(f64, bool)] = &[(4.0, true)];
    const LENGTHS: &[(f64, bool)] = &[(1.0, true), (2.0, true), (4.0, true)];
    const WARMED: &[(f64, bool)] = &[(0.1, false), (1.0, true), (2.0, true), (4.0, true)];

    #[test]
    fn it_beats_random_search_at_the_same_cost() {
        for fidelities in [ONE, LENGTHS, WARMED] {
            let problem = problem(Space::of_archs(2), fidelities, 60.0);
            let (mean, error) = gain(LedHalving::NAME, &problem, 50);
            assert!(mean > 4.0 * error && mean > 0.4, "{}: {mean} ± {error}", fidelities.len());
        }
    }

    #[test]
    fn it_spends_its_budget() {
        // Three brackets of 16, one of 8, a step of 1; nothing, where no whole training fits; 97 scores, five brackets, one of 7.
        let cases =
            [(ONE, 57.0, 56.0), (LENGTHS, 57.0, 57.0), (LENGTHS, 3.0, 0.0), (WARMED, 97.5, 96.7)];
        for (fidelities, budget, expected) in cases {
            let problem = problem(Space::of_archs(2), fidelities, budget / 4.0);
            let mut landscape = Landscape::new(&problem, 2);
            let mut search = LedHalving::new(problem.clone(), 3).unwrap();
            let trace = drive(&mut search, &problem, &mut landscape).unwrap();
            let spent = trace.points.last().map_or(0.0, |point| point.spent);
            assert!((spent - expected).abs() < 1e-9, "{spent} of {budget}");
            assert!(search.ask(1).unwrap().is_empty());
        }
    }

    #[test]
    fn those_go_on_that_the_model_believes_in() {
        let problem = problem(Space::of_archs(2), LENGTHS, 100.0);
        let mut landscape = Landscape::new(&problem, 5);
        let mut search = LedHalving::new(problem, 6).unwrap();
        let mut counts = [0; 3];
        while let [query] = &search.ask(1).unwrap()[..] {
            counts[query.fidelity] += 1;
            if query.fidelity > 0 {
                // All others that paused at that length are believed to be no better.
                let fitted = search.model.fitted().unwrap();
                let others = search.state.own.trainings.iter().filter(|other| {
                    other.paused && search.lengths[other.rung] + 1 == query.fidelity
                });
                let mean = fitted.mean(&query.point);
                assert!(others.into_iter().all(|other| fitted.mean(&other.point) <= mean));
            }
            let observation = landscape.evaluate(query).unwrap();
            search.tell(&observation).unwrap();
        }
        // 25 brackets of 8, 4, 2.
        assert_eq!(counts, [200, 100, 50]);
    }
}
