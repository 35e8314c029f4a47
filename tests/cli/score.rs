//! `autogan score` as a user runs it.

use std::io::Write;
use std::path::Path;

use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::common::{CommandOutput, command};

/// Runs `autogan score` in `dir`, with its cache in `dir`.
pub fn score(dir: &Path, args: &[&str]) -> CommandOutput {
    let mut command = command(dir);
    command.env("XDG_CACHE_HOME", dir.join("cache")).env("HF_HUB_CACHE", dir.join("hub"));
    command.arg("score").args(args).output().unwrap().into()
}

/// Runs `autogan score` with the embedded extractor `compact-shapes`.
pub fn compact(dir: &Path, args: &[&str]) -> CommandOutput {
    score(dir, &[args, &["--extractor", "compact-shapes"]].concat())
}

/// A CIFAR-10 file of `n` images, which depend only on `seed`: two bands of random colours.
pub fn records(dir: &Path, name: &str, n: u32, seed: u32) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut bytes = Vec::new();
    for _ in 0..n {
        bytes.extend([0]);
        for _ in 0..3 {
            let (above, below, edge) = (next(), next(), usize::from(next() % 32));
            bytes.extend((0..1024).map(|i| if i / 32 < edge { above } else { below }));
        }
    }
    std::fs::write(dir.join(name), bytes).unwrap();
}

#[test]
fn all_metrics_come_as_json_under_torch_fidelitys_keys() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 120, 1);
    records(dir.path(), "b.bin", 150, 2);
    let line = "--is --fid --kid --prc --input1 a.bin --input2 b.bin --json \
                --kid-subsets 3 --kid-subset-size 50";
    let text = compact(dir.path(), &line.split_whitespace().collect::<Vec<_>>()).ok();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for key in [
        "inception_score_mean",
        "inception_score_std",
        "frechet_inception_distance",
        "kernel_inception_distance_mean",
        "kernel_inception_distance_std",
        "precision",
        "recall",
        "f_score",
    ] {
        assert!(json[key].as_f64().is_some_and(f64::is_finite), "{key}: {json}");
    }
    assert!(json["inception_score_mean"].as_f64().unwrap() >= 1.0);
    assert_eq!(json["extractor"], "compact-shapes");
    assert_eq!(json["weights_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(json["input1_count"], 120);
    assert_eq!(json["input2_count"], 150);
}

#[test]
fn later_scores_name_their_settings_and_have_intervals() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 120, 1);
    records(dir.path(), "b.bin", 150, 2);
    let json = |options: &str| -> serde_json::Value {
        let line = format!("--density --mmd --mind --json a.bin b.bin {options}");
        let found = compact(dir.path(), &line.split_whitespace().collect::<Vec<_>>()).ok();
        serde_json::from_str(&found).unwrap()
    };
    let number = |json: &serde_json::Value, key: &str| {
        json[key].as_f64().unwrap_or_else(|| panic!("{key}: {json}"))
    };
    let plain = json("");
    let keys = [
        "density_k5",
        "coverage_k5",
        "prdc_precision_k5",
        "prdc_recall_k5",
        "maximum_mean_discrepancy_rbf_sigma10_x1000",
        "monge_inception_distance",
    ];
    assert!(plain.get("frechet_inception_distance").is_none(), "FID was not asked for");
    assert!(plain["intervals"].is_null() && plain.get("density_k5_low").is_none());
    let halves =
        json("--bootstrap 20 --is --fid --prc --kid --kid-subset-size 50 --kid-kernel rbf");
    assert_eq!(halves["intervals"]["halves"], 20);
    for key in keys {
        assert_eq!(number(&plain, key), number(&halves, key), "{key}");
    }
    let more = [
        "frechet_inception_distance",
        "precision",
        "recall",
        "inception_score",
        "kernel_inception_distance_rbf_sigma10",
    ];
    for key in keys.into_iter().chain(more) {
        let part = |part: &str| number(&halves, &format!("{key}_{part}"));
        assert!(part("low") <= part("high") && part("standard_error") >= 0.0, "{key}: {halves}");
    }
    assert!(number(&halves, "frechet_inception_distance_standard_error") > 0.0);
    let other = json("--density-neighbours 3 --mind-num-projections 10 --mmd-sigma 2");
    number(&other, "density_k3");
    number(&other, "monge_inception_distance_10projections");
    assert!(number(&other, "maximum_mean_discrepancy_rbf_sigma2_x1000") > 0.0);

    let text = compact(dir.path(), &["a.bin", "b.bin", "--bootstrap", "20"]).ok();
    assert!(
        text.starts_with("FID (compact-shapes):  ") && text.trim_end().ends_with(']'),
        "{text}"
    );
}

#[test]
fn scores_out_of_place_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 30, 1);
    let fails = |options: &[&str], expected: &str| {
        let found = compact(dir.path(), &[&["a.bin", "a.bin"], options].concat()).fails(1);
        assert!(found.contains(expected), "{found}");
    };
    fails(&["--sfid"], "--extractor inception");
    fails(&["--density", "--density-neighbours", "30"], "at least 31 images");
    fails(&["--mmd", "--mmd-sigma", "0"], "a finite sigma above 0");
    fails(&["--mind", "--mind-num-projections", "0"], "at least 1");
    fails(&["--kid", "--kid-subset-size", "1"], "--kid-subset-size: expected at least 2");
    fails(&["--mind", "--mmd", "--splits", "0"], "--splits: expected at least 1");
    let halves = ["--density", "--density-neighbours", "15", "--bootstrap", "20"];
    fails(&halves, "at least 32 images, found 30 in a.bin");
    assert!(!dir.path().join("cache").exists(), "features were made");
    let alone = compact(dir.path(), &["--mind", "a.bin"]).fails(1);
    assert!(alone.contains("give REF too"), "{alone}");
    let few = compact(dir.path(), &["a.bin", "a.bin", "--bootstrap", "5"]).fails(2);
    assert!(few.contains("20"), "{few}");
}

/// The value behind a label that names the extractor.
fn labelled(line: &str) -> f64 {
    let rest = line.strip_prefix("FID (compact-shapes):  ").unwrap_or_else(|| panic!("{line}"));
    rest.trim().parse().unwrap()
}

#[test]
fn a_fid_is_labelled_cached_and_equal_to_the_one_from_statistics() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 200, 3);
    records(dir.path(), "b.bin", 200, 4);
    let direct = labelled(&compact(dir.path(), &["a.bin", "b.bin"]).ok());
    assert!(direct > 0.0);
    assert!(dir.path().join("cache/autogan/features").is_dir());
    assert_eq!(labelled(&compact(dir.path(), &["a.bin", "b.bin"]).ok()), direct);
    compact(dir.path(), &["stats", "b.bin", "-o", "b.npz"]).ok();
    let through = labelled(&compact(dir.path(), &["a.bin", "b.npz"]).ok());
    assert!((through - direct).abs() < 1e-6 * direct, "{through} {direct}");
    let same = labelled(&compact(dir.path(), &["b.bin", "b.bin", "--no-cache"]).ok());
    assert!(same.abs() < 1e-6, "{same}");

    let mixed = score(dir.path(), &["a.bin", "b.npz", "--extractor", "compact-cifar10"]).fails(1);
    assert!(mixed.contains("compact-cifar10") && mixed.contains("across protocols"), "{mixed}");
    let kid = compact(dir.path(), &["--kid", "a.bin", "b.npz"]).fails(1);
    assert!(kid.contains("KID needs images"), "{kid}");
}

#[test]
fn warnings_can_be_silenced() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 20, 5);
    let loud = compact(dir.path(), &["--is", "a.bin"]);
    assert!(loud.stderr.contains("below 10000"), "{}", loud.stderr);
    let silent = compact(dir.path(), &["--is", "a.bin", "--silent"]);
    assert_eq!(silent.stderr, "");
    assert_eq!(silent.ok(), loud.ok());
}

#[test]
fn what_cannot_be_scored_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    records(at, "few.bin", 3, 6);
    records(at, "one.bin", 1, 6);
    std::fs::create_dir(at.join("empty")).unwrap();
    std::fs::create_dir(at.join("text")).unwrap();
    std::fs::write(at.join("text/a.png"), "text").unwrap();
    std::fs::write(at.join("text/b.png"), "text").unwrap();
    std::fs::write(at.join("x.npz"), "text").unwrap();
    let cases: [(&[&str], &str); 9] = [
        (&[], "nothing to score"),
        (&["few.bin"], "give REF"),
        (&["--is", "few.bin"], "needs at least 10 images, found 3"),
        (&["few.bin", "one.bin"], "at least 2 images, found 1"),
        (&["none", "few.bin"], "a path that exists"),
        (&["empty", "few.bin"], "a directory with images"),
        (&["text", "few.bin"], "a.png"),
        (&["x.npz", "few.bin"], "a zip container"),
        (&["few.bin", "few.bin", "--device", "tpu"], "expected cpu"),
    ];
    for (args, expected) in cases {
        let error = compact(at, args).fails(1);
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn the_default_extractor_says_how_to_get_its_weights() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 3, 7);
    let offline = score(dir.path(), &["a.bin", "a.bin", "--offline"]).fails(1);
    assert!(offline.contains("--weights FILE") && offline.contains("compact"), "{offline}");
    std::fs::write(dir.path().join("bad.pth"), b"\x80\x02cos\nsystem\n.").unwrap();
    let bad = score(dir.path(), &["a.bin", "a.bin", "--weights", "bad.pth"]).fails(1);
    assert!(bad.contains("bad.pth"), "{bad}");
    let weights = |file: &str| {
        let error = score(dir.path(), &["a.bin", "a.bin", "--weights", file]).fails(1);
        assert!(error.contains(file) && error.contains("autogan weights fetch"), "{error}");
        assert!(error.contains("pt_inception-2015-12-05-6726825d.pth"), "{error}");
        error
    };
    // TorchScript, as clean-fid's and ADM's file is.
    let mut zip = zip::ZipWriter::new(std::fs::File::create(dir.path().join("script.pt")).unwrap());
    for member in ["a/data.pkl", "a/constants.pkl", "a/code/__torch__.py"] {
        zip.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"\x80\x02}.").unwrap();
    }
    zip.finish().unwrap();
    let error = weights("script.pt");
    assert!(error.contains("a TorchScript program (torch.jit.save)"), "{error}");
    // The network of ImageNet, in both containers, and another network.
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let mut imagenet = Archive::new();
    imagenet.insert("Conv2d_1a_3x3.conv.weight", zeros(&[32, 3, 3, 3]));
    imagenet.insert("fc.weight", zeros(&[1000, 2048]));
    imagenet.write_pth(dir.path().join("imagenet.pth")).unwrap();
    imagenet.write_safetensors(dir.path().join("imagenet.safetensors")).unwrap();
    for file in ["imagenet.pth", "imagenet.safetensors"] {
        let error = weights(file);
        assert!(error.contains("an Inception-v3 of 1000 classes"), "{error}");
    }
    let mut resnet = Archive::new();
    resnet.insert("module.conv1.weight", zeros(&[4, 3, 3, 3]));
    resnet.write_pth(dir.path().join("resnet.pth")).unwrap();
    assert!(weights("resnet.pth").contains("conv1.weight"));
    let preset = score(dir.path(), &["a.bin", "a.bin", "--preset", "tf"]).fails(2);
    assert!(preset.contains("torch-fidelity, pytorch-fid or clean"), "{preset}");
}
