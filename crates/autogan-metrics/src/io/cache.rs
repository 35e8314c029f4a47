//! A [`FeatureCache`] keeps features on the disk, under a key made of content and configuration.

use std::path::{Path, PathBuf};

use autogan_files::Sha256;
use autogan_weights::Archive;
use candle_core::{Device, Tensor};

use crate::{Extraction, FeatureExtractor, FeatureSet, Matrix, Result};

/// A directory of features.
#[derive(Debug, Clone)]
pub struct FeatureCache {
    dir: PathBuf,
    weights: String,
}

impl FeatureCache {
    /// A cache in `dir`, which is made when something is stored; `weights` is the hash of the
    /// extractor's weight file, or empty where its name stands for the weights.
    pub fn new(dir: impl AsRef<Path>, weights: &str) -> Self {
        Self { dir: dir.as_ref().to_path_buf(), weights: weights.to_string() }
    }

    fn path(&self, content: &str, extractor: &dyn FeatureExtractor) -> PathBuf {
        let (name, version) = (extractor.name(), env!("CARGO_PKG_VERSION"));
        let key = format!("{content} {name} {} {version}", self.weights);
        self.dir.join(format!("{}.safetensors", Sha256::of(key)))
    }

    /// The features of `content` (a hash), if the cache holds them whole.
    pub(super) fn find(
        &self,
        content: &str,
        extractor: &dyn FeatureExtractor,
    ) -> Option<FeatureSet> {
        let archive = Archive::read_safetensors(self.path(content, extractor)).ok()?;
        let tensor = |name| archive.get(name).cloned();
        let mut set = FeatureSet::empty(extractor);
        set.push(&Extraction { features: tensor("features")?, logits: tensor("logits")? }).ok()?;
        let whole = set.logits.cols() == 0 || set.features.rows() == set.logits.rows();
        whole.then_some(set)
    }

    /// Stores features; the file appears whole or not at all.
    pub(super) fn store(
        &self,
        content: &str,
        extractor: &dyn FeatureExtractor,
        set: &FeatureSet,
    ) -> Result<()> {
        let refused = autogan_files::Error::io("create the directory", &self.dir);
        std::fs::create_dir_all(&self.dir).map_err(refused)?;
        let tensor = |m: &Matrix| Tensor::from_slice(m.data(), (m.rows(), m.cols()), &Device::Cpu);
        let mut archive = Archive::new();
        archive.insert("features", tensor(&set.features)?);
        archive.insert("logits", tensor(&set.logits)?);
        archive.write_safetensors(self.path(content, extractor))?;
        Ok(())
    }
}
