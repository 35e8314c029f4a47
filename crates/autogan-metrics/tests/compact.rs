//! The embedded compact classifiers: they load, classify, and do not depend on the batch.
#![allow(clippy::unwrap_used)]

use autogan_data::shapes::generate;
use autogan_data::{Images, Split};
use autogan_metrics::compact::{CompactClassifier, EMBEDDED, Variables};
use autogan_metrics::{FeatureExtractor, InceptionScoreConfig, extract_batched, inception_score};
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

fn tensor(images: &Images) -> Tensor {
    let shape = (images.len(), 3, images.side(), images.side());
    Tensor::from_slice(images.data(), shape, &Device::Cpu).unwrap()
}

/// Accuracy and Inception Score of `compact-shapes`.
fn measure(images: &Images) -> (f64, f64) {
    let scorer = CompactClassifier::shapes(&Device::Cpu).unwrap();
    let (_, logits) = extract_batched(&scorer, &tensor(images), 128).unwrap();
    let right = (0..images.len()).filter(|&i| {
        let row = logits.row(i);
        let label = usize::from(images.labels().unwrap()[i]);
        (0..row.len()).all(|k| row[k] <= row[label])
    });
    let score = inception_score(&logits, &InceptionScoreConfig::in_order(5)).unwrap();
    (right.count() as f64 / images.len() as f64, score.mean)
}

#[test]
fn shapes_are_classified_at_every_stage_of_the_search() {
    let images = generate(0, Split::Test, 0..500).unwrap();
    let (accuracy, score) = measure(&images);
    assert!(accuracy >= 0.99, "{accuracy}");
    assert!(score > 5.0, "{score}");
    for side in [8, 16] {
        let small = images.resize(side).unwrap();
        let (accuracy, score) = measure(&small);
        assert!(accuracy >= 0.95 && score > 4.5, "{side}: {accuracy} {score}");
    }
}

#[test]
fn junk_scores_near_one() {
    let images = generate(0, Split::Test, 0..300).unwrap();
    let mut bytes = images.data().to_vec();
    // A fixed pseudo-random stream in place of the pixels.
    let mut state = 1u32;
    for byte in &mut bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8;
    }
    let labels = images.labels().map(<[u8]>::to_vec);
    let junk = Images::new("junk", 32, bytes, labels, images.classes().to_vec()).unwrap();
    let (_, score) = measure(&junk);
    assert!(score < 1.2, "{score}");
}

#[test]
fn both_scorers_have_ten_classes_and_do_not_depend_on_the_batch() {
    let images = tensor(&generate(1, Split::Test, 0..40).unwrap());
    let both = [CompactClassifier::shapes(&Device::Cpu), CompactClassifier::cifar10(&Device::Cpu)];
    for (scorer, name) in both.into_iter().zip(EMBEDDED) {
        let scorer = scorer.unwrap();
        assert_eq!(scorer.name(), name);
        assert_eq!(scorer.classes(), 10);
        assert_eq!(scorer.weights_sha256().map(str::len), Some(64));
        let (features, logits) = extract_batched(&scorer, &images, 40).unwrap();
        assert_eq!((features.rows(), features.cols()), (40, scorer.dims()));
        let (single, single_logits) = extract_batched(&scorer, &images, 1).unwrap();
        for (a, b) in [(&features, &single), (&logits, &single_logits)] {
            for (x, y) in a.data().iter().zip(b.data()) {
                assert!((x - y).abs() <= 1e-5 * (1.0 + x.abs()), "{name}: {x} {y}");
            }
        }
    }
}

/// Weights of a tiny network, all zeros but the variances.
fn tiny() -> Archive {
    let variables = Variables::new([2, 3, 4], 5, DType::F32, &Device::Cpu).unwrap();
    for conv in &variables.convs {
        conv.var.set(&conv.var.ones_like().unwrap()).unwrap();
    }
    let mut archive = Archive::new();
    variables.params.save(&mut archive, "", str::to_owned).unwrap();
    archive
}

#[test]
fn wrong_weight_files_are_refused() {
    let good = CompactClassifier::from_archive("tiny", &tiny(), &Device::Cpu).unwrap();
    assert_eq!((good.dims(), good.classes()), (4, 5));

    let mut missing = tiny();
    missing.remove("block2.bn1.weight");
    let error = CompactClassifier::from_archive("tiny", &missing, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("block2.bn1.weight"), "{error}");

    let mut narrow = tiny();
    let shape = (4, 2, 3, 3);
    let wrong = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    narrow.insert("block3.conv1.weight", wrong);
    let error = CompactClassifier::from_archive("tiny", &narrow, &Device::Cpu).unwrap_err();
    let expected = "block3.conv1.weight: expected [4, 3, 3, 3], found [4, 2, 3, 3]";
    assert!(error.to_string().contains(expected), "{error}");

    let mut extra = tiny();
    extra.insert("block4.conv1.weight", Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
    let error = CompactClassifier::from_archive("tiny", &extra, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("unexpected [\"block4.conv1.weight\"]"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nameless.safetensors");
    tiny().write_safetensors(&path).unwrap();
    let error = CompactClassifier::from_file(&path, &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("entry `name`"), "{error}");
}
