//! A [`Surrogate`] is a model of the problem's function, which learns from all observations of all fidelities.
//!
//! - [`data`] says how the fidelities hang together and turns observations into linear ones.
//! - [`ridge`] and [`gaussian`] are the two models: main effects and pairs of tokens, and a Gaussian process.
//! - [`hyper`] chooses their hyperparameters by the marginal likelihood.
//! - [`pick`] picks the winner.

mod contrasts;
mod data;
mod effects;
mod gaussian;
mod hyper;
mod linear;
mod pick;
mod ridge;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StrategyError};
use crate::model::data::Data;
use crate::model::hyper::{Hyper, Prior};
use crate::space::{Point, Space};
use crate::strategy::{Fidelity, Observation, Problem, Query};

pub use effects::Effects;
pub use gaussian::GaussianFit;
pub use pick::Among;
pub use ridge::RidgeFit;

/// The fewest observations from which hyperparameters are fitted; with fewer, their priors stand in.
const FEWEST: usize = 8;
/// How many steps of hyperparameters are tried after an observation of a training; one more where the last of them is tried
/// in both directions.
const TRIES: usize = 12;

/// Steps in which the hyperparameters of [`Surrogate::of_scores`] are looked for.
const CLIMB: usize = 100;

/// Scores that were taken in the same way, for [`Surrogate::of_scores`].
#[derive(Clone, Copy, Debug)]
pub struct ScoreLevel<'a> {
    /// What they are, such as `children`.
    pub name: &'a str,
    /// Whether they have the unit of the other levels of which this is true.
    pub shares_unit: bool,
    /// Points with their scores; a point may come several times.
    pub scores: &'a [(Point, f64)],
}

/// A model of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelKind {
    /// Bayesian ridge regression on main effects and pairs of tokens.
    Ridge,
    /// A Gaussian process.
    Gaussian,
}

/// A value that is not known exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// What is expected.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
}

/// A model that was fitted to observations. All its values are those of the last fidelity, in the problem's unit.
#[derive(Debug)]
pub enum Fitted {
    /// Bayesian ridge regression.
    Ridge(RidgeFit),
    /// A Gaussian process.
    Gaussian(GaussianFit),
}

impl Fitted {
    /// The posterior mean at a point.
    pub fn mean(&self, point: &Point) -> f64 {
        match self {
            Self::Ridge(fit) => fit.mean(point),
            Self::Gaussian(fit) => fit.mean(point),
        }
    }

    /// The posterior at a point: of its true value, without the noise of a training.
    pub fn belief(&self, point: &Point) -> Normal {
        match self {
            Self::Ridge(fit) => fit.belief(point),
            Self::Gaussian(fit) => fit.belief(point),
        }
    }

    /// The point with the highest posterior mean of the whole space. The ridge's is exact; a Gaussian process's is so up to
    /// 5,000 points, otherwise it is the best that better neighbours lead to.
    pub fn best(&self, space: &Space) -> Option<Point> {
        match self {
            Self::Ridge(fit) => fit.effects().maximum(space, |_| true).map(|(point, _)| point),
            Self::Gaussian(fit) => fit.best_of(space),
        }
    }

    /// The best of the allowed points by a function that is drawn from the posterior (Thompson sampling): exact for the
    /// ridge, among candidates for the Gaussian process. `None` when no point is allowed.
    ///
    /// # Errors
    /// When the function cannot be drawn.
    pub fn draw_best(
        &self,
        space: &Space,
        allowed: impl Fn(&Point) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<Point>> {
        match self {
            Self::Ridge(fit) => Ok(fit.draw(rng).maximum(space, allowed).map(|(point, _)| point)),
            Self::Gaussian(fit) => {
                let candidates = fit.candidates(space, allowed, rng);
                let values = fit.draw(&candidates, rng).ok_or_else(|| cannot("drawn from"))?;
                let drawn = candidates.into_iter().zip(values);
                let best = drawn.reduce(|best, next| if next.1 > best.1 { next } else { best });
                Ok(best.map(|(point, _)| point))
            }
        }
    }
}

/// A model that is told observations one by one.
///
/// Its hyperparameters are climbed a little after each observation of a training, at first; later after every tenth part more.
/// When this is done depends on what it was told alone, not on when it was asked, so that a restored model has the same bits.
#[derive(Debug)]
pub struct Surrogate {
    kind: ModelKind,
    problem: Problem,
    state: SurrogateState,
    fitted: OnceCell<Fitted>,
}

/// What is saved of a [`Surrogate`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurrogateState {
    observations: Vec<Observation>,
    hyper: Hyper,
    /// The number of observations of trainings at which the hyperparameters are fitted next.
    due: usize,
}

impl Surrogate {
    /// A model without observations.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn new(problem: Problem, kind: ModelKind) -> Result<Self> {
        let hyper = Hyper::new(&priors(&problem, kind)?);
        let state = SurrogateState { observations: Vec::new(), hyper, due: FEWEST };
        Ok(Self { kind, problem, state, fitted: OnceCell::new() })
    }

    /// A ridge model of scores that were taken one by one, each with its own noise: none goes on as another. It expects scores
    /// of the last level. Levels without a score are left out.
    ///
    /// # Errors
    /// When there is no score, a point is not of the space, or the model cannot be fitted.
    pub fn of_scores(space: Space, levels: &[ScoreLevel<'_>]) -> Result<Self> {
        let levels = || levels.iter().filter(|level| !level.scores.is_empty());
        // The costs only say which comes last.
        let fidelity = |(level, cost): (&ScoreLevel<'_>, u8)| Fidelity {
            name: level.name.to_owned(),
            cost: cost.into(),
            continues: level.shares_unit,
        };
        let fidelities = levels().zip(1..).map(fidelity).collect();
        let mut model =
            Self::new(Problem { space, fidelities, budget: f64::MAX }, ModelKind::Ridge)?;
        let mut repeat = 0;
        for (fidelity, level) in levels().enumerate() {
            for (point, value) in level.scores {
                let query = Query { point: point.clone(), fidelity, repeat };
                model.tell(&Observation { query, value: Some(*value), cost: 1.0 })?;
                repeat += 1;
            }
        }
        model.climb(CLIMB)?;
        model.fitted()?;
        Ok(model)
    }

    /// The model that [`Surrogate::state`] gave.
    ///
    /// # Errors
    /// When the state is not of this problem and model.
    pub fn restore(problem: Problem, kind: ModelKind, state: SurrogateState) -> Result<Self> {
        let priors = priors(&problem, kind)?;
        if !state.hyper.fits(&priors) {
            return Err(StrategyError::Problem {
                what: "the saved hyperparameters of the model",
                expected: format!("{} of them, those of this problem", priors.len()),
                found: format!("{:?}", state.hyper),
            });
        }
        for observation in &state.observations {
            check(&problem, observation)?;
        }
        Ok(Self { kind, problem, state, fitted: OnceCell::new() })
    }

    /// What has to be saved.
    pub fn state(&self) -> &SurrogateState {
        &self.state
    }

    /// What it was told.
    pub fn observations(&self) -> &[Observation] {
        &self.state.observations
    }

    /// The problem.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Takes an observation.
    ///
    /// # Errors
    /// When the observation is not of the problem.
    pub fn tell(&mut self, observation: &Observation) -> Result<()> {
        check(&self.problem, observation)?;
        self.state.observations.push(observation.clone());
        self.fitted.take();
        let trains = |at: usize| {
            at + 1 == self.problem.fidelities.len() || self.problem.fidelities[at].continues
        };
        let trained = self.state.observations.iter().filter(|o| trains(o.query.fidelity)).count();
        if trains(observation.query.fidelity) && trained >= self.state.due {
            self.state.due = trained + 1 + trained / 10;
            self.climb(TRIES)?;
        }
        Ok(())
    }

    /// Tries that many steps of the hyperparameters, or one more, and keeps those that raise the marginal likelihood times
    /// their prior.
    ///
    /// # Errors
    /// When the problem's fidelities cannot be.
    pub fn climb(&mut self, tries: usize) -> Result<()> {
        self.fitted.take();
        let (priors, data, count) =
            (priors(&self.problem, self.kind)?, self.data(), self.function());
        match self.kind {
            ModelKind::Ridge => {
                let moments = ridge::Moments::new(&self.problem.space, &data);
                self.state
                    .hyper
                    .climb(&priors, count, tries, |scales| moments.evidence(&data, scales));
            }
            ModelKind::Gaussian => self.state.hyper.climb(&priors, count, tries, |scales| {
                gaussian::evidence(
                    &gaussian::rows_to_fit(&data, scales),
                    scales,
                    &self.problem.space,
                )
            }),
        }
        Ok(())
    }

    /// The model fitted to all that it was told.
    ///
    /// # Errors
    /// When the fit cannot be computed.
    pub fn fitted(&self) -> Result<&Fitted> {
        if let Some(fitted) = self.fitted.get() {
            return Ok(fitted);
        }
        let (data, scales) = (self.data(), self.state.hyper.scales(self.function()));
        let fitted = match self.kind {
            ModelKind::Ridge => ridge::Moments::new(&self.problem.space, &data)
                .fit(&data, &scales)
                .map(Fitted::Ridge),
            ModelKind::Gaussian => {
                GaussianFit::new(&self.problem.space, &data, &scales).map(Fitted::Gaussian)
            }
        };
        let fitted = fitted.ok_or_else(|| cannot("fitted to its observations"))?;
        Ok(self.fitted.get_or_init(|| fitted))
    }

    /// The number of hyperparameters of the function.
    fn function(&self) -> usize {
        match self.kind {
            ModelKind::Ridge => ridge::FUNCTION,
            ModelKind::Gaussian => gaussian::function(&self.problem.space),
        }
    }

    fn data(&self) -> Data {
        let scales = self.state.hyper.scales(self.function());
        let noise = |at: usize| scales.low.get(at).map_or(scales.noise, |low| low.noise);
        Data::new(&self.problem, &self.state.observations, noise)
    }
}

fn priors(problem: &Problem, kind: ModelKind) -> Result<Vec<Prior>> {
    let last = problem.last()?;
    let function = match kind {
        ModelKind::Ridge => ridge::function_priors(),
        ModelKind::Gaussian => gaussian::function_priors(&problem.space),
    };
    let continues: Vec<bool> = problem.fidelities[..last].iter().map(|f| f.continues).collect();
    Ok(hyper::priors(function, &continues))
}

fn check(problem: &Problem, observation: &Observation) -> Result<()> {
    let wrong = |what, expected, found| Err(StrategyError::Problem { what, expected, found });
    let (query, count) = (&observation.query, problem.fidelities.len());
    if query.fidelity >= count {
        let expected = format!("one below {count}");
        return wrong("the fidelity of an observation", expected, query.fidelity.to_string());
    }
    if !problem.space.contains(&query.point) {
        let expected = "a point of the space".into();
        return wrong("the point of an observation", expected, format!("{:?}", query.point.0));
    }
    Ok(())
}

fn cannot(be: &str) -> StrategyError {
    StrategyError::Failed {
        strategy: "model",
        message: format!(
            "the model cannot be {be}, since a matrix is not positive; look for values of very different size"
        ),
    }
}
