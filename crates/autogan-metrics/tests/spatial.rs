//! What sFID needs of files: features without classes are kept, and the spatial statistics of ADM's files are read.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use autogan_metrics::io::{
    ExtractOptions, FeatureCache, ImageSource, extract_set, read_statistics,
};
use autogan_metrics::{Extraction, FeatureExtractor, Result};
use candle_core::{DType, Device, Tensor};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An extractor without classes, which counts images. The features are the means of the channels.
struct ChannelMeans(AtomicUsize);

impl FeatureExtractor for ChannelMeans {
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
        self.0.fetch_add(n, Ordering::Relaxed);
        let logits = Tensor::zeros((n, 0), DType::F32, &Device::Cpu)?;
        Ok(Extraction { features: images.to_dtype(DType::F32)?.mean((2, 3))?, logits })
    }
}

#[test]
fn features_without_classes_are_kept() {
    let cache = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..5 * 3 * 4 * 4).map(|i| (i % 251) as u8).collect();
    let source = ImageSource::from_pixels("pixels", 4, pixels).unwrap();
    let extract = |extractor: &ChannelMeans| {
        let cache = Some(FeatureCache::new(cache.path(), ""));
        let options = ExtractOptions { batch: 2, workers: 1, cache };
        extract_set(&source, extractor, &options, &mut |_| ()).unwrap().set
    };
    let (first, second) = (ChannelMeans(0.into()), ChannelMeans(0.into()));
    let found = extract(&first);
    assert_eq!((found.features.rows(), found.logits.cols()), (5, 0));
    assert_eq!(extract(&second), found);
    let seen = [first, second].map(|e| e.0.into_inner());
    assert_eq!(seen, [5, 0], "the second time from the cache");
}

/// An array of `f64` as NumPy writes it.
fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

fn archive(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn spatial_statistics_are_read_beside_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("adm.npz");
    let usual = [("mu", npy("(2,)", &[1., 2.])), ("sigma", npy("(2, 2)", &[1., 0., 0., 1.]))];
    archive(&file, &usual);
    assert!(read_statistics(&file).unwrap().spatial.is_none());

    let spatial = [("mu_s", npy("(1,)", &[7.])), ("sigma_s", npy("(1, 1)", &[4.]))];
    archive(&file, &[&usual[..], &spatial[..]].concat());
    let found = read_statistics(&file).unwrap();
    assert_eq!((found.stats.mean, found.stats.cov), (vec![1., 2.], vec![1., 0., 0., 1.]));
    let spatial_stats = found.spatial.unwrap();
    assert_eq!((spatial_stats.mean, spatial_stats.cov), (vec![7.], vec![4.]));

    archive(&file, &[&usual[..], &spatial[..1]].concat());
    let error = read_statistics(&file).unwrap_err().to_string();
    assert!(error.contains("no sigma_s"), "{error}");
}
