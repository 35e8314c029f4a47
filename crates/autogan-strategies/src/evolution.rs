//! [`Evolution`] is regularised evolution: children of good members join a population, whose oldest members die.
//!
//! The source is Real, Aggarwal, Huang and Le, *Regularized Evolution for Image Classifier Architecture Search* (AAAI
//! 2019, arXiv 1802.01548), algorithm 1.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ledger::{Ledger, Score, damaged};
use crate::on_ledger::{OnLedger, State, Told};
use crate::space::{Point, Space};
use crate::strategy::{Problem, Query};

/// The most members of a population, and the share of them in a tournament: 50 and 10 members, as in the experiments of
/// Ying et al., *NAS-Bench-101* (ICML 2019, arXiv 1902.09635).
const POPULATION: usize = 50;
const TOURNAMENT: f64 = 0.2;

/// The fewest members of a population, for short budgets.
const SMALLEST: usize = 10;

/// The share of a short budget that the first members, which are drawn evenly, may take.
const FIRST_SHARE: f64 = 0.2;

/// Regularised (ageing) evolution at the last fidelity; each point is asked once.
///
/// The age of a member is the number of its query, so that results of queries that are open at the same time may come in
/// any order.
#[derive(Debug)]
pub struct Evolution {
    problem: Problem,
    fidelity: usize,
    population: usize,
    state: State<Members>,
}

/// The members by age, the oldest first.
pub(crate) type Members = BTreeMap<u64, Member>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    point: Point,
    value: Option<f64>,
}

impl Evolution {
    /// Its name.
    pub const NAME: &'static str = "evolution";

    /// An evolution before its first member; its draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let state = State::new(&problem, seed, Members::new());
        Self::with(problem, state)
    }

    /// The evolution that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let state: State<Members> = State::read(Self::NAME, &problem, state)?;
        if state.own.values().any(|member| !problem.space.contains(&member.point)) {
            return Err(damaged());
        }
        Self::with(problem, state)
    }

    fn with(problem: Problem, state: State<Members>) -> Result<Self> {
        let fidelity = problem.last()?;
        let evaluations = problem.budget / problem.fidelities[fidelity].cost;
        let population = ((evaluations * FIRST_SHARE) as usize).clamp(SMALLEST, POPULATION);
        Ok(Self { problem, fidelity, population, state })
    }

    /// The members of a tournament.
    fn tournament(&self) -> usize {
        ((self.population as f64 * TOURNAMENT).round() as usize).max(2)
    }

    /// The next point: one of the first members, or a child; `None` when there is none yet, or none any more.
    fn next(&mut self) -> Option<Point> {
        let tournament = self.tournament();
        let State { rng, ledger, own: members } = &mut self.state;
        let space = &self.problem.space;
        if ledger.points() < self.population {
            return ledger.fresh(space, rng);
        }
        if members.len() < tournament && ledger.open() > 0 {
            return None;
        }
        let all: Vec<&Member> = members.values().collect();
        let drawn = (0..tournament).map(|_| all[rng.random_range(0..all.len())]);
        let mut drawn: Vec<&Member> = drawn.collect();
        // The sort is stable: among equals the one that was drawn first is the first.
        drawn.sort_by_key(|member| std::cmp::Reverse(Score::from(member.value)));
        for parent in drawn {
            if let Some(child) = mutate(space, &parent.point, ledger, rng) {
                return Some(child);
            }
        }
        // Everything around the parents was asked.
        ledger.fresh(space, rng)
    }
}

/// A point that differs from its parent in one token and was not asked before: each such token is as likely as any
/// other, and each of its choices.
fn mutate(space: &Space, parent: &Point, ledger: &Ledger, rng: &mut ChaCha8Rng) -> Option<Point> {
    let mut by_token: BTreeMap<usize, Vec<Point>> = BTreeMap::new();
    for other in space.neighbours(parent).into_iter().filter(|other| !ledger.holds(other)) {
        let token = parent.0.iter().zip(&other.0).position(|(a, b)| a != b)?;
        by_token.entry(token).or_default().push(other);
    }
    if by_token.is_empty() {
        return None;
    }
    let token = rng.random_range(0..by_token.len());
    let mut children = by_token.into_values().nth(token)?;
    let at = rng.random_range(0..children.len());
    Some(children.swap_remove(at))
}

impl OnLedger for Evolution {
    type Own = Members;

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<Members> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<Members> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        let point = self.next();
        Ok(point.map(|point| self.state.ledger.ask(point, self.fidelity)))
    }

    fn learn(&mut self, Told { number: age, query, value }: Told<'_>) {
        let point = query.point.clone();
        self.state.own.insert(age, Member { point, value });
        if self.state.own.len() > self.population {
            self.state.own.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Strategy;
    use crate::testing::{WHOLE, assert_beats_random, observation, problem};

    /// An evolution of 10 members, 2 in a tournament, and the queries of its first members.
    fn begun() -> (Evolution, Vec<Query>) {
        let mut evolution = Evolution::new(problem(Space::of_archs(2), WHOLE, 40.0), 1).unwrap();
        let first = evolution.ask(100).unwrap();
        assert_eq!((evolution.population, evolution.tournament(), first.len()), (10, 2, 10));
        (evolution, first)
    }

    fn differing(a: &Point, b: &Point) -> usize {
        a.0.iter().zip(&b.0).filter(|(a, b)| a != b).count()
    }

    #[test]
    fn the_oldest_member_dies_however_good_it_is() {
        let (mut evolution, first) = begun();
        for (at, query) in first.iter().enumerate().rev() {
            // The one that was asked first is the best, and is told last.
            evolution.tell(&observation(query, Some(-(at as f64)))).unwrap();
        }
        assert_eq!(evolution.best().unwrap().unwrap().point, first[0].point);
        let child = evolution.ask(1).unwrap().remove(0);
        assert!(first.iter().any(|parent| differing(&parent.point, &child.point) == 1));
        evolution.tell(&observation(&child, Some(-3.5))).unwrap();
        let ages: Vec<u64> = evolution.state.own.keys().copied().collect();
        assert_eq!(ages, (1..=10).collect::<Vec<u64>>());
        assert_eq!(evolution.best().unwrap().unwrap().point, first[0].point, "it is still known");
    }

    #[test]
    fn children_come_from_winners_of_tournaments() {
        let (mut evolution, first) = begun();
        for (at, query) in first.iter().enumerate() {
            evolution.tell(&observation(query, (at > 0).then_some(at as f64))).unwrap();
        }
        // Of two members that are drawn, the best of ten is one with probability 19/100, and the worst is both 1/100.
        let (mut of_best, mut of_worst) = (0, 0);
        for _ in 0..2_000 {
            let child = evolution.next().unwrap();
            of_best += usize::from(differing(&child, &first[9].point) == 1);
            of_worst += usize::from(differing(&child, &first[0].point) == 1);
        }
        assert!((330..440).contains(&of_best), "{of_best}");
        assert!(of_worst < 60, "{of_worst}");
    }

    #[test]
    fn no_point_comes_twice_and_all_of_a_small_space_come() {
        let mut evolution = Evolution::new(problem(Space::of_archs(1), WHOLE, 1e4), 1).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(query) = evolution.ask(1).unwrap().pop() {
            assert!(seen.insert(query.point.clone()));
            evolution.tell(&observation(&query, Some(0.0))).unwrap();
        }
        assert_eq!(seen.len(), 36);
    }

    #[test]
    fn it_beats_random_search() {
        assert_beats_random(Evolution::NAME, &problem(Space::of_archs(3), WHOLE, 200.0));
    }
}
