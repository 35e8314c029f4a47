//! [`OnLedger`] is what a strategy adds to a [`Ledger`] and a generator of random numbers to be a [`Strategy`].
//!
//! Everything that these strategies have in common is here: the loop over what is asked at once, the account of what was
//! told, the winner, and the state that is saved.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::ledger::Ledger;
use crate::model::{Among, ModelKind, Surrogate, SurrogateState};
use crate::space::Space;
use crate::strategy::{Belief, Observation, Problem, Query, Strategy};

/// The state of a strategy, without its model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State<T> {
    pub rng: ChaCha8Rng,
    pub ledger: Ledger,
    /// What this strategy alone has.
    pub own: T,
}

/// A state as it is saved; the model is that of a strategy that has one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<S, M> {
    search: S,
    model: M,
}

/// The result of a query.
pub(crate) struct Told<'a> {
    /// The number of the query.
    pub number: u64,
    pub query: &'a Query,
    /// `None` when the networks diverged; never a value that is not finite.
    pub value: Option<f64>,
}

/// What one strategy does otherwise than others.
pub(crate) trait OnLedger: Send {
    /// What its state holds besides the generator and the ledger.
    type Own: Serialize;

    /// The name, as a command line gives it.
    fn title(&self) -> &'static str;

    fn state(&self) -> &State<Self::Own>;

    fn state_mut(&mut self) -> &mut State<Self::Own>;

    /// The next query, which the ledger knows; `None` where the strategy waits, or has nothing left to ask.
    fn next_query(&mut self) -> Result<Option<Query>>;

    /// Takes a result that the ledger and the model were told.
    fn learn(&mut self, _: Told<'_>) {}

    /// The model that picks the winner, in the place of the best mean of the ledger.
    fn model(&self) -> Option<&Surrogate> {
        None
    }

    fn model_mut(&mut self) -> Option<&mut Surrogate> {
        None
    }
}

impl<T: OnLedger> Strategy for T {
    fn name(&self) -> &'static str {
        self.title()
    }

    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>> {
        let mut queries = Vec::new();
        while queries.len() < at_once {
            let Some(query) = self.next_query()? else { break };
            queries.push(query);
        }
        Ok(queries)
    }

    fn tell(&mut self, observation: &Observation) -> Result<()> {
        let (number, value) = self.state_mut().ledger.tell(observation)?;
        if let Some(model) = self.model_mut() {
            model.tell(observation)?;
        }
        self.learn(Told { number, query: &observation.query, value });
        Ok(())
    }

    fn best(&self) -> Result<Option<Belief>> {
        match self.model() {
            Some(model) => model.pick(Among::Evaluated),
            None => Ok(self.state().ledger.best()),
        }
    }

    fn save(&self) -> Result<serde_json::Value> {
        let saved = Saved { search: self.state(), model: self.model().map(Surrogate::state) };
        let source = |source| StrategyError::State { strategy: self.title(), source };
        serde_json::to_value(saved).map_err(source)
    }
}

impl<T> State<T> {
    /// The state before the first query; its draws follow from `seed`.
    pub fn new(problem: &Problem, seed: u64, own: T) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), ledger: Ledger::new(problem), own }
    }

    /// Asks for a point that was not asked, each as likely as any other; `None` when all were.
    pub fn ask_fresh(&mut self, space: &Space, fidelity: usize) -> Option<Query> {
        let point = self.ledger.fresh(space, &mut self.rng)?;
        Some(self.ledger.ask(point, fidelity))
    }
}

impl<T: DeserializeOwned> State<T> {
    /// The state that a strategy without a model saved.
    ///
    /// # Errors
    /// When the state is of another strategy or of another problem.
    pub fn read(
        strategy: &'static str,
        problem: &Problem,
        state: serde_json::Value,
    ) -> Result<Self> {
        Ok(read::<T, ()>(strategy, problem, state)?.search)
    }

    /// The state that a strategy with a model saved, and its model.
    ///
    /// # Errors
    /// When the state is of another strategy or of another problem.
    pub fn read_with_model(
        strategy: &'static str,
        problem: &Problem,
        kind: ModelKind,
        state: serde_json::Value,
    ) -> Result<(Self, Surrogate)> {
        let Saved { search, model } = read::<T, SurrogateState>(strategy, problem, state)?;
        Ok((search, Surrogate::restore(problem.clone(), kind, model)?))
    }
}

fn read<T: DeserializeOwned, M: DeserializeOwned>(
    strategy: &'static str,
    problem: &Problem,
    state: serde_json::Value,
) -> Result<Saved<State<T>, M>> {
    let source = |source| StrategyError::State { strategy, source };
    let saved: Saved<State<T>, M> = serde_json::from_value(state).map_err(source)?;
    saved.search.ledger.check(problem)?;
    Ok(saved)
}
