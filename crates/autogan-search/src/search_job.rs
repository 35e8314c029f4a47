//! A search as a [`Job`]: what it leaves in its run directory.

use autogan_run::{Checkpoint, Result as RunResult, RunDir, Trial};
use autogan_space::derived_generator_cost;
use candle_core::Device;

use crate::config::SearchConfig;
use crate::error::Result;
use crate::event::{Reporter, SearchEvent};
use crate::inputs::{Inputs, Sources};
use crate::job::Job;
use crate::parts::generator_sizes;
use crate::position::Phase;
use crate::score::ExtractorScore;
use crate::search::Search;
use crate::unit::{Place, Unit};

/// Points of a loss curve that are stored for each iteration.
const CURVE_POINTS: u64 = 100;

impl Job for Search {
    type Config = SearchConfig;
    type Inputs = Inputs;
    type Event = SearchEvent;
    const CONFIG_KEY: &'static str = "config";

    fn load(config: &SearchConfig, sources: &Sources, device: &Device) -> Result<Inputs> {
        let images = sources.images(&config.data, config.model.bottom * 8)?.into();
        let extractor = sources.scorer(&config.reward.scorer, device)?;
        let score = Box::new(ExtractorScore::new(extractor, &config.reward));
        Ok(Inputs { images, score, device: device.clone() })
    }

    fn begin(config: SearchConfig, inputs: Inputs) -> Result<Self> {
        Self::new(config, inputs)
    }

    fn resume(checkpoint: &Checkpoint, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        Self::restore(checkpoint, config, inputs)
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
        Self::advance(self, reporter)
    }

    fn save(&self) -> Result<Checkpoint> {
        Self::save(self)
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
            SearchEvent::Scored { .. } => trial(config, event, unit),
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
fn trial(config: &SearchConfig, event: &SearchEvent, unit: &mut Unit<'_>) -> RunResult<()> {
    let SearchEvent::Scored {
        kind,
        step,
        arch,
        score,
        spread,
        reward,
        entropy,
        advantage,
        baseline,
        seconds,
    } = event
    else {
        return Ok(());
    };
    let cost = derived_generator_cost(arch, &generator_sizes(&config.model).shape());
    let place = unit.place();
    unit.trial(&Trial {
        tick: place.tick,
        kind: *kind,
        stage: arch.stage() as u32,
        iteration: place.iteration as u32,
        step: *step as u32,
        arch: arch.clone(),
        named: arch.named(),
        score: *score,
        spread: *spread,
        entropy: *entropy,
        advantage: *advantage,
        baseline: *baseline,
        reward: Some(*reward),
        params: cost.params,
        macs: cost.macs,
        seconds: *seconds,
    })
}
