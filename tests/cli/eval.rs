//! `autogan eval`: a generator's scores are those of the images that `autogan sample` writes.

use std::path::Path;

use serde_json::Value;

use crate::common::{CommandOutput, command};
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
    let line = "run -n 40 --ref shapes-test --kid --prc --kid-subsets 2 --kid-subset-size 20 \
                --latent-seed 3 --json";
    let found = json(eval(dir.path(), &line.split_whitespace().collect::<Vec<_>>()));
    crate::common::autogan(
        dir.path(),
        &["sample", "run", "-n", "40", "--seed", "3", "--out-dir", "made"],
    )
    .ok();
    let line =
        "--is --fid --kid --prc made shapes-test --kid-subsets 2 --kid-subset-size 20 --json";
    let line: Vec<&str> = line.split_whitespace().chain(["--splits", "2"]).collect();
    let expected = json(compact(dir.path(), &line));
    for (ours, theirs) in [
        ("compact_shapes_is_40_2splits", "inception_score_mean"),
        ("compact_shapes_is_40_2splits_std", "inception_score_std"),
        ("compact_shapes_fid_40_shapes_test", "frechet_inception_distance"),
        ("compact_shapes_kid_40_shapes_test_2x20", "kernel_inception_distance_mean"),
        ("compact_shapes_precision_40_shapes_test_k3", "precision"),
        ("compact_shapes_recall_40_shapes_test_k3", "recall"),
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
