//! [`drive`] runs a strategy until its budget is spent.

use crate::error::StrategyError;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// What evaluates points: trainings, a table, a made-up landscape.
pub trait Objective {
    /// What is wrong when a point cannot be evaluated.
    type Error: From<StrategyError>;

    /// The value of a point.
    ///
    /// # Errors
    /// When the point cannot be evaluated. Networks that diverge are no error, but an observation without a value.
    fn evaluate(&mut self, query: &Query) -> std::result::Result<Observation, Self::Error>;
}

/// What a strategy believed to be the best after each observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// In the order of the observations.
    pub points: Vec<TracePoint>,
}

/// A strategy after an observation.
#[derive(Clone, Debug, PartialEq)]
pub struct TracePoint {
    /// What all observations cost together.
    pub spent: f64,
    /// What it would return.
    pub best: Option<Belief>,
}

/// Asks, evaluates and tells one query at a time, until the budget is spent or the strategy has nothing left to ask. The
/// evaluation that exceeds the budget is not told.
///
/// # Errors
/// When the strategy or the objective fails.
pub fn drive<O: Objective>(
    strategy: &mut dyn Strategy,
    problem: &Problem,
    objective: &mut O,
) -> std::result::Result<Trace, O::Error> {
    let mut trace = Trace::default();
    let mut spent = 0.0;
    loop {
        let queries = strategy.ask(1)?;
        let Some(query) = queries.first() else { return Ok(trace) };
        let observation = objective.evaluate(query)?;
        spent += observation.cost;
        if spent > problem.affordable() {
            return Ok(trace);
        }
        strategy.tell(&observation)?;
        trace.points.push(TracePoint { spent, best: strategy.best()? });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fidelity, Random, Result, Space};

    /// A landscape whose best point is the last.
    struct Rising(Space);

    impl Objective for Rising {
        type Error = StrategyError;

        fn evaluate(&mut self, query: &Query) -> Result<Observation> {
            let at = (0..self.0.count()).find(|&at| self.0.at(at) == query.point);
            let value = at.filter(|at| at % 7 != 0).map(|at| at as f64);
            Ok(Observation { query: query.clone(), value, cost: 2.0 })
        }
    }

    fn problem(budget: f64) -> Problem {
        let fidelity = Fidelity { name: "whole".into(), cost: 2.0, continues: true };
        Problem { space: Space::of_archs(1), fidelities: vec![fidelity], budget }
    }

    #[test]
    fn random_search_spends_its_budget_and_sees_each_point_once() {
        let (some, all) = (problem(21.0), problem(1e9));
        let mut objective = Rising(all.space.clone());
        let trace =
            drive(&mut Random::new(some.clone(), 3).unwrap(), &some, &mut objective).unwrap();
        assert_eq!((trace.points.len(), trace.points[9].spent), (10, 20.0));
        let trace = drive(&mut Random::new(all.clone(), 3).unwrap(), &all, &mut objective).unwrap();
        assert_eq!(trace.points.len(), 36);
        // 35 is a multiple of 7: it diverges.
        assert_eq!(trace.points[35].best.as_ref().unwrap().mean, 34.0);
    }

    #[test]
    fn a_saved_random_search_goes_on_with_the_same_draws() {
        let problem = problem(1e9);
        let mut one = Random::new(problem.clone(), 5).unwrap();
        one.ask(7).unwrap();
        let mut two = Random::restore(problem, one.save().unwrap()).unwrap();
        assert_eq!(one.ask(9).unwrap(), two.ask(9).unwrap());
    }
}
