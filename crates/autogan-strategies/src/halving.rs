//! [`Halving`] is successive halving: many points are trained for a short time, and the best of them go on.
//!
//! The source is Jamieson and Talwalkar, *Non-stochastic Best Arm Identification and Hyperparameter Optimization*
//! (AISTATS 2016, arXiv 1502.07943), with the whole budget in one bracket.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::{Score, damaged};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::Point;
use crate::strategy::{Problem, Query};

/// Successive halving over all fidelities; each point is asked once at the most at each of them.
///
/// A bracket is as large as the budget allows. Each rung is planned when the one before is told, from what is left of the
/// budget then. When a bracket ends and the budget pays for another one, it follows.
#[derive(Debug)]
pub struct Halving {
    problem: Problem,
    state: State<Bracket>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bracket {
    /// The rung that is asked, which is the index of a fidelity.
    rung: usize,
    /// How many points of this rung are not asked yet.
    left: usize,
    /// The points of this rung that are not asked yet, the next one last; on the first rung they are drawn when they are
    /// asked.
    climbing: Vec<Point>,
    /// The results of this rung that have a value, by the numbers of their queries.
    told: BTreeMap<u64, (Point, f64)>,
}

impl Halving {
    /// Its name.
    pub const NAME: &'static str = "halving";

    /// A successive halving before its first bracket; its draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        problem.last()?;
        let state = State::new(&problem, seed, Bracket::default());
        Ok(Self { problem, state })
    }

    /// The successive halving that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let last = problem.last()?;
        let state: State<Bracket> = State::read(Self::NAME, &problem, state)?;
        let Bracket { rung, left, climbing, told } = &state.own;
        let told = told.values().map(|(point, _)| point);
        if *rung > last
            || (*rung > 0 && climbing.len() != *left)
            || climbing.iter().chain(told).any(|point| !problem.space.contains(point))
        {
            return Err(damaged());
        }
        Ok(Self { problem, state })
    }

    /// What so many points cost from a rung to the last, when on each rung the share climbs that `eta` says.
    fn cost(&self, rung: usize, points: usize) -> f64 {
        let (mut points, mut cost) = (points, 0.0);
        for rung in rung..self.problem.fidelities.len() {
            cost += points as f64 * self.problem.step_cost(rung);
            if rung + 1 < self.problem.fidelities.len() {
                points = ((points as f64 / self.problem.eta(rung)) as usize).max(1);
            }
        }
        cost
    }

    /// The most points, at most `most`, whose way from a rung to the last the rest of the budget pays for; 0 when there
    /// are none.
    fn affordable(&self, rung: usize, most: usize) -> usize {
        let rest = self.problem.affordable() - self.state.ledger.spent;
        // Some of the first `low` are affordable, `high` are not.
        let (mut low, mut high) = (0, most + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.cost(rung, middle) <= rest { low = middle } else { high = middle }
        }
        low
    }

    /// Begins the next rung, or the next bracket.
    fn advance(&mut self) {
        let told = std::mem::take(&mut self.state.own.told);
        let next = self.state.own.rung + 1;
        if next < self.problem.fidelities.len() && !told.is_empty() {
            // One goes on even if the trainings cost more than was planned.
            let count = self.affordable(next, told.len()).max(1);
            let mut points: Vec<(Point, f64)> = told.into_values().collect();
            // The sort is stable: among equals the one that was asked first climbs.
            points.sort_by_key(|(_, value)| std::cmp::Reverse(Score::from(Some(*value))));
            points.truncate(count);
            let Bracket { rung, left, climbing, .. } = &mut self.state.own;
            (*rung, *left) = (next, count);
            *climbing = points.into_iter().rev().map(|(point, _)| point).collect();
            return;
        }
        let fresh = self.problem.space.count() - self.state.ledger.points();
        let mut count = self.affordable(0, fresh);
        if self.state.ledger.count == 0 {
            // A budget below a single training is the driver's to judge.
            count = count.max(1);
        }
        (self.state.own.rung, self.state.own.left) = (0, count);
    }
}

impl OnLedger for Halving {
    type Own = Bracket;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Bracket> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Bracket> {
        &mut self.state
    }

    /// None where the rung waits for results, or the budget or the points are used up.
    fn next_query(&mut self) -> Result<Option<Query>> {
        if self.state.own.left == 0 {
            if self.state.ledger.open() > 0 {
                return Ok(None);
            }
            self.advance();
        }
        let Bracket { rung, left, climbing, .. } = &mut self.state.own;
        if *left == 0 {
            return Ok(None);
        }
        *left -= 1;
        if *rung == 0 {
            return Ok(self.state.ask_fresh(&self.problem.space, 0));
        }
        let point = climbing.pop();
        Ok(point.map(|point| self.state.ledger.ask_further(point, *rung)))
    }

    fn learn(&mut self, Told { number, query, value }: Told<'_>) {
        if let Some(value) = value {
            self.state.own.told.insert(number, (query.point.clone(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_beats_random, observation, problem};
    use crate::{Observation, Space, Strategy};

    /// Asks for everything that is open, and tells it: the costs of the problem, and the values of the points.
    fn rung(halving: &mut Halving, value: impl Fn(usize, &Query) -> Option<f64>) -> Vec<Query> {
        let queries = halving.ask(1_000).unwrap();
        for (at, query) in queries.iter().enumerate().rev() {
            let cost = halving.problem.step_cost(query.fidelity);
            let told = Observation { cost, ..observation(query, value(at, query)) };
            halving.tell(&told).unwrap();
        }
        queries
    }

    fn points(queries: &[Query]) -> Vec<Point> {
        queries.iter().map(|query| query.point.clone()).collect()
    }

    #[test]
    fn a_bracket_is_as_large_as_the_budget_allows() {
        // The lengths 1, 3 and 9: 27 · 1 + 9 · 2 + 3 · 6 = 63 = 7 trainings; 28 begin one more.
        let mut halving = Halving::new(problem(Space::of_archs(2), LENGTHS, 7.0), 1).unwrap();
        assert_eq!((halving.cost(0, 27), halving.cost(0, 28)), (63.0, 64.0));
        let first = rung(&mut halving, |at, _| (at != 4).then_some(at as f64 % 9.0));
        assert_eq!(first.len(), 27);
        // The values 0 to 8 come three times, 4 diverged once. Equals climb in the order of their queries.
        let second = rung(&mut halving, |at, _| Some(-(at as f64)));
        let expected = [8, 17, 26, 7, 16, 25, 6, 15, 24].map(|at: usize| first[at].point.clone());
        assert_eq!(points(&second), expected);
        assert!(second.iter().all(|query| query.fidelity == 1 && query.repeat == 0));
        let third = rung(&mut halving, |_, _| Some(0.0));
        assert_eq!(points(&third), expected[..3]);
        assert_eq!(halving.state.ledger.spent, 63.0);
        assert!(rung(&mut halving, |_, _| None).is_empty());
    }

    #[test]
    fn a_rung_takes_what_the_one_before_left() {
        // The budget pays for more than all 36 points, so that more of them climb.
        let mut halving = Halving::new(problem(Space::of_archs(1), LENGTHS, 17.0), 1).unwrap();
        let sizes: Vec<usize> =
            (0..4).map(|_| rung(&mut halving, |_, _| Some(0.0)).len()).collect();
        // 153 − 36 = 117 pays for 29 · 2 + 9 · 6 = 112, and 117 − 58 = 59 for 9 · 6.
        assert_eq!(sizes, [36, 29, 9, 0]);
        // A rung that cost too much is followed by one point.
        let mut halving = Halving::new(problem(Space::of_archs(1), LENGTHS, 4.0), 1).unwrap();
        let queries = halving.ask(100).unwrap();
        assert_eq!(queries.len(), 17, "17 · 1 + 5 · 2 + 1 · 6 = 33, and 18 need 42 of 36");
        for query in queries {
            halving.tell(&Observation { cost: 3.0, ..observation(&query, Some(0.0)) }).unwrap();
        }
        assert_eq!(halving.ask(100).unwrap().len(), 1);
    }

    #[test]
    fn a_bracket_whose_points_all_diverged_is_followed_by_another() {
        let mut halving = Halving::new(problem(Space::of_archs(2), LENGTHS, 7.0), 1).unwrap();
        assert_eq!(rung(&mut halving, |_, _| None).len(), 27);
        let next = rung(&mut halving, |_, _| Some(0.0));
        assert_eq!((next.len(), next[0].fidelity), (17, 0));
    }

    #[test]
    fn it_beats_random_search() {
        assert_beats_random(Halving::NAME, &problem(Space::of_archs(3), LENGTHS, 100.0));
    }
}
