//! The scores against NumPy and SciPy; the values come from `scripts/golden_scores.py`.
#![allow(clippy::unwrap_used)]

use autogan_metrics::numpy_rng::RandomState;
use autogan_metrics::{
    InceptionScoreConfig, Kernel, KernelDistanceConfig, Matrix, Statistics, frechet_distance,
    frechet_distance_of_sets, inception_score, kernel_distance, precision_recall,
};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/scores.json")).unwrap()
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

fn matrix(cols: usize, data: &[f64]) -> Matrix {
    Matrix::new(cols, data.iter().map(|&v| v as f32).collect()).unwrap()
}

fn a() -> Matrix {
    matrix(12, &values("a", 300, 12))
}

fn b() -> Matrix {
    let mut data = values("b", 250, 12);
    for row in data.chunks_exact_mut(12) {
        row[0] = row[0] * 0.5 + 1.0;
        row[1] = row[1] * 0.5 + row[2] * 0.25;
    }
    matrix(12, &data)
}

#[track_caller]
fn close(found: f64, expected: &Value, relative: f64) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= relative * expected.abs(),
        "found {found}, expected {expected}"
    );
}

fn ints(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn numpy_draws() {
    let golden = &golden()["numpy"];
    let mut rng = RandomState::new(2020);
    assert_eq!(rng.permutation(10), ints(&golden["permutation_10"]));
    assert_eq!(rng.permutation(1000)[..8], ints(&golden["then_permutation_1000_first_8"]));
    assert_eq!(
        rng.choice(50_000, 500).unwrap()[496..],
        ints(&golden["then_choice_500_of_50000_last_4"])
    );
    let mut rng = RandomState::new(0);
    for word in ints(&golden["seed_0_u32"]) {
        assert_eq!(rng.next_u32() as usize, word);
    }
    let mut items: Vec<usize> = (0..7).collect();
    RandomState::new(5).shuffle(&mut items);
    assert_eq!(items, ints(&golden["seed_5_shuffle_7"]));
    let picked = RandomState::new(2020).choice(50_000, 5_000).unwrap();
    let cifar = &golden["choice_5000_of_50000"];
    assert_eq!(picked[..5], ints(&cifar["first"]));
    assert_eq!(picked.iter().sum::<usize>() as u64, cifar["sum"].as_u64().unwrap());
    assert!(RandomState::new(1).choice(3, 4).is_err());
}

#[test]
fn inception_scores() {
    let golden = golden();
    let data: Vec<f64> = values("logits", 203, 10).iter().map(|v| v * 8.0 - 4.0).collect();
    let logits = matrix(10, &data);
    for (key, splits, shuffle_seed) in [
        ("inception_10_in_order", 10, None),
        ("inception_10_seed_2020", 10, Some(2020)),
        ("inception_3_seed_7", 3, Some(7)),
    ] {
        let config = InceptionScoreConfig { splits, shuffle_seed };
        let score = inception_score(&logits, &config).unwrap();
        // The logits are rounded to f32 on their way in.
        close(score.mean, &golden[key]["mean"], 1e-6);
        close(score.std, &golden[key]["std"], 1e-5);
    }
}

#[test]
fn moments() {
    let golden = golden();
    let stats = Statistics::of(&b()).unwrap();
    for (i, expected) in golden["mean_b"].as_array().unwrap().iter().enumerate() {
        close(stats.mean[i], expected, 1e-7);
    }
    for (i, expected) in golden["cov_b_row_1"].as_array().unwrap().iter().enumerate() {
        close(stats.cov[12 + i], expected, 1e-4);
    }
}

#[test]
fn frechet_of_full_rank_sets() {
    let golden = golden();
    close(frechet_distance_of_sets(&a(), &b()).unwrap(), &golden["frechet_a_b"], 1e-6);
    let (sa, sb) = (Statistics::of(&a()).unwrap(), Statistics::of(&b()).unwrap());
    let (one, two) = (frechet_distance(&sa, &sb), frechet_distance(&sb, &sa));
    assert!((one.unwrap() - two.unwrap()).abs() < 1e-10, "symmetric");
}

#[test]
fn frechet_of_singular_sets() {
    let golden = golden();
    let wide_a = matrix(64, &values("wide_a", 20, 64));
    let wide_b = matrix(64, &values("wide_b", 30, 64));
    let many = matrix(64, &values("many", 500, 64));
    // By the nuclear norm of the sets, and by eigenvectors from the statistics alone.
    for (other, key) in [(&wide_b, "frechet_wide"), (&many, "frechet_wide_a_b0_64")] {
        let sets = frechet_distance_of_sets(&wide_a, other).unwrap();
        close(sets, &golden[key], 1e-10);
        let mut first = Statistics::of(&wide_a).unwrap();
        let mut second = Statistics::of(other).unwrap();
        close(frechet_distance(&first, &second).unwrap(), &golden[key], 1e-8);
        close(frechet_distance(&second, &first).unwrap(), &golden[key], 1e-8);
        // Statistics of other programs do not hold the number of images.
        (first.count, second.count) = (None, None);
        close(frechet_distance(&first, &second).unwrap(), &golden[key], 1e-6);
    }
    assert!(frechet_distance_of_sets(&wide_a, &wide_a).unwrap().abs() < 1e-6);
}

#[test]
fn kernel_distances() {
    let config =
        KernelDistanceConfig { kernel: Kernel::kid(), subsets: 5, subset_size: 100, seed: 2020 };
    let golden = &golden()["kid_5x100_seed_2020"];
    let found = kernel_distance(&a(), &b(), &config).unwrap();
    close(found.mean, &golden["mean"], 1e-6);
    close(found.std, &golden["std"], 1e-5);
    let large = KernelDistanceConfig { subset_size: 251, ..config };
    let error = kernel_distance(&a(), &b(), &large).unwrap_err().to_string();
    assert!(error.contains("251") && error.contains("250"), "{error}");
}

#[test]
fn precisions() {
    let golden = golden();
    for (key, neighbours) in [("prc_3", 3), ("prc_1", 1)] {
        let found = precision_recall(&a(), &b(), neighbours).unwrap();
        close(found.precision, &golden[key]["precision"], 1e-12);
        close(found.recall, &golden[key]["recall"], 1e-12);
    }
    let same = precision_recall(&a(), &a(), 3).unwrap();
    assert_eq!((same.precision, same.recall), (1.0, 1.0));
    assert!(precision_recall(&a().slice(0..3), &b(), 3).is_err());
}
