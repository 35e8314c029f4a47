//! [`extract_set`] extracts the features of a source; images are decoded while the network computes.

use std::sync::mpsc::{Receiver, sync_channel};

use autogan_data::Picture;
use candle_core::{Device, Tensor};

use super::cache::FeatureCache;
use super::source::ImageSource;
use crate::{Error, FeatureExtractor, FeatureSet, Result};

/// Batches that are decoded ahead of the network.
const AHEAD: usize = 2;

/// The settings for extracting features.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// Images that are handed to the extractor together, at least 1.
    pub batch: usize,
    /// Threads that decode, at least 1.
    pub workers: usize,
    /// The cache that keeps features; none where they are not kept.
    pub cache: Option<FeatureCache>,
}

/// Extracts a whole set in its order; `progress` is told how many images are done.
///
/// # Errors
/// When an image cannot be read, an operator fails, a thread cannot be started, or the cache
/// cannot be written; [`Error::Config`] for a batch or workers of 0.
pub fn extract_set(
    source: &ImageSource,
    extractor: &dyn FeatureExtractor,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    if options.batch == 0 || options.workers == 0 {
        let found = format!("{} and {}", options.batch, options.workers);
        return Err(Error::config("batch size and workers", "at least 1 each", found));
    }
    let content = options.cache.as_ref().map(|_| source.content_hash()).transpose()?;
    if let (Some(cache), Some(content)) = (&options.cache, &content)
        && let Some(set) = cache.find(content, extractor)
        && set.features.rows() == source.len()
    {
        progress(source.len());
        return Ok(set);
    }
    let set = run(source, extractor, options, progress)?;
    if let (Some(cache), Some(content)) = (&options.cache, &content) {
        cache.store(content, extractor, &set)?;
    }
    Ok(set)
}

fn run(
    source: &ImageSource,
    extractor: &dyn FeatureExtractor,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.workers).build();
    let pool = pool.map_err(|error| {
        let found = format!("{} ({error})", options.workers);
        Error::config("workers", "as many threads as the system allows", found)
    })?;
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            for start in (0..source.len()).step_by(options.batch) {
                let range = start..(start + options.batch).min(source.len());
                let batch = pool.install(|| source.load(range));
                let failed = batch.is_err();
                // Nobody listens any more once the network has failed.
                if sender.send(batch).is_err() || failed {
                    break;
                }
            }
        });
        collect(receiver, extractor, progress)
    })
}

fn collect(
    receiver: Receiver<Result<Vec<Picture>>>,
    extractor: &dyn FeatureExtractor,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    let mut set = FeatureSet::empty(extractor);
    for batch in receiver {
        let batch = batch?;
        for same in batch.chunk_by(|a, b| (a.width, a.height) == (b.width, b.height)) {
            let Some(first) = same.first() else { continue };
            let pixels: Vec<u8> = same.iter().flat_map(|p| p.planes.iter().copied()).collect();
            let shape = (same.len(), 3, first.height, first.width);
            let images = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
            set.push(&extractor.extract(&images)?)?;
        }
        progress(set.features.rows());
    }
    Ok(set)
}
