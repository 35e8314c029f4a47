//! A search as a checkpoint and back: after [`Search::restore`] it continues to the same bits.

use autogan_config::Configuration;
use autogan_rl::{Baseline, Beam};
use autogan_run::Checkpoint;
use autogan_space::{Arch, MAX_CELLS};
use serde::{Deserialize, Serialize};

use crate::config::SearchConfig;
use crate::derivation::Derivation;
use crate::error::{Result, SearchError};
use crate::inputs::Inputs;
use crate::job::Job;
use crate::losses::{ComingLosses, KnownLosses};
use crate::networks::AdamSteps;
use crate::position::{Phase, Position};
use crate::ranking::Ranking;
use crate::search::Search;
use crate::tensors::{Stored, broken, put, put_adam};
use crate::window::LossWindows;

/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";
/// The prefix of the tensors of the controller's optimizer.
const CONTROLLER_ADAM: &str = "controller_adam";

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
    favourite: Option<(Arch, f64)>,
    seen: Vec<(Arch, f64)>,
    ranking: Option<Ranking>,
    derivation: Option<Derivation>,
    /// Training images, which say how long an epoch is.
    images: usize,
    adam_steps: AdamSteps,
}

impl Search {
    /// The whole state at the present position.
    ///
    /// # Errors
    /// When the last step's loss is not finite, or a tensor cannot be read back.
    pub fn save(&self) -> Result<Checkpoint> {
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
            favourite: self.favourite.clone(),
            seen: self.seen.clone(),
            ranking: self.ranking.clone(),
            derivation: self.derivation.clone(),
            images: self.images.len(),
            adam_steps,
        };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        checkpoint.metadata.insert(Self::CONFIG_KEY.into(), self.config.to_toml()?);
        Ok(checkpoint)
    }

    /// The search that a checkpoint holds, to go on with `config`: its own, [`Job::config_of`], for the same bits
    /// as without the interruption, or one that differs in what [`SearchConfig::check_continues`] allows.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    pub fn restore(checkpoint: &Checkpoint, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        let saved: SavedState = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        let (written, loaded) = (saved.images, inputs.images.len());
        if written != loaded {
            return Err(SearchError::Checkpoint(format!(
                "it was written with {written} training images, {loaded} were loaded: give the same --data"
            )));
        }
        let stage = saved.position.stage;
        if stage >= MAX_CELLS {
            return Err(SearchError::Checkpoint(format!("stage {stage} is beyond the last")));
        }
        let mut search = Self::at_stage(stage, config, inputs)?;
        let stored = Stored::new(checkpoint);
        search.networks.restore(&stored, &saved.adam_steps)?;
        search.position = saved.position;
        search.controller.load_state(&stored.state("controller")?)?;
        search.policy.reinforce.set_baseline(saved.baseline)?;
        let (policy, steps) =
            (search.controller.named_vars(), saved.adam_steps.get(CONTROLLER_ADAM));
        let moments = stored.moments(CONTROLLER_ADAM, policy, steps)?;
        search.policy.optimizer.set_moments(moments);
        search.beam = saved.beam;
        search.windows = saved.windows;
        search.losses = saved.losses.map(ComingLosses::known);
        search.favourite = saved.favourite;
        search.seen = saved.seen;
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
}
