//! [`RandomModel`] draws points as random search does, and picks the winner by a model.
//!
//! It shows how much of another strategy's gain is due to the way in which the winner is picked.

use crate::error::Result;
use crate::model::{ModelKind, Surrogate};
use crate::on_ledger::{OnLedger, State};
use crate::strategy::{Problem, Query};

/// Random search whose winner has the highest posterior mean of a ridge regression.
#[derive(Debug)]
pub struct RandomModel {
    fidelity: usize,
    model: Surrogate,
    state: State<()>,
}

impl RandomModel {
    /// Its name.
    pub const NAME: &'static str = "random_model";

    /// A search that draws the same points as [`Random`](crate::Random) with this seed.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let (fidelity, state) = (problem.last()?, State::new(&problem, seed, ()));
        Ok(Self { fidelity, model: Surrogate::new(problem, ModelKind::Ridge)?, state })
    }

    /// The search that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let fidelity = problem.last()?;
        let (state, model) = State::read_with_model(Self::NAME, &problem, ModelKind::Ridge, state)?;
        Ok(Self { fidelity, model, state })
    }
}

impl OnLedger for RandomModel {
    type Own = ();

    fn title(&self) -> &'static str {
        Self::NAME
    }

    fn state(&self) -> &State<()> {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State<()> {
        &mut self.state
    }

    fn next_query(&mut self) -> Result<Option<Query>> {
        Ok(self.state.ask_fresh(&self.model.problem().space, self.fidelity))
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
    use crate::Space;
    use crate::testing::{WHOLE, gain, problem};

    #[test]
    fn a_model_picks_better_than_the_highest_value() {
        let problem = problem(Space::of_archs(2), WHOLE, 200.0);
        let (mean, error) = gain(RandomModel::NAME, &problem, 300);
        assert!(mean > 3.0 * error && mean > 0.08, "{mean} ± {error}");
    }
}
