//! A [`Checkpoint`] is named tensors and text in one safetensors file, with a checksum over all of it.
//!
//! Equal checkpoints are equal files: tensors and metadata are written in a fixed order, and
//! nothing of the moment or the machine goes in. [`Checkpoints`] keeps the last two of a run.

mod codec;
mod series;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub use safetensors::Dtype;

use crate::error::{Error, Result};
use autogan_files::atomic;

pub use series::{Checkpoints, LoadedCheckpoint};

/// A tensor as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorData {
    /// Unique name within the checkpoint.
    pub name: String,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Sizes of the dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements, row-major and little-endian.
    pub bytes: Vec<u8>,
}

/// The state of a run at a tick.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The search's global tick: what the run did up to and including it is in here.
    pub tick: u64,
    /// Text by name: the configuration, the state that is no tensor, as the caller encodes it.
    /// A fraction that has to come back bit for bit belongs into a tensor or in here as its bits:
    /// JSON readers may round.
    pub metadata: BTreeMap<String, String>,
    /// Tensors; their order in memory does not matter, names are unique.
    pub tensors: Vec<TensorData>,
}

impl Checkpoint {
    /// An empty checkpoint at `tick`.
    pub fn new(tick: u64) -> Checkpoint {
        Checkpoint { tick, metadata: BTreeMap::new(), tensors: Vec::new() }
    }

    /// The text stored as `key`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the keys that are there.
    pub fn text(&self, key: &str) -> Result<&str> {
        self.metadata.get(key).map(String::as_str).ok_or_else(|| {
            let keys: Vec<_> = self.metadata.keys().map(String::as_str).collect();
            Error::invalid("checkpoint", format!("an entry {key:?}"), format!("{keys:?}"))
        })
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorData> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Writes the checkpoint to `path` atomically.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tensor whose bytes do not fit its shape, a repeated name or a
    /// reserved metadata key; otherwise the file system's error.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(atomic::write_with(path, codec::prepare(self)?)?)
    }

    /// Reads a checkpoint and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not, bit for bit, what was written; otherwise the file
    /// system's error.
    pub fn read(path: &Path) -> Result<Checkpoint> {
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        codec::decode(&bytes)
            .map_err(|what| Error::damaged(path, what, "use the checkpoint before it"))
    }
}
