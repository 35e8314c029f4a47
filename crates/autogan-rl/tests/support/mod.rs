//! Runs the controller on golden files and compares it with their values, which come from PyTorch.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use autogan_rl::{
    ActionSpace, BaselineOrder, Controller, ControllerConfig, FirstInput, PreviousToken,
    StartState, advantage_loss, entropy_in_reward_loss, released_loss,
};
use autogan_space::{TokenKind, TokenOrder};
use autogan_testing::device_or;
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The absolute tolerance for logits, log-probabilities, entropies and hidden vectors.
const FORWARD: f64 = 1e-6;
/// The absolute tolerance for losses and for every element of every gradient.
const BACKWARD: f64 = 1e-5;

pub type Golden = HashMap<String, Tensor>;
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folder of the project's own golden files.
pub fn own_folder() -> PathBuf {
    workspace().join("tests/golden/controller")
}

/// All golden files of a folder. A folder without any is an error.
pub fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!(
            "{}: expected golden .safetensors files, found none",
            folder.display()
        )
        .into());
    }
    Ok(found)
}

/// The kinds of the tokens, found from the number of choices of each token.
fn token_kinds(choices: &[i64]) -> Outcome<Vec<TokenKind>> {
    for order in [TokenOrder::SkipsFirst, TokenOrder::Released] {
        for stage in 0..3 {
            for space in [ActionSpace::Stage { stage, order }, ActionSpace::Joint { stage, order }]
            {
                let kinds = space.tokens()?;
                if kinds.iter().map(|k| k.choices() as i64).eq(choices.iter().copied()) {
                    return Ok(kinds);
                }
            }
        }
    }
    // No action space has this list. Any kind with the right number of choices computes the same.
    let kind = |&n: &i64| match n {
        3 => Ok(TokenKind::Norm),
        n if n > 1 && (n as u64).is_power_of_two() => {
            Ok(TokenKind::SkipMask { cells: n.ilog2() as usize })
        }
        n => Err(format!("tokens: no decision has {n} choices").into()),
    };
    choices.iter().map(kind).collect()
}

/// One golden file and the controller that it describes.
struct Case {
    golden: Golden,
    dtype: DType,
    controller: Controller,
    starts: Vec<StartState>,
    actions: Vec<Vec<usize>>,
}

impl Case {
    fn new(golden: &Golden, dtype: DType) -> Outcome<Self> {
        let golden = golden.clone();
        let get = |key: &str| golden.get(key).ok_or_else(|| format!("{key} is missing"));
        let tokens = token_kinds(&get("tokens")?.to_vec1::<i64>()?)?;
        let hidden = get("start_h")?.dim(1)?;
        let config = ControllerConfig { hidden, first_input: FirstInput::PreviousToken };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut controller = Controller::new(&tokens, &config, dtype, &device_or("cpu"), &mut rng)?;
        let state: Vec<(String, Tensor)> = golden
            .iter()
            .filter_map(|(k, v)| Some((k.strip_prefix("param.")?.to_owned(), v.clone())))
            .collect();
        controller.load_state(&state)?;
        let (h, c) = (get("start_h")?.to_vec2::<f32>()?, get("start_c")?.to_vec2::<f32>()?);
        let previous = match golden.get("previous") {
            Some(p) => p.to_vec1::<i64>()?.into_iter().map(Some).collect(),
            None => vec![None; h.len()],
        };
        let token =
            |choice: i64| PreviousToken { kind: TokenKind::Shortcut, choice: choice as usize };
        let starts = h
            .into_iter()
            .zip(c)
            .zip(previous)
            .map(|((h, c), p)| StartState { h, c, previous: p.map(token) })
            .collect();
        let actions = get("actions")?
            .to_vec2::<i64>()?
            .into_iter()
            .map(|row| row.into_iter().map(|a| a as usize).collect())
            .collect();
        Ok(Self { golden, dtype, controller, starts, actions })
    }

    fn get(&self, key: &str) -> Outcome<&Tensor> {
        self.golden.get(key).ok_or_else(|| format!("{key} is missing").into())
    }

    fn vector(&self, key: &str) -> Outcome<Vec<f64>> {
        Ok(self.get(key)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
    }

    fn scalar(&self, key: &str) -> Outcome<f64> {
        Ok(self.vector(key)?[0])
    }

    fn compare(&self, key: &str, found: &Tensor, tolerance: f64) -> Outcome<()> {
        let expected = self.get(key)?;
        if expected.dims() != found.dims() {
            return Err(
                format!("{key}: shape {:?}, found {:?}", expected.dims(), found.dims()).into()
            );
        }
        let found = found.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let found: Vec<f64> = found.flatten_all()?.to_vec1()?;
        for (i, (e, f)) in self.vector(key)?.iter().zip(&found).enumerate() {
            // Written so that a NaN on either side fails.
            let fits = (e - f).abs() <= tolerance;
            if !fits {
                return Err(
                    format!("{key}[{i}] in {:?}: expected {e}, found {f}", self.dtype).into()
                );
            }
        }
        Ok(())
    }

    fn compare_loss(&self, prefix: &str, loss: &Tensor) -> Outcome<()> {
        self.compare(&format!("{prefix}loss"), loss, BACKWARD)?;
        let grads = loss.backward()?;
        for (name, var) in self.controller.named_vars() {
            let grad = match grads.get(var) {
                Some(grad) => grad.clone(),
                None => var.as_tensor().zeros_like()?,
            };
            self.compare(&format!("{prefix}grad.{name}"), &grad, BACKWARD)?;
        }
        Ok(())
    }

    fn run(&self) -> Outcome<()> {
        let rollout = self.controller.freely().evaluate(&self.starts, &self.actions)?;
        for (i, logits) in rollout.logits.iter().enumerate() {
            self.compare(&format!("logits.{i}"), logits, FORWARD)?;
        }
        let (log_probs, entropies) = (&rollout.log_probs, &rollout.entropies);
        self.compare("log_probs", log_probs, FORWARD)?;
        self.compare("entropies", entropies, FORWARD)?;
        self.compare("end_h", &rollout.end_h, FORWARD)?;
        self.compare("end_c", &rollout.end_c, FORWARD)?;

        let (baseline, weight) = (self.scalar("baseline")?, self.scalar("entropy_weight")?);
        let reward = self.vector("reward")?;
        let advantages: Vec<f64> = reward.iter().map(|r| r - baseline).collect();
        self.compare_loss("", &advantage_loss(log_probs, entropies, &advantages, weight)?)?;
        if self.golden.contains_key("paper.loss") {
            let h = entropies.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
            let h: Vec<f64> = h.sum(1)?.to_vec1()?;
            let raised: Vec<f64> = advantages.iter().zip(h).map(|(a, h)| a + weight * h).collect();
            self.compare_loss("paper.", &entropy_in_reward_loss(log_probs, &raised)?)?;
        }
        if self.golden.contains_key("released.loss") {
            let order = BaselineOrder::UpdateThenSubtract;
            let old = self.vector("released.previous")?;
            let step =
                released_loss(log_probs, entropies, reward[0], Some(&old), 0.9, order, weight)?;
            let updated = Tensor::new(step.baseline, &Device::Cpu)?.unsqueeze(0)?;
            self.compare("released.baseline", &updated, FORWARD)?;
            self.compare_loss("released.", &step.loss)?;
        }
        Ok(())
    }
}

/// Compares the controller with a golden file in each of the types.
pub fn check(golden: &Golden, dtypes: &[DType]) -> Outcome<()> {
    for &dtype in dtypes {
        Case::new(golden, dtype)?.run()?;
    }
    Ok(())
}

/// Compares the controller with every golden file of a folder, and panics at the first file that differs.
pub fn check_folder(folder: &Path, dtypes: &[DType]) {
    for path in files(folder).unwrap() {
        let golden = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        if let Err(e) = check(&golden, dtypes) {
            panic!("{}: {e}", path.display());
        }
    }
}
