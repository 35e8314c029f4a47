//! The network that sees the images, and where its weights come from.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use autogan_metrics::FeatureExtractor;
use autogan_metrics::compact::CompactClassifier;
use autogan_metrics::inception::{InceptionV3, KNOWN_WEIGHTS};
use candle_core::Device;

use super::Options;
use crate::weights::inception_file;

/// Extractors by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// Inception-v3, behind all published figures
    Inception,
    /// Compact classifier of CIFAR-10, embedded
    CompactCifar10,
    /// Compact classifier of the embedded dataset, embedded
    CompactShapes,
}

impl Choice {
    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Choice::Inception => "inception",
            Choice::CompactCifar10 => "compact-cifar10",
            Choice::CompactShapes => "compact-shapes",
        }
    }
}

/// An extractor with the hash of its weight file.
pub struct Loaded {
    pub extractor: Arc<dyn FeatureExtractor>,
    pub weights_sha256: Option<String>,
}

/// Loads the extractor that the options ask for.
pub fn load(options: &Options) -> anyhow::Result<Loaded> {
    let device = options.device()?;
    let compact = |classifier: autogan_metrics::Result<CompactClassifier>| {
        let classifier = classifier?;
        let weights_sha256 = classifier.weights_sha256().map(str::to_string);
        anyhow::Ok(Loaded { extractor: Arc::new(classifier), weights_sha256 })
    };
    match options.extractor {
        Choice::CompactCifar10 => compact(CompactClassifier::cifar10(&device)),
        Choice::CompactShapes => compact(CompactClassifier::shapes(&device)),
        Choice::Inception => inception(options, &device),
    }
}

fn inception(options: &Options, device: &Device) -> anyhow::Result<Loaded> {
    let path = match &options.weights {
        Some(path) => path.clone(),
        None => inception_weights(
            options.weights_repo.as_deref(),
            options.revision.as_deref(),
            options.offline,
            options.silent,
        )?,
    };
    let network = InceptionV3::load(&path, options.preset, options.dims, device)
        .with_context(|| format!("cannot load the Inception weights in {}", path.display()))?;
    let hash = network.weights_sha256().map(str::to_string);
    if !hash.as_deref().is_some_and(|hash| KNOWN_WEIGHTS.contains(&hash)) {
        options.warn(&format!(
            "{} is not one of the published weight files (SHA-256 {}): scores made with it are not comparable with \
             published ones",
            path.display(),
            hash.as_deref().unwrap_or("unknown")
        ));
    }
    Ok(Loaded { extractor: Arc::new(network), weights_sha256: hash })
}

/// The Inception weights from the hub or its cache, checked by hash.
///
/// # Errors
/// When they are not in the cache and cannot be fetched.
pub fn inception_weights(
    repo: Option<&str>,
    revision: Option<&str>,
    offline: bool,
    silent: bool,
) -> anyhow::Result<PathBuf> {
    inception_file(repo, revision, offline, silent).context(
        "cannot get the Inception weights; `--weights FILE` takes a local file, and \
         `--extractor compact-cifar10` needs none",
    )
}
