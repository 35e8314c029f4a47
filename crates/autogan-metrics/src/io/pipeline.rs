//! [`extract_set`] extracts the features of a source; images are decoded while the network computes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use autogan_data::{DataError, Picture};
use candle_core::{Device, Tensor};
use rayon::ThreadPool;

use super::cache::FeatureCache;
use super::source::ImageSource;
use crate::{Error, FeatureExtractor, FeatureSet, Result};

/// Groups of images that are decoded ahead of the network.
const AHEAD: usize = 2;

/// Bytes of pixels from which a group of images goes to the network before it is a whole batch, so that memory does not
/// follow the size of the pictures.
const GROUP_BYTES: usize = 32 << 20;

/// The settings for extracting features.
#[derive(Debug, Clone)]
pub struct ExtractOptions {
    /// Images that are handed to the extractor together, at least 1; fewer where they are large.
    pub batch: usize,
    /// Threads that decode, at least 1.
    pub workers: usize,
    /// The cache that keeps features; none where they are not kept.
    pub cache: Option<FeatureCache>,
}

/// The features of a set.
#[derive(Debug)]
pub struct Extracted {
    /// The features, in the order of the set.
    pub set: FeatureSet,
    /// Why the cache could not keep them, where it could not: they are no worse for that.
    pub not_kept: Option<Error>,
}

/// Extracts a whole set in its order; `progress` is told how many images are done.
///
/// # Errors
/// When images cannot be read, each of which is named; when an operator fails, or a thread cannot be started;
/// [`Error::Config`] for a batch or workers of 0.
pub fn extract_set(
    source: &ImageSource,
    extractor: &dyn FeatureExtractor,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Extracted> {
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
        return Ok(Extracted { set, not_kept: None });
    }
    let set = run(source, extractor, options, progress)?;
    let kept = match (&options.cache, &content) {
        (Some(cache), Some(content)) => cache.store(content, extractor, &set),
        _ => Ok(()),
    };
    Ok(Extracted { set, not_kept: kept.err() })
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
            // Nobody listens any more once the network has failed.
            if let Err(error) = decode(source, options, &pool, &sender) {
                let _ = sender.send(Err(error));
            }
        });
        collect(receiver, extractor, progress)
    })
}

/// Decodes all images and sends them in groups. After one that cannot be read, the others are still looked at, so that
/// all faults of a set are known at once.
fn decode(
    source: &ImageSource,
    options: &ExtractOptions,
    pool: &ThreadPool,
    sender: &SyncSender<Result<Vec<Picture>>>,
) -> Result<()> {
    let (mut group, mut bytes, mut next) = (Vec::new(), 0, 0);
    let mut faults: Vec<DataError> = Vec::new();
    while next < source.len() {
        // No more than one picture for each thread is decoded at a time: how large they are, nobody knows yet.
        let step = options.workers.min(options.batch - group.len()).min(source.len() - next);
        let decoded = pool.install(|| source.load_each(next..next + step))?;
        next += step;
        for picture in decoded {
            match picture {
                Ok(picture) if faults.is_empty() => {
                    bytes += picture.planes.len();
                    group.push(picture);
                }
                Ok(_) => {}
                Err(fault) => faults.push(fault),
            }
        }
        let full = group.len() >= options.batch || bytes >= GROUP_BYTES || next == source.len();
        if faults.is_empty() && full {
            bytes = 0;
            if sender.send(Ok(std::mem::take(&mut group))).is_err() {
                return Ok(());
            }
        } else if !faults.is_empty() {
            group = Vec::new();
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(DataError::several(faults).into()) }
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
