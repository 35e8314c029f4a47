//! A training as a checkpoint and back, and its best weights as a file of their own.

use std::collections::BTreeMap;

use autogan_nn::Description;
use autogan_run::Checkpoint;
use serde::{Deserialize, Serialize};

use super::config::TrainingConfig;
use super::training::{Scores, Training, TrainingPhase, TrainingPosition};
use crate::error::{Result, SearchError};
use crate::parts::generator_sizes;
use crate::search::Inputs;
use crate::tensors::{Steps, Stored, broken, put_adam, put_network};

/// Metadata key of the resolved configuration, TOML.
const CONFIG: &str = "training";
/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";

/// Everything of a training that is no tensor and does not follow from the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    position: TrainingPosition,
    scores: Scores,
    /// Training images, which say how long an epoch is.
    images: usize,
    /// Adam's step counts by optimizer and parameter.
    adam_steps: BTreeMap<String, Steps>,
}

impl Training {
    /// The whole state at the present position.
    ///
    /// # Errors
    /// When a tensor cannot be read back.
    pub fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.averaged()?;
        put_network(&mut checkpoint, "g", self.generator.params())?;
        put_network(&mut checkpoint, "d", self.discriminator.params())?;
        let mut adam_steps = BTreeMap::new();
        for (prefix, adam) in [("g_adam", &self.g_adam), ("d_adam", &self.d_adam)] {
            adam_steps.insert(prefix.to_owned(), put_adam(&mut checkpoint, prefix, adam)?);
        }
        let (position, scores) = (self.position, self.scores);
        let saved = Saved { position, scores, images: self.images.len(), adam_steps };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        Ok(checkpoint)
    }

    /// The averaged generator alone, with what is needed to run it.
    ///
    /// # Errors
    /// When a tensor cannot be read back.
    pub fn averaged(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        put_network(&mut checkpoint, "ema", self.ema.generator().params())?;
        let rules = generator_sizes(&self.config.model).rules;
        let description = Description { arch: self.config.arch.clone(), rules };
        let own = [(CONFIG, self.config.to_toml()?)];
        let entries = own.into_iter().chain(description.entries());
        checkpoint.metadata.extend(entries.map(|(key, text)| (key.to_owned(), text)));
        Ok(checkpoint)
    }

    /// The training that a checkpoint holds, to go on with `config`: its own, [`training_checkpoint_config`], for the
    /// same bits as without the interruption, or one that differs in what [`TrainingConfig::check_continues`] allows.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    pub fn restore(
        checkpoint: &Checkpoint,
        config: TrainingConfig,
        inputs: Inputs,
    ) -> Result<Self> {
        let saved: Saved = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        let (written, loaded) = (saved.images, inputs.images.len());
        if written != loaded {
            return Err(SearchError::Checkpoint(format!(
                "it was written with {written} training images, {loaded} were loaded: give the same --data"
            )));
        }
        let mut training = Self::new(config, inputs)?;
        let stored = Stored::new(checkpoint);
        let (g, d) = (training.generator.params(), training.discriminator.params());
        stored.fill("g", g)?;
        stored.fill("d", d)?;
        stored.fill("ema", training.ema.generator().params())?;
        let steps = |prefix: &str| saved.adam_steps.get(prefix);
        let g = stored.moments("g_adam", g.trainable(), steps("g_adam"))?;
        let d = stored.moments("d_adam", d.trainable(), steps("d_adam"))?;
        training.g_adam.set_moments(g);
        training.d_adam.set_moments(d);
        training.position = saved.position;
        training.scores = saved.scores;
        training.fit_schedule()?;
        Ok(training)
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
            return Err(SearchError::config("schedule.g_iterations", expected, found));
        }
        Ok(())
    }
}

/// The configuration that a checkpoint was written with.
///
/// # Errors
/// When it holds none, or one of another version.
pub fn training_checkpoint_config(checkpoint: &Checkpoint) -> Result<TrainingConfig> {
    TrainingConfig::from_toml(checkpoint.text(CONFIG)?, "the checkpoint's configuration", &[])
}
