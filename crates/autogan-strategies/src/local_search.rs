//! [`LocalSearch`] climbs from random points, one changed token at a time, until no neighbour is better.
//!
//! The source is White, Nolen and Savani, *Exploring the Loss Landscape in Neural Architecture Search* (UAI 2021, arXiv
//! 2005.02960), with the first better neighbour instead of the best one: a query costs a training.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::{Score, damaged};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::Point;
use crate::strategy::{Problem, Query};

/// Local search at the last fidelity with restarts; each point is asked once.
///
/// Results are looked at in the order of their queries: one that comes early waits for those that were asked before.
#[derive(Debug)]
pub struct LocalSearch {
    problem: Problem,
    fidelity: usize,
    state: State<Climb>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Climb {
    /// Where the climb stands; none before a start is known.
    here: Option<Seen>,
    /// The neighbours of this place that were not asked, the next one last.
    neighbours: Vec<Point>,
    /// Results that came before those of earlier queries, by their numbers.
    early: BTreeMap<u64, Seen>,
    /// The number of the result that is looked at next.
    next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    point: Point,
    value: Option<f64>,
}

impl LocalSearch {
    /// Its name.
    pub const NAME: &'static str = "local_search";

    /// A local search before its first start; its draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let (fidelity, state) = (problem.last()?, State::new(&problem, seed, Climb::default()));
        Ok(Self { problem, fidelity, state })
    }

    /// The local search that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let fidelity = problem.last()?;
        let state: State<Climb> = State::read(Self::NAME, &problem, state)?;
        let Climb { here, neighbours, early, .. } = &state.own;
        let seen = here.iter().chain(early.values()).map(|seen| &seen.point);
        if seen.chain(neighbours).any(|point| !problem.space.contains(point)) {
            return Err(damaged());
        }
        Ok(Self { problem, fidelity, state })
    }

    /// The next neighbour, or the next start; `None` where the climb waits for results, or all points were asked.
    fn next(&mut self) -> Option<Point> {
        let State { rng, ledger, own: Climb { here, neighbours, next, .. } } = &mut self.state;
        while let Some(point) = neighbours.pop() {
            if !ledger.holds(&point) {
                return Some(point);
            }
        }
        if here.is_some() {
            if *next < ledger.count {
                return None;
            }
            // All neighbours are known: this is a local optimum.
            *here = None;
        }
        ledger.fresh(&self.problem.space, rng)
    }

    /// Moves to a point when it is better than the place where the climb stands, or when there is none.
    fn look(&mut self, seen: Seen) {
        let State { rng, ledger, own: Climb { here, neighbours, .. } } = &mut self.state;
        let stay = |here: &Seen| Score::from(here.value) >= Score::from(seen.value);
        if here.as_ref().is_some_and(stay) {
            return;
        }
        *neighbours = self.problem.space.neighbours(&seen.point);
        // A neighbour that was asked before belongs to an earlier climb, which went on from it or found it no better.
        neighbours.retain(|point| !ledger.holds(point));
        for last in (1..neighbours.len()).rev() {
            neighbours.swap(last, rng.random_range(0..=last));
        }
        *here = Some(seen);
    }
}

impl OnLedger for LocalSearch {
    type Own = Climb;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Climb> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Climb> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        let point = self.next();
        Ok(point.map(|point| self.state.ledger.ask(point, self.fidelity)))
    }

    fn learn(&mut self, Told { number, query, value }: Told<'_>) {
        self.state.own.early.insert(number, Seen { point: query.point.clone(), value });
        while let Some(seen) = self.state.own.early.remove(&self.state.own.next) {
            self.state.own.next += 1;
            self.look(seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{WHOLE, assert_beats_random, observation, problem};
    use crate::{Space, Strategy};

    fn differing(a: &Point, b: &Point) -> usize {
        a.0.iter().zip(&b.0).filter(|(a, b)| a != b).count()
    }

    /// Asks for one query and tells its value.
    fn step(search: &mut LocalSearch, value: Option<f64>) -> Point {
        let query = search.ask(1).unwrap().remove(0);
        search.tell(&observation(&query, value)).unwrap();
        query.point
    }

    #[test]
    fn it_moves_to_the_first_better_neighbour_and_restarts_at_an_optimum() {
        let mut search = LocalSearch::new(problem(Space::of_archs(2), WHOLE, 99.0), 1).unwrap();
        let start = step(&mut search, None);
        let worse = step(&mut search, None);
        assert_eq!(differing(&start, &worse), 1);
        let better = step(&mut search, Some(1.0));
        assert_eq!(differing(&start, &better), 1);
        // A cell has 6 neighbours and a second one 7; of the 13 around `better`, `start` was asked, and `worse` too when
        // it differs in the same token.
        let known = 1 + usize::from(differing(&worse, &better) == 1);
        for _ in known..13 {
            assert_eq!(differing(&step(&mut search, Some(0.5)), &better), 1);
        }
        let restart = step(&mut search, Some(0.1));
        assert!(differing(&restart, &better) > 1);
        assert_eq!(differing(&step(&mut search, Some(0.0)), &restart), 1);
        assert_eq!(search.best().unwrap().unwrap().point, better);
    }

    #[test]
    fn results_may_come_in_any_order() {
        let all = problem(Space::of_archs(2), WHOLE, 99.0);
        let ends: Vec<serde_json::Value> = [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
            .iter()
            .map(|order| {
                let mut search = LocalSearch::new(all.clone(), 7).unwrap();
                step(&mut search, Some(0.0));
                let queries = search.ask(3).unwrap();
                for &at in order {
                    let value = [1.0, 3.0, 2.0][at];
                    search.tell(&observation(&queries[at], Some(value))).unwrap();
                }
                let here = search.state.own.here.as_ref().unwrap();
                assert_eq!(here.point, queries[1].point);
                search.save().unwrap()
            })
            .collect();
        assert!(ends[0] == ends[1] && ends[1] == ends[2]);
    }

    #[test]
    fn no_point_comes_twice_and_all_of_a_small_space_come() {
        let mut search = LocalSearch::new(problem(Space::of_archs(1), WHOLE, 99.0), 1).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(query) = search.ask(1).unwrap().pop() {
            assert!(seen.insert(query.point.clone()));
            search.tell(&observation(&query, Some(query.point.0[1].into()))).unwrap();
        }
        assert_eq!(seen.len(), 36);
    }

    #[test]
    fn it_beats_random_search() {
        assert_beats_random(LocalSearch::NAME, &problem(Space::of_archs(3), WHOLE, 200.0));
    }
}
