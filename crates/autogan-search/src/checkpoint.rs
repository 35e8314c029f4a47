//! A search as a checkpoint and back: after [`Search::restore`] it continues to the same bits.

use std::collections::BTreeMap;

use autogan_nn::Params;
use autogan_ops::{Adam, Moments};
use autogan_rl::{Baseline, Beam};
use autogan_run::{Checkpoint, Dtype, TensorData};
use autogan_space::{Arch, MAX_CELLS};
use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::config::SearchConfig;
use crate::derive::Derivation;
use crate::error::{Result, SearchError};
use crate::rank::Ranking;
use crate::search::{Inputs, Phase, Position, Search};
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
    /// Absent, as the next, in checkpoints of versions that ranked in a single unit of work.
    #[serde(default)]
    ranking: Option<Ranking>,
    #[serde(default)]
    derivation: Option<Derivation>,
    /// Training images, which say how long an epoch is.
    images: usize,
    /// Adam's step counts by optimizer and parameter.
    adam_steps: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Search {
    /// The whole state at the present position.
    ///
    /// # Errors
    /// When a tensor cannot be read back.
    pub fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        let mut put = |name: String, tensor: &Tensor| -> Result<()> {
            checkpoint.tensors.push(to_data(name, tensor)?);
            Ok(())
        };
        for (prefix, params) in self.networks() {
            for (name, var) in params.all() {
                put(format!("{prefix}.{name}"), var.as_tensor())?;
            }
        }
        for (name, tensor) in self.controller.state()? {
            put(format!("controller.{name}"), &tensor)?;
        }
        let mut adam_steps = BTreeMap::new();
        for (prefix, adam) in self.optimizers() {
            let mut steps = BTreeMap::new();
            for (name, moments) in adam.moments() {
                put(format!("{prefix}.m.{name}"), &moments.m)?;
                put(format!("{prefix}.v.{name}"), &moments.v)?;
                steps.insert(name.clone(), moments.step);
            }
            adam_steps.insert(prefix.to_owned(), steps);
        }
        let saved = Saved {
            position: self.position,
            beam: self.beam.clone(),
            windows: self.windows.clone(),
            baseline: self.policy.reinforce.baseline().clone(),
            favourite: self.favourite.clone(),
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
        let tensors: BTreeMap<&str, &TensorData> =
            checkpoint.tensors.iter().map(|t| (t.name.as_str(), t)).collect();
        let read = |name: &str, like: &Tensor| from_data(&tensors, name, like);
        for (prefix, params) in search.networks() {
            for (name, var) in params.all() {
                var.set(&read(&format!("{prefix}.{name}"), var.as_tensor())?)?;
            }
        }
        search.position = saved.position;
        let mut state = Vec::new();
        for (name, like) in search.controller.state()? {
            let tensor = read(&format!("controller.{name}"), &like)?;
            state.push((name, tensor));
        }
        search.controller.load_state(&state)?;
        search.policy.reinforce.set_baseline(saved.baseline)?;
        let none = BTreeMap::new();
        let steps = |prefix: &str| saved.adam_steps.get(prefix).unwrap_or(&none);
        let moments =
            |prefix: &str, vars: Vec<(&str, &Var)>| -> Result<BTreeMap<String, Moments>> {
                let mut all = BTreeMap::new();
                for (name, var) in vars {
                    let Some(&step) = steps(prefix).get(name) else { continue };
                    let m = read(&format!("{prefix}.m.{name}"), var.as_tensor())?;
                    let v = read(&format!("{prefix}.v.{name}"), var.as_tensor())?;
                    all.insert(name.to_owned(), Moments { step, m, v });
                }
                Ok(all)
            };
        let g = moments("g_adam", search.generator.params().trainable())?;
        let d = moments("d_adam", search.discriminator.params().trainable())?;
        let c = moments("controller_adam", search.controller.named_vars().collect())?;
        search.g_adam.set_moments(g);
        search.d_adam.set_moments(d);
        search.policy.optimizer.set_moments(c);
        search.beam = saved.beam;
        search.windows = saved.windows;
        search.favourite = saved.favourite;
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

fn broken(error: serde_json::Error) -> SearchError {
    SearchError::Checkpoint(format!("its state cannot be read: {error}"))
}

/// A tensor as bytes in the machine-independent order.
fn to_data(name: String, tensor: &Tensor) -> Result<TensorData> {
    let flat = tensor.flatten_all()?;
    let (dtype, bytes) = match tensor.dtype() {
        DType::F32 => {
            (Dtype::F32, flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect())
        }
        DType::I64 => {
            (Dtype::I64, flat.to_vec1::<i64>()?.iter().flat_map(|v| v.to_le_bytes()).collect())
        }
        other => {
            return Err(SearchError::Checkpoint(format!("{name} is {other:?}, not f32 or i64")));
        }
    };
    Ok(TensorData { name, dtype, shape: tensor.dims().to_vec(), bytes })
}

/// The tensor `name`, which must have the type and shape of `like`.
fn from_data(tensors: &BTreeMap<&str, &TensorData>, name: &str, like: &Tensor) -> Result<Tensor> {
    let data = tensors
        .get(name)
        .ok_or_else(|| SearchError::Checkpoint(format!("tensor {name} is missing")))?;
    if data.shape != like.dims() {
        return Err(SearchError::Checkpoint(format!(
            "tensor {name}: expected shape {:?}, found {:?}",
            like.dims(),
            data.shape
        )));
    }
    let tensor = match (data.dtype, like.dtype()) {
        (Dtype::F32, DType::F32) => {
            let values: Vec<f32> =
                data.bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Tensor::from_vec(values, like.shape(), &Device::Cpu)?
        }
        (Dtype::I64, DType::I64) => {
            let values: Vec<i64> =
                data.bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
            Tensor::from_vec(values, like.shape(), &Device::Cpu)?
        }
        (found, expected) => {
            return Err(SearchError::Checkpoint(format!(
                "tensor {name}: expected {expected:?}, found {found:?}"
            )));
        }
    };
    Ok(tensor.to_device(like.device())?)
}
