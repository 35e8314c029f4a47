//! Inception-v3 with synthetic weights against torch-fidelity, pytorch-fid and clean-fid's steps.
//!
//! The weights are rebuilt here by the rule that `scripts/golden_inception.py` documents; the
//! values of the few images under `tests/golden/inception` come from that script, those of
//! `AUTOGAN_GOLDEN_DIR` from the `make.py` beside them. `AUTOGAN_TEST_DEVICE` names a GPU to compute on.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autogan_metrics::inception::{InceptionV3, Preset, Tap, tensor_shapes};
use autogan_metrics::{
    FeatureExtractor, InceptionScoreConfig, KernelDistanceConfig, Statistics, extract_batched,
    frechet_distance, frechet_distance_of_sets, inception_score, kernel_distance,
};
use autogan_testing::device_or;
use autogan_testing::synthetic::uniform;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

const TAPS: [(&str, Tap); 6] = [
    ("64", Tap::D64),
    ("192", Tap::D192),
    ("768", Tap::D768),
    ("2048", Tap::D2048),
    ("logits_unbiased", Tap::LogitsUnbiased),
    ("logits", Tap::Logits),
];

/// Element i of the tensor NAME is f(u), where the numbers u are those of `uniform`.
fn synthetic(name: &str, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    let fan_in: usize = shape[1..].iter().product();
    let values: Vec<f32> = uniform(name, count)
        .map(|u| {
            let value = match name {
                n if n.ends_with("conv.weight") => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
                n if n.ends_with("bn.weight") || n.ends_with("running_var") => 0.75 + 0.5 * u,
                n if n.ends_with("bn.bias") || n.ends_with("running_mean") => 0.2 * (u - 0.5),
                "fc.weight" => (2.0 * u - 1.0) * 0.5,
                "fc.bias" => 4.0 * (u - 0.5),
                other => panic!("no rule for {other}"),
            };
            value as f32
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn weights() -> &'static Archive {
    static WEIGHTS: OnceLock<Archive> = OnceLock::new();
    WEIGHTS.get_or_init(|| {
        tensor_shapes()
            .into_iter()
            .map(|(name, shape)| (name.clone(), synthetic(&name, &shape)))
            .collect()
    })
}

fn extractor(preset: Preset) -> InceptionV3 {
    InceptionV3::from_archive(weights(), preset, Tap::D2048, &device_or("cpu")).unwrap()
}

/// The largest difference, relative to the largest expected magnitude.
fn gap(found: &Tensor, expected: &Tensor) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let [found, expected] = [found, expected].map(|t| t.to_device(&Device::Cpu).unwrap());
    let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    largest(&(found - &expected).unwrap()) / largest(&expected)
}

/// Checks every tap of a preset that the file holds under `PREFIX.TAP`, and returns their number.
fn check(file: &Archive, prefix: &str, preset: Preset, images: &Tensor) -> usize {
    check_taps(file, prefix, &extractor(preset), images)
}

/// Like [`check`], for an extractor.
fn check_taps(file: &Archive, prefix: &str, extractor: &InceptionV3, images: &Tensor) -> usize {
    let held: Vec<_> = TAPS
        .iter()
        .filter_map(|(name, tap)| Some((*name, *tap, file.get(&format!("{prefix}.{name}"))?)))
        .collect();
    let taps: Vec<Tap> = held.iter().map(|(_, tap, _)| *tap).collect();
    let found = extractor.taps(images, &taps).unwrap();
    for ((name, _, expected), found) in held.iter().zip(&found) {
        let gap = gap(found, expected);
        assert!(gap < 1e-4, "{prefix}.{name}: {gap:e} relative");
    }
    held.len()
}

fn own_golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/golden/inception", name].iter().collect()
}

#[test]
fn taps_equal_the_python_scorers() {
    let file = Archive::read_any(own_golden("features.safetensors")).unwrap();
    let images = file.require("images").unwrap();
    assert_eq!(check(&file, "torch_fidelity", Preset::TorchFidelity, images), 6);
    assert_eq!(check(&file, "pytorch_fid", Preset::PytorchFid, images), 4);
    assert_eq!(check(&file, "clean", Preset::Clean, images), 6);
}

/// The features of sFID, by both forms of the network and as an extractor.
#[test]
fn spatial_features_are_those_of_adms_evaluator() {
    let images = Archive::read_any(own_golden("features.safetensors")).unwrap();
    let images = images.require("images").unwrap();
    let file = Archive::read_any(own_golden("spatial.safetensors")).unwrap();
    let expected = file.require("torch_fidelity.spatial").unwrap();
    assert_eq!(expected.dims(), [3, 17 * 17 * 7]);
    let preset = Preset::TorchFidelity;
    let plain = InceptionV3::by_operators(weights(), preset, Tap::Spatial, &Device::Cpu).unwrap();
    let packed =
        InceptionV3::from_archive(weights(), preset, Tap::Spatial, &device_or("cpu")).unwrap();
    for extractor in [plain, packed] {
        let found = extractor.extract(images).unwrap();
        let gap = gap(&found.features, expected);
        assert!(gap < 1e-4, "{gap:e} relative");
        assert_eq!((extractor.dims(), extractor.classes()), (2023, 0));
        assert_eq!(extractor.name(), "inception-v3-torch-fidelity-spatial");
        assert_eq!(found.logits.dims(), [3, 0]);
    }
    assert_eq!("spatial".parse::<Tap>().unwrap(), Tap::Spatial);
}

/// The network operator by operator, as a GPU runs it, here with the operators of the CPU.
#[test]
fn taps_by_operators_equal_the_python_scorers() {
    let file = Archive::read_any(own_golden("features.safetensors")).unwrap();
    let images = file.require("images").unwrap();
    let by_operators =
        |preset| InceptionV3::by_operators(weights(), preset, Tap::D2048, &Device::Cpu).unwrap();
    for (prefix, preset, taps) in [
        ("torch_fidelity", Preset::TorchFidelity, 6),
        ("pytorch_fid", Preset::PytorchFid, 4),
        ("clean", Preset::Clean, 6),
    ] {
        assert_eq!(check_taps(&file, prefix, &by_operators(preset), images), taps);
    }
}

#[test]
fn taps_equal_the_shared_golden_values() {
    let Ok(root) = std::env::var("AUTOGAN_GOLDEN_DIR") else {
        return;
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = workspace.join(root);
    let file = Archive::read_any(root.join("inception/features_first16.safetensors")).unwrap();
    let batch = std::fs::read(root.join("../data/cifar10/test_batch.bin")).unwrap();
    let pixels: Vec<u8> =
        batch.chunks_exact(3073).take(16).flat_map(|record| record[1..].to_vec()).collect();
    let images = Tensor::from_vec(pixels, (16, 3, 32, 32), &Device::Cpu).unwrap();
    assert_eq!(check(&file, "torch_fidelity", Preset::TorchFidelity, &images), 6);
    assert_eq!(check(&file, "pytorch_fid", Preset::PytorchFid, &images), 4);
}

#[test]
fn scores_equal_the_shared_golden_values() {
    let Ok(root) = std::env::var("AUTOGAN_GOLDEN_DIR") else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(root);
    let text = std::fs::read_to_string(root.join("inception/scores.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let batch = std::fs::read(root.join("../data/cifar10/test_batch.bin")).unwrap();
    let pixels: Vec<u8> =
        batch.chunks_exact(3073).take(600).flat_map(|record| record[1..].to_vec()).collect();
    let images = Tensor::from_vec(pixels, (600, 3, 32, 32), &Device::Cpu).unwrap();
    let network = extractor(Preset::TorchFidelity);
    let (features, logits) = extract_batched(&network, &images, 50).unwrap();
    let close = |found: f64, pointer: &str, relative: f64| {
        let expected = golden.pointer(pointer).unwrap().as_f64().unwrap();
        let gap = ((found - expected) / expected).abs();
        assert!(gap < relative, "{pointer}: found {found}, expected {expected}");
    };
    for (key, config) in [
        ("isc", InceptionScoreConfig::in_order(10)),
        ("isc_shuffled_2020", InceptionScoreConfig::torch_fidelity()),
    ] {
        let score = inception_score(&logits, &config).unwrap();
        close(score.mean, &format!("/{key}/inception_score_mean"), 1e-5);
        close(score.std, &format!("/{key}/inception_score_std"), 1e-3);
    }
    let (a, b) = (features.slice(0..300), features.slice(300..600));
    let exact = "/fid_exact_float64";
    close(frechet_distance_of_sets(&a, &b).unwrap(), exact, 1e-6);
    let stats = |set| Statistics::of(set).unwrap();
    close(frechet_distance(&stats(&a), &stats(&b)).unwrap(), exact, 1e-6);
    let config = KernelDistanceConfig {
        subsets: 10,
        subset_size: 100,
        ..KernelDistanceConfig::torch_fidelity()
    };
    let kid = kernel_distance(&a, &b, &config).unwrap();
    close(kid.mean, "/kid_10x100_seed_2020/kernel_inception_distance_mean", 1e-3);
    close(kid.std, "/kid_10x100_seed_2020/kernel_inception_distance_std", 1e-3);
}

#[test]
fn an_image_alone_gives_what_it_gives_in_a_batch() {
    let file = Archive::read_any(own_golden("features.safetensors")).unwrap();
    let images = file.require("images").unwrap();
    let inception = extractor(Preset::TorchFidelity);
    let together = inception.extract(images).unwrap();
    let (alone, logits) = extract_batched(&inception, images, 1).unwrap();
    let n = images.dims()[0];
    let alone = Tensor::from_slice(alone.data(), (n, 2048), &Device::Cpu).unwrap();
    let logits = Tensor::from_slice(logits.data(), (n, 1008), &Device::Cpu).unwrap();
    assert!(gap(&alone, &together.features) < 1e-5);
    assert!(gap(&logits, &together.logits) < 1e-5);
}

#[test]
fn resizing_equals_pillows_and_pytorchs() {
    use autogan_metrics::inception::resize;
    use autogan_ops::ResizeRule;
    let file = Archive::read_any(own_golden("resize.safetensors")).unwrap();
    let mut cases = 0;
    for (name, expected) in file.iter().filter(|(name, _)| name.starts_with("to.")) {
        let [_, kind, case] = name.split('.').collect::<Vec<_>>()[..] else {
            panic!("{name}");
        };
        let source = file.require(&format!("from.{case}")).unwrap();
        let (from, to) = (source.dims2().unwrap(), expected.dims2().unwrap());
        let pixels = source.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let mut out = vec![0f32; to.0 * to.1];
        match kind {
            "bicubic" => resize::bicubic_pillow(&pixels, from, &mut out, to),
            "half_pixel" => resize::bilinear(&pixels, from, &mut out, to, ResizeRule::HalfPixel),
            "tf1" => resize::bilinear(&pixels, from, &mut out, to, ResizeRule::Tf1),
            other => panic!("{other}"),
        }
        let found = Tensor::from_vec(out, to, &Device::Cpu).unwrap();
        let largest = (found - expected).unwrap().abs().unwrap().max_all().unwrap();
        let largest = largest.to_scalar::<f32>().unwrap();
        assert!(largest < 1e-4, "{name}: {largest} grey levels");
        cases += 1;
    }
    assert!(cases >= 15, "only {cases} cases");
}

#[test]
fn incomplete_weights_are_errors_that_name_the_tensor() {
    let load = |weights: &Archive| {
        InceptionV3::from_archive(weights, Preset::Clean, Tap::D2048, &Device::Cpu)
            .unwrap_err()
            .to_string()
    };
    let mut partial = weights().clone();
    partial.remove("Mixed_7c.branch_pool.bn.running_var");
    let error = load(&partial);
    assert!(error.contains("Mixed_7c.branch_pool.bn.running_var"), "{error}");
    let mut wrong = weights().clone();
    wrong.insert("fc.bias", Tensor::zeros(1000, DType::F32, &Device::Cpu).unwrap());
    let error = load(&wrong);
    assert!(
        error.contains("fc.bias") && error.contains("[1008]") && error.contains("[1000]"),
        "{error}"
    );
}

#[test]
fn names_tell_preset_and_tap() {
    assert_eq!(extractor(Preset::PytorchFid).name(), "inception-v3-pytorch-fid");
    let small =
        InceptionV3::from_archive(weights(), Preset::Clean, Tap::D64, &Device::Cpu).unwrap();
    assert_eq!((small.name(), small.dims(), small.classes()), ("inception-v3-clean-64", 64, 1008));
    let logits = InceptionV3::from_archive(weights(), Preset::Clean, Tap::Logits, &Device::Cpu);
    assert!(logits.is_err());
}

#[test]
fn weights_come_from_a_file_with_their_hash() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inception.safetensors");
    let mut file = weights().clone();
    file.insert("Conv2d_1a_3x3.bn.num_batches_tracked", Tensor::new(0i64, &Device::Cpu).unwrap());
    file.write_safetensors(&path).unwrap();
    let inception = InceptionV3::load(&path, Preset::Clean, Tap::D64, &Device::Cpu).unwrap();
    assert_eq!(inception.weights_sha256().unwrap().len(), 64);
    let images = Tensor::zeros((1, 3, 5, 9), DType::U8, &Device::Cpu).unwrap();
    let direct =
        InceptionV3::from_archive(weights(), Preset::Clean, Tap::D64, &Device::Cpu).unwrap();
    let taps = |e: &InceptionV3| e.taps(&images, &[Tap::D64]).unwrap()[0].to_vec2::<f32>().unwrap();
    assert_eq!(taps(&inception), taps(&direct));
}
