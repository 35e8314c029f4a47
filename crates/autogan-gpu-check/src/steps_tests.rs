//! These tests show which commands the steps run, and what the steps make of the answers.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use serde_json::json;

use super::*;
use crate::call::tests::{Fake, failed, fine};

const PASSED: &str = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored\n";

const STAGE_1: &str = "speed: shared training, stage 1";

const SPEED: &str = "{\"images_per_s\": 500.0, \"device\": \"cuda:1 (NVIDIA L4)\"}\n";

/// A session on a machine that has everything.
fn session<'a>(runner: &'a dyn Runner) -> Session<'a> {
    Session {
        runner,
        device: "cuda:1".into(),
        quick: false,
        cudnn: true,
        python: "python3".into(),
        driver_loads: || true,
        facts: Map::new(),
        gpu: true,
        toolkit: Some(Toolkit::fake(Some("/opt/cuda/bin/compute-sanitizer"))),
        programs: programs(&built()),
    }
}

/// What cargo says of a build of everything.
fn built() -> String {
    let message = |(package, target, program): (&str, &str, &str)| {
        json!({
            "reason": "compiler-artifact",
            "manifest_path": format!("/r/crates/{package}/Cargo.toml"),
            "target": {"name": target},
            "executable": program,
        })
        .to_string()
    };
    let library = json!({"manifest_path": "/r/crates/autogan-ops/Cargo.toml",
                         "target": {"name": "autogan_ops"}, "executable": null});
    let lines = [
        ("autogan-cli", "autogan", "/r/autogan"),
        ("autogan-ops", "gpu", "/r/gpu-1"),
        ("autogan-search", "gpu", "/r/gpu-2"),
        ("autogan-nn", "golden", "/r/golden-1"),
        ("autogan-rl", "golden", "/r/golden-2"),
        ("autogan-metrics", "inception", "/r/inception-1"),
    ];
    let lines = lines.map(message).into_iter().chain([library.to_string(), "no json".into()]);
    lines.collect::<Vec<_>>().join("\n")
}

fn step(name: &str) -> &'static dyn Fn(&mut Session) -> Outcome {
    STEPS.iter().find(|(other, _)| *other == name).unwrap().1
}

fn reason(outcome: &Outcome) -> &str {
    match outcome {
        Err(Obstacle::Failed { reason, .. } | Obstacle::Skipped(reason)) => reason,
        Ok(found) => panic!("passed: {found:?}"),
    }
}

fn tail(outcome: &Outcome) -> &str {
    match outcome {
        Err(Obstacle::Failed { tail, .. }) => tail,
        other => panic!("not failed: {other:?}"),
    }
}

#[test]
fn one_build_of_everything_goes_into_a_folder_of_its_own() {
    let fake = Fake::new(|_| fine(&built()));
    let mut session = session(&fake);
    session.programs.clear();
    assert_eq!(step("build")(&mut session), Ok(Map::new()));
    assert_eq!(session.programs.len(), 6);
    let call = fake.asked.borrow()[0].clone();
    let words = "build --release --workspace --features cuda,cudnn --target-dir built --bin autogan \
                 --test gpu --test golden --test inception --keep-going --message-format json-render-diagnostics";
    assert!(call.line().ends_with(words), "{}", call.line());
    assert_eq!(call.env, [("CUDA_HOME".into(), "/opt/cuda".into())]);
    session.cudnn = false;
    assert!(step("build")(&mut session).is_ok());
    assert!(fake.asked.borrow()[1].line().contains("--features cuda --target-dir"));
}

#[test]
fn a_build_that_fails_in_part_keeps_its_output_and_what_it_made() {
    let made =
        built().lines().filter(|line| !line.contains("inception")).collect::<Vec<_>>().join("\n");
    let fake = Fake::new(|line| match line.contains(" build ") {
        true => Output { stdout: made.clone(), ..failed("ld: no") },
        false => fine(PASSED),
    });
    let mut session = session(&fake);
    assert_eq!(tail(&step("build")(&mut session)), "ld: no");
    let scorer = step("golden: scorer")(&mut session);
    assert_eq!(reason(&scorer), "the build made no `inception` of autogan-metrics");
    assert!(step("operators")(&mut session).is_ok());
}

#[test]
fn tests_run_on_the_gpu_that_was_named() {
    let fake = Fake::new(|_| fine(PASSED));
    let mut session = session(&fake);
    let mut lines = Vec::new();
    for (name, take) in &STEPS[3..10] {
        assert_eq!(take(&mut session).unwrap()["tests"], json!(3), "{name}");
        let call = fake.asked.borrow().last().unwrap().clone();
        assert!(call.env.contains(&("AUTOGAN_TEST_DEVICE".into(), "cuda:1".into())), "{name}");
        assert!(call.env.contains(&("CUDA_HOME".into(), "/opt/cuda".into())), "{name}");
        lines.push(call.line().replace(" --test-threads 1", ""));
    }
    let expected = [
        "/r/gpu-1 --skip twice::",
        "/r/gpu-1 twice::",
        "/r/gpu-2 same_bits",
        "/r/golden-1",
        "/r/golden-2",
        "/r/inception-1",
        "/r/gpu-2 --skip same_bits",
    ];
    assert_eq!(lines, expected);
}

/// What the filters of the steps name is there, in the sources of the tests.
#[test]
fn the_tests_that_steps_name_exist() {
    let cases = include_str!("../../autogan-ops/tests/cases/mod.rs");
    assert!(cases.contains("mod twice;"));
    let steps = include_str!("../../autogan-search/tests/beside/steps.rs");
    assert!(steps.contains("fn steps_give_the_same_bits_each_time"));
    for manifest in [
        include_str!("../../autogan-ops/Cargo.toml"),
        include_str!("../../autogan-search/Cargo.toml"),
    ] {
        assert!(manifest.contains("name = \"gpu\""));
    }
}

#[test]
fn a_quick_check_takes_few_cases_and_leaves_the_slow_steps_out() {
    let fake = Fake::new(|_| fine(PASSED));
    let mut session = session(&fake);
    session.quick = true;
    assert!(step("operators")(&mut session).is_ok());
    let call = fake.asked.borrow()[0].clone();
    assert!(call.env.contains(&("AUTOGAN_TEST_CASES".into(), "2".into())));
    for name in ["memcheck", "racecheck", "leaks", STAGE_1, "speed: inception"] {
        assert_eq!(step(name)(&mut session), Err(Obstacle::Skipped("--quick".into())), "{name}");
    }
    assert_eq!(fake.asked.borrow().len(), 1);
}

#[test]
fn a_test_that_fails_or_runs_nothing_is_a_failure() {
    let operators =
        |output: Output| step("operators")(&mut session(&Fake::new(|_| output.clone())));
    let outcome = operators(failed("assertion failed\ntest result: FAILED. 2 passed; 1 failed"));
    assert!(tail(&outcome).contains("assertion"));
    let outcome = operators(fine("test result: ok. 0 passed; 0 failed; 9 filtered out\n"));
    assert_eq!(reason(&outcome), "no test was run");
}

#[test]
fn results_of_several_programs_are_added() {
    let text = format!("{PASSED}other\n{PASSED}test result: FAILED. 5 passed; 1 failed\n");
    assert_eq!(count(&text), 6);
}

#[test]
fn the_sanitizer_runs_the_program_that_cargo_names() {
    let fake = Fake::new(|_| fine(PASSED));
    let mut session = session(&fake);
    assert!(step("memcheck")(&mut session).is_ok());
    let call = fake.asked.borrow().last().unwrap().clone();
    let words = "--tool memcheck --error-exitcode 9 /r/gpu-1 cases:: --test-threads 1";
    assert_eq!(call.line(), format!("/opt/cuda/bin/compute-sanitizer {words}"));
    assert!(call.env.contains(&("AUTOGAN_TEST_CASES".into(), "2".into())));
    session.toolkit = Some(Toolkit::fake(None));
    assert!(reason(&step("racecheck")(&mut session)).contains("no compute-sanitizer"));
}

#[test]
fn memory_that_grows_with_the_work_is_a_leak() {
    let with = |left: [&'static str; 2]| {
        let turn = std::cell::Cell::new(0);
        let fake = Fake::new(|_| {
            let left = left[turn.replace(turn.get() + 1)];
            fine(&format!(
                "{PASSED}========= LEAK SUMMARY: 96 bytes leaked in {left} allocations\n"
            ))
        });
        step("leaks")(&mut session(&fake))
    };
    assert_eq!(with(["2", "2"]).unwrap()["allocations_left"], json!([2, 2]));
    let grows = with(["2", "5"]);
    assert!(reason(&grows).contains("leaves 2 allocations behind, four leave 5"), "{grows:?}");
    assert!(reason(&with(["x", "5"])).contains("no leak summary"));
}

#[test]
fn speeds_stand_beside_pytorch_s_faster_layout() {
    let fake = Fake::new(|line| match line {
        line if line.contains("import json, torch") => fine("{\"version\": \"2.9\", \"gpus\": 1}"),
        line if line.contains("channels-last") => fine("warning\n{\"images_per_s\": 400.0}\n"),
        line if line.contains(".py") => fine("{\"images_per_s\": 250.0}\n"),
        _ => fine(SPEED),
    });
    let mut session = session(&fake);
    let found = step("speed: inception")(&mut session).unwrap();
    assert_eq!((&found["images_per_s"], &found["ratio"]), (&json!(500.0), &json!(1.25)));
    assert_eq!(session.facts["torch"]["version"], json!("2.9"));
    assert_eq!(step(STAGE_1)(&mut session).unwrap()["ratio"], json!(1.25));
    let asked = fake.asked.borrow();
    let lines: Vec<String> = asked.iter().map(Call::line).collect();
    let ours = "/r/autogan bench supernet --stage 1 --archs benches/archs-stage1.txt --cycles 10 --device cuda:1 --json";
    assert!(lines.iter().any(|line| line == ours), "{lines:?}");
    let theirs = "python3 scripts/bench_supernet.py --stage 1 --archs benches/archs-stage1.txt --cycles 10 \
                  --device cuda:1 --json --channels-last";
    assert!(lines.iter().any(|line| line == theirs), "{lines:?}");
}

#[test]
fn without_pytorch_our_speed_stands_alone_and_without_ours_the_step_fails() {
    let fake = Fake::new(|line| match line.contains("python3") {
        true => failed("No module"),
        false => fine(SPEED),
    });
    let found = step("speed: inception")(&mut session(&fake)).unwrap();
    assert!(found["pytorch"].as_str().unwrap().contains("No module"));
    assert!(!found.contains_key("ratio"));
    let without = Fake::new(|_| failed("out of memory"));
    assert_eq!(tail(&step(STAGE_1)(&mut session(&without))), "out of memory");
    let silent = Fake::new(|_| fine("done\n"));
    let outcome = step("speed: inception")(&mut session(&silent));
    assert!(reason(&outcome).contains("expected images_per_s"));
}
