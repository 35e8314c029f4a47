//! A [`Ledger`] keeps what a strategy asked and what it was told.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::identity::Identity;
use crate::pairs;
use crate::space::{Point, Space};
use crate::strategy::{Belief, Observation, Problem, Query};

/// A value that can be sorted; networks that diverged are below all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Score(f64);

impl From<Option<f64>> for Score {
    fn from(value: Option<f64>) -> Self {
        Self(value.unwrap_or(f64::NEG_INFINITY))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What was asked, what is not told yet, and the means of what was told.
///
/// The queries are numbered from 0 in the order in which they were asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The number of queries that were asked.
    pub count: u64,
    /// What all observations cost together.
    pub spent: f64,
    /// The problem that it belongs to.
    of: Identity,
    /// How often each point was asked, counted at the fidelity at which it was asked first.
    #[serde(with = "pairs")]
    asked: BTreeMap<Point, usize>,
    /// The numbers of the queries that are not told yet: by point, fidelity and repeat.
    #[serde(with = "pairs")]
    open: BTreeMap<(Point, usize, usize), u64>,
    /// By fidelity.
    means: Vec<Means>,
}

impl Ledger {
    /// The ledger before the first query.
    pub fn new(problem: &Problem) -> Self {
        let means = vec![Means::default(); problem.fidelities.len()];
        let of = Identity::of(problem);
        Self { count: 0, spent: 0.0, of, asked: BTreeMap::new(), open: BTreeMap::new(), means }
    }

    /// Asks for a new training of a point.
    pub fn ask(&mut self, point: Point, fidelity: usize) -> Query {
        let times = self.asked.entry(point.clone()).or_insert(0);
        let repeat = *times;
        *times += 1;
        self.note(Query { point, fidelity, repeat })
    }

    /// Asks for the first training of a point to go on.
    pub fn ask_further(&mut self, point: Point, fidelity: usize) -> Query {
        self.note(Query { point, fidelity, repeat: 0 })
    }

    /// Asks for what is no new training: a training that goes on, or a score on shared weights.
    pub(crate) fn note(&mut self, query: Query) -> Query {
        let Query { point, fidelity, repeat } = query.clone();
        self.open.insert((point, fidelity, repeat), self.count);
        self.count += 1;
        query
    }

    /// Takes the result of a query, and returns the query's number and its value. A value that is no number counts as
    /// none.
    ///
    /// # Errors
    /// When the query was not asked, or was told before.
    pub fn tell(&mut self, observation: &Observation) -> Result<(u64, Option<f64>)> {
        let Query { point, fidelity, repeat } = observation.query.clone();
        let number = self.open.remove(&(point.clone(), fidelity, repeat));
        let number = number.ok_or_else(|| StrategyError::Problem {
            what: "an observation",
            expected: "the result of a query that the strategy asked and was not told yet".into(),
            found: format!("{:?}", observation.query),
        })?;
        let value = observation.finite();
        self.means[fidelity].add(point, value);
        self.spent += observation.cost;
        Ok((number, value))
    }

    /// The number of queries that are not told yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The queries that are not told yet, in the order in which they were asked.
    pub(crate) fn waiting(&self) -> Vec<Query> {
        let mut open: Vec<_> = self.open.iter().collect();
        open.sort_by_key(|(_, number)| **number);
        let query = |(point, fidelity, repeat): &(Point, usize, usize)| Query {
            point: point.clone(),
            fidelity: *fidelity,
            repeat: *repeat,
        };
        open.into_iter().map(|(key, _)| query(key)).collect()
    }

    /// The number of points of which a training was asked.
    pub fn points(&self) -> usize {
        self.asked.len()
    }

    /// Whether a training of a point was asked.
    pub fn holds(&self, point: &Point) -> bool {
        self.asked.contains_key(point)
    }

    /// Whether a strategy with a model may ask for a new training of a point.
    ///
    /// In a large space each point is asked once: a new point says more about the model's effects than a second training of
    /// an old one, whose rest that the model does not explain would not average out. From the moment that half of the points
    /// were asked, all may be asked again.
    pub(crate) fn may_ask(&self, space: &Space, point: &Point) -> bool {
        self.points() >= space.count().div_ceil(2) || !self.holds(point)
    }

    /// A point that was not asked, each as likely as any other; `None` when all were.
    pub fn fresh(&self, space: &Space, rng: &mut ChaCha8Rng) -> Option<Point> {
        if self.asked.len() >= space.count() {
            return None;
        }
        loop {
            let point = space.draw(rng);
            if !self.holds(&point) {
                return Some(point);
            }
        }
    }

    /// The point with the best mean at the highest fidelity that has a value; the last in order among equals.
    pub fn best(&self) -> Option<Belief> {
        self.means.iter().rev().find_map(Means::best)
    }

    /// Refuses a ledger that was read and is of another problem.
    ///
    /// # Errors
    /// When the tokens, the points, the fidelities or the budget are not those of this problem, or the ledger's own parts do
    /// not fit.
    pub fn check(&self, problem: &Problem) -> Result<()> {
        self.of.check(problem)?;
        if self.fits(problem) { Ok(()) } else { Err(damaged()) }
    }

    fn fits(&self, problem: &Problem) -> bool {
        let open = |(point, fidelity, _): &(Point, usize, usize)| {
            problem.space.contains(point) && *fidelity < self.means.len()
        };
        let mut valued = self.means.iter().flat_map(|means| means.by_point.keys());
        self.means.len() == problem.fidelities.len()
            && self.asked.keys().all(|point| problem.space.contains(point))
            && valued.all(|point| problem.space.contains(point))
            && self.open.keys().all(open)
            && self.open.values().all(|number| *number < self.count)
    }
}

/// The means of one fidelity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Point, Mean)>", into = "Vec<(Point, Mean)>")]
struct Means {
    by_point: BTreeMap<Point, Mean>,
    /// The points with a value, the best last.
    sorted: BTreeSet<(Score, Point)>,
}

/// The values of a point's repeats.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mean {
    sum: f64,
    count: f64,
    /// Whether the networks of a repeat diverged, which no other value makes up for.
    diverged: bool,
}

impl Mean {
    fn value(&self) -> Option<f64> {
        (!self.diverged).then(|| self.sum / self.count)
    }
}

impl Means {
    fn add(&mut self, point: Point, value: Option<f64>) {
        let new = Mean { sum: 0.0, count: 0.0, diverged: false };
        let mean = self.by_point.entry(point.clone()).or_insert(new);
        if mean.count > 0.0 {
            self.sorted.remove(&(mean.value().into(), point.clone()));
        }
        mean.count += 1.0;
        mean.sum += value.unwrap_or_default();
        mean.diverged |= value.is_none();
        if let Some(value) = mean.value() {
            self.sorted.insert((Some(value).into(), point));
        }
    }

    fn best(&self) -> Option<Belief> {
        let (Score(mean), point) = self.sorted.last()?;
        Some(Belief { point: point.clone(), mean: *mean, sd: None })
    }
}

impl From<Vec<(Point, Mean)>> for Means {
    fn from(list: Vec<(Point, Mean)>) -> Self {
        let with_value = list.iter().filter_map(|(point, mean)| {
            mean.value().map(|value| (Some(value).into(), point.clone()))
        });
        Self { sorted: with_value.collect(), by_point: list.into_iter().collect() }
    }
}

impl From<Means> for Vec<(Point, Mean)> {
    fn from(means: Means) -> Self {
        means.by_point.into_iter().collect()
    }
}

/// The error of a state whose parts do not fit each other.
pub(crate) fn damaged() -> StrategyError {
    StrategyError::Problem {
        what: "a saved state",
        expected: "points, choices and fidelities of the problem that it names".into(),
        found: "others, so that it is damaged".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fidelity;

    fn problem() -> Problem {
        let fidelity = |cost: f64| Fidelity { name: cost.to_string(), cost, continues: true };
        let fidelities = vec![fidelity(1.0), fidelity(2.0)];
        Problem { space: Space::of_archs(1), fidelities, budget: 9.0 }
    }

    fn told(ledger: &mut Ledger, query: Query, value: Option<f64>) -> (u64, Option<f64>) {
        ledger.tell(&Observation { query, value, cost: 1.5 }).unwrap()
    }

    #[test]
    fn the_best_is_the_best_mean_of_the_highest_fidelity() {
        let problem = problem();
        let mut ledger = Ledger::new(&problem);
        let [a, b] = [3, 4].map(|at| problem.space.at(at));
        assert_eq!(ledger.best(), None);
        let first = ledger.ask(a.clone(), 0);
        let second = ledger.ask(b.clone(), 0);
        assert_eq!(told(&mut ledger, second, Some(1.0)), (1, Some(1.0)));
        assert_eq!(told(&mut ledger, first, Some(2.0)), (0, Some(2.0)));
        assert_eq!(ledger.best().unwrap().point, a);
        let again = ledger.ask(a.clone(), 0);
        assert_eq!(again.repeat, 1);
        // The mean of 2 and −1.
        told(&mut ledger, again, Some(-1.0));
        assert_eq!(ledger.best(), Some(Belief { point: b.clone(), mean: 1.0, sd: None }));
        let again = ledger.ask(b.clone(), 0);
        told(&mut ledger, again, None);
        assert_eq!(ledger.best(), Some(Belief { point: a.clone(), mean: 0.5, sd: None }));
        let further = ledger.ask_further(b.clone(), 1);
        told(&mut ledger, further, Some(f64::NAN));
        assert_eq!(ledger.best().unwrap().point, a, "b has no value at the higher fidelity");
        let further = ledger.ask_further(a.clone(), 1);
        told(&mut ledger, further, Some(-7.0));
        assert_eq!(ledger.best(), Some(Belief { point: a, mean: -7.0, sd: None }));
        assert_eq!((ledger.spent, ledger.open()), (9.0, 0));
    }

    #[test]
    fn a_result_is_told_once() {
        let problem = problem();
        let mut ledger = Ledger::new(&problem);
        let query = ledger.ask(problem.space.at(0), 0);
        let observation = Observation { query, value: None, cost: 1.0 };
        ledger.tell(&observation).unwrap();
        let error = ledger.tell(&observation).unwrap_err().to_string();
        assert!(error.contains("not told yet"), "{error}");
    }
}
