//! These tests run the whole check, with fake steps and with its own steps on a machine that has nothing.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use super::call::tests::{Fake, failed, fine};
use super::*;

fn args(folder: &Path) -> Args {
    let json = folder.join("gpu-check.json");
    Args { device: "cuda:0".into(), json, quick: false, no_cudnn: false, root: folder.into() }
}

fn read(args: &Args) -> Value {
    serde_json::from_str(&std::fs::read_to_string(&args.json).unwrap()).unwrap()
}

#[test]
fn every_step_is_taken_and_one_failure_is_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let args = args(dir.path());
    let fake = Fake::new(|_| fine(""));
    let tail = format!("in {}", dir.path().display());
    let steps: [Step<'_>; 3] = [
        ("first", &|_| Ok(Map::new())),
        ("second", &|s| {
            s.facts.insert("torch".into(), json!("2.9"));
            Err(Obstacle::Failed { reason: "broke".into(), tail: tail.clone() })
        }),
        ("third", &|_| Err(Obstacle::Skipped("--quick".into()))),
    ];
    let report = check(dir.path(), &args, &fake, || true, &steps).unwrap();
    assert_eq!(report.exit_code(), ExitCode::FAILURE);
    let found = read(&args);
    let statuses: Vec<&str> =
        found["steps"].as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["passed", "failed", "skipped"]);
    assert_eq!(found["steps"][1]["tail"], json!("in <repository>"));
    assert_eq!((&found["complete"], &found["passed"]), (&json!(true), &json!(false)));
    assert_eq!((&found["torch"], &found["nvcc"]), (&json!("2.9"), &Value::Null));
    assert_eq!(found["asked"], json!({"device": "cuda:0", "quick": false, "no_cudnn": false}));

    let report = check(dir.path(), &args, &fake, || true, &steps[..1]).unwrap();
    assert_eq!(report.exit_code(), ExitCode::SUCCESS);
    assert_eq!(read(&args)["passed"], json!(true));
}

#[test]
fn the_report_is_there_while_a_step_runs() {
    let dir = tempfile::tempdir().unwrap();
    let args = args(dir.path());
    let looks: Step<'_> = ("looks", &|_| {
        let found = read(&args);
        assert_eq!((&found["complete"], &found["passed"]), (&json!(false), &json!(false)));
        Ok(Map::new())
    });
    check(dir.path(), &args, &Fake::new(|_| fine("")), || true, &[looks, looks]).unwrap();
}

#[test]
fn without_a_driver_the_rest_is_skipped_and_nothing_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let args = args(dir.path());
    let fake = Fake::new(|_| failed("nvidia-smi: not found"));
    let report = check(dir.path(), &args, &fake, || false, &STEPS).unwrap();
    assert_eq!(report.exit_code(), ExitCode::FAILURE);
    let found = read(&args);
    let steps = found["steps"].as_array().unwrap();
    assert_eq!(steps.len(), STEPS.len());
    let reason = steps[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("no NVIDIA driver") && reason.contains("not found"), "{reason}");
    for step in &steps[1..] {
        assert_eq!(
            (&step["status"], &step["reason"]),
            (&json!("skipped"), &json!("there is no GPU to run on"))
        );
    }
    let asked = fake.asked.borrow();
    assert!(!asked.iter().any(|call| call.line().contains("cargo")), "{asked:?}");
}

#[test]
fn a_driver_is_enough_and_one_without_a_gpu_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let args = args(dir.path());
    let missing = Fake::new(|_| failed("nvidia-smi: not found"));
    let report = check(dir.path(), &args, &missing, || true, &STEPS[..1]).unwrap();
    assert!(report.passed());
    let empty = Fake::new(|_| failed("No devices were found"));
    let report = check(dir.path(), &args, &empty, || true, &STEPS[..3]).unwrap();
    assert!(!report.passed());
    let found = read(&args);
    let reason = found["steps"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the NVIDIA driver finds no GPU"), "{reason}");
    assert_eq!(found["steps"][2]["status"], json!("skipped"));
}

#[test]
fn only_gpus_are_devices() {
    assert_eq!(gpu("cuda:12").unwrap(), "cuda:12");
    for wrong in ["cuda", "cpu", "cuda:", "cuda:x", "0", "cuda:-1"] {
        assert!(gpu(wrong).unwrap_err().contains("expected cuda:N"), "{wrong}");
    }
}
