//! [`Inputs`] and [`TrainingInputs`] hold what a search and a training need from outside: images, and what scores them.
//! [`Sources`] finds both by name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use autogan_data::{Hub, Images, LoadOptions, Split};
use autogan_metrics::{FeatureExtractor, ScorerOptions, load_classifier, load_scorer};
use candle_core::Device;

use crate::config::DataConfig;
use crate::error::{Result, SearchError};
use crate::score::ImageScore;
use crate::scratch::KnownReals;

/// The inputs of a search; [`Search::load`](crate::Job::load) loads those that its configuration names.
pub struct Inputs {
    /// Training images in any side.
    pub images: Arc<Images>,
    /// The score that the images of an architecture are given.
    pub score: Box<dyn ImageScore>,
    /// The device of all tensors.
    pub device: Device,
}

/// The inputs of a training from scratch.
pub struct TrainingInputs {
    /// Training images in any side.
    pub images: Arc<Images>,
    /// The feature extractor, which sees the images that are scored.
    pub extractor: Arc<dyn FeatureExtractor>,
    /// The scores that earlier trainings took of the same images.
    pub known: KnownReals,
    /// The device of all tensors.
    pub device: Device,
}

/// The sources of the images and weights that a configuration names.
#[derive(Clone)]
pub struct Sources {
    /// The scorer's weights as a file, safetensors or `.pth`; `None` for the hub or its cache.
    pub weights: Option<PathBuf>,
    /// The directory of the images, in place of the one that the configuration names.
    pub data: Option<PathBuf>,
    /// The source of files that are not on this machine: the hub, or its cache alone; it tells its progress.
    pub hub: Hub,
    /// The scores that trainings take of their images, kept for later trainings.
    pub known: KnownReals,
}

impl Sources {
    /// Sources that give no file of their own: everything comes from `hub`.
    pub fn new(hub: Hub) -> Self {
        Self { weights: None, data: None, hub, known: KnownReals::default() }
    }

    /// The training images that `data` names, at `side` pixels.
    ///
    /// # Errors
    /// When there is no such dataset, or its files are missing or damaged.
    pub fn images(&self, data: &DataConfig, side: usize) -> Result<Images> {
        let mut options = LoadOptions::new(Split::Train);
        let named = (!data.dir.is_empty()).then(|| PathBuf::from(&data.dir));
        options.dir = self.data.clone().or(named);
        if let Some(dir) = options.dir.as_ref().filter(|dir| !dir.exists()) {
            return Err(no_data(dir));
        }
        options.side = Some(side);
        options.count = (data.count > 0).then_some(data.count);
        options.hub = self.hub.clone();
        options.drop_alpha = data.drop_alpha;
        autogan_data::load(&data.dataset, &options)
            .map_err(|source| SearchError::Dataset { name: data.dataset.clone(), source })
    }

    /// The feature extractor called `name`, which computes on `device`.
    ///
    /// # Errors
    /// When there is none of this name, or its weights cannot be fetched or read.
    pub fn scorer(&self, name: &str, device: &Device) -> Result<Arc<dyn FeatureExtractor>> {
        Ok(load_scorer(name, &self.scorer_options(), device)?)
    }

    /// The feature extractor called `name` for the Inception Score, which needs classes.
    ///
    /// # Errors
    /// As [`Sources::scorer`]; also when the extractor has no classes, before its weights are fetched.
    pub fn classifier(&self, name: &str, device: &Device) -> Result<Arc<dyn FeatureExtractor>> {
        Ok(load_classifier(name, &self.scorer_options(), device)?)
    }

    fn scorer_options(&self) -> ScorerOptions {
        ScorerOptions::new(self.weights.clone(), self.hub.clone())
    }
}

/// The error of a directory of images that is not there. A relative one may be meant from where the run began.
fn no_data(dir: &Path) -> SearchError {
    let place = std::env::current_dir().ok().filter(|_| dir.is_relative());
    let from = place.map_or(String::new(), |place| format!(" as seen from {}", place.display()));
    SearchError::NoData { dir: dir.to_owned(), from }
}
