//! A training from scratch as a [`Job`]: what it leaves in its run directory.

use autogan_run::{Checkpoint, Result as RunResult, RunDir, RunWriter};
use candle_core::Device;

use super::training::{Training, TrainingPhase};
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::event::{Reporter, TrainingEvent};
use crate::inputs::{Sources, TrainingInputs};
use crate::job::Job;
use crate::unit::{Place, Unit};

/// Points of a loss curve that are stored.
const CURVE_POINTS: u64 = 1000;

/// There is a checkpoint after each score, `best.safetensors` is written whenever one is the best so far, `scores.json` at
/// the end.
///
/// What `scores.json` names is there: a `best.safetensors` that is gone or damaged is written anew where the weights of
/// that score are at hand, and forgotten with its score where they are not.
impl Job for Training {
    type Config = TrainingConfig;
    type Inputs = TrainingInputs;
    type Event = TrainingEvent;
    const CONFIG_KEY: &'static str = "training";

    fn load(config: &TrainingConfig, sources: &Sources, device: &Device) -> Result<TrainingInputs> {
        let images = sources.images(&config.data, config.side())?.into();
        let extractor = sources.scorer(&config.score.scorer, device)?;
        let (known, device) = (sources.known.clone(), device.clone());
        Ok(TrainingInputs { images, extractor, known, device })
    }

    fn begin(config: TrainingConfig, inputs: TrainingInputs) -> Result<Self> {
        Self::new(config, inputs)
    }

    fn resume(
        checkpoint: &Checkpoint,
        config: TrainingConfig,
        inputs: TrainingInputs,
    ) -> Result<Self> {
        Self::restore(checkpoint, config, inputs)
    }

    fn config(&self) -> &TrainingConfig {
        &self.config
    }

    fn run_name(&self) -> (String, u64) {
        (format!("train-{}", self.config.preset), self.config.seed)
    }

    fn place(&self) -> Place {
        let p = self.position;
        Place {
            tick: p.tick,
            stage: self.config.arch.stage(),
            iteration: p.g_iterations,
            d_steps: p.d_steps,
            done: p.phase == TrainingPhase::Done,
        }
    }

    fn advance(&mut self, reporter: &mut dyn Reporter<TrainingEvent>) -> Result<bool> {
        Self::advance(self, reporter)
    }

    fn save(&self) -> Result<Checkpoint> {
        Self::save(self)
    }

    fn record(
        config: &TrainingConfig,
        event: &TrainingEvent,
        unit: &mut Unit<'_>,
    ) -> RunResult<()> {
        let distance = |unit: &mut Unit<'_>, tag: &str, distance: Option<f64>| {
            distance.map_or(Ok(()), |distance| unit.scalar(tag, distance))
        };
        match event {
            TrainingEvent::Step(losses) => unit.losses(losses, CURVE_POINTS, config.train.n_critic),
            TrainingEvent::Samples(grid) => unit.picture(grid),
            TrainingEvent::Real { score } => {
                unit.scalar("score/real/is", score.is)?;
                distance(unit, "score/real/frechet", score.frechet)
            }
            TrainingEvent::Measured { score, best, .. } => {
                // What is the best so far is remembered with the file that holds it.
                unit.milestone();
                if *best {
                    unit.best();
                }
                unit.scalar("score/is", score.is)?;
                distance(unit, "score/frechet", score.frechet)
            }
            // Told before the first unit, and stored by `mend`.
            TrainingEvent::BestLost { .. } => Ok(()),
            TrainingEvent::Trained(scores) => {
                let json = serde_json::json!({ "last": scores.last, "best": scores.best });
                unit.row("trained", json)?;
                scores.write(&unit.dir().scores_path())
            }
        }
    }

    fn write_result(&self, dir: &RunDir) -> Result<()> {
        self.result().map_or(Ok(()), |scores| Ok(scores.write(&dir.scores_path())?))
    }

    fn write_best(&self, dir: &RunDir) -> Result<()> {
        Ok(self.averaged()?.write(&dir.best_path())?)
    }

    /// Sees to it that the best score so far is one whose weights are in `best.safetensors`.
    fn mend(
        &mut self,
        writer: &mut RunWriter,
        reporter: &mut dyn Reporter<TrainingEvent>,
    ) -> Result<()> {
        let Some(lost) = self.scores.best else { return Ok(()) };
        if best_is_intact(writer.dir())? {
            return Ok(());
        }
        let instead = self.lose_best();
        let (lost, instead) = (lost.g_iteration, instead.map(|score| score.g_iteration));
        writer.event(&autogan_run::Event {
            tick: self.position.tick,
            kind: "best_lost".to_owned(),
            json: serde_json::json!({ "lost": lost, "instead": instead }).to_string(),
            seconds: writer.seconds(),
        })?;
        reporter.event(&TrainingEvent::BestLost { lost, instead });
        // The weights come last: whatever a kill leaves undone before them, they are still not there and it is done again.
        writer.save(self.save()?)?;
        self.write_result(writer.dir())?;
        if instead.is_some() {
            self.write_best(writer.dir())?;
        }
        Ok(())
    }
}

/// Whether the best weights of a training that has a score are there as they were written.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn best_is_intact(dir: &RunDir) -> Result<bool> {
    match Checkpoint::read(&dir.best_path()) {
        Ok(_) => Ok(true),
        Err(autogan_run::Error::Damaged { .. }) => Ok(false),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
