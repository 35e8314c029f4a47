//! A search as a checkpoint and back: after [`Search::restore`] it continues to the same bits.

use std::collections::BTreeMap;

use autogan_nn::Params;
use autogan_ops::Adam;
use autogan_rl::{Baseline, Beam};
use autogan_run::Checkpoint;
use autogan_space::{Arch, MAX_CELLS};
use serde::{Deserialize, Serialize};

use crate::config::SearchConfig;
use crate::derive::Derivation;
use crate::error::{Result, SearchError};
use crate::rank::Ranking;
use crate::search::{Inputs, Phase, Position, Search};
use crate::tensors::{Steps, Stored, broken, put, put_adam, put_network};
use crate::window::LossWindows;

/// Metadata key of the resolved configuration, TOML.
const CONFIG: &str = "config";
/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "state";

/// Everything of a search that is no tensor and does not follow from the configuration.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    position: Position,
    beam: Option<Beam>,
    windows: LossWindows,
    baseline: Baseline,
    favourite: Option<(Arch, f64)>,
    seen: Vec<(Arch, f64)>,
    ranking: Option<Ranking>,
    derivation: Option<Derivation>,
    /// Training images, which say how long an epoch is.
    images: usize,
    /// Adam's step counts by optimizer and parameter.
    adam_steps: BTreeMap<String, Steps>,
}

impl Search {
    /// The whole state at the present position.
    ///
    /// # Errors
    /// When a tensor cannot be read back.
    pub fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        for (prefix, params) in self.networks() {
            put_network(&mut checkpoint, prefix, params)?;
        }
        for (name, tensor) in self.controller.state()? {
            put(&mut checkpoint, format!("controller.{name}"), &tensor)?;
        }
        let mut adam_steps = BTreeMap::new();
        for (prefix, adam) in self.optimizers() {
            adam_steps.insert(prefix.to_owned(), put_adam(&mut checkpoint, prefix, adam)?);
        }
        let saved = Saved {
            position: self.position,
            beam: self.beam.clone(),
            windows: self.windows.clone(),
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
        checkpoint.metadata.insert(CONFIG.into(), self.config.to_toml()?);
        Ok(checkpoint)
    }

    /// The search that a checkpoint holds, to go on with `config`: its own, [`checkpoint_config`], for the same bits
    /// as without the interruption, or one that differs in what [`SearchConfig::check_continues`] allows.
    ///
    /// # Errors
    /// When the checkpoint lacks something or holds it in another shape, or the inputs do not fit it.
    pub fn restore(checkpoint: &Checkpoint, config: SearchConfig, inputs: Inputs) -> Result<Self> {
        let saved: Saved = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
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
        for (prefix, params) in search.networks() {
            stored.fill(prefix, params)?;
        }
        search.position = saved.position;
        let mut state = Vec::new();
        for (name, like) in search.controller.state()? {
            let tensor = stored.read(&format!("controller.{name}"), &like)?;
            state.push((name, tensor));
        }
        search.controller.load_state(&state)?;
        search.policy.reinforce.set_baseline(saved.baseline)?;
        let steps = |prefix: &str| saved.adam_steps.get(prefix);
        let (g, d) = (search.generator.params(), search.discriminator.params());
        let g = stored.moments("g_adam", g.trainable(), steps("g_adam"))?;
        let d = stored.moments("d_adam", d.trainable(), steps("d_adam"))?;
        let policy = search.controller.named_vars();
        let c = stored.moments("controller_adam", policy, steps("controller_adam"))?;
        search.g_adam.set_moments(g);
        search.d_adam.set_moments(d);
        search.policy.optimizer.set_moments(c);
        search.beam = saved.beam;
        search.windows = saved.windows;
        search.favourite = saved.favourite;
        search.seen = saved.seen;
        search.ranking = saved.ranking;
        search.derivation = saved.derivation;
        let derived_otherwise = checkpoint_config(checkpoint)?.derive != search.config.derive;
        let derives = matches!(search.position.phase, Phase::Derive | Phase::Done);
        if derives && derived_otherwise {
            search.derive_anew(Phase::Derive);
        }
        search.fit_iterations()?;
        Ok(search)
    }

    /// The networks by the prefix of their tensors' names.
    fn networks(&self) -> [(&'static str, &Params); 3] {
        [
            ("g", self.generator.params()),
            ("d", self.discriminator.params()),
            ("ema", self.ema.generator().params()),
        ]
    }

    fn optimizers(&self) -> [(&'static str, &Adam); 3] {
        [
            ("g_adam", &self.g_adam),
            ("d_adam", &self.d_adam),
            ("controller_adam", &self.policy.optimizer),
        ]
    }
}

/// The configuration that a checkpoint was written with.
///
/// # Errors
/// When it holds none, or one of another version.
pub fn checkpoint_config(checkpoint: &Checkpoint) -> Result<SearchConfig> {
    SearchConfig::from_toml(checkpoint.text(CONFIG)?, "the checkpoint's configuration", &[])
}
