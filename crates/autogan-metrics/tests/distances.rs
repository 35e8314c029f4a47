//! Distances and neighbours against torch-fidelity's main branch, PyTorch, `prdc` and CMMD's formula; the values come from
//! `scripts/golden_distances.py`.
#![allow(clippy::unwrap_used)]

use autogan_metrics::torch_rng::TorchGenerator;
use autogan_metrics::{
    Estimator, Kernel, KernelDistanceConfig, Matrix, MindConfig, MmdConfig, kernel_distance, mind,
    mmd, prdc,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/distances.json")).unwrap()
}

/// The input streams of the script.
fn values(name: &str, rows: usize, cols: usize) -> Vec<f64> {
    let hash = name
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    (1..=(rows * cols) as u64)
        .map(|i| {
            let mut x = hash.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((x ^ (x >> 31)) >> 40) as f64 / (1u64 << 24) as f64
        })
        .collect()
}

fn matrix(data: &[f64]) -> Matrix {
    Matrix::new(12, data.iter().map(|&v| v as f32).collect()).unwrap()
}

fn a() -> Matrix {
    matrix(&values("a", 300, 12))
}

fn b() -> Matrix {
    let mut data = values("b", 250, 12);
    for row in data.chunks_exact_mut(12) {
        row[0] = row[0] * 0.5 + 1.0;
        row[1] = row[1] * 0.5 + row[2] * 0.25;
    }
    matrix(&data)
}

#[track_caller]
fn close(found: f64, expected: &Value, relative: f64) {
    let expected = expected.as_f64().unwrap();
    let gap = (found - expected).abs();
    assert!(gap <= relative * expected.abs(), "found {found}, expected {expected}");
}

fn ints(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

/// PyTorch approximates logarithm, sine and cosine.
#[track_caller]
fn normals(found: &[f32], expected: &Value) {
    let expected: Vec<f32> = serde_json::from_value(expected.clone()).unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 2e-6, "{found} {expected}");
    }
}

#[test]
fn pytorch_draws() {
    let golden = &golden()["torch"];
    let mut rng = TorchGenerator::new(2020);
    assert_eq!(rng.randperm(10), ints(&golden["randperm_10"]));
    normals(&rng.randn(16), &golden["then_randn_16"]);
    normals(&rng.randn(37), &golden["then_randn_37"]);
    assert_eq!(rng.randperm(1000)[..8], ints(&golden["then_randperm_1000_first_8"]));
    normals(&TorchGenerator::new(7).randn(5), &golden["seed_7_randn_5"]);
    let seed = (3 << 32) + 7;
    assert_eq!(TorchGenerator::new(seed).randn(5), TorchGenerator::new(7).randn(5));
}

/// torch-fidelity projects in `f32`.
#[test]
fn monge_inception_distances() {
    let golden = golden();
    let expected = |key: &str| golden[key]["monge_inception_distance"].clone();
    let config = MindConfig::torch_fidelity();
    close(mind(&a(), &b(), &config).unwrap(), &expected("mind_a_b_1000"), 1e-6);
    close(mind(&b(), &a(), &config).unwrap(), &expected("mind_b_a_1000"), 1e-6);
    let config = MindConfig { projections: 64, ..config };
    close(mind(&a().slice(0..250), &b(), &config).unwrap(), &expected("mind_same_size_64"), 1e-6);
}

#[test]
fn kernel_distances() {
    let golden = golden();
    let kernel = Kernel::Gaussian { sigma: 1.0 };
    let config = KernelDistanceConfig { kernel, subsets: 5, subset_size: 100, seed: 2020 };
    let found = kernel_distance(&a(), &b(), &config).unwrap();
    let expected = &golden["kid_rbf_1"];
    close(found.mean, &expected["kernel_inception_distance_mean"], 1e-10);
    close(found.std, &expected["kernel_inception_distance_std"], 1e-8);
    close(mmd(&a(), &b(), &MmdConfig::cmmd()).unwrap(), &golden["mmd_sigma_10"], 1e-8);
    let kernel = Kernel::Gaussian { sigma: 0.5 };
    let config = MmdConfig { kernel, estimator: Estimator::Biased, scale: 1.0 };
    close(mmd(&a(), &b(), &config).unwrap(), &golden["mmd_sigma_0.5"], 1e-10);
}

#[test]
fn density_and_coverage() {
    for (key, neighbours) in [("prdc_5", 5), ("prdc_1", 1)] {
        let found = prdc(&a(), &b(), neighbours).unwrap();
        let expected = &golden()[key];
        close(found.precision, &expected["precision"], 1e-12);
        close(found.recall, &expected["recall"], 1e-12);
        close(found.density, &expected["density"], 1e-12);
        close(found.coverage, &expected["coverage"], 1e-12);
    }
}
