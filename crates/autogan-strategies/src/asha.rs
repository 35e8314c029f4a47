//! [`Asha`] is asynchronous successive halving: a point climbs as soon as it is among the best of its rung.
//!
//! The source is Li et al., *A System for Massively Parallel Hyperparameter Tuning* (MLSys 2020, arXiv 1810.05934),
//! algorithm 2.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::{Score, damaged};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::Point;
use crate::strategy::{Problem, Query};

/// Asynchronous successive halving over all fidelities; each point is asked once at each of them.
///
/// It never waits: when no point may climb, it begins a new one. When all points were begun, it lets those climb that were
/// held back.
#[derive(Debug)]
pub struct Asha {
    problem: Problem,
    /// Its rungs: one for each fidelity but the last, from which nothing climbs.
    state: State<Vec<Rung>>,
}

/// The results at one fidelity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub(crate) struct Rung {
    entries: Vec<Entry>,
    /// The best of them, as many as may climb, and the others.
    top: BTreeSet<Place>,
    others: BTreeSet<Place>,
    /// Those of `top`, and of `others`, that did not climb and have a value.
    waiting: BTreeSet<Place>,
    held: BTreeSet<Place>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    point: Point,
    value: Option<f64>,
    /// The number of the query.
    number: u64,
    climbed: bool,
}

/// A value, the number of its query, of which the earlier is better among equals, and the index of the entry.
type Place = (Score, Reverse<u64>, usize);

impl Rung {
    fn place(&self, index: usize) -> Place {
        let Entry { value, number, .. } = &self.entries[index];
        ((*value).into(), Reverse(*number), index)
    }

    /// Adds a result; `eta` says of how many results one may climb.
    fn add(&mut self, entry: Entry, eta: f64) {
        self.entries.push(entry);
        let place = self.place(self.entries.len() - 1);
        self.insert(place, false);
        // A better one than the worst of the top takes its place.
        if self.top.first().is_some_and(|worst| *worst < place) {
            self.pull();
            self.push();
        }
        self.settle(eta);
    }

    /// Fills the top with as many as may climb.
    fn settle(&mut self, eta: f64) {
        while self.top.len() < (self.entries.len() as f64 / eta) as usize {
            self.pull();
        }
    }

    /// Moves the best of the others to the top.
    fn pull(&mut self) {
        if let Some(place) = self.others.pop_last() {
            self.held.remove(&place);
            self.insert(place, true);
        }
    }

    /// Moves the worst of the top to the others.
    fn push(&mut self) {
        if let Some(place) = self.top.pop_first() {
            self.waiting.remove(&place);
            self.insert(place, false);
        }
    }

    fn insert(&mut self, place: Place, top: bool) {
        let Entry { value, climbed, .. } = &self.entries[place.2];
        let (all, may_climb) = match top {
            true => (&mut self.top, &mut self.waiting),
            false => (&mut self.others, &mut self.held),
        };
        all.insert(place);
        if value.is_some() && !climbed {
            may_climb.insert(place);
        }
    }

    /// Lets the best climb that waits at the top; `all`: or that is held back.
    fn climb(&mut self, all: bool) -> Option<Point> {
        let place = match self.waiting.pop_last() {
            None if all => self.held.pop_last()?,
            other => other?,
        };
        let entry = &mut self.entries[place.2];
        entry.climbed = true;
        Some(entry.point.clone())
    }
}

impl From<Vec<Entry>> for Rung {
    /// The rung before it is settled.
    fn from(entries: Vec<Entry>) -> Self {
        let mut rung = Self { entries, ..Self::default() };
        for index in 0..rung.entries.len() {
            rung.insert(rung.place(index), false);
        }
        rung
    }
}

impl From<Rung> for Vec<Entry> {
    fn from(rung: Rung) -> Self {
        rung.entries
    }
}

impl Asha {
    /// Its name.
    pub const NAME: &'static str = "asha";

    /// An asynchronous successive halving before its first point; its draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let state = State::new(&problem, seed, vec![Rung::default(); problem.last()?]);
        Ok(Self { problem, state })
    }

    /// The strategy that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let last = problem.last()?;
        let mut state: State<Vec<Rung>> = State::read(Self::NAME, &problem, state)?;
        let mut entries = state.own.iter().flat_map(|rung| &rung.entries);
        if state.own.len() != last || entries.any(|e| !problem.space.contains(&e.point)) {
            return Err(damaged());
        }
        for (at, rung) in state.own.iter_mut().enumerate() {
            rung.settle(problem.eta(at));
        }
        Ok(Self { problem, state })
    }

    /// Lets the best climb that may, on the highest rung that has one; `all`: or that is held back.
    fn climb(&mut self, all: bool) -> Option<Query> {
        let mut rungs = self.state.own.iter_mut().enumerate().rev();
        let climbed = rungs.find_map(|(at, rung)| Some((rung.climb(all)?, at + 1)));
        climbed.map(|(point, rung)| self.state.ledger.ask_further(point, rung))
    }
}

impl OnLedger for Asha {
    type Own = Vec<Rung>;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Vec<Rung>> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Vec<Rung>> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        let next = self.climb(false).or_else(|| self.state.ask_fresh(&self.problem.space, 0));
        Ok(next.or_else(|| self.climb(true)))
    }

    fn learn(&mut self, Told { number, query, value }: Told<'_>) {
        if let Some(rung) = self.state.own.get_mut(query.fidelity) {
            let entry = Entry { point: query.point.clone(), value, number, climbed: false };
            rung.add(entry, self.problem.eta(query.fidelity));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_beats_random, observation, problem};
    use crate::{Belief, Space, Strategy};

    fn asha(cells: usize) -> Asha {
        Asha::new(problem(Space::of_archs(cells), LENGTHS, 99.0), 1).unwrap()
    }

    /// Asks for one query, tells its value, and returns it.
    fn step(asha: &mut Asha, value: Option<f64>) -> Query {
        let query = asha.ask(1).unwrap().remove(0);
        asha.tell(&observation(&query, value)).unwrap();
        query
    }

    #[test]
    fn one_of_three_climbs() {
        let mut asha = asha(2);
        let begin = |values: [Option<f64>; 3], asha: &mut Asha| {
            values.map(|value| {
                let query = step(asha, value);
                assert_eq!((query.fidelity, query.repeat), (0, 0));
                query.point
            })
        };
        let climb = |value: f64, asha: &mut Asha| {
            let query = step(asha, Some(value));
            (query.point, query.fidelity)
        };
        let [a, b, _] = begin([Some(1.0), Some(2.0), Some(0.5)], &mut asha);
        // Of three, the best climbs.
        assert_eq!(climb(5.0, &mut asha), (b.clone(), 1));
        begin([None, Some(0.5), Some(0.1)], &mut asha);
        // Of six, the second too.
        assert_eq!(climb(4.0, &mut asha), (a, 1));
        let [.., c] = begin([Some(0.0), Some(0.0), Some(3.0)], &mut asha);
        assert_eq!(climb(4.5, &mut asha), (c, 1));
        // Now three are on the second rung.
        assert_eq!(climb(0.0, &mut asha), (b.clone(), 2));
        assert_eq!(asha.best().unwrap(), Some(Belief { point: b, mean: 0.0, sd: None }));
        begin([None, None, None], &mut asha);
    }

    #[test]
    fn several_climb_at_once_and_those_that_diverged_never_do() {
        let mut asha = asha(2);
        let queries = asha.ask(12).unwrap();
        assert!(queries.iter().all(|query| query.fidelity == 0));
        for at in [6, 2, 7, 8, 9, 10, 11, 0, 1, 5, 4, 3] {
            let value = [(1, 3.0), (4, 1.0), (7, 3.0)].into_iter().find(|(with, _)| *with == at);
            asha.tell(&observation(&queries[at], value.map(|(_, value)| value))).unwrap();
        }
        let next = asha.ask(5).unwrap();
        let climbed: Vec<&Point> =
            next.iter().filter(|query| query.fidelity == 1).map(|query| &query.point).collect();
        // Of equals the one that was asked first climbs first; the fourth of the best has no value.
        assert_eq!(climbed, [&queries[1].point, &queries[7].point, &queries[4].point]);
    }

    #[test]
    fn the_top_is_what_a_full_sort_says() {
        let mut rung = Rung::default();
        let point = Space::of_archs(1).at(0);
        for number in 0..300u64 {
            let value = (number % 7 > 0).then_some((number * 37 % 101) as f64);
            rung.add(Entry { point: point.clone(), value, number, climbed: false }, 2.5);
            if number % 3 == 0 {
                rung.climb(false);
            }
            let mut all: Vec<Place> = (0..rung.entries.len()).map(|at| rung.place(at)).collect();
            all.sort();
            let others = all.len() - (all.len() as f64 / 2.5) as usize;
            assert_eq!(
                rung.top.iter().collect::<Vec<_>>(),
                all[others..].iter().collect::<Vec<_>>()
            );
            let may = |place: &&Place| {
                let entry = &rung.entries[place.2];
                entry.value.is_some() && !entry.climbed
            };
            assert!(rung.waiting.iter().eq(all[others..].iter().filter(may)));
            assert!(rung.held.iter().eq(all[..others].iter().filter(may)));
        }
    }

    #[test]
    fn those_that_were_held_back_climb_at_the_end() {
        let mut asha = asha(1);
        let mut by_rung = [0; 3];
        while let Some(query) = asha.ask(1).unwrap().pop() {
            by_rung[query.fidelity] += 1;
            asha.tell(&observation(&query, Some(query.point.0[1].into()))).unwrap();
        }
        assert_eq!(by_rung, [36; 3]);
    }

    #[test]
    fn it_beats_random_search() {
        assert_beats_random(Asha::NAME, &problem(Space::of_archs(3), LENGTHS, 100.0));
    }
}
