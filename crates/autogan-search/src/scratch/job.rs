//! A training from scratch is a [`Job`] here: its units of work, its checkpoints, and its files in the run directory.

use autogan_config::{ConfigError, Configuration};
use autogan_nn::Description;
use autogan_run::{Checkpoint, Result as RunResult, RunDir, RunWriter};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::training::{Scores, Training, TrainingPhase, TrainingPosition, check_precision};
use crate::config::TrainingConfig;
use crate::error::Result;
use crate::event::{Reporter, TrainingEvent};
use crate::images::StageImages;
use crate::inputs::{Sources, TrainingInputs};
use crate::job::Job;
use crate::losses::{ComingLosses, KnownLosses};
use crate::networks::{AVERAGED, AdamSteps, Networks};
use crate::parts::generator_sizes;
use crate::streams::Streams;
use crate::tensors::{StoredTensors, broken, check_images, put_network};
use crate::unit::{Place, Unit};

/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";

/// Points of a loss curve that are stored.
const CURVE_POINTS: u64 = 1000;

/// Everything of a training that is no tensor and does not follow from the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    position: TrainingPosition,
    scores: Scores,
    #[serde(rename = "unheard")]
    losses: Option<KnownLosses>,
    /// Training images, which say how long an epoch is.
    images: usize,
    /// Their hash, which checkpoints of earlier versions lack.
    #[serde(default)]
    images_sha256: Option<String>,
    adam_steps: AdamSteps,
}

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
        let extractor = sources.classifier(&config.score.scorer, device)?;
        let (known, device) = (sources.known.clone(), device.clone());
        Ok(TrainingInputs { images, extractor, known, device })
    }

    fn new(config: TrainingConfig, inputs: TrainingInputs) -> Result<Self> {
        let config = config.checked()?;
        let streams = Streams::new(config.seed);
        let TrainingInputs { images, extractor, known, device } = inputs;
        config.check_images(images.len())?;
        check_precision(config.precision, &device)?;
        let (model, train, arch) = (&config.model, &config.train, Some(&config.arch));
        Ok(Self {
            networks: Networks::new(model, train, arch, streams, &device)?,
            images: StageImages::new(&images, config.side(), config.train.d_batch, config.seed)?,
            extractor,
            known,
            reals: None,
            streams,
            device,
            position: TrainingPosition::default(),
            scores: Scores::default(),
            losses: None,
            config,
        })
    }

    fn restore(
        checkpoint: &Checkpoint,
        config: TrainingConfig,
        inputs: TrainingInputs,
    ) -> Result<Self> {
        let saved: SavedState = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        let mut training = Self::new(config, inputs)?;
        check_images(saved.images, saved.images_sha256.as_deref(), training.images.all())?;
        let stored = StoredTensors::new(checkpoint);
        training.networks.restore(&stored, &saved.adam_steps)?;
        training.position = saved.position;
        training.scores = saved.scores;
        training.losses = saved.losses.map(ComingLosses::known);
        training.fit_schedule()?;
        Ok(training)
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
        match self.position.phase {
            TrainingPhase::Train => self.train(reporter)?,
            TrainingPhase::Score => self.score(reporter)?,
            TrainingPhase::Samples => self.samples(reporter)?,
            TrainingPhase::Done => return Ok(false),
        }
        self.position.tick += 1;
        Ok(true)
    }

    fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.described()?;
        let adam_steps = self.networks.save(&mut checkpoint)?;
        let (position, scores) = (self.position, self.scores);
        let losses = self.losses.as_ref().map(ComingLosses::read).transpose()?;
        let saved = SavedState {
            position,
            scores,
            losses,
            images: self.images.len(),
            images_sha256: Some(self.images.all().content_hash()),
            adam_steps,
        };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        Ok(checkpoint)
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

impl Training {
    /// The averaged generator alone, with what is needed to run it.
    ///
    /// # Errors
    /// When a tensor cannot be read back.
    pub fn averaged(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.described()?;
        put_network(&mut checkpoint, AVERAGED, self.networks.ema.generator().params())?;
        Ok(checkpoint)
    }

    /// A checkpoint without tensors that says what its networks are.
    fn described(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        let rules = generator_sizes(&self.config.model).rules;
        let description = Description { arch: self.config.arch.clone(), rules };
        let own = [(Self::CONFIG_KEY, self.config.to_toml()?)];
        let entries = own.into_iter().chain(description.entries());
        checkpoint.metadata.extend(entries.map(|(key, text)| (key.to_owned(), text)));
        Ok(checkpoint)
    }

    /// Fits a restored position to the number of G iterations, which may have changed: a training that was over goes on
    /// where there are more.
    fn fit_schedule(&mut self) -> Result<()> {
        let (done, wanted) = (self.position.g_iterations, self.config.schedule.g_iterations);
        let over = self.position.phase == TrainingPhase::Done;
        if over && done < wanted {
            self.position.phase = TrainingPhase::Train;
        } else if done > wanted || (done == wanted && self.position.phase == TrainingPhase::Train) {
            let expected = format!("more than {done}, for so many are done");
            let found = wanted.to_string();
            return Err(ConfigError::value("schedule.g_iterations", expected, found).into());
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
