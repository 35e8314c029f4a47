//! [`RandomModel`] draws points as random search does, and picks the winner by a model.
//!
//! It shows how much of another strategy's gain is due to the way in which the winner is picked.

use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::model::{Among, ModelKind, Surrogate, SurrogateState};
use crate::random::Random;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// Random search whose winner has the highest posterior mean of a ridge regression.
#[derive(Debug)]
pub struct RandomModel {
    random: Random,
    model: Surrogate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    random: serde_json::Value,
    model: SurrogateState,
}

impl RandomModel {
    /// Its name.
    pub const NAME: &'static str = "random_model";

    /// A search that draws the same points as [`Random`] with this seed.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let random = Random::new(problem.clone(), seed)?;
        Ok(Self { random, model: Surrogate::new(problem, ModelKind::Ridge)? })
    }

    /// The search that [`Strategy::save`] wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        let state: State = serde_json::from_value(state).map_err(source)?;
        let random = Random::restore(problem.clone(), state.random)?;
        Ok(Self { random, model: Surrogate::restore(problem, ModelKind::Ridge, state.model)? })
    }
}

impl Strategy for RandomModel {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>> {
        self.random.ask(at_once)
    }

    fn tell(&mut self, observation: &Observation) -> Result<()> {
        self.model.tell(observation)?;
        self.random.tell(observation)
    }

    fn best(&self) -> Result<Option<Belief>> {
        self.model.pick(Among::Evaluated)
    }

    fn save(&self) -> Result<serde_json::Value> {
        let source = |source| StrategyError::State { strategy: Self::NAME, source };
        let state = State { random: self.random.save()?, model: self.model.state().clone() };
        serde_json::to_value(state).map_err(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shaped::{assert_resumes, gain, problem_of_lengths};

    #[test]
    fn a_model_picks_better_than_the_highest_value() {
        let problem = problem_of_lengths(2, &[(1.0, true)], 200.0);
        let (mean, error) = gain(
            &problem,
            100,
            |problem, seed| Box::new(RandomModel::new(problem, seed).unwrap()),
            |problem, seed| Box::new(Random::new(problem, seed).unwrap()),
        );
        assert!(mean > 3.0 * error && mean > 0.08, "{mean} ± {error}");
    }

    #[test]
    fn it_resumes_to_the_same_bits() {
        let problem = problem_of_lengths(1, &[(1.0, true)], 30.0);
        let restore = |state| -> Box<dyn Strategy> {
            Box::new(RandomModel::restore(problem.clone(), state).unwrap())
        };
        assert_resumes(
            &problem,
            Box::new(RandomModel::new(problem.clone(), 1).unwrap()),
            restore,
            2,
        );
    }
}
