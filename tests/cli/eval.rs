//! `autogan eval`: a generator's scores are those of the images that `autogan sample` writes.

use std::path::Path;

use autogan_weights::Archive;
use candle_core::{Device, Tensor};
use serde_json::Value;

use crate::common::{CommandOutput, autogan, command};
use crate::common::{files, last_checkpoint, repository, tiny_run};
use crate::score::compact;

const ON_SHAPES: [&str; 4] = ["--extractor", "compact-shapes", "--splits", "2"];

fn eval(dir: &Path, args: &[&str]) -> CommandOutput {
    let mut command = command(dir);
    command.env("XDG_CACHE_HOME", dir.join("cache")).arg("eval").args(args).args(ON_SHAPES);
    command.output().unwrap().into()
}

fn json(ran: CommandOutput) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn a_run_is_scored_as_its_pictures_are() {
    let dir = tempfile::tempdir().unwrap();
    let (run, _) = tiny_run(dir.path(), "run", &["--quiet"]);
    let line = "run -n 40 --ref shapes-test --kid --prc --density --mmd --mind --kid-subsets 2 \
                --kid-subset-size 20 --latent-seed 3 --json";
    let found = json(eval(dir.path(), &line.split_whitespace().collect::<Vec<_>>()));
    crate::common::autogan(
        dir.path(),
        &["sample", "run", "-n", "40", "--seed", "3", "--out-dir", "made"],
    )
    .ok();
    let line = "--is --fid --kid --prc --density --mmd --mind made shapes-test --kid-subsets 2 \
                --kid-subset-size 20 --json";
    let line: Vec<&str> = line.split_whitespace().chain(["--splits", "2"]).collect();
    let expected = json(compact(dir.path(), &line));
    for (ours, theirs) in [
        ("compact_shapes_is_40_2splits", "inception_score_mean"),
        ("compact_shapes_is_40_2splits_std", "inception_score_std"),
        ("compact_shapes_fid_40_shapes_test", "frechet_inception_distance"),
        ("compact_shapes_kid_40_shapes_test_2x20", "kernel_inception_distance_mean"),
        ("compact_shapes_precision_40_shapes_test_k3", "precision"),
        ("compact_shapes_recall_40_shapes_test_k3", "recall"),
        ("compact_shapes_density_40_shapes_test_k5", "density_k5"),
        ("compact_shapes_coverage_40_shapes_test_k5", "coverage_k5"),
        (
            "compact_shapes_mmd_40_shapes_test_rbf_sigma10_x1000",
            "maximum_mean_discrepancy_rbf_sigma10_x1000",
        ),
        ("compact_shapes_mind_40_shapes_test", "monge_inception_distance"),
    ] {
        let value = |json: &Value, key: &str| json[key].as_f64().unwrap_or_else(|| panic!("{key}"));
        let (a, b) = (value(&found, ours), value(&expected, theirs));
        assert!((a - b).abs() <= 1e-5 * b.abs(), "{ours}: {a} {b}");
    }
    assert_eq!((&found["input1_count"], &found["latent_seed"]), (&40.into(), &3.into()));
    assert_eq!(found["arch"].as_array().unwrap().len(), 14);
    assert_eq!(found["extractor"], "compact-shapes");

    // The checkpoint gives the same score as the run; another architecture or seed gives another.
    let checkpoint = last_checkpoint(&run);
    let score = |args: &[&str]| json(eval(dir.path(), &[args, &["-n", "40", "--json"]].concat()));
    let value = |json: Value| json["compact_shapes_is_40_2splits"].as_f64().unwrap();
    let same = score(&[checkpoint.to_str().unwrap(), "--latent-seed", "3"]);
    assert_eq!(Some(value(same)), found["compact_shapes_is_40_2splits"].as_f64());
    assert_ne!(value(score(&["run"])), value(score(&["run", "--latent-seed", "3"])));
    assert_ne!(value(score(&["run"])), value(score(&["run", "--arch", "e2gan"])));
}

#[test]
fn without_a_reference_there_is_only_the_inception_score() {
    let dir = tempfile::tempdir().unwrap();
    tiny_run(dir.path(), "run", &["--quiet"]);
    let ran = eval(dir.path(), &["run", "-n", "20"]);
    assert!(ran.stderr.contains("run holds 20 images"), "{}", ran.stderr);
    let text = ran.ok();
    assert!(text.starts_with("compact_shapes_is_20_2splits:  ") && text.lines().count() == 1);
    let silent = eval(dir.path(), &["run", "-n", "20", "--silent"]);
    assert_eq!((silent.stderr.as_str(), silent.stdout), ("", text));
    // A run is not a set of images, and the error says which command to use.
    let error = compact(dir.path(), &["run", "run"]).fails(1);
    assert!(error.contains("autogan eval run"), "{error}");
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let golden = files(&repository("tests/golden/gan"))[0].clone();
    let golden = golden.to_str().unwrap();
    let resize = repository("tests/golden/inception/resize.safetensors");
    let fails = |args: &[&str], code: i32, message: &str| {
        let error = eval(dir.path(), args).fails(code);
        assert!(error.contains(message), "{args:?}: {error}");
    };
    fails(&["none"], 1, "none");
    fails(&[golden], 1, "--arch");
    fails(&[golden, "-n", "1"], 1, "-n: expected 2 or more");
    fails(&[golden, "-n", "1", "--kid"], 2, "--ref");
    fails(&[golden, "-n", "1", "--mind"], 2, "--ref");
    fails(&[resize.to_str().unwrap(), "--arch", "e2gan"], 1, "the file holds no generator");
    let pth = compact(dir.path(), &[golden, golden]).fails(1);
    assert!(pth.contains("is a checkpoint"), "{pth}");
    assert!(files(dir.path()).is_empty());
}

#[test]
fn a_generator_that_is_not_finite_is_refused_by_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    tiny_run(at, "run", &["--quiet"]);
    autogan(at, &["export", "run", "--safetensors", "whole.safetensors", "--pth", "whole.pth"])
        .ok();
    let archive = Archive::read_any(at.join("whole.safetensors")).unwrap();
    let name = archive.names().find(|name| name.starts_with("cell1") && name.ends_with("weight"));
    let name = name.unwrap().to_owned();
    let with = |file: &str, value: f32, all: bool| {
        let mut archive = archive.clone();
        let tensor = archive.get(&name).unwrap();
        let mut values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let last = if all { 0 } else { values.len() - 1 };
        values[last..].fill(value);
        let tensor = Tensor::from_vec(values, tensor.dims(), &Device::Cpu).unwrap();
        archive.insert(name.clone(), tensor);
        archive.write_safetensors(at.join(file)).unwrap();
    };
    with("nan.safetensors", f32::NAN, false);
    with("infinite.safetensors", f32::NEG_INFINITY, false);
    with("large.safetensors", f32::MAX, true);
    let commands: [&[&str]; 3] = [
        &["eval", "-n", "20", "--extractor", "compact-shapes", "--splits", "2", "--silent"],
        &["sample", "-n", "4", "--out", "made.png"],
        &["export", "--onnx", "made.onnx"],
    ];
    for command in commands {
        for file in ["nan.safetensors", "infinite.safetensors"] {
            let error = autogan(at, &[command, &[file]].concat()).fails(1);
            assert!(error.contains(&name) && error.contains("not finite"), "{command:?}: {error}");
            assert!(error.contains(file), "{command:?}: {error}");
        }
    }
    // Finite weights whose images are not, and a variance that is none.
    for command in commands {
        let error = autogan(at, &[command, &["large.safetensors"]].concat()).fails(1);
        assert!(error.contains("image 0 of the generator"), "{command:?}: {error}");
    }
    let name = archive.names().find(|name| name.ends_with("running_var")).unwrap().to_owned();
    let mut negative = archive.clone();
    let below = negative.get(&name).unwrap().affine(0.0, -5.0).unwrap();
    negative.insert(name.clone(), below);
    negative.write_safetensors(at.join("negative.safetensors")).unwrap();
    for command in commands {
        let error = autogan(at, &[command, &["negative.safetensors"]].concat()).fails(1);
        assert!(error.contains(&name) && error.contains("below 0, -5 at index 0"), "{error}");
    }
    for output in ["--pth", "--safetensors"] {
        let error = autogan(at, &["export", "large.safetensors", output, "made.onnx"]).fails(1);
        assert!(error.contains("image 0 of the generator"), "{output}: {error}");
    }
    assert!(!at.join("made.png").exists() && !at.join("made.onnx").exists());
}

#[test]
fn a_reference_is_treated_as_score_treats_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    tiny_run(at, "run", &["--quiet"]);
    let line = ["sample", "run", "-n", "12", "--out-dir", "ref"];
    autogan(at, &line).ok();
    std::fs::create_dir(at.join("ref/.ipynb_checkpoints")).unwrap();
    std::fs::copy(at.join("ref/00000.png"), at.join("ref/.ipynb_checkpoints/a.png")).unwrap();
    std::fs::write(at.join("ref/a.heic"), "x").unwrap();
    std::fs::write(at.join("file"), "x").unwrap();
    let line = ["run", "-n", "12", "--ref", "ref"];
    let with = |more: &[&str]| eval(at, &[&line, more].concat());

    // The scores are told and made, whatever the cache is.
    let ran = with(&["--json", "--cache-dir", "file/x"]);
    let said = "ref: 12 images; left out: 1 hidden folder, 1 .heic";
    assert!(ran.stderr.lines().any(|line| line == said), "{}", ran.stderr);
    assert!(ran.stderr.contains("are not kept") && ran.stderr.contains("--no-cache"));
    let found = json(ran);
    assert_eq!(
        (&found["input2_count"], &found["input2_left_out"][".heic"]),
        (&12.into(), &1.into())
    );
    // The run's own images, but for the rounding to bytes.
    assert!(found["compact_shapes_fid_12_ref"].as_f64().unwrap() < 1e-3, "{found}");

    // What cannot be computed is said, each for itself, and the rest is computed.
    let ran = with(&["--kid", "--prc", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("error: KID needs at least 1000 images"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--kid-subset-size"), "{}", ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(found["compact_shapes_precision_12_ref_k3"].is_f64(), "{found}");
    assert_eq!(found["not_computed"].as_array().unwrap().len(), 1);

    // Each line on stderr is an object, of warnings and of errors.
    let png = std::fs::read(at.join("ref/00003.png")).unwrap();
    std::fs::write(at.join("ref/00003.png"), &png[..png.len() - 12]).unwrap();
    for format in ["text", "json"] {
        let error = with(&["--log-format", format]).fails(1);
        assert!(error.contains("00003.png: expected a whole PNG picture"), "{error}");
        assert!(error.contains("end too early"), "{error}");
        let objects = error.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok());
        assert_eq!(objects.count(), if format == "json" { error.lines().count() } else { 0 });
    }
}
