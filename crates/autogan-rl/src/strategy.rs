//! [`LstmStrategy`] offers the controller as a search strategy: it draws whole architectures, and learns from the value of
//! each.
//!
//! All cells are drawn at once (single-level search, SLAS), since a strategy evaluates whole
//! architectures. The settings are those of a preset of searches. A preset is made for thousands of children, so the step
//! size is scaled to the number of evaluations that the budget pays for.

use std::collections::BTreeMap;

use autogan_config::{Configuration, PolicyConfig, SearchConfig};
use autogan_ops::{AdamConfig, Moments};
use autogan_strategies::{
    Belief, Ledger, Observation, Point, Problem, Query, Strategy, StrategyError, StrategyKind,
};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::actions::ActionSpace;
use crate::baseline::Baseline;
use crate::controller::{Controller, ControllerConfig};
use crate::error::{Result, RlError};
use crate::listed::Listed;
use crate::rule::{AnyChoice, ChoiceRule};
use crate::spread::RewardSpread;
use crate::trainer::PolicyTrainer;

/// The strategies of this crate.
pub const STRATEGIES: &[StrategyKind] = &[
    StrategyKind {
        name: PAPER.name,
        new: |problem, seed| Ok(Box::new(LstmStrategy::new(&PAPER, problem, seed)?)),
        restore: |problem, state| Ok(Box::new(LstmStrategy::restore(&PAPER, problem, state)?)),
    },
    StrategyKind {
        name: RELEASED.name,
        new: |problem, seed| Ok(Box::new(LstmStrategy::new(&RELEASED, problem, seed)?)),
        restore: |problem, state| Ok(Box::new(LstmStrategy::restore(&RELEASED, problem, state)?)),
    },
];

/// The paper's controller.
const PAPER: Variant = Variant { name: "reinforce", preset: "paper" };

/// The controller of the released code, with its loss.
const RELEASED: Variant = Variant { name: "reinforce_released", preset: "released" };

/// The largest step size, for budgets of few evaluations: that of the presets of small searches, `quick` and
/// `cifar10-cpu`.
const MOST_LR: f64 = 2e-3;

/// A name of the strategy, and the preset with its settings.
#[derive(Debug)]
struct Variant {
    name: &'static str,
    preset: &'static str,
}

/// The controller and REINFORCE at the last fidelity.
///
/// It draws with replacement, as in the paper: an architecture that is drawn again is trained again.
#[derive(Debug)]
pub struct LstmStrategy {
    variant: &'static Variant,
    problem: Problem,
    fidelity: usize,
    config: PolicyConfig,
    actions: ActionSpace,
    rule: Option<Listed>,
    controller: Controller,
    trainer: PolicyTrainer,
    progress: Progress,
}

/// What the strategy remembers besides its tensors.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    rng: ChaCha8Rng,
    ledger: Ledger,
    /// Steps of the controller so far.
    steps: usize,
    /// The children of the next step that were asked.
    asked: usize,
    /// Those that were told, by the numbers of their queries.
    told: BTreeMap<u64, (Point, Option<f64>)>,
    /// The lowest value so far, which stands for those that diverged.
    worst: Option<f64>,
}

/// The whole state as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<P> {
    progress: P,
    baseline: Baseline,
    spread: RewardSpread,
    parameters: BTreeMap<String, Vec<f32>>,
    moments: BTreeMap<String, SavedMoments>,
}

/// Adam's moments of one parameter.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedMoments {
    step: u64,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl LstmStrategy {
    fn new(
        variant: &'static Variant,
        problem: Problem,
        seed: u64,
    ) -> std::result::Result<Self, StrategyError> {
        let fidelity = problem.last()?;
        let failed = |error| variant.failed(error);
        let cells = problem.space.arch(&problem.space.at(0)).map(|arch| arch.cells().len());
        let cells = cells.ok_or_else(|| StrategyError::Problem {
            what: "the space of a controller",
            expected: "AutoGAN's architectures".into(),
            found: "other points".into(),
        })?;
        let evaluations = problem.budget / problem.fidelities[fidelity].cost;
        let config = variant.config(evaluations)?;
        let actions = ActionSpace::Joint { stage: cells - 1, order: config.tokens };
        let rule = Listed::new(&problem.space, actions).map_err(failed)?;
        let tokens = actions.tokens().map_err(failed)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let shape = ControllerConfig::from(&config);
        let controller = Controller::new(&tokens, &shape, DType::F32, &Device::Cpu, &mut rng);
        let controller = controller.map_err(failed)?;
        let adam: AdamConfig = PolicyTrainer::adam(&config);
        let trainer = PolicyTrainer::new(&config, adam).map_err(failed)?;
        let (ledger, told) = (Ledger::new(&problem), BTreeMap::new());
        let progress = Progress { rng, ledger, steps: 0, asked: 0, told, worst: None };
        Ok(Self {
            variant,
            problem,
            fidelity,
            config,
            actions,
            rule,
            controller,
            trainer,
            progress,
        })
    }

    fn restore(
        variant: &'static Variant,
        problem: Problem,
        state: serde_json::Value,
    ) -> std::result::Result<Self, StrategyError> {
        let source = |source| StrategyError::State { strategy: variant.name, source };
        let saved: Saved<Progress> = serde_json::from_value(state).map_err(source)?;
        saved.progress.ledger.check(&problem)?;
        let mut strategy = Self::new(variant, problem, 0)?;
        strategy.load(saved).map_err(|error| variant.failed(error))?;
        Ok(strategy)
    }

    /// Takes over a state that was saved.
    fn load(&mut self, saved: Saved<Progress>) -> Result<()> {
        let Saved { progress, baseline, spread, parameters, moments } = saved;
        for (point, _) in progress.told.values() {
            self.actions_of(point)?;
        }
        let dims: BTreeMap<String, Vec<usize>> = self
            .controller
            .named_vars()
            .map(|(name, var)| (name.to_owned(), var.dims().into()))
            .collect();
        let tensor = |name: &str, values: Vec<f32>| {
            let dims = dims.get(name).cloned().unwrap_or_else(|| vec![values.len()]);
            Tensor::from_vec(values, dims, &Device::Cpu)
        };
        let mut tensors = Vec::new();
        for (name, values) in parameters {
            let values = tensor(&name, values)?;
            tensors.push((name, values));
        }
        let mut restored = BTreeMap::new();
        for (name, SavedMoments { step, m, v }) in moments {
            let moments = Moments { step, m: tensor(&name, m)?, v: tensor(&name, v)? };
            restored.insert(name, moments);
        }
        self.controller.load_state(&tensors)?;
        self.trainer.optimizer.set_moments(restored);
        self.trainer.reinforce.set_baseline(baseline)?;
        self.trainer.reinforce.set_spread(spread);
        self.progress = progress;
        Ok(())
    }

    fn saved(&self) -> Result<Saved<&Progress>> {
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let mut parameters = BTreeMap::new();
        for (name, tensor) in self.controller.state()? {
            parameters.insert(name, values(&tensor)?);
        }
        let mut moments = BTreeMap::new();
        for (name, Moments { step, m, v }) in self.trainer.optimizer.moments() {
            let saved = SavedMoments { step: *step, m: values(m)?, v: values(v)? };
            moments.insert(name.clone(), saved);
        }
        let reinforce = &self.trainer.reinforce;
        let (baseline, spread) = (reinforce.baseline().clone(), reinforce.spread().clone());
        Ok(Saved { progress: &self.progress, baseline, spread, parameters, moments })
    }

    /// Draws so many architectures.
    fn draw(&mut self, count: usize) -> Result<Vec<Point>> {
        let starts = self.controller.zero_starts(count);
        let ruled = self.controller.within(rule(&self.rule));
        let rollout = ruled.sample(&starts, &mut self.progress.rng)?;
        let point = |actions: &Vec<usize>| {
            let arch = self.actions.decode(None, actions)?;
            let none = RlError::Empty("point of the space for a drawn architecture");
            self.problem.space.point(&arch).ok_or(none)
        };
        rollout.actions.iter().map(point).collect()
    }

    /// The controller's choices for a point.
    fn actions_of(&self, point: &Point) -> Result<Vec<usize>> {
        match self.problem.space.arch(point) {
            Some(arch) => self.actions.encode(&arch),
            None => Err(RlError::Empty("cell")),
        }
    }

    /// Takes a step with the children that were told.
    fn learn(&mut self) -> Result<()> {
        let told = std::mem::take(&mut self.progress.told);
        self.progress.asked = 0;
        if self.config.steps > 0 && self.progress.steps.is_multiple_of(self.config.steps) {
            self.trainer.reinforce.begin_iteration();
        }
        self.progress.steps += 1;
        let values = told.values().filter_map(|(_, value)| *value);
        self.progress.worst = values.chain(self.progress.worst).reduce(f64::min);
        // Where everything diverged so far, there is nothing to learn from.
        let Some(worst) = self.progress.worst else { return Ok(()) };
        let rewards: Vec<f64> = told.values().map(|(_, value)| value.unwrap_or(worst)).collect();
        let actions: Vec<Vec<usize>> =
            told.values().map(|(point, _)| self.actions_of(point)).collect::<Result<_>>()?;
        let starts = self.controller.zero_starts(actions.len());
        let rollout = self.controller.within(rule(&self.rule)).evaluate(&starts, &actions)?;
        self.trainer.step(&mut self.controller, &rollout, &rewards)?;
        Ok(())
    }
}

/// The rule that keeps to the points of the space.
fn rule(listed: &Option<Listed>) -> &dyn ChoiceRule {
    listed.as_ref().map_or(&AnyChoice, |listed| listed)
}

impl Variant {
    fn failed(&self, error: impl std::fmt::Display) -> StrategyError {
        StrategyError::Failed { strategy: self.name, message: error.to_string() }
    }

    /// The preset's settings, with the step size scaled to a number of evaluations: Adam's steps add up to the same length
    /// as in the preset's search, as far as [`MOST_LR`] allows.
    fn config(&self, evaluations: f64) -> std::result::Result<PolicyConfig, StrategyError> {
        let preset = SearchConfig::preset(self.preset, &[]).map_err(|error| self.failed(error))?;
        let config = preset.controller;
        let children = (preset.search.iterations * config.steps * config.children) as f64;
        let scale = (children / evaluations.max(1.0)).max(1.0);
        let lr = (config.lr * scale).min(MOST_LR);
        Ok(PolicyConfig { lr, ..config })
    }
}

impl Strategy for LstmStrategy {
    fn name(&self) -> &'static str {
        self.variant.name
    }

    fn ask(&mut self, at_once: usize) -> std::result::Result<Vec<Query>, StrategyError> {
        let count = at_once.min(self.config.children - self.progress.asked);
        if count == 0 {
            return Ok(Vec::new());
        }
        let points = self.draw(count).map_err(|error| self.variant.failed(error))?;
        self.progress.asked += count;
        let ledger = &mut self.progress.ledger;
        Ok(points.into_iter().map(|point| ledger.ask(point, self.fidelity)).collect())
    }

    fn tell(&mut self, observation: &Observation) -> std::result::Result<(), StrategyError> {
        let (number, value) = self.progress.ledger.tell(observation)?;
        self.progress.told.insert(number, (observation.query.point.clone(), value));
        if self.progress.told.len() < self.config.children {
            return Ok(());
        }
        self.learn().map_err(|error| self.variant.failed(error))
    }

    fn best(&self) -> std::result::Result<Option<Belief>, StrategyError> {
        Ok(self.progress.ledger.best())
    }

    fn save(&self) -> std::result::Result<serde_json::Value, StrategyError> {
        let saved = self.saved().map_err(|error| self.variant.failed(error))?;
        let source = |source| StrategyError::State { strategy: self.variant.name, source };
        serde_json::to_value(saved).map_err(source)
    }
}

#[cfg(test)]
mod tests;
