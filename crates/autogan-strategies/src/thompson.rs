//! [`Thompson`] asks for the best point of a function that is drawn from a model's posterior.
//!
//! So the chance of a point is the probability, as the model sees it, that it is the best of those that may be asked: in a
//! large space, of those that were not. Each query of a batch is a draw of its own. All evaluations are at the last fidelity;
//! the winner has the highest posterior mean of the points that were evaluated.

use crate::error::Result;
use crate::model::{ModelKind, Surrogate};
use crate::on_ledger::{OnLedger, State};
use crate::space::Point;
use crate::strategy::{Problem, Query};

/// Thompson sampling by a model.
#[derive(Debug)]
pub struct Thompson {
    kind: ModelKind,
    fidelity: usize,
    model: Surrogate,
    state: State<()>,
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
        let (fidelity, state) = (problem.last()?, State::new(&problem, seed, ()));
        Ok(Self { kind, fidelity, model: Surrogate::new(problem, kind)?, state })
    }

    /// The search that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, kind: ModelKind, state: serde_json::Value) -> Result<Self> {
        let fidelity = problem.last()?;
        let (state, model) = State::read_with_model(name(kind), &problem, kind, state)?;
        Ok(Self { kind, fidelity, model, state })
    }
}

fn name(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Ridge => Thompson::RIDGE,
        ModelKind::Gaussian => Thompson::GAUSSIAN,
    }
}

impl OnLedger for Thompson {
    type Own = ();

    fn title(&self) -> &'static str {
        name(self.kind)
    }

    fn state(&self) -> &State<()> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<()> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        let (space, fitted) = (&self.model.problem().space, self.model.fitted()?);
        let State { rng, ledger, .. } = &mut self.state;
        let allowed = |point: &Point| ledger.may_ask(space, point);
        let point = fitted.draw_best(space, allowed, rng)?;
        Ok(point.map(|point| ledger.ask(point, self.fidelity)))
    }

    fn model(&self) -> Option<&Surrogate> {
        Some(&self.model)
    }

    fn model_mut(&mut self) -> Option<&mut Surrogate> {
        Some(&mut self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{WHOLE, gain, problem};
    use crate::{Space, Strategy};

    #[test]
    fn both_models_beat_random_search() {
        let problem = problem(Space::of_archs(2), WHOLE, 60.0);
        for (name, least) in [(Thompson::RIDGE, 0.4), (Thompson::GAUSSIAN, 0.4)] {
            let (mean, error) = gain(name, &problem, 50);
            assert!(mean > 4.0 * error && mean > least, "{name}: {mean} ± {error}");
        }
    }

    #[test]
    fn a_small_space_is_asked_again_and_each_training_has_its_number() {
        let problem = problem(Space::of_archs(1), WHOLE, 1e9);
        let mut search = Thompson::new(problem, ModelKind::Ridge, 4).unwrap();
        let queries = search.ask(100).unwrap();
        let distinct: std::collections::HashSet<&Query> = queries.iter().collect();
        assert_eq!((queries.len(), distinct.len()), (100, 100));
        // Half of the 36 points come first, each once.
        assert!(queries[..18].iter().all(|query| query.repeat == 0));
        assert!(queries.iter().any(|query| query.repeat > 1));
    }
}
