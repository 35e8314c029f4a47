//! A search that takes a second: eight channels, a few dozen images, a scorer that needs no weights.

use std::sync::Arc;

use autogan_config::Configuration;
use autogan_data::{LoadOptions, Split, load};
use autogan_metrics::{Extraction, FeatureExtractor};
use autogan_search::config::DataConfig;
use autogan_search::{ExtractorScore, Inputs, KnownReals, Reporter, SearchConfig, TrainingInputs};
use candle_core::{DType, Device, Tensor};

/// Scores by the mean colour: three features, which are also the logits of three classes.
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

/// The quick preset, shrunk.
pub fn config(seed: u64, settings: &[&str]) -> SearchConfig {
    let small = [
        "data.count=40",
        "model.latent=4",
        "model.gf=4",
        "model.df=4",
        "model.bottom=2",
        "train.d_batch=8",
        "train.g_batch=8",
        "train.n_critic=2",
        "search.iterations=4",
        "search.grow_at=[1, 2]",
        "search.candidates=4",
        "search.top_k=2",
        "controller.hidden=8",
        "controller.steps=2",
        "reward.images=16",
        "reward.splits=2",
        "reward.batch=8",
        "reward.recalibrate_batches=1",
        "reward.recalibrate_batch=8",
        "derive.candidates=4",
        "derive.top_k=2",
        "derive.images=16",
        "derive.random=3",
    ];
    let settings: Vec<String> = small.iter().chain(settings).map(|s| (*s).to_owned()).collect();
    let mut config = SearchConfig::preset("quick", &settings).unwrap();
    config.seed = seed;
    config
}

/// Images, score and device for it.
pub fn inputs(config: &SearchConfig) -> Inputs {
    let TrainingInputs { images, extractor, device, .. } =
        inputs_of(&config.data, config.model.bottom * 8);
    Inputs { images, score: Box::new(ExtractorScore::new(extractor, &config.reward)), device }
}

/// Images of this side, scorer and device.
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

/// Keeps every event.
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
