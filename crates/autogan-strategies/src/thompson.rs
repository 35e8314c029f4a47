//! [`Thompson`] asks for the best point of a function that is drawn from a model's posterior.
//!
//! So a point is asked as often as the model thinks that it may be the best. A batch is as many draws. All evaluations are at
//! the last fidelity; the winner has the highest posterior mean of the points that were evaluated.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::asked::Asked;
use crate::error::{Result, StrategyError};
use crate::model::{Among, ModelKind, Surrogate, SurrogateState};
use crate::space::Point;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// Thompson sampling by a model.
#[derive(Debug)]
pub struct Thompson {
    kind: ModelKind,
    fidelity: usize,
    model: Surrogate,
    state: State,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    rng: ChaCha8Rng,
    asked: Asked,
    spent: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    draws: State,
    model: SurrogateState,
}

impl Thompson {
    /// Its name with the ridge regression.
    pub const RIDGE: &'static str = "ridge_thompson";
    /// Its name with the Gaussian process.
    pub const GAUSSIAN: &'static str = "gaussian_thompson";

    /// A search with a model, whose draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, kind: ModelKind, seed: u64) -> Result<Self> {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let fidelity = problem.last()?;
        let state = State { rng, asked: Asked::default(), spent: 0.0 };
        Ok(Self { kind, fidelity, model: Surrogate::new(problem, kind)?, state })
    }

    /// The search that [`Strategy::save`] wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, kind: ModelKind, state: serde_json::Value) -> Result<Self> {
        let source = |source| StrategyError::State { strategy: name(kind), source };
        let Saved { draws, model } = serde_json::from_value(state).map_err(source)?;
        let fidelity = problem.last()?;
        let model = Surrogate::restore(problem, kind, model)?;
        Ok(Self { kind, fidelity, model, state: draws })
    }
}

fn name(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Ridge => Thompson::RIDGE,
        ModelKind::Gaussian => Thompson::GAUSSIAN,
    }
}

impl Strategy for Thompson {
    fn name(&self) -> &'static str {
        name(self.kind)
    }

    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>> {
        let problem = self.model.problem();
        if self.state.spent >= problem.budget {
            return Ok(Vec::new());
        }
        let fitted = self.model.fitted()?;
        let State { rng, asked, .. } = &mut self.state;
        let mut queries = Vec::new();
        while queries.len() < at_once {
            let allowed = |point: &Point| asked.may_ask(&problem.space, point);
            let Some(point) = fitted.draw_best(&problem.space, allowed, rng)? else { break };
            let repeat = asked.insert(&point);
            queries.push(Query { point, fidelity: self.fidelity, repeat });
        }
        Ok(queries)
    }

    fn tell(&mut self, observation: &Observation) -> Result<()> {
        self.state.spent += observation.cost;
        self.model.tell(observation)
    }

    fn best(&self) -> Result<Option<Belief>> {
        self.model.pick(Among::Evaluated)
    }

    fn save(&self) -> Result<serde_json::Value> {
        let source = |source| StrategyError::State { strategy: self.name(), source };
        let draws = self.state.clone();
        serde_json::to_value(Saved { draws, model: self.model.state().clone() }).map_err(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;
    use crate::shaped::{assert_resumes, gain, problem_of_lengths};

    #[test]
    fn both_models_beat_random_search() {
        let problem = problem_of_lengths(2, &[(1.0, true)], 60.0);
        for (kind, least) in [(ModelKind::Ridge, 0.4), (ModelKind::Gaussian, 0.4)] {
            let (mean, error) = gain(
                &problem,
                50,
                |problem, seed| Box::new(Thompson::new(problem, kind, seed).unwrap()),
                |problem, seed| Box::new(Random::new(problem, seed).unwrap()),
            );
            assert!(mean > 4.0 * error && mean > least, "{kind:?}: {mean} ± {error}");
        }
    }

    #[test]
    fn it_resumes_to_the_same_bits() {
        for kind in [ModelKind::Ridge, ModelKind::Gaussian] {
            for cells in [1, 2] {
                let problem = problem_of_lengths(cells, &[(1.0, true)], 40.0);
                let restore = |state| -> Box<dyn Strategy> {
                    Box::new(Thompson::restore(problem.clone(), kind, state).unwrap())
                };
                let search = Thompson::new(problem.clone(), kind, 1).unwrap();
                assert_resumes(&problem, Box::new(search), restore, 3);
            }
        }
    }

    #[test]
    fn a_small_space_is_asked_again_and_each_training_has_its_number() {
        let problem = problem_of_lengths(1, &[(1.0, true)], 1e9);
        let mut search = Thompson::new(problem, ModelKind::Ridge, 4).unwrap();
        let queries = search.ask(100).unwrap();
        let distinct: std::collections::HashSet<&Query> = queries.iter().collect();
        assert_eq!((queries.len(), distinct.len()), (100, 100));
        // Half of the 36 points come first, each once.
        assert!(queries[..18].iter().all(|query| query.repeat == 0));
        assert!(queries.iter().any(|query| query.repeat > 1));
    }
}
