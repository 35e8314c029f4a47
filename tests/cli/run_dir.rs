//! A small search as a whole: the content of its directory, and a result that depends only on the seed.

use std::fs;

use autogan_config::Configuration;
use autogan_search::SearchConfig;
use autogan_space::Arch;
use serde_json::Value;

use crate::common::{CommandOutput, command, files, last_checkpoint, tiny_run, tiny_search};

#[test]
fn a_run_leaves_everything_that_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let ran: CommandOutput = tiny_search(dir.path(), &["--seed", "5"]).output().unwrap().into();
    let stderr = ran.stderr.clone();
    let out = ran.ok();
    let run = dir.path().join("runs/00000-quick-s5");

    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    let config = SearchConfig::from_toml(&config, "config.toml", &[]).unwrap();
    assert_eq!((config.seed, config.model.gf, config.search.iterations), (5, 4, 4));
    let host: Value = serde_json::from_slice(&fs::read(run.join("host.json")).unwrap()).unwrap();
    assert!(host.is_object());
    assert!(fs::read(run.join("run.sqlite")).unwrap().starts_with(b"SQLite format 3\0"));
    assert!(files(&run).iter().any(|f| f.to_str().unwrap().contains("tfevents")));

    let checkpoints = files(&run.join("checkpoints"));
    assert!(!checkpoints.is_empty());
    for file in &checkpoints {
        let name = file.file_name().unwrap().to_str().unwrap();
        let digits = name.strip_suffix(".safetensors").unwrap();
        assert!(digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()), "{name}");
    }
    let samples = files(&run.join("samples"));
    assert!(samples.len() >= 5, "one for each of 4 iterations and the best: {samples:?}");
    for file in &samples {
        let picture = image::open(file).unwrap();
        assert!(picture.width() >= 4 && picture.height() >= 4, "{}", file.display());
    }

    // The reader and the log got the same lines, and stdout the result.
    let log = fs::read_to_string(run.join("log.txt")).unwrap();
    for line in ["search quick (seed 5) on shapes", "stage 1/3", "stage 3/3", "iteration  4/4"] {
        assert!(log.contains(line), "no {line:?} in the log:\n{log}");
        assert!(stderr.contains(line), "no {line:?} on stderr:\n{stderr}");
        assert!(!out.contains(line), "{line:?} is no result:\n{out}");
    }
    for line in ["real images", "best child", "median of random", "untrained", "compact-shapes"] {
        assert!(out.contains(line), "no {line:?} on stdout:\n{out}");
    }
}

#[test]
fn arch_json_holds_what_was_found_beside_its_scores() {
    let dir = tempfile::tempdir().unwrap();
    let (run, out) = tiny_run(dir.path(), "run", &["--quiet"]);
    let found: Value = serde_json::from_slice(&fs::read(run.join("arch.json")).unwrap()).unwrap();
    for key in ["real", "untrained", "best", "median_random"] {
        // A score by the Inception formula lies between 1 and the number of classes.
        let score = found["score"][key].as_f64().unwrap();
        assert!((1.0..=10.0).contains(&score), "{key}: {score}");
    }
    let top = found["top"].as_array().unwrap();
    assert_eq!(top.len(), 2);
    assert_eq!(top[0]["reward"], found["score"]["best"]);
    assert!(top[0]["reward"].as_f64() >= top[1]["reward"].as_f64());
    for entry in top {
        let arch: Arch = serde_json::from_value(entry["arch"].clone()).unwrap();
        assert_eq!(arch.stage(), 2);
        assert_eq!(entry["named"], arch.named());
        assert!(entry["params"].as_u64() > Some(0) && entry["macs"].as_u64() > Some(0));
    }
    let text = fs::read_to_string(run.join("arch.json")).unwrap();
    assert!(!text.contains(dir.path().to_str().unwrap()), "a path in {text}");
    let best: Arch = serde_json::from_value(top[0]["arch"].clone()).unwrap();
    assert!(out.contains(&format!("vector  {best}")), "{out}");

    // The other commands read it.
    let arch = |arg: &str| -> String {
        let args = ["arch", "convert", arg, "--to", "json"];
        CommandOutput::from(command(dir.path()).args(args).output().unwrap()).ok().trim().to_owned()
    };
    let vectors: Vec<String> = top.iter().map(|entry| entry["arch"].to_string()).collect();
    assert_eq!(arch("run"), vectors[0]);
    assert_eq!(arch("run:2"), vectors[1]);
    assert_eq!(arch("run/arch.json"), vectors[0]);
    let args = ["arch", "show", "run:3"];
    let error = CommandOutput::from(command(dir.path()).args(args).output().unwrap()).fails(1);
    assert!(error.contains("a rank from 1 to 2, found 3"), "{error}");
}

#[test]
fn same_seed_same_bytes_for_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, threads: &str, seed: &str| {
        let (run, _) = tiny_run(dir.path(), name, &["--threads", threads, "--seed", seed]);
        (fs::read(last_checkpoint(&run)).unwrap(), fs::read(run.join("arch.json")).unwrap())
    };
    let one = run("one", "1", "3");
    let two = run("two", "2", "3");
    assert!(one.0 == two.0, "the last checkpoints differ");
    assert_eq!(one.1, two.1);
    assert!(one.0 != run("other", "2", "4").0, "another seed gives another checkpoint");
}
