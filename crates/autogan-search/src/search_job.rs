//! A search is a [`Job`] here: its units of work, its checkpoints, and what it leaves in its run directory.

use autogan_config::Configuration;
use autogan_rl::{Baseline, Beam, RewardSpread};
use autogan_run::{Checkpoint, Result as RunResult, RunDir, Trial};
use autogan_space::{Arch, MAX_CELLS, derived_generator_cost};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::config::SearchConfig;
use crate::derivation::Derivation;
use crate::error::{Result, SearchError};
use crate::event::{Reporter, ScoredArch, SearchEvent};
use crate::inputs::{Inputs, Sources};
use crate::job::Job;
use crate::losses::{ComingLosses, KnownLosses};
use crate::networks::AdamSteps;
use crate::position::{Phase, Position};
use crate::score::ExtractorScore;
use crate::search::{Ranking, Search};
use crate::tensors::{StoredTensors, broken, check_images, put, put_adam};
use crate::unit::{Place, Unit};
use crate::window::LossWindows;

/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";
/// The prefix of the tensors of the controller's optimizer.
const CONTROLLER_ADAM: &str = "controller_adam";

/// Points of a loss curve that are stored for each iteration.
const CURVE_POINTS: u64 = 100;

/// Everything of a search that is no tensor and does not follow from the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    position: Position,
    beam: Option<Beam>,
    windows: LossWindows,
    #[serde(rename = "unheard")]
    losses: Option<KnownLosses>,
    baseline: Baseline,
    /// Checkpoints of earlier versions have none.
    #[serde(default)]
    spread: RewardSpread,
    favourite: Option<(Arch, f64)>,
    /// Earlier versions put each child among those that were seen at once.
    #[serde(default)]
    children: Vec<(Arch, f64)>,
    seen: Vec<(Arch, f64)>,
    /// Only searches with a model have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rewards: Vec<(Arch, f64)>,
    ranking: Option<Ranking>,
    derivation: Option<Derivation>,
    /// Training images, which say how long an epoch is.
    images: usize,
    /// Their hash, which checkpoints of earlier versions lack.
    #[serde(default)]
    images_sha256: Option<String>,
    adam_steps: AdamSteps,
}

impl Job for Search {
    type Config = SearchConfig;
    type Inputs = Inputs;
    type Event = SearchEvent;
    const CONFIG_KEY: &'static str = "config";

    fn load(config: &SearchConfig, sources: &Sources, device: &Device) -> Result<Inputs> {
        let images = sources.images(&config.data, config.model.bottom * 8)?.into();
        let scorer = &config.reward.scorer;
        let extractor = match config.reward.metric.is_frechet() {
            true => sources.scorer(scorer, device)?,
            false => sources.classifier(scorer, device)?,
        };
        let score = Box::new(ExtractorScore::new(extractor, &config.reward));
        Ok(Inputs { images, score, device: device.clone() })
    }

    fn new(config: SearchConfig, inputs: Inputs) -> Result<Self> {
        Self::at_stage(config.first_stage(), config, inputs)
    }

    fn restore(checkpoint: &Checkpoint, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        let saved: SavedState = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        check_images(saved.images, saved.images_sha256.as_deref(), &inputs.images)?;
        let stage = saved.position.stage;
        if stage >= MAX_CELLS {
            return Err(SearchError::Checkpoint(format!("stage {stage} is beyond the last")));
        }
        let mut search = Self::at_stage(stage, config, inputs)?;
        let stored = StoredTensors::new(checkpoint);
        search.networks.restore(&stored, &saved.adam_steps)?;
        search.position = saved.position;
        search.controller.load_state(&stored.state("controller")?)?;
        search.policy.reinforce.set_baseline(saved.baseline)?;
        search.policy.reinforce.set_spread(saved.spread);
        let (policy, steps) =
            (search.controller.named_vars(), saved.adam_steps.get(CONTROLLER_ADAM));
        let moments = stored.moments(CONTROLLER_ADAM, policy, steps)?;
        search.policy.optimizer.set_moments(moments);
        search.beam = saved.beam;
        search.windows = saved.windows;
        search.losses = saved.losses.map(ComingLosses::known);
        search.favourite = saved.favourite;
        search.children = saved.children;
        search.seen = saved.seen;
        search.rewards = saved.rewards;
        search.ranking = saved.ranking;
        search.derivation = saved.derivation;
        let derived_otherwise = Self::config_of(checkpoint)?.derive != search.config.derive;
        let derives = matches!(search.position.phase, Phase::Derive | Phase::Done);
        if derives && derived_otherwise {
            search.derive_anew(Phase::Derive);
        }
        search.fit_iterations()?;
        Ok(search)
    }

    fn config(&self) -> &SearchConfig {
        &self.config
    }

    fn run_name(&self) -> (String, u64) {
        (self.config.preset.clone(), self.config.seed)
    }

    fn place(&self) -> Place {
        let p = self.position;
        Place {
            tick: p.tick,
            stage: p.stage,
            iteration: p.iteration as u64,
            d_steps: p.d_steps,
            done: p.phase == Phase::Done,
        }
    }

    fn advance(&mut self, reporter: &mut dyn Reporter<SearchEvent>) -> Result<bool> {
        match self.position.phase {
            Phase::Begin => self.begin_iteration(reporter)?,
            Phase::Shared => self.shared_step(reporter)?,
            Phase::Controller => self.controller_step(reporter)?,
            Phase::End => self.end_iteration(reporter)?,
            Phase::Derive => self.derive(reporter)?,
            Phase::Done => return Ok(false),
        }
        self.position.tick += 1;
        Ok(true)
    }

    fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        let mut adam_steps = self.networks.save(&mut checkpoint)?;
        for (name, tensor) in self.controller.state()? {
            put(&mut checkpoint, format!("controller.{name}"), &tensor)?;
        }
        let controller = put_adam(&mut checkpoint, CONTROLLER_ADAM, &self.policy.optimizer)?;
        adam_steps.insert(CONTROLLER_ADAM.to_owned(), controller);
        let saved = SavedState {
            position: self.position,
            beam: self.beam.clone(),
            windows: self.windows.clone(),
            losses: self.losses.as_ref().map(ComingLosses::read).transpose()?,
            baseline: self.policy.reinforce.baseline().clone(),
            spread: self.policy.reinforce.spread().clone(),
            favourite: self.favourite.clone(),
            children: self.children.clone(),
            seen: self.seen.clone(),
            rewards: self.rewards.clone(),
            ranking: self.ranking.clone(),
            derivation: self.derivation.clone(),
            images: self.images.len(),
            images_sha256: Some(self.images.content_hash()),
            adam_steps,
        };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        checkpoint.metadata.insert(Self::CONFIG_KEY.into(), self.config.to_toml()?);
        Ok(checkpoint)
    }

    fn record(config: &SearchConfig, event: &SearchEvent, unit: &mut Unit<'_>) -> RunResult<()> {
        match event {
            SearchEvent::Stage { stage, real, .. } => {
                unit.scalar(&format!("score/real/stage{stage}"), *real)
            }
            SearchEvent::Iteration { .. } => Ok(()),
            SearchEvent::Step(losses) => unit.losses(losses, CURVE_POINTS, config.train.n_critic),
            SearchEvent::Reset { step, g_spread, d_spread } => unit.row(
                "reset",
                serde_json::json!({ "step": step, "g_spread": g_spread, "d_spread": d_spread }),
            ),
            SearchEvent::Scored(scored) => trial(config, scored, unit),
            SearchEvent::Controller { report, .. } => {
                unit.scalar("controller/reward", report.mean_reward)?;
                unit.scalar("controller/baseline", report.baseline)?;
                unit.scalar("controller/entropy", report.mean_entropy)?;
                unit.scalar("controller/loss", report.loss)
            }
            SearchEvent::Drawn { mean_reward, .. } => {
                unit.scalar("controller/reward", *mean_reward)
            }
            SearchEvent::Images { so_far } => {
                // An iteration ends with it, and the whole search.
                unit.milestone();
                unit.scalar("images/real", so_far.real as f64)?;
                unit.scalar("images/fake", so_far.fake as f64)?;
                unit.scalar("images/scored", so_far.scored as f64)
            }
            SearchEvent::Policy { probabilities } => {
                let mut all = probabilities.iter();
                all.try_for_each(|(token, choice, p)| {
                    unit.scalar(&format!("policy/{token}/{choice}"), *p)
                })
            }
            SearchEvent::Samples(grid) => unit.picture(grid),
            SearchEvent::Beam { stage, entries } => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(arch, reward)| serde_json::json!({ "arch": arch, "reward": reward }))
                    .collect();
                unit.row("beam", serde_json::json!({ "stage": stage, "entries": entries }))
            }
            SearchEvent::Found(found) => {
                unit.row("found", serde_json::json!({ "score": found.score }))?;
                found.write(&unit.dir().arch_path())
            }
        }
    }

    fn write_result(&self, dir: &RunDir) -> Result<()> {
        self.found().map_or(Ok(()), |found| Ok(found.write(&dir.arch_path())?))
    }
}

/// The row of a scored architecture.
fn trial(config: &SearchConfig, scored: &ScoredArch, unit: &mut Unit<'_>) -> RunResult<()> {
    let (arch, place) = (scored.arch.clone(), unit.place());
    let cost = derived_generator_cost(&arch, &config.model.shape());
    unit.trial(&Trial {
        tick: place.tick,
        kind: scored.kind,
        stage: arch.stage() as u32,
        iteration: place.iteration as u32,
        step: scored.step as u32,
        named: arch.named(),
        arch,
        score: scored.score,
        spread: scored.spread,
        entropy: scored.entropy,
        advantage: scored.advantage,
        baseline: scored.baseline,
        reward: Some(scored.reward),
        params: cost.params,
        macs: cost.macs,
        seconds: scored.seconds,
    })
}
