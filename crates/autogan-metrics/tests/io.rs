//! Inputs, the pipeline and its cache, and statistics files.

#![cfg(feature = "io")]
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use autogan_metrics::io::{
    ExtractOptions, FeatureCache, FeatureSet, ImageSource, Input, OpenOptions, StatsProtocol,
    extract_set, open, read_statistics, write_statistics,
};
use autogan_metrics::{Error, Extraction, FeatureExtractor, Result, Statistics};
use candle_core::{DType, Tensor};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, RgbaImage};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An extractor that counts images. The features are the means of the channels, the logits the first two of them.
struct ChannelMeans(AtomicUsize);

impl FeatureExtractor for ChannelMeans {
    fn name(&self) -> &str {
        "means"
    }

    fn dims(&self) -> usize {
        3
    }

    fn classes(&self) -> usize {
        2
    }

    fn extract(&self, images: &Tensor) -> Result<Extraction> {
        self.0.fetch_add(images.dims()[0], Ordering::Relaxed);
        let features = images.to_dtype(DType::F32)?.mean((2, 3))?;
        Ok(Extraction { logits: features.narrow(1, 0, 2)?, features })
    }
}

fn means() -> ChannelMeans {
    ChannelMeans(AtomicUsize::new(0))
}

fn rgb(width: u32, height: u32, level: u8) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb([level, 2, 3])).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// The names and the content of a small collection of images: several formats, sizes and cases.
fn collection() -> Vec<(&'static str, Vec<u8>)> {
    let grey = GrayImage::from_pixel(3, 3, Luma([77]));
    vec![
        ("a.png", encoded(&rgb(4, 5, 10), ImageFormat::Png)),
        ("b.PNG", encoded(&rgb(4, 5, 20), ImageFormat::Png)),
        ("c.bmp", encoded(&rgb(2, 9, 30), ImageFormat::Bmp)),
        ("d.png", encoded(&grey.into(), ImageFormat::Png)),
        ("e.webp", encoded(&rgb(7, 7, 50), ImageFormat::WebP)),
        ("notes.txt", b"no picture".to_vec()),
    ]
}

fn fill(dir: &Path) {
    for (name, bytes) in collection() {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

fn images(input: impl AsRef<Path>, options: &OpenOptions) -> Result<ImageSource> {
    match open(input.as_ref().to_str().unwrap(), options)? {
        Input::Images(source) => Ok(source),
        other => panic!("{other:?}"),
    }
}

fn features(source: &ImageSource, batch: usize) -> Result<FeatureSet> {
    let options = ExtractOptions { batch, workers: 2, cache: None };
    Ok(extract_set(source, &means(), &options, &mut |_| ())?.set)
}

fn zipped(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn a_directory_and_a_zip_give_the_same_in_any_batch() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    assert_eq!(source.len(), 5);
    let all = features(&source, 64).unwrap();
    let reds: Vec<f32> = (0..5).map(|i| all.features.row(i)[0]).collect();
    assert_eq!(reds, [10., 20., 30., 77., 50.]);
    assert_eq!(all.features.row(3), [77., 77., 77.], "grey is repeated");
    for batch in [1, 2, 3] {
        assert_eq!(features(&source, batch).unwrap(), all);
    }
    let file = dir.path().join("all.zip");
    let mut members = collection();
    members.push(("__MACOSX/a.png", vec![1]));
    zipped(&file, &members);
    let source = images(&file, &OpenOptions::plain()).unwrap();
    assert_eq!(features(&source, 2).unwrap(), all);
    assert!(features(&source, 0).is_err());
}

#[test]
fn sub_directories_extensions_and_crops() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    fill(&inner);
    let error = images(dir.path(), &OpenOptions::plain()).unwrap_err().to_string();
    assert!(error.contains("1 sub-folder") && error.contains("--recursive"), "{error}");
    let deep = OpenOptions { recursive: true, ..OpenOptions::plain() };
    assert_eq!(images(dir.path(), &deep).unwrap().len(), 5);
    let png = OpenOptions { extensions: Some(vec![".png".into()]), ..deep.clone() };
    assert_eq!(images(dir.path(), &png).unwrap().len(), 3);
    let crop = OpenOptions { crop: Some(2), ..deep };
    let pictures = images(dir.path(), &crop).unwrap().load(0..5).unwrap();
    assert!(pictures.iter().all(|p| (p.width, p.height) == (2, 2)));
}

#[test]
fn a_cifar10_file_and_an_image_array() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = Vec::new();
    for level in [5u8, 6] {
        records.push(level);
        records.extend([[level; 1024], [1; 1024], [2; 1024]].concat());
    }
    let file = dir.path().join("data.bin");
    std::fs::write(&file, &records).unwrap();
    let set = features(&images(&file, &OpenOptions::plain()).unwrap(), 8).unwrap();
    assert_eq!(set.features.data(), [5., 1., 2., 6., 1., 2.]);
    std::fs::write(&file, &records[1..]).unwrap();
    let error = images(&file, &OpenOptions::plain()).unwrap_err().to_string();
    assert!(error.contains("3073"), "{error}");

    // arr_0 [1, 1, 2, 3] by hand: pixels (1, 2, 3) and (5, 6, 7).
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    let header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 2, 3), }\n";
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header);
    npy.extend([1, 2, 3, 5, 6, 7]);
    let file = dir.path().join("images.npz");
    zipped(&file, &[("arr_0.npy", npy)]);
    let set = features(&images(&file, &OpenOptions::plain()).unwrap(), 8).unwrap();
    assert_eq!(set.features.data(), [3., 4., 5.]);
}

#[test]
fn the_embedded_dataset_by_name() {
    let source = images("shapes-test", &OpenOptions::plain()).unwrap();
    assert_eq!(source.len(), autogan_data::shapes::TEST_COUNT);
    let error = images("shapes-tset", &OpenOptions::plain()).unwrap_err().to_string();
    assert!(error.contains("cifar10-train"), "{error}");
}

#[test]
fn features_are_kept_by_content_and_extractor() {
    let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fill(dir.path());
    let extractor = means();
    let run = |weights: &str| {
        let source = images(dir.path(), &OpenOptions::plain()).unwrap();
        let cache = Some(FeatureCache::new(cache.path(), weights));
        let options = ExtractOptions { batch: 2, workers: 1, cache };
        let mut done = 0;
        let set = extract_set(&source, &extractor, &options, &mut |n| done = n).unwrap().set;
        assert_eq!(done, 5);
        (set, extractor.0.load(Ordering::Relaxed))
    };
    let (first, seen) = run("w");
    assert_eq!(seen, 5);
    let (second, seen) = run("w");
    assert_eq!((&second, seen), (&first, 5), "from the cache");
    assert_eq!(run("other weights").1, 10);
    std::fs::write(dir.path().join("a.png"), encoded(&rgb(4, 5, 11), ImageFormat::Png)).unwrap();
    let (changed, seen) = run("w");
    assert_eq!(seen, 15);
    assert_eq!(changed.features.row(0)[0], 11.0);
    // A damaged entry is made again.
    for entry in std::fs::read_dir(cache.path()).unwrap() {
        std::fs::write(entry.unwrap().path(), b"damaged").unwrap();
    }
    assert_eq!(run("w"), (changed, 20));
}

#[test]
fn statistics_are_written_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    let source = images(dir.path(), &OpenOptions::plain()).unwrap();
    let stats = Statistics::of(&features(&source, 4).unwrap().features).unwrap();
    let protocol = StatsProtocol {
        extractor: "means".into(),
        weights_sha256: None,
        count: 5,
        version: "0".into(),
    };
    let file = dir.path().join("s.npz");
    write_statistics(&file, &stats, &protocol).unwrap();
    let read = read_statistics(&file).unwrap();
    assert_eq!((read.stats, read.protocol), (stats.clone(), Some(protocol.clone())));
    assert!(matches!(
        open(file.to_str().unwrap(), &OpenOptions::plain()),
        Ok(Input::Statistics(_))
    ));
    let mut nan = stats;
    nan.mean[1] = f64::NAN;
    assert!(matches!(write_statistics(&file, &nan, &protocol), Err(Error::NotFinite { .. })));
}

#[test]
fn foreign_statistics_compressed_and_in_fortran_order() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/foreign_statistics.npz");
    let read = read_statistics(path).unwrap();
    assert_eq!(read.protocol, None);
    assert_eq!(read.stats.mean, [0.5, 1.5, 2.5]);
    assert_eq!(read.stats.cov, [4., 1., 2., 1., 5., 3., 2., 3., 6.]);
}

#[test]
fn bad_inputs_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let plain = OpenOptions::plain();
    let error = images(dir.path(), &plain).unwrap_err().to_string();
    assert!(error.contains("a directory with images, found none"), "{error}");

    let jpeg = encoded(&rgb(32, 32, 9), ImageFormat::Jpeg);
    let png = encoded(&rgb(32, 32, 9), ImageFormat::Png);
    let alpha = RgbaImage::from_pixel(2, 2, image::Rgba([1, 2, 3, 4])).into();
    let cases = [
        ("text.png", b"only text".to_vec()),
        ("empty.jpg", Vec::new()),
        ("cut.png", png[..png.len() / 2].to_vec()),
        ("cut.jpg", jpeg[..40].to_vec()),
        ("alpha.png", encoded(&alpha, ImageFormat::Png)),
    ];
    for (name, bytes) in cases {
        let inner = dir.path().join(name.replace('.', "_"));
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join(name), bytes).unwrap();
        let source = images(&inner, &plain).unwrap();
        let error = features(&source, 4).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    let drop = OpenOptions { drop_alpha: true, ..plain.clone() };
    let source = images(dir.path().join("alpha_png"), &drop).unwrap();
    assert_eq!(features(&source, 1).unwrap().features.data(), [1., 2., 3.]);
}

#[test]
fn hostile_archives_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let plain = OpenOptions::plain();
    let file = dir.path().join("climb.zip");
    for name in ["../evil.png", "a/../../b.png", "/etc/x.png", "C:\\x.png"] {
        zipped(&file, &[(name, vec![0])]);
        let error = images(&file, &plain).unwrap_err().to_string();
        assert!(error.contains("climbs out"), "{name}: {error}");
    }
    let file = dir.path().join("bomb.zip");
    zipped(&file, &[("bomb.png", vec![0u8; 300 << 20])]);
    let error = features(&images(&file, &plain).unwrap(), 1).unwrap_err().to_string();
    assert!(error.contains("bomb.png") && error.contains("times the size"), "{error}");

    let file = dir.path().join("text.zip");
    std::fs::write(&file, b"no zip").unwrap();
    assert!(images(&file, &plain).is_err());
    zipped(&file, &[("readme.txt", vec![0])]);
    let error = images(&file, &plain).unwrap_err().to_string();
    assert!(error.contains("none; left out: 1 .txt"), "{error}");
}
