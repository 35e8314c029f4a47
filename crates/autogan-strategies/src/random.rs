//! [`Random`] draws points evenly and without replacement, and returns the best value that it saw.

use crate::error::Result;
use crate::on_ledger::{OnLedger, State};
use crate::strategy::{Problem, Query};

/// Random search at the last fidelity, each point once.
#[derive(Debug)]
pub struct Random {
    problem: Problem,
    fidelity: usize,
    state: State<()>,
}

impl Random {
    /// Its name.
    pub const NAME: &'static str = "random";

    /// A random search whose draws follow from `seed`.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, seed: u64) -> Result<Self> {
        let (fidelity, state) = (problem.last()?, State::new(&problem, seed, ()));
        Ok(Self { problem, fidelity, state })
    }

    /// The search that [`Strategy::save`](crate::Strategy::save) wrote.
    ///
    /// # Errors
    /// When the state is not of this strategy and problem.
    pub fn restore(problem: Problem, state: serde_json::Value) -> Result<Self> {
        let (fidelity, state) = (problem.last()?, State::read(Self::NAME, &problem, state)?);
        Ok(Self { problem, fidelity, state })
    }
}

impl OnLedger for Random {
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
        Ok(self.state.ask_fresh(&self.problem.space, self.fidelity))
    }
}
