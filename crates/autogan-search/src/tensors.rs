//! These functions turn networks and optimizers into the tensors of a checkpoint, and back.

use std::collections::BTreeMap;

use autogan_data::Images;
use autogan_nn::{NnError, Params};
use autogan_ops::{Adam, Moments};
use autogan_run::{Checkpoint, Dtype, TensorData};
use candle_core::{DType, Device, Tensor, Var};

use crate::error::{Result, SearchError};

/// Adam's step counts by parameter.
pub(crate) type Steps = BTreeMap<String, u64>;

/// Adds all tensors of a network under `prefix`.
pub(crate) fn put_network(into: &mut Checkpoint, prefix: &str, params: &Params) -> Result<()> {
    for (name, var) in params.all() {
        put(into, format!("{prefix}.{name}"), var.as_tensor())?;
    }
    Ok(())
}

/// Adds an optimizer's moments under `prefix`; gives its step counts, which are no tensors.
pub(crate) fn put_adam(into: &mut Checkpoint, prefix: &str, adam: &Adam) -> Result<Steps> {
    let mut steps = Steps::new();
    for (name, moments) in adam.moments() {
        put(into, format!("{prefix}.m.{name}"), &moments.m)?;
        put(into, format!("{prefix}.v.{name}"), &moments.v)?;
        steps.insert(name.clone(), moments.step);
    }
    Ok(steps)
}

/// Adds one tensor.
pub(crate) fn put(into: &mut Checkpoint, name: String, tensor: &Tensor) -> Result<()> {
    into.tensors.push(to_data(name, tensor)?);
    Ok(())
}

/// Refuses other training images than the `written` ones that a checkpoint was written with, which have this hash;
/// checkpoints of earlier versions do not know it.
pub(crate) fn check_images(written: usize, hash: Option<&str>, images: &Images) -> Result<()> {
    let loaded = images.len();
    let found = if written != loaded {
        format!("{written} training images, {loaded} were loaded")
    } else if hash.is_some_and(|hash| hash != images.content_hash()) {
        format!("{written} other training images (the hash of their content differs)")
    } else {
        return Ok(());
    };
    let advice = "give the directory that it was trained on (on the command line: --data DIR)";
    Err(SearchError::Checkpoint(format!("it was written with {found}: {advice}")))
}

/// The tensors of a checkpoint by name.
pub(crate) struct StoredTensors<'a>(BTreeMap<&'a str, &'a TensorData>);

impl<'a> StoredTensors<'a> {
    /// The tensors of this checkpoint.
    pub fn new(checkpoint: &'a Checkpoint) -> Self {
        Self(checkpoint.tensors.iter().map(|t| (t.name.as_str(), t)).collect())
    }

    /// The tensor `name`, which must have the type and shape of `like`, beside it.
    fn read(&self, name: &str, like: &Tensor) -> Result<Tensor> {
        let problem = |text| SearchError::Checkpoint(format!("tensor {name}{text}"));
        let data = self.0.get(name).ok_or_else(|| problem(" is missing".to_owned()))?;
        let tensor = to_tensor(data)?;
        let kind = |t: &Tensor| format!("{} {:?}", t.dtype().as_str(), t.dims());
        if kind(&tensor) != kind(like) {
            return Err(problem(format!(": expected {}, found {}", kind(like), kind(&tensor))));
        }
        Ok(tensor.to_device(like.device())?)
    }

    /// The tensors under `prefix`, on the CPU, by the rest of their names.
    pub fn state(&self, prefix: &str) -> Result<Vec<(String, Tensor)>> {
        let under = |(name, data): (&&str, &&TensorData)| {
            let name = name.strip_prefix(prefix)?.strip_prefix('.')?.to_owned();
            Some(to_tensor(data).map(|tensor| (name, tensor)))
        };
        self.0.iter().filter_map(under).collect()
    }

    /// Fills a network from the tensors under `prefix`: all of it, or nothing.
    pub fn fill(&self, prefix: &str, params: &Params) -> Result<()> {
        Ok(params.load_state(&self.state(prefix)?).map_err(NnError::from)?)
    }

    /// An optimizer's moments under `prefix`, of those of `vars` that `steps` counts.
    pub fn moments<'v>(
        &self,
        prefix: &str,
        vars: impl IntoIterator<Item = (&'v str, &'v Var)>,
        steps: Option<&Steps>,
    ) -> Result<BTreeMap<String, Moments>> {
        let mut all = BTreeMap::new();
        for (name, var) in vars {
            let Some(&step) = steps.and_then(|steps| steps.get(name)) else { continue };
            let m = self.read(&format!("{prefix}.m.{name}"), var.as_tensor())?;
            let v = self.read(&format!("{prefix}.v.{name}"), var.as_tensor())?;
            all.insert(name.to_owned(), Moments { step, m, v });
        }
        Ok(all)
    }
}

/// The error of a state that is no JSON of the expected kind.
pub(crate) fn broken(error: serde_json::Error) -> SearchError {
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

/// A tensor from its bytes, on the CPU.
fn to_tensor(data: &TensorData) -> Result<Tensor> {
    let dtype = match data.dtype {
        Dtype::F32 => DType::F32,
        Dtype::I64 => DType::I64,
        other => {
            let text = format!("{} is {other:?}, not f32 or i64", data.name);
            return Err(SearchError::Checkpoint(text));
        }
    };
    Ok(Tensor::from_raw_buffer(&data.bytes, dtype, &data.shape, &Device::Cpu)?)
}
