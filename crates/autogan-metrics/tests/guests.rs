//! Extractors and generators of other programs: any module, and any closure that makes images.
#![allow(clippy::unwrap_used)]

use autogan_metrics::{
    FeatureExtractor, GeneratorScore, GeneratorScoreOptions, InceptionScoreConfig, Matrix,
    ModuleExtractor, ModuleInput, Statistics, score_generator,
};
use candle_core::{DType, Device, Tensor};

/// The means of the channels, `[N, 3]`.
fn means(x: &Tensor) -> candle_core::Result<Tensor> {
    x.mean(3)?.mean(2)
}

fn grey(level: u8, side: usize) -> Tensor {
    Tensor::full(level, (2, 3, side, side), &Device::Cpu).unwrap()
}

#[test]
fn bytes_arrive_in_the_declared_range() {
    let input = ModuleInput::plain(4, (-1.0, 1.0), &Device::Cpu);
    let extractor = ModuleExtractor::new("means", means, input).unwrap();
    assert_eq!((extractor.dims(), extractor.classes()), (3, 0));
    for (level, expected) in [(0, -1.0), (255, 1.0), (51, -0.6)] {
        for side in [4, 9] {
            let out = extractor.extract(&grey(level, side)).unwrap();
            let found = out.features.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(found.iter().all(|v| (v - expected).abs() < 1e-6), "{found:?}");
            assert_eq!(out.logits.dims(), [2, 0]);
        }
    }
    let input = ModuleInput::imagenet(4, &Device::Cpu);
    let extractor = ModuleExtractor::new("means", means, input).unwrap();
    let found = extractor.extract(&grey(255, 4)).unwrap().features.to_vec2::<f32>().unwrap();
    // (1 − mean) / deviation.
    for (found, expected) in found[1].iter().zip([2.248_908_3, 2.428_571_4, 2.64]) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn logits_come_from_the_features_and_wrong_shapes_are_refused() {
    let input = ModuleInput::plain(4, (0.0, 1.0), &Device::Cpu);
    let head = |x: &Tensor| Tensor::cat(&[x, x], 1)? * 2.0;
    let extractor =
        ModuleExtractor::new("means", means, input.clone()).unwrap().with_logits(head).unwrap();
    assert_eq!(extractor.classes(), 6);
    let out = extractor.extract(&grey(255, 4)).unwrap();
    assert_eq!(out.logits.to_vec2::<f32>().unwrap(), vec![vec![2.0; 6]; 2]);

    let maps = |x: &Tensor| Ok(x.clone());
    let error = ModuleExtractor::new("maps", maps, input).unwrap_err().to_string();
    assert!(error.contains("[1, 3, 4, 4]") && error.contains("pool"), "{error}");
}

/// Images of a single colour each, as floats in [-1, 1] or as bytes.
fn levels(from: usize, n: usize, floats: bool) -> candle_core::Result<Tensor> {
    let level = |i: usize, c: usize| (i * 37 + c * (11 + i * i)) % 256;
    let pixels = (from..from + n).flat_map(|i| (0..3 * 4).map(move |p| level(i, p / 4)));
    let bytes = Tensor::from_iter(pixels.map(|v| v as u8), &Device::Cpu)?;
    let bytes = bytes.reshape((n, 3, 2, 2))?;
    // Each value lies in the middle of the interval that becomes one byte.
    let middle = (bytes.to_dtype(DType::F32)? + 0.5)?;
    if floats { middle.affine(1.0 / 127.5, -1.0) } else { Ok(bytes) }
}

fn extractor() -> impl FeatureExtractor {
    let input = ModuleInput::plain(2, (0.0, 1.0), &Device::Cpu);
    let head = |x: &Tensor| x * 5.0;
    ModuleExtractor::new("means", means, input).unwrap().with_logits(head).unwrap()
}

fn score(floats: bool, batch: usize) -> GeneratorScore {
    let extractor = extractor();
    let real = extractor.extract(&levels(100, 30, false).unwrap()).unwrap();
    let real = Matrix::from_tensor(&real.features).unwrap();
    let options = GeneratorScoreOptions {
        images: 40,
        batch,
        inception: Some(InceptionScoreConfig::in_order(2)),
        reference: Some(&Statistics::of(&real).unwrap()),
    };
    let (mut made, mut told) = (0, Vec::new());
    let mut make = |n| {
        made += n;
        levels(made - n, n, floats)
    };
    let score = score_generator(&extractor, &options, &mut make, &mut |n| told.push(n));
    assert_eq!((made, told.last()), (40, Some(&40)));
    score.unwrap()
}

#[test]
fn floats_bytes_and_batches_give_one_score() {
    let whole = score(false, 40);
    assert_eq!(whole.set.features.rows(), 40);
    assert!(whole.inception.unwrap().mean > 1.0 && whole.frechet.unwrap() > 0.0);
    assert_eq!(whole, score(true, 40));
    assert_eq!(whole, score(true, 7));
}

#[test]
fn too_few_images_and_missing_logits_are_named() {
    let mut options =
        GeneratorScoreOptions { images: 8, batch: 4, inception: None, reference: None };
    let mut one = |_| levels(0, 1, true);
    let error = score_generator(&extractor(), &options, &mut one, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("expected 4"), "{error}");

    let input = ModuleInput::plain(2, (0.0, 1.0), &Device::Cpu);
    let plain = ModuleExtractor::new("means", means, input).unwrap();
    options.inception = Some(InceptionScoreConfig::in_order(1));
    let mut make = |n| levels(0, n, true);
    let error = score_generator(&plain, &options, &mut make, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("no classes"), "{error}");
}
