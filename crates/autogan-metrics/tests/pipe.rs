//! Raw pictures from a pipe: they are read when they are needed, and a second time where they were kept.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autogan_metrics::io::{
    ExtractOptions, FeatureCache, FeatureSet, ImageSource, OpenOptions, RawShape, extract_set,
};
use autogan_metrics::{Extraction, FeatureExtractor, Result};
use candle_core::{DType, Device, Tensor};

const SHAPE: RawShape = RawShape { channels: 3, height: 64, width: 64 };

/// How many bytes were read, and how many of them the extractor has seen.
#[derive(Default)]
struct Counts {
    read: AtomicUsize,
    seen: AtomicUsize,
    /// The most bytes that were read and not yet seen.
    waiting: AtomicUsize,
}

/// A pipe of pictures whose pixels are their number.
struct Pipe {
    counts: Arc<Counts>,
    left: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.counts.read.load(Ordering::SeqCst);
        // A pipe gives what it has, which may be the end of one picture and the beginning of the next.
        let count = buffer.len().min(5000).min(self.left);
        for (place, byte) in buffer[..count].iter_mut().enumerate() {
            *byte = ((read + place) / SHAPE.bytes()) as u8;
        }
        self.left -= count;
        self.counts.read.fetch_add(count, Ordering::SeqCst);
        let waiting = read + count - self.counts.seen.load(Ordering::SeqCst);
        self.counts.waiting.fetch_max(waiting, Ordering::SeqCst);
        Ok(count)
    }
}

/// The means of the channels.
struct Means(Arc<Counts>);

impl FeatureExtractor for Means {
    fn name(&self) -> &str {
        "means"
    }

    fn dims(&self) -> usize {
        3
    }

    fn classes(&self) -> usize {
        0
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        let n = images.dim(0)?;
        self.0.seen.fetch_add(n * SHAPE.bytes(), Ordering::SeqCst);
        let logits = Tensor::zeros((n, 0), DType::F32, &Device::Cpu)?;
        Ok(Extraction { features: images.to_dtype(DType::F32)?.mean((2, 3))?, logits })
    }
}

fn source(n: usize, count: Option<usize>) -> (ImageSource, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let pipe = Pipe { counts: Arc::clone(&counts), left: n * SHAPE.bytes() };
    let options = OpenOptions::plain();
    (ImageSource::from_pipe("the pipe", Box::new(pipe), SHAPE, count, &options), counts)
}

fn extract(source: &ImageSource, counts: &Arc<Counts>, batch: usize) -> Result<FeatureSet> {
    let dir = tempfile::tempdir().unwrap();
    let cache = Some(FeatureCache::new(dir.path().join("cache"), ""));
    let options = ExtractOptions { batch, workers: 2, cache };
    let found = extract_set(source, &Means(Arc::clone(counts)), &options, &mut |_| ())?;
    assert!(!dir.path().join("cache").exists(), "features of a pipe are not kept");
    Ok(found.set)
}

#[test]
fn pictures_are_read_as_they_are_needed() {
    // 4,000 pictures of 12 KiB are 49 MB; 16 of them are a batch.
    const N: usize = 4000;
    for count in [Some(N), None] {
        let (source, counts) = source(N, count);
        assert_eq!((source.count(), source.is_pipe()), (count, true));
        let set = extract(&source, &counts, 16).unwrap();
        assert_eq!((set.features.rows(), source.count()), (N, Some(N)));
        for i in (0..N).step_by(333) {
            assert_eq!(set.features.row(i), [(i % 256) as f32; 3]);
        }
        // What is decoded at a time, and four batches on their way.
        let most = (64 + 4 * 16 + 2) * SHAPE.bytes();
        let waiting = counts.waiting.load(Ordering::SeqCst);
        assert!(waiting <= most, "{waiting} bytes waited, at most {most} may");
    }
}

#[test]
fn pictures_that_were_kept_are_read_again() {
    let (twice, counts) = source(100, Some(100));
    twice.keep().unwrap();
    let first = extract(&twice, &counts, 7).unwrap();
    assert_eq!(extract(&twice, &counts, 64).unwrap(), first);
    assert_eq!(counts.read.load(Ordering::SeqCst), 100 * SHAPE.bytes(), "the pipe was read once");
    let (once, counts) = source(100, None);
    assert_eq!(extract(&once, &counts, 7).unwrap(), first);
    let error = extract(&once, &counts, 7).unwrap_err().to_string();
    assert!(error.contains("read once"), "{error}");
}

#[test]
fn a_pipe_that_breaks_in_the_middle_is_an_error() {
    for count in [Some(101), Some(99)] {
        let (source, counts) = source(100, count);
        let error = extract(&source, &counts, 16).unwrap_err().to_string();
        assert!(error.contains("the pipe") && error.contains("--count"), "{error}");
    }
}
