//! Helpers for tests of inputs: pictures, archives and arrays, and an extractor that needs no weights.

#![allow(dead_code)] // each test takes what it needs

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Mutex;

use autogan_metrics::io::{
    ExtractOptions, Extracted, FeatureCache, ImageSource, Input, OpenOptions, extract_set, open,
};
use autogan_metrics::{Error, Extraction, FeatureExtractor, Result};
use candle_core::{DType, Tensor};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An extractor that keeps the sizes of its batches; the features are the means of the channels.
#[derive(Default)]
pub struct Batches(pub Mutex<Vec<usize>>);

impl FeatureExtractor for Batches {
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
        self.0.lock().unwrap().push(images.dims()[0]);
        let features = images.to_dtype(DType::F32)?.mean((2, 3))?;
        Ok(Extraction { logits: features.narrow(1, 0, 2)?, features })
    }
}

pub fn picture(level: u8) -> DynamicImage {
    RgbImage::from_fn(16, 16, |x, y| Rgb([level, (x * 9) as u8, (x * y) as u8])).into()
}

pub fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

pub fn png(level: u8) -> Vec<u8> {
    encoded(&picture(level), ImageFormat::Png)
}

pub fn zipped(path: &Path, members: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// The bytes of a `.npy`.
pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

pub fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn input(path: &Path) -> Result<Input> {
    open(path.to_str().unwrap(), &OpenOptions::plain())
}

pub fn images(path: &Path, options: &OpenOptions) -> Result<ImageSource> {
    match open(path.to_str().unwrap(), options)? {
        Input::Images(images) => Ok(images),
        other => panic!("{other:?}"),
    }
}

pub fn ext(ending: &str) -> OpenOptions {
    OpenOptions { extensions: Some(vec![ending.into()]), ..OpenOptions::plain() }
}

pub fn reds(
    source: &ImageSource,
    cache: Option<FeatureCache>,
) -> Result<(Vec<f32>, Option<Error>)> {
    let options = ExtractOptions { batch: 4, workers: 2, cache };
    let Extracted { set, not_kept } =
        extract_set(source, &Batches::default(), &options, &mut |_| ())?;
    let rows = 0..set.features.rows();
    Ok((rows.map(|i| set.features.row(i)[0]).collect(), not_kept))
}
