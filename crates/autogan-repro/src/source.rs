//! [`Files`] says where jobs have their images and scorers from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use autogan_data::Images;
use autogan_metrics::FeatureExtractor;
use autogan_search::Sources;
use autogan_search::config::DataConfig;
use candle_core::Device;

use crate::error::{ReproError, Result};
use crate::scale::Dataset;

/// Where the files of datasets lie, and where weights come from.
#[derive(Clone)]
pub struct Files {
    /// The directory of CIFAR-10's files, where one is named.
    pub cifar10: Option<PathBuf>,
    /// The directory of STL-10's files, where one is named.
    pub stl10: Option<PathBuf>,
    /// Where weights come from, and whether anything may be fetched.
    pub sources: Sources,
}

impl Files {
    /// No files, but what `sources` has.
    pub fn new(sources: Sources) -> Self {
        Files { cifar10: None, stl10: None, sources }
    }

    /// The directory of a dataset's files, where one was named.
    pub fn dir(&self, dataset: Dataset) -> Option<PathBuf> {
        match dataset {
            Dataset::Shapes => None,
            Dataset::Cifar10 => self.cifar10.clone(),
            Dataset::Stl10 => self.stl10.clone(),
        }
    }
}

/// Images and scorers, each loaded once.
pub(crate) struct Store<'a> {
    sources: &'a Sources,
    device: Device,
    images: HashMap<(String, usize, usize), Arc<Images>>,
    scorers: HashMap<String, Arc<dyn FeatureExtractor>>,
}

impl<'a> Store<'a> {
    pub fn new(sources: &'a Sources, device: &Device) -> Self {
        let device = device.clone();
        Store { sources, device, images: HashMap::new(), scorers: HashMap::new() }
    }

    /// The images that `data` names, at `side` pixels.
    pub fn images(&mut self, data: &DataConfig, side: usize) -> Result<Arc<Images>> {
        let entry = match self.images.entry((data.dataset.clone(), data.count, side)) {
            Entry::Occupied(known) => return Ok(Arc::clone(known.get())),
            Entry::Vacant(entry) => entry,
        };
        let images = self.sources.images(data, side).map_err(|source| {
            let option = if data.dataset == "stl10" { "--stl10" } else { "--data" };
            ReproError::Images { dataset: data.dataset.clone(), option, source }
        })?;
        Ok(Arc::clone(entry.insert(Arc::new(images))))
    }

    /// The scorer of this name.
    pub fn scorer(&mut self, name: &str) -> Result<Arc<dyn FeatureExtractor>> {
        Ok(match self.scorers.entry(name.to_owned()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(entry) => {
                Arc::clone(entry.insert(self.sources.scorer(name, &self.device)?))
            }
        })
    }
}
