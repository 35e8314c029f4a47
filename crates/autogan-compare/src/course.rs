//! A [`Course`] is what one strategy came to with one seed: the regret after each evaluation.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;

use autogan_strategies::{Point, Problem, Strategy, drive};

use crate::account::Account;
use crate::error::Result;
use crate::testbed::World;

/// A strategy after an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// What all evaluations cost together.
    pub spent: f64,
    /// The value of the best point less that of the point that the strategy would return.
    pub regret: f64,
}

/// What one strategy came to with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The regret of a point that is drawn evenly, which is what a strategy has before its first evaluation.
    pub start: f64,
    /// After each evaluation.
    pub steps: Vec<Step>,
    /// The best estimate of the returned point's value, less that of the best point, so that worlds can be compared.
    /// Without a point it is that of one drawn evenly.
    pub winner: f64,
    /// Trainings that were begun.
    pub trainings: usize,
    /// Queries that asked for a training once more because the testbed had no other of their point.
    pub again: usize,
}

impl Course {
    /// Runs a strategy on a world until the budget of `problem` or `most` evaluations are spent.
    ///
    /// # Errors
    /// When the strategy fails or asks for what is not there, and when `stop` becomes true.
    pub fn run(
        strategy: &mut dyn Strategy,
        problem: &Problem,
        world: &dyn World,
        most: usize,
        stop: &AtomicBool,
    ) -> Result<Self> {
        let mut account = Account::new(world, most, stop);
        let trace = drive(strategy, problem, &mut account)?;
        let start = world.best() - world.average();
        let mut told: HashMap<&Point, BTreeSet<usize>> = HashMap::new();
        let none = BTreeSet::new();
        let (mut steps, mut again) = (Vec::new(), 0);
        for (at, query) in trace.points.iter().zip(account.asked()) {
            told.entry(&query.point).or_default().insert(query.repeat);
            let others = world.trainings(&query.point);
            again += usize::from(others.is_some_and(|others| query.repeat >= others));
            let regret = match &at.best {
                None => start,
                Some(best) => {
                    let told = told.get(&best.point).unwrap_or(&none);
                    world.best() - world.judged(&best.point, told)?
                }
            };
            steps.push(Step { spent: at.spent, regret });
        }
        let winner = match trace.points.last().and_then(|at| at.best.as_ref()) {
            None => -start,
            Some(best) => world.value(&best.point)? - world.best(),
        };
        let trainings = told.values().map(BTreeSet::len).sum();
        Ok(Self { start, steps, winner, trainings, again })
    }

    /// The regret after so many evaluations; beyond the last it stays.
    pub fn after(&self, evaluations: usize) -> f64 {
        let place = evaluations.min(self.steps.len());
        place.checked_sub(1).map_or(self.start, |at| self.steps[at].regret)
    }

    /// The regret once so much was spent; beyond the last evaluation it stays.
    pub fn once_spent(&self, cost: f64) -> f64 {
        self.after(self.steps.partition_point(|step| step.spent <= cost))
    }

    /// What all evaluations cost together.
    pub fn spent(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regret_holds_until_the_next_evaluation_ends() {
        let step = |spent, regret| Step { spent, regret };
        let steps = vec![step(2.0, 0.5), step(5.0, 0.2)];
        let course = Course { start: 1.0, steps, winner: 0.0, trainings: 2, again: 0 };
        assert_eq!([0, 1, 2, 3].map(|n| course.after(n)), [1.0, 0.5, 0.2, 0.2]);
        let spent = [0.0, 1.9, 2.0, 4.9, 5.0, 9.0].map(|cost| course.once_spent(cost));
        assert_eq!(spent, [1.0, 1.0, 0.5, 0.5, 0.2, 0.2]);
    }
}
