//! What jobs need from outside, and what they tell while they run. The binary knows where files lie and draws bars.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use autogan_data::Images;
use autogan_metrics::FeatureExtractor;
use autogan_search::Reporter;
use autogan_search::config::DataConfig;

use crate::error::{ReproError, Result};
use crate::job::Job;
use crate::scale::Dataset;

/// An error of whoever provides.
pub type OutsideError = Box<dyn std::error::Error + Send + Sync>;

/// Provides images and scorers.
pub trait Source {
    /// The directory of a dataset's files, where one was named.
    fn dir(&self, dataset: Dataset) -> Option<PathBuf>;

    /// The training images at `side` pixels.
    ///
    /// # Errors
    /// When they cannot be read.
    fn images(&self, data: &DataConfig, side: usize) -> Result<Images, OutsideError>;

    /// The feature extractor of this name.
    ///
    /// # Errors
    /// When there is none, or its weights cannot be had.
    fn scorer(&self, name: &str) -> Result<Arc<dyn FeatureExtractor>, OutsideError>;
}

/// Hears of jobs, and of what happens in them.
pub trait Monitor: Reporter {
    /// Takes notice of a job.
    fn job(&mut self, notice: &Notice<'_>);

    /// Takes notice of what was damaged in a job that goes on, and of why one failed.
    fn warning(&mut self, job: &Job, text: &str);
}

/// Something about a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Notice<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its place, from 1, and how many there are.
    pub place: (usize, usize),
    /// What happened.
    pub what: What,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is finished already.
    Known,
    /// It begins.
    Begins,
    /// It goes on where it was stopped.
    Resumes,
    /// It is finished.
    Ends,
    /// It was asked to stop.
    Stops,
    /// It failed, now or before: [`Monitor::warning`] says why.
    Fails,
}

/// Images and scorers, each loaded once.
pub(crate) struct Store<'a> {
    source: &'a dyn Source,
    images: HashMap<(String, usize, usize), Arc<Images>>,
    scorers: HashMap<String, Arc<dyn FeatureExtractor>>,
}

impl<'a> Store<'a> {
    pub fn new(source: &'a dyn Source) -> Self {
        Store { source, images: HashMap::new(), scorers: HashMap::new() }
    }

    pub fn images(&mut self, data: &DataConfig, side: usize) -> Result<Arc<Images>> {
        let key = (data.dataset.clone(), data.count, side);
        if let Some(images) = self.images.get(&key) {
            return Ok(Arc::clone(images));
        }
        let images = self.source.images(data, side).map_err(|source| ReproError::Source {
            what: format!("cannot load the images {}", data.dataset),
            source,
        })?;
        let images = Arc::new(images);
        self.images.insert(key, Arc::clone(&images));
        Ok(images)
    }

    pub fn scorer(&mut self, name: &str) -> Result<Arc<dyn FeatureExtractor>> {
        if let Some(scorer) = self.scorers.get(name) {
            return Ok(Arc::clone(scorer));
        }
        let scorer = self.source.scorer(name).map_err(|source| ReproError::Source {
            what: format!("cannot load the scorer {name}"),
            source,
        })?;
        self.scorers.insert(name.to_owned(), Arc::clone(&scorer));
        Ok(scorer)
    }
}
