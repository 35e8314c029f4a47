//! [`Random`] draws points evenly and without replacement, and returns the best value that it saw.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::ledger::of_another_problem;
use crate::space::Point;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// Random search at the last fidelity, each point once.
#[derive(Debug)]
pub struct Random {
    problem: Problem,
    fidelity: usize,
    state: State,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    rng: ChaCha8Rng,
    asked: BTreeSet<Point>,
    best: Option<Belief>,
}

impl Random {
    /// Its name.
    pub const NAME: &'static str = "random";

    /// A random search whose draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let fidelity = problem.last()?;
        Ok(Self { problem, fidelity, state: State { rng, asked: BTreeSet::new(), best: None } })
    }

    /// The search that [`Strategy::save`] wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy or problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        let fidelity = problem.last()?;
        let state: State = serde_json::from_value(state).map_err(source)?;
        if state.asked.iter().any(|point| !problem.space.contains(point)) {
            return Err(of_another_problem());
        }
        Ok(Self { problem, fidelity, state })
    }
}

impl Strategy for Random {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>> {
        let State { rng, asked, .. } = &mut self.state;
        let left = self.problem.space.count() - asked.len();
        let mut queries = Vec::new();
        while queries.len() < at_once.min(left) {
            let point = self.problem.space.draw(rng);
            if asked.insert(point.clone()) {
                queries.push(Query { point, fidelity: self.fidelity, repeat: 0 });
            }
        }
        Ok(queries)
    }

    fn tell(&mut self, observation: &Observation) -> Result<()> {
        let Some(value) = observation.value else { return Ok(()) };
        if self.state.best.as_ref().is_none_or(|best| value > best.mean) {
            let point = observation.query.point.clone();
            self.state.best = Some(Belief { point, mean: value, sd: None });
        }
        Ok(())
    }

    fn best(&self) -> Result<Option<Belief>> {
        Ok(self.state.best.clone())
    }

    fn save(&self) -> Result<serde_json::Value> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        serde_json::to_value(&self.state).map_err(source)
    }
}
