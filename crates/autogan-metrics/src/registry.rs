//! [`SCORERS`] lists the feature extractors that a configuration or a command line can name. A new one is one line.

use std::path::PathBuf;
use std::sync::Arc;

use autogan_hub::Hub;
use candle_core::Device;

use crate::compact::CompactClassifier;
use crate::inception::{InceptionV3, Preset, Tap};
use crate::{Error, FeatureExtractor, Result};

/// A feature extractor that several users share.
type SharedExtractor = Arc<dyn FeatureExtractor>;

/// Every scorer that [`load_scorer`] knows.
pub const SCORERS: &[ScorerSpec] = &[
    ScorerSpec {
        name: "inception",
        summary: "Inception-v3, behind all published figures",
        load: inception,
    },
    ScorerSpec {
        name: "compact-cifar10",
        summary: "Compact classifier of CIFAR-10, embedded",
        load: |_, device| Ok(Arc::new(CompactClassifier::cifar10(device)?)),
    },
    ScorerSpec {
        name: "compact-shapes",
        summary: "Compact classifier of the embedded dataset, embedded",
        load: |_, device| Ok(Arc::new(CompactClassifier::shapes(device)?)),
    },
];

/// A scorer of the registry: its name, a line about it, and the function that makes it.
#[derive(Debug, Clone, Copy)]
pub struct ScorerSpec {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// One line for a list of scorers.
    pub summary: &'static str,
    /// Makes the scorer, which then computes on the given device.
    pub load: fn(&ScorerOptions, &Device) -> Result<SharedExtractor>,
}

/// The source of Inception's weights, and the protocol that is followed. Scorers with embedded weights ignore both.
#[derive(Clone)]
pub struct ScorerOptions {
    /// The weights as a file, safetensors or `.pth`; `None` for the hub or its cache.
    pub weights: Option<PathBuf>,
    /// The source of weights that are not given as a file.
    pub hub: Hub,
    /// How images are resized and scaled.
    pub preset: Preset,
    /// The features that are taken.
    pub features: Tap,
}

impl ScorerOptions {
    /// Options with the weights of this file, or of `hub` without one; the protocol of torch-fidelity, 2048 features.
    pub fn new(weights: Option<PathBuf>, hub: Hub) -> Self {
        Self { weights, hub, preset: Preset::TorchFidelity, features: Tap::D2048 }
    }
}

/// The scorer called `name`, which computes on `device`.
///
/// # Errors
/// When there is none of this name (the error lists them), or its weights cannot be fetched or read.
pub fn load_scorer(
    name: &str,
    options: &ScorerOptions,
    device: &Device,
) -> Result<SharedExtractor> {
    let spec = SCORERS.iter().find(|spec| spec.name == name).ok_or_else(|| {
        let known: Vec<_> = SCORERS.iter().map(|spec| spec.name).collect();
        Error::UnknownScorer { name: name.to_owned(), known: known.join(", ") }
    })?;
    (spec.load)(options, device)
}

fn inception(options: &ScorerOptions, device: &Device) -> Result<SharedExtractor> {
    let scorer = "inception";
    let path = match &options.weights {
        Some(path) => path.clone(),
        None => options
            .hub
            .inception(None, None)
            .map_err(|source| Error::ScorerWeights { scorer, source })?,
    };
    match InceptionV3::load(&path, options.preset, options.features, device) {
        Ok(network) => Ok(Arc::new(network)),
        Err(source) => Err(Error::ScorerFile { scorer, path, source: Box::new(source) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scorers_are_known_by_name_and_say_which_weights_they_have() {
        let options = ScorerOptions::new(None, Hub::from_env(true));
        for name in ["compact-shapes", "compact-cifar10"] {
            let scorer = load_scorer(name, &options, &Device::Cpu).unwrap();
            assert_eq!(scorer.name(), name);
            assert_eq!(scorer.weights_sha256().map(str::len), Some(64));
        }
        let error = load_scorer("taste", &options, &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("taste") && error.contains("compact-shapes"), "{error}");
        let nowhere = ScorerOptions::new(Some("nowhere.pth".into()), Hub::from_env(true));
        let error = load_scorer("inception", &nowhere, &Device::Cpu).err().unwrap().to_string();
        assert!(error.contains("nowhere.pth"), "{error}");
    }
}
