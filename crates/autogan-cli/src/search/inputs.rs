//! What a search needs from outside: a device, images, a scorer.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use autogan_data::{Images, LoadOptions, Split, load as load_images};
use autogan_metrics::FeatureExtractor;
use autogan_metrics::compact::CompactClassifier;
use autogan_search::{Inputs, SearchConfig};
use candle_core::Device;

/// The device of this name.
pub fn device(name: &str) -> anyhow::Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        other => bail!("--device: expected cpu, found {other}; this build has no CUDA operators"),
    }
}

/// Images and scorer of a configuration.
pub fn load(config: &SearchConfig, device: Device, offline: bool) -> anyhow::Result<Inputs> {
    let extractor = scorer(&config.reward.scorer)?;
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

/// The feature extractor of this name.
pub fn scorer(name: &str) -> anyhow::Result<Arc<dyn FeatureExtractor>> {
    Ok(match name {
        "compact-shapes" => Arc::new(CompactClassifier::shapes()?),
        "compact-cifar10" => Arc::new(CompactClassifier::cifar10()?),
        "inception" => bail!(
            "reward.scorer: this version cannot score with inception yet; \
             compact-shapes and compact-cifar10 can be used: --set reward.scorer=compact-cifar10"
        ),
        other => bail!(
            "reward.scorer: expected inception, compact-shapes or compact-cifar10, found {other}"
        ),
    })
}
