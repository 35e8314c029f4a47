//! [`extract_set`] extracts the features of a source; images are decoded while the network computes.

use std::sync::mpsc::{Receiver, sync_channel};

use candle_core::{Device, Tensor};
use rayon::ThreadPool;

use super::cache::FeatureCache;
use super::decode::{Bounds, Group, Run, decode};
use super::source::{ImageSource, Pictures};
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
    /// The cache that keeps features; none where they are not kept, as those of a pipe never are.
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
    let cache = options.cache.as_ref().filter(|_| !source.is_pipe());
    let content = cache.map(|_| source.content_hash()).transpose()?;
    if let (Some(cache), Some(content)) = (cache, &content)
        && let Some(set) = cache.find(content, extractor)
        && set.features.rows() == source.len()
    {
        progress(source.len());
        return Ok(Extracted { set, not_kept: None });
    }
    let set = run(source, extractor, options, progress)?;
    let kept = match (cache, &content) {
        (Some(cache), Some(content)) => cache.store(content, extractor, &set),
        _ => Ok(()),
    };
    Ok(Extracted { set, not_kept: kept.err() })
}

fn run(
    source: &dyn Pictures,
    extractor: &dyn FeatureExtractor,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.workers).build();
    let pool = pool.map_err(|error| {
        let found = format!("{} ({error})", options.workers);
        Error::config("workers", "as many threads as the system allows", found)
    })?;
    let bounds = Bounds { batch: options.batch, bytes: GROUP_BYTES, workers: options.workers };
    overlapped(source, extractor, bounds, &pool, progress)
}

/// Decodes on the pool while the network computes on this thread.
fn overlapped(
    source: &dyn Pictures,
    extractor: &dyn FeatureExtractor,
    bounds: Bounds,
    pool: &ThreadPool,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            // Nobody listens any more once the network has failed.
            if let Err(error) = decode(source, bounds, pool, &sender) {
                let _ = sender.send(Err(error));
            }
        });
        collect(receiver, extractor, progress)
    })
}

fn collect(
    receiver: Receiver<Result<Group>>,
    extractor: &dyn FeatureExtractor,
    progress: &mut dyn FnMut(usize),
) -> Result<FeatureSet> {
    let mut set = FeatureSet::empty(extractor);
    for group in receiver {
        for Run { width, height, count, pixels } in group? {
            let images = Tensor::from_vec(pixels, (count, 3, height, width), &Device::Cpu)?;
            set.push(&extractor.extract(&images)?)?;
        }
        progress(set.features.rows());
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use autogan_data::{DataError, Picture};
    use candle_core::DType;

    use super::*;
    use crate::Extraction;
    use crate::io::source::Loaded;

    /// Squares of the given sides, whose pixels are their index. It counts the bytes that were decoded and not yet seen by
    /// the extractor.
    struct Squares {
        sides: Vec<usize>,
        /// Whether their number is told.
        counted: bool,
        broken: Vec<usize>,
        alive: AtomicUsize,
        most: AtomicUsize,
        /// The bytes of each batch.
        batches: std::sync::Mutex<Vec<(usize, usize)>>,
    }

    impl Squares {
        fn new(sides: impl IntoIterator<Item = usize>) -> Self {
            Self {
                sides: sides.into_iter().collect(),
                counted: true,
                broken: Vec::new(),
                alive: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                batches: std::sync::Mutex::default(),
            }
        }

        fn load(&self, index: usize, share: usize) -> Loaded {
            let side = self.sides[index];
            let bytes = 3 * side * side;
            if self.broken.contains(&index) {
                let what =
                    if index.is_multiple_of(2) { "an even picture" } else { "an odd picture" };
                let (expected, found) = ("a whole one".into(), format!("number {index}"));
                return Loaded::Fault(DataError::Mismatch { what, expected, found });
            }
            if bytes > share {
                return Loaded::Large;
            }
            let alive = self.alive.fetch_add(bytes, Ordering::SeqCst) + bytes;
            self.most.fetch_max(alive, Ordering::SeqCst);
            let planes = vec![index as u8; bytes];
            Loaded::Picture(Picture { width: side, height: side, planes })
        }
    }

    impl Pictures for Squares {
        fn count(&self) -> Option<usize> {
            self.counted.then_some(self.sides.len())
        }

        fn load_within(&self, range: Range<usize>, share: usize) -> Result<Vec<Loaded>> {
            let end = range.end.min(self.sides.len());
            Ok((range.start.min(end)..end).map(|index| self.load(index, share)).collect())
        }
    }

    impl FeatureExtractor for Squares {
        fn name(&self) -> &str {
            "squares"
        }

        fn dims(&self) -> usize {
            2
        }

        fn classes(&self) -> usize {
            0
        }

        fn extract(&self, images: &Tensor) -> Result<Extraction> {
            let (count, _, side, _) = images.dims4()?;
            self.alive.fetch_sub(3 * side * side * count, Ordering::SeqCst);
            self.batches.lock().unwrap().push((count, side));
            let index = images.narrow(2, 0, 1)?.narrow(3, 0, 1)?.narrow(1, 0, 1)?;
            let index = index.to_dtype(DType::F32)?.reshape((count, 1))?;
            let side = Tensor::full(side as f32, (count, 1), &Device::Cpu)?;
            let logits = Tensor::zeros((count, 0), DType::F32, &Device::Cpu)?;
            Ok(Extraction { features: Tensor::cat(&[index, side], 1)?, logits })
        }
    }

    fn extracted(
        squares: &Squares,
        batch: usize,
        bytes: usize,
        workers: usize,
    ) -> Result<FeatureSet> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build().unwrap();
        overlapped(squares, squares, Bounds { batch, bytes, workers }, &pool, &mut |_| ())
    }

    /// Small and large squares: 40 of 4x4, then large and small ones in turn.
    fn mixed() -> Vec<usize> {
        let turns = (0..60).map(|i| if i % 7 < 3 { 40 + i % 3 } else { 2 });
        [4; 40].into_iter().chain(turns).chain([4; 30]).collect()
    }

    #[test]
    fn order_and_groups_do_not_depend_on_threads() {
        let run = |workers: usize, counted: bool| {
            let squares = Squares { counted, ..Squares::new(mixed()) };
            let set = extracted(&squares, 8, 20_000, workers).unwrap();
            (set, squares.batches.into_inner().unwrap())
        };
        let (set, batches) = run(1, true);
        let sides = mixed();
        assert_eq!(set.features.rows(), sides.len());
        for (i, side) in sides.iter().enumerate() {
            assert_eq!(set.features.row(i), [i as f32, *side as f32]);
        }
        assert!(batches.iter().any(|&(count, _)| count == 8));
        for workers in [1, 2, 3, 16, 100] {
            for counted in [true, false] {
                assert_eq!(
                    run(workers, counted),
                    (set.clone(), batches.clone()),
                    "{workers} threads"
                );
            }
        }
    }

    #[test]
    fn memory_is_bounded_in_bytes() {
        const BYTES: usize = 60_000;
        for workers in [1, 3] {
            // The bytes of the largest square, and more pictures than are decoded at a time.
            let largest = 3 * 100 * 100;
            for sides in [vec![100; 200], [vec![2; 200], vec![100; 200], vec![2; 200]].concat()] {
                let squares = Squares::new(sides);
                let set = extracted(&squares, 64, BYTES, workers).unwrap();
                assert_eq!(set.features.rows(), squares.sides.len());
                assert_eq!(squares.alive.into_inner(), 0);
                // Groups: two in the queue, one that waits for room there, one in the network. Beside them, what is
                // decoded at a time.
                let groups = 4 * (BYTES + largest);
                let decoded = BYTES + workers * largest;
                let most = squares.most.into_inner();
                assert!(most <= groups + decoded, "{most} bytes of {} and {}", groups, decoded);
            }
        }
    }

    #[test]
    fn a_picture_that_breaks_in_the_middle_ends_the_set_and_all_are_named() {
        for counted in [true, false] {
            let squares = Squares { broken: vec![70, 71, 129], counted, ..Squares::new(mixed()) };
            let text = extracted(&squares, 8, 20_000, 2).unwrap_err().to_string();
            assert!(text.starts_with("3 pictures cannot be read:"), "{text}");
            for named in ["even picture: expected a whole one, found number 70", "71", "129"] {
                assert!(text.contains(named), "{text}");
            }
            let seen: usize = squares.batches.lock().unwrap().iter().map(|(count, _)| count).sum();
            assert!(seen <= 70, "{seen} pictures went through the network");
        }
    }
}
