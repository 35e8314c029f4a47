//! A [`Strategy`] decides what is evaluated next, and learns from what it is told.

use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::space::{Point, Space};

/// What is searched.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The points.
    pub space: Space,
    /// The ways to evaluate a point; the costlier the later, and the last is the one that counts.
    pub fidelities: Vec<Fidelity>,
    /// What all evaluations together may cost, in the unit of [`Fidelity::cost`].
    pub budget: f64,
}

/// A way to evaluate a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fidelity {
    /// Its name, such as `300 iterations` or `shared weights`.
    pub name: String,
    /// What an evaluation costs on average, such as thread-seconds: of a training, from its beginning.
    pub cost: f64,
    /// Whether it is a length of one training, which goes on from the length before at the difference of the costs. A
    /// score on shared weights is none.
    pub continues: bool,
}

/// A point to evaluate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Query {
    /// The point.
    pub point: Point,
    /// Index into [`Problem::fidelities`].
    pub fidelity: usize,
    /// Which training of this point is meant, from 0: each has a seed of its own. The fidelities of one `repeat` are
    /// lengths of the same training.
    pub repeat: usize,
}

/// What an evaluation gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What was asked.
    pub query: Query,
    /// The value, higher is better, such as −log F; `None` when the networks diverged.
    pub value: Option<f64>,
    /// What the evaluation cost beyond what was paid for the same training before.
    pub cost: f64,
}

impl Observation {
    /// The value; `None` when the networks diverged, which is also what a value says that is not finite.
    pub fn finite(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite())
    }
}

/// The point that a strategy would return now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// The point.
    pub point: Point,
    /// The value that the strategy expects of it at the last fidelity.
    pub mean: f64,
    /// The standard deviation of that expectation, from a strategy that has a model.
    pub sd: Option<f64>,
}

/// A search strategy.
///
/// What it draws at random follows from the seed that it was made with and from what it was told. A strategy that is
/// restored from [`Strategy::save`] goes on with the same bits.
pub trait Strategy: Send {
    /// The name, as a command line gives it.
    fn name(&self) -> &'static str;

    /// At most `at_once` queries, which are evaluated at the same time. None: the strategy waits for observations of
    /// earlier queries, or, when it was told all of them, has nothing left to ask.
    ///
    /// The end of the budget is no reason to ask nothing: who drives the strategy ends the search there, by
    /// [`Problem::affordable`]. A strategy whose brackets are planned by the budget has nothing left to ask when the rest
    /// pays for no further one.
    ///
    /// # Errors
    /// When the strategy cannot compute.
    fn ask(&mut self, at_once: usize) -> Result<Vec<Query>>;

    /// Takes the result of a query. Results may come in any order. A value that is not finite counts as none.
    ///
    /// # Errors
    /// When the query was not asked or was told before, or the strategy cannot compute.
    fn tell(&mut self, observation: &Observation) -> Result<()>;

    /// The point that the strategy would return now; `None` before it was told any finite value, and where all that it was
    /// told of a point are values of networks that diverged.
    ///
    /// # Errors
    /// When the strategy cannot compute.
    fn best(&self) -> Result<Option<Belief>>;

    /// The whole state, from which the strategy's `restore` makes it again.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    fn save(&self) -> Result<serde_json::Value>;
}

impl Problem {
    /// What may be spent: the budget, and what the rounding of a sum of costs can add to it.
    pub fn affordable(&self) -> f64 {
        self.budget * (1.0 + 1e-9)
    }

    /// The index of the last fidelity, the one that counts.
    ///
    /// # Errors
    /// When the problem has no fidelity, a cost is not above 0, or the costs do not rise.
    pub fn last(&self) -> Result<usize> {
        let costs: Vec<f64> = self.fidelities.iter().map(|fidelity| fidelity.cost).collect();
        let rise =
            costs.is_sorted_by(|a, b| a < b) && costs.first().is_some_and(|&cost| cost > 0.0);
        if rise {
            return Ok(costs.len() - 1);
        }
        Err(StrategyError::Problem {
            what: "the costs of the fidelities",
            expected: "one or more, above 0, rising".into(),
            found: format!("{costs:?}"),
        })
    }
}
