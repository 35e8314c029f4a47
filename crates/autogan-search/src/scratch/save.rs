//! A training is saved to a checkpoint and restored from it here, and its best weights become a file of their own.

use autogan_config::Configuration;
use autogan_nn::Description;
use autogan_run::Checkpoint;
use serde::{Deserialize, Serialize};

use super::training::{Scores, Training, TrainingPhase, TrainingPosition};
use crate::config::{ConfigError, TrainingConfig};
use crate::error::{Result, SearchError};
use crate::inputs::TrainingInputs;
use crate::job::Job;
use crate::losses::{ComingLosses, KnownLosses};
use crate::networks::{AVERAGED, AdamSteps};
use crate::parts::generator_sizes;
use crate::tensors::{Stored, broken, put_network};

/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";

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
    adam_steps: AdamSteps,
}

impl Training {
    /// The whole state at the present position.
    ///
    /// # Errors
    /// When the last step's loss is not finite, or a tensor cannot be read back.
    pub fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.described()?;
        let adam_steps = self.networks.save(&mut checkpoint)?;
        let (position, scores) = (self.position, self.scores);
        let losses = self.losses.as_ref().map(ComingLosses::read).transpose()?;
        let saved = SavedState { position, scores, losses, images: self.images.len(), adam_steps };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        Ok(checkpoint)
    }

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

    /// The training that a checkpoint holds, to go on with `config`: its own, [`Job::config_of`], for the
    /// same bits as without the interruption, or one that differs in what [`TrainingConfig::check_continues`] allows.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    pub fn restore(
        checkpoint: &Checkpoint,
        config: TrainingConfig,
        inputs: TrainingInputs,
    ) -> Result<Self> {
        let saved: SavedState = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        let (written, loaded) = (saved.images, inputs.images.len());
        if written != loaded {
            return Err(SearchError::Checkpoint(format!(
                "it was written with {written} training images, {loaded} were loaded: give the same --data"
            )));
        }
        let mut training = Self::new(config, inputs)?;
        let stored = Stored::new(checkpoint);
        training.networks.restore(&stored, &saved.adam_steps)?;
        training.position = saved.position;
        training.scores = saved.scores;
        training.losses = saved.losses.map(ComingLosses::known);
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
            return Err(ConfigError::value("schedule.g_iterations", expected, found).into());
        }
        Ok(())
    }
}
