//! The network that sees the images, and where its weights come from.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use autogan_metrics::FeatureExtractor;
use autogan_metrics::compact::CompactClassifier;
use autogan_metrics::inception::{InceptionV3, KNOWN_WEIGHTS};
use autogan_weights::hub::{self, HubOptions, INCEPTION_PTH, INCEPTION_SAFETENSORS, PinnedFile};
use candle_core::Device;
use indicatif::{ProgressBar, ProgressStyle};

use super::Options;

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

/// An extractor with the hash of its weight file.
pub struct Loaded {
    pub extractor: Arc<dyn FeatureExtractor>,
    pub weights_sha256: Option<String>,
}

/// Loads the extractor that the options ask for.
pub fn load(options: &Options) -> anyhow::Result<Loaded> {
    ensure!(
        options.device == "cpu",
        "--device: expected cpu, found {}; this build has no CUDA operators",
        options.device
    );
    let compact = |classifier: autogan_metrics::Result<CompactClassifier>| {
        let classifier = classifier?;
        let weights_sha256 = classifier.weights_sha256().map(str::to_string);
        anyhow::Ok(Loaded { extractor: Arc::new(classifier), weights_sha256 })
    };
    match options.extractor {
        Choice::CompactCifar10 => compact(CompactClassifier::cifar10()),
        Choice::CompactShapes => compact(CompactClassifier::shapes()),
        Choice::Inception => inception(options),
    }
}

fn inception(options: &Options) -> anyhow::Result<Loaded> {
    let path = match &options.weights {
        Some(path) => path.clone(),
        None => inception_weights(
            options.weights_repo.as_deref(),
            options.revision.as_deref(),
            options.offline,
            options.silent,
        )?,
    };
    let network = InceptionV3::load(&path, options.preset, options.dims, &Device::Cpu)
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
    let options = HubOptions::from_env(offline);
    let file: PinnedFile = match repo {
        None => INCEPTION_PTH,
        Some(repo) => {
            let known = [INCEPTION_PTH, INCEPTION_SAFETENSORS].into_iter().find(|f| f.repo == repo);
            let file = known.unwrap_or(INCEPTION_PTH);
            let revision = revision.map_or_else(
                || if file.repo == repo { file.revision.to_string() } else { "main".to_string() },
                str::to_string,
            );
            file.at(repo, revision)
        }
    };
    if repo.is_none() {
        // Either copy will do when it is there already.
        for file in [&INCEPTION_PTH, &INCEPTION_SAFETENSORS] {
            if let Some(path) = hub::cached(file, &options)? {
                return Ok(path);
            }
        }
    }
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template(
        "weights {bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta}",
    )?);
    let progress = {
        let bar = bar.clone();
        Arc::new(move |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
    };
    let path = hub::fetch(&file, &options, Some(progress));
    bar.finish_and_clear();
    path.context(
        "cannot get the Inception weights; `--weights FILE` takes a local file, and \
         `--extractor compact-cifar10` needs none",
    )
}
