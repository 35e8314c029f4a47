//! What a search needs from outside: a device, images, a scorer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use autogan_data::{Images, LoadOptions, Split, load as load_images};
use autogan_metrics::FeatureExtractor;
use autogan_metrics::compact::CompactClassifier;
use autogan_metrics::inception::{InceptionV3, Preset, Tap};
use autogan_search::{Inputs, SearchConfig};
use candle_core::Device;

use crate::score::inception_weights;

/// The device of this name.
pub fn device(name: &str) -> anyhow::Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        other => bail!("--device: expected cpu, found {other}; this build has no CUDA operators"),
    }
}

/// Images and scorer of a configuration.
pub fn load(
    config: &SearchConfig,
    device: Device,
    weights: Option<&Path>,
    offline: bool,
) -> anyhow::Result<Inputs> {
    let extractor = scorer(&config.reward.scorer, weights, offline)?;
    Ok(Inputs { images: Arc::new(images(config, offline)?), extractor, device })
}

/// The training images at the side of the last stage.
pub fn images(config: &SearchConfig, offline: bool) -> anyhow::Result<Images> {
    let data = &config.data;
    let mut options = LoadOptions::new(Split::Train);
    options.dir = (!data.dir.is_empty()).then(|| PathBuf::from(&data.dir));
    options.side = Some(config.model.bottom * 8);
    options.count = (data.count > 0).then_some(data.count);
    options.offline = offline;
    load_images(&data.dataset, &options)
        .with_context(|| format!("cannot load the dataset {}", data.dataset))
}

/// The feature extractor of this name; `weights` are Inception's, from the hub or its cache without them.
pub fn scorer(
    name: &str,
    weights: Option<&Path>,
    offline: bool,
) -> anyhow::Result<Arc<dyn FeatureExtractor>> {
    Ok(match name {
        "compact-shapes" => Arc::new(CompactClassifier::shapes()?),
        "compact-cifar10" => Arc::new(CompactClassifier::cifar10()?),
        "inception" => {
            let path = match weights {
                Some(path) => path.to_owned(),
                None => inception_weights(None, None, offline, false).context(
                    "reward.scorer is inception; \
                     --set reward.scorer=compact-cifar10 scores without its weights",
                )?,
            };
            let network = InceptionV3::load(&path, Preset::TorchFidelity, Tap::D2048, &Device::Cpu);
            Arc::new(network.with_context(|| {
                format!("cannot load the Inception weights in {}", path.display())
            })?)
        }
        other => bail!(
            "reward.scorer: expected inception, compact-shapes or compact-cifar10, found {other}"
        ),
    })
}
