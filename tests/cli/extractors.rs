//! `autogan score` and `autogan train` with extractors that are not Inception.

use std::path::Path;

use autogan_weights::Archive;
use candle_core::{Device, Tensor};

use crate::common::{autogan, tiny_training};
use crate::score::{records, score};

/// Weights of ResNet-20 as a checkpoint of `pytorch_resnet_cifar10`, all from one formula.
fn resnet20(path: &Path) {
    let mut file = Archive::new();
    let mut add = |name: String, shape: &[usize]| {
        let fan_in = shape[1..].iter().product::<usize>() as f32;
        let value = |i: usize| {
            let wave = (i as f32 * 0.37 + name.len() as f32).sin();
            match name.rsplit('.').next() {
                Some("running_var") => 1.0,
                Some("weight") if shape.len() == 1 => 1.0 + 0.2 * wave,
                Some("weight") => wave * 2.0 / fan_in.sqrt(),
                _ => 0.1 * wave,
            }
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        file.insert(format!("state_dict.module.{name}"), tensor);
    };
    let mut conv = |conv: String, norm: String, inputs: usize, outputs: usize| {
        add(format!("{conv}.weight"), &[outputs, inputs, 3, 3]);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(format!("{norm}.{part}"), &[outputs]);
        }
    };
    conv("conv1".into(), "bn1".into(), 3, 16);
    let mut inputs = 16;
    for (stage, outputs) in (1..).zip([16, 32, 64]) {
        for (i, k) in [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)] {
            let name = |what: &str| format!("layer{stage}.{i}.{what}{k}");
            conv(name("conv"), name("bn"), inputs, outputs);
            inputs = outputs;
        }
    }
    add("linear.weight".into(), &[10, 64]);
    add("linear.bias".into(), &[10]);
    file.write_pth(path).unwrap();
}

#[test]
fn a_residual_network_scores_and_marks_what_it_made() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 20, 1);
    records(dir.path(), "b.bin", 24, 2);
    resnet20(&dir.path().join("resnet20.th"));
    let with = ["--extractor", "resnet20-cifar10", "--weights", "resnet20.th", "--splits", "2"];
    let run = |args: &[&str]| score(dir.path(), &[args, &with].concat());
    let text = run(&["a.bin", "b.bin", "--fid", "--mmd"]).ok();
    assert!(text.starts_with("FID (resnet20-cifar10):  "), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&["a.bin", "b.bin", "--is", "--fid", "--json"]).ok()).unwrap();
    assert_eq!(json["extractor"], "resnet20-cifar10");
    assert!(json["inception_score_mean"].as_f64().unwrap() >= 1.0, "{json}");
    run(&["stats", "b.bin", "-o", "b.npz"]).ok();
    let stored: serde_json::Value =
        serde_json::from_str(&run(&["a.bin", "b.npz", "--json"]).ok()).unwrap();
    let key = "frechet_inception_distance";
    let (a, b) = (stored[key].as_f64().unwrap(), json[key].as_f64().unwrap());
    assert!((a - b).abs() < 1e-6 * b.abs(), "{a} {b}");
    let mixed = score(dir.path(), &["a.bin", "b.npz", "--extractor", "compact-shapes"]).fails(1);
    assert!(mixed.contains("resnet20-cifar10") && mixed.contains("across protocols"), "{mixed}");
}

#[test]
fn weights_that_are_not_here_are_asked_for_by_the_name_of_the_extractor() {
    let dir = tempfile::tempdir().unwrap();
    records(dir.path(), "a.bin", 4, 1);
    let fails = |extractor: &str, more: &[&str], expected: &[&str]| {
        let args = [&["a.bin", "a.bin", "--extractor", extractor], more].concat();
        let error = score(dir.path(), &args).fails(1);
        expected.iter().for_each(|text| assert!(error.contains(text), "{text}: {error}"));
    };
    let place = "models--facebook--dinov2-large/snapshots/47b73eefe95e8d44ec3623f8890bd894b6ea2d6c";
    fails("dinov2-vitl14", &[], &["--weights FILE", "offline mode is on", place]);
    let repo = ["--weights-repo", "me/copy", "--revision", "main"];
    fails("clip-vit-b32", &repo, &["me/copy/pytorch_model.bin @ main"]);
    fails("resnet56-cifar10", &[], &["--weights FILE", "resnet56-4bfd9763.th"]);
    fails(
        "resnet56-cifar10",
        &repo,
        &["--weights-repo is for an extractor with weights on the hub"],
    );
    fails("dinov2-vits14", &["--dims", "64"], &["--dims is for --extractor inception"]);
    resnet20(&dir.path().join("resnet20.th"));
    let file = ["--weights", "resnet20.th"];
    fails("dinov2-vits14", &file, &["resnet20.th", "facebook/dinov2-small/model.safetensors"]);
    fails("resnet56-cifar10", &file, &["layer1.3.", "resnet56-4bfd9763.th"]);
}

#[test]
fn what_needs_classes_is_refused_before_weights_are_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let settings = tiny_training(&["--set", "score.scorer=\"dinov2-vits14\"", "--run-dir", "run"]);
    let training = [&["train", "--arch", "autogan-a"][..], &settings].concat();
    let error = autogan(dir.path(), &training).fails(1);
    assert!(error.contains("dinov2-vits14, which has no classes"), "{error}");
    assert!(!dir.path().join("run/scores.json").exists());
    let help = autogan(dir.path(), &["score", "--help"]).ok();
    for name in ["dinov2-vitb14", "clip-vit-l14-336", "resnet20-cifar10"] {
        assert!(help.contains(name), "{name}: {help}");
    }
}
