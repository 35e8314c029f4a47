//! A search that takes a second: few channels, a few dozen images, a scorer that needs no weights.

use std::sync::Arc;

use autogan_config::Configuration;
use autogan_data::{LoadOptions, Split, load};
use autogan_metrics::{Extraction, FeatureExtractor};
use autogan_search::config::DataConfig;
use autogan_search::{
    ExtractorScore, Inputs, KnownReals, Reporter, SearchConfig, TrainingConfig, TrainingInputs,
};
use autogan_testing::tiny::{search_settings, training_settings};
use candle_core::{DType, Device, Tensor};

/// A scorer by the mean colour: three features, which are also the logits of three classes.
pub struct Colours;

impl FeatureExtractor for Colours {
    fn name(&self) -> &str {
        "colours"
    }

    fn dims(&self) -> usize {
        3
    }

    fn classes(&self) -> usize {
        3
    }

    fn extract(&self, images: &Tensor) -> autogan_metrics::Result<Extraction> {
        let features = (images.to_dtype(DType::F32)?.mean((2, 3))? / 16.0)?;
        Ok(Extraction { logits: features.clone(), features })
    }
}

/// The configuration of a small search.
pub fn config(seed: u64, settings: &[&str]) -> SearchConfig {
    let mut config = SearchConfig::preset("quick", &owned(search_settings(settings))).unwrap();
    config.seed = seed;
    config
}

/// The configuration of a small training from scratch.
pub fn training_config(seed: u64, settings: &[&str]) -> TrainingConfig {
    let mut config = TrainingConfig::preset("quick", &owned(training_settings(settings))).unwrap();
    config.seed = seed;
    config
}

fn owned(settings: Vec<&str>) -> Vec<String> {
    settings.into_iter().map(str::to_owned).collect()
}

/// The images, the score and the device of a small search.
pub fn inputs(config: &SearchConfig) -> Inputs {
    let TrainingInputs { images, extractor, device, .. } =
        inputs_of(&config.data, config.model.bottom * 8);
    Inputs { images, score: Box::new(ExtractorScore::new(extractor, &config.reward)), device }
}

/// Images of this side, the scorer and the device.
pub fn inputs_of(data: &DataConfig, side: usize) -> TrainingInputs {
    let mut options = LoadOptions::new(Split::Train);
    options.side = Some(side);
    options.count = Some(data.count);
    let images = load(&data.dataset, &options).unwrap();
    TrainingInputs {
        images: Arc::new(images),
        extractor: Arc::new(Colours),
        known: KnownReals::default(),
        device: Device::Cpu,
    }
}

/// A reporter that keeps every event.
pub struct Record<E>(pub Vec<E>);

impl<E> Default for Record<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E: Clone> Reporter<E> for Record<E> {
    fn event(&mut self, event: &E) {
        self.0.push(event.clone());
    }
}
