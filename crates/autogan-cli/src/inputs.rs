//! What a search or a training needs from outside: images, and a scorer on its device.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use autogan_data::{Images, LoadOptions, Split, load as load_images};
use autogan_metrics::FeatureExtractor;
use autogan_metrics::compact::CompactClassifier;
use autogan_metrics::inception::{InceptionV3, Preset, Tap};
use autogan_search::config::DataConfig;
use autogan_search::{Inputs, SearchConfig, TrainingConfig};
use candle_core::Device;

use crate::score::inception_weights;

/// Images and scorer that a configuration names, and where they come from.
pub struct Wanted<'a> {
    /// The images.
    pub data: &'a DataConfig,
    /// Their side in pixels.
    pub side: usize,
    /// Name of the feature extractor.
    pub scorer: &'a str,
    /// Inception's weights, where they lie in a file.
    pub weights: Option<&'a Path>,
    /// Never touch the network.
    pub offline: bool,
}

impl<'a> Wanted<'a> {
    /// What a search needs.
    pub fn by_search(config: &'a SearchConfig, weights: Option<&'a Path>, offline: bool) -> Self {
        let (data, scorer) = (&config.data, config.reward.scorer.as_str());
        Self { data, side: config.model.bottom * 8, scorer, weights, offline }
    }

    /// What a training from scratch needs.
    pub fn by_training(
        config: &'a TrainingConfig,
        weights: Option<&'a Path>,
        offline: bool,
    ) -> Self {
        let (data, scorer) = (&config.data, config.score.scorer.as_str());
        Self { data, side: config.side(), scorer, weights, offline }
    }

    /// All of it.
    pub fn load(&self, device: Device) -> anyhow::Result<Inputs> {
        let extractor = scorer(self.scorer, self.weights, self.offline, &device)?;
        Ok(Inputs { images: Arc::new(self.images()?), extractor, device })
    }

    /// The training images.
    pub fn images(&self) -> anyhow::Result<Images> {
        images(self.data, self.side, self.offline)
    }
}

/// The training images at `side` pixels.
pub fn images(data: &DataConfig, side: usize, offline: bool) -> anyhow::Result<Images> {
    let mut options = LoadOptions::new(Split::Train);
    options.dir = (!data.dir.is_empty()).then(|| PathBuf::from(&data.dir));
    options.side = Some(side);
    options.count = (data.count > 0).then_some(data.count);
    options.hub = crate::hub::open(offline, false);
    load_images(&data.dataset, &options)
        .with_context(|| format!("cannot load the dataset {}", data.dataset))
}

/// The feature extractor of this name, which computes on `device`; `weights` are Inception's, from the hub or its cache
/// without them.
pub fn scorer(
    name: &str,
    weights: Option<&Path>,
    offline: bool,
    device: &Device,
) -> anyhow::Result<Arc<dyn FeatureExtractor>> {
    Ok(match name {
        "compact-shapes" => Arc::new(CompactClassifier::shapes(device)?),
        "compact-cifar10" => Arc::new(CompactClassifier::cifar10(device)?),
        "inception" => {
            let path = match weights {
                Some(path) => path.to_owned(),
                None => inception_weights(None, None, offline, false).context(
                    "the scorer is inception; compact-cifar10 scores without its weights \
                     (--set reward.scorer=… of a search, score.scorer=… of a training)",
                )?,
            };
            let network = InceptionV3::load(&path, Preset::TorchFidelity, Tap::D2048, device);
            Arc::new(network.with_context(|| {
                format!("cannot load the Inception weights in {}", path.display())
            })?)
        }
        other => bail!(
            "the scorer: expected inception, compact-shapes or compact-cifar10, found {other}"
        ),
    })
}
