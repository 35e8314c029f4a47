//! Images and scorers for `autogan repro`, from where the command line says.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use autogan_data::Images;
use autogan_metrics::FeatureExtractor;
use autogan_repro::{Dataset, OutsideError, Source};
use autogan_search::config::DataConfig;
use candle_core::Device;

use super::Args;
use crate::inputs;

/// Where files lie.
pub struct Files {
    cifar10: Option<PathBuf>,
    stl10: Option<PathBuf>,
    weights: Option<PathBuf>,
    offline: bool,
    device: Device,
}

impl Files {
    pub fn new(args: &Args, device: &Device) -> Self {
        Self {
            cifar10: args.data.clone(),
            stl10: args.stl10.clone(),
            weights: args.weights.clone(),
            // Nothing is fetched for a look.
            offline: args.offline || args.dry_run,
            device: device.clone(),
        }
    }

    fn read(&self, data: &DataConfig, side: usize) -> anyhow::Result<Images> {
        let images = inputs::images(data, side, self.offline);
        let named = [("cifar10", "--data"), ("stl10", "--stl10")];
        match named.iter().find(|(dataset, _)| *dataset == data.dataset) {
            Some((dataset, option)) if data.dir.is_empty() => images.with_context(|| {
                format!("{option}: expected the directory of the files of {dataset}, found none")
            }),
            _ => images,
        }
    }
}

impl Source for Files {
    fn dir(&self, dataset: Dataset) -> Option<PathBuf> {
        match dataset {
            Dataset::Shapes => None,
            Dataset::Cifar10 => self.cifar10.clone(),
            Dataset::Stl10 => self.stl10.clone(),
        }
    }

    fn images(&self, data: &DataConfig, side: usize) -> Result<Images, OutsideError> {
        Ok(self.read(data, side)?)
    }

    fn scorer(&self, name: &str) -> Result<Arc<dyn FeatureExtractor>, OutsideError> {
        Ok(inputs::scorer(name, self.weights.as_deref(), self.offline, &self.device)?)
    }
}
