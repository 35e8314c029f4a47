//! What the steps run, and what they make of the answers.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

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
        toolkit: Some(Toolkit::fake(
            "/opt/cuda",
            true,
            vec![("CUDA_HOME".into(), "/opt/cuda".into())],
        )),
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
        Outcome::Failed { reason, .. } | Outcome::Skipped(reason) => reason,
        Outcome::Passed(found) => panic!("passed: {found:?}"),
    }
}

#[test]
fn one_build_of_everything_goes_into_a_folder_of_its_own() {
    let answer = |_: &str| fine(&built());
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    session.programs.clear();
    assert_eq!(step("build")(&mut session), Outcome::passed());
    assert_eq!(session.programs.len(), 6);
    let call = fake.asked.borrow()[0].clone();
    let words = "build --release --workspace --features cuda,cudnn --target-dir built --bin autogan \
                 --test gpu --test golden --test inception --keep-going --message-format json-render-diagnostics";
    assert!(call.line().ends_with(words), "{}", call.line());
    assert_eq!(call.env, [("CUDA_HOME".into(), "/opt/cuda".into())]);
    session.cudnn = false;
    step("build")(&mut session);
    assert!(fake.asked.borrow()[1].line().contains("--features cuda --target-dir"));
}

#[test]
fn a_build_that_fails_in_part_keeps_its_output_and_what_it_made() {
    let made =
        built().lines().filter(|line| !line.contains("inception")).collect::<Vec<_>>().join("\n");
    let answer = |line: &str| {
        if !line.contains(" build ") {
            return fine(PASSED);
        }
        Finished { stdout: made.clone(), ..failed("ld: no") }
    };
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    let outcome = step("build")(&mut session);
    assert!(matches!(&outcome, Outcome::Failed { tail, .. } if tail == "ld: no"), "{outcome:?}");
    let scorer = step("golden: scorer")(&mut session);
    assert_eq!(reason(&scorer), "the build made no `inception` of autogan-metrics");
    assert!(matches!(step("operators")(&mut session), Outcome::Passed(_)));
}

#[test]
fn tests_run_on_the_gpu_that_was_named() {
    let answer = |_: &str| fine(PASSED);
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    let mut lines = Vec::new();
    for (name, take) in &STEPS[3..10] {
        let Outcome::Passed(found) = take(&mut session) else { panic!("{name}") };
        assert_eq!(found["tests"], json!(3));
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
    let answer = |_: &str| fine(PASSED);
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    session.quick = true;
    step("operators")(&mut session);
    let call = fake.asked.borrow()[0].clone();
    assert!(call.env.contains(&("AUTOGAN_TEST_CASES".into(), "2".into())));
    for name in ["memcheck", "racecheck", "leaks", STAGE_1, "speed: inception"] {
        assert_eq!(step(name)(&mut session), Outcome::Skipped("--quick".into()), "{name}");
    }
    assert_eq!(fake.asked.borrow().len(), 1);
}

#[test]
fn a_test_that_fails_or_runs_nothing_is_a_failure() {
    let answer = |_: &str| failed("assertion failed\ntest result: FAILED. 2 passed; 1 failed");
    let outcome = step("operators")(&mut session(&Fake::new(&answer)));
    assert!(matches!(&outcome, Outcome::Failed { tail, .. } if tail.contains("assertion")));
    let answer = |_: &str| fine("test result: ok. 0 passed; 0 failed; 9 filtered out\n");
    let outcome = step("operators")(&mut session(&Fake::new(&answer)));
    assert_eq!(reason(&outcome), "no test was run");
}

#[test]
fn results_of_several_programs_are_added() {
    let text = format!("{PASSED}other\n{PASSED}test result: FAILED. 5 passed; 1 failed\n");
    assert_eq!(count(&text), 6);
}

#[test]
fn the_sanitizer_runs_the_program_that_cargo_names() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("bin")).unwrap();
    let tool = dir.path().join("bin/compute-sanitizer");
    std::fs::write(&tool, "").unwrap();
    let answer = |_: &str| fine(PASSED);
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    session.toolkit = Some(Toolkit::fake(dir.path(), true, Vec::new()));
    assert!(matches!(step("memcheck")(&mut session), Outcome::Passed(_)));
    let call = fake.asked.borrow().last().unwrap().clone();
    let words = "--tool memcheck --error-exitcode 9 /r/gpu-1 cases:: --test-threads 1";
    assert_eq!(call.line(), format!("{} {words}", tool.display()));
    assert!(call.env.contains(&("AUTOGAN_TEST_CASES".into(), "2".into())));
    session.toolkit = Some(Toolkit::fake("/no/such/folder", true, Vec::new()));
    assert!(reason(&step("racecheck")(&mut session)).contains("no compute-sanitizer"));
}

#[test]
fn memory_that_grows_with_the_work_is_a_leak() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("bin")).unwrap();
    std::fs::write(dir.path().join("bin/compute-sanitizer"), "").unwrap();
    let with = |left: [&'static str; 2]| {
        let turn = std::cell::Cell::new(0);
        let answer = move |_: &str| {
            let at = turn.replace(turn.get() + 1);
            fine(&format!(
                "{PASSED}========= LEAK SUMMARY: 96 bytes leaked in {} allocations\n",
                left[at]
            ))
        };
        let fake = Fake::new(&answer);
        let mut session = session(&fake);
        session.toolkit = Some(Toolkit::fake(dir.path(), true, Vec::new()));
        step("leaks")(&mut session)
    };
    let Outcome::Passed(found) = with(["2", "2"]) else { panic!() };
    assert_eq!(found["allocations_left"], json!([2, 2]));
    let grows = with(["2", "5"]);
    assert!(reason(&grows).contains("leaves 2 allocations behind, four leave 5"), "{grows:?}");
    assert!(reason(&with(["x", "5"])).contains("no leak summary"));
}

#[test]
fn speeds_stand_beside_pytorch_s_faster_layout() {
    let answer = |line: &str| match line {
        line if line.contains("import json, torch") => fine("{\"version\": \"2.9\", \"gpus\": 1}"),
        line if line.contains("channels-last") => fine("warning\n{\"images_per_s\": 400.0}\n"),
        line if line.contains(".py") => fine("{\"images_per_s\": 250.0}\n"),
        _ => fine(SPEED),
    };
    let fake = Fake::new(&answer);
    let mut session = session(&fake);
    let Outcome::Passed(found) = step("speed: inception")(&mut session) else { panic!() };
    assert_eq!((&found["images_per_s"], &found["ratio"]), (&json!(500.0), &json!(1.25)));
    assert_eq!(session.facts["torch"]["version"], json!("2.9"));
    let Outcome::Passed(found) = step(STAGE_1)(&mut session) else { panic!() };
    assert_eq!(found["ratio"], json!(1.25));
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
    let answer =
        |line: &str| if line.contains("python3") { failed("No module") } else { fine(SPEED) };
    let fake = Fake::new(&answer);
    let mut with = session(&fake);
    let Outcome::Passed(found) = step("speed: inception")(&mut with) else { panic!() };
    assert!(found["pytorch"].as_str().unwrap().contains("No module"));
    assert!(!found.contains_key("ratio"));
    let answer = |_: &str| failed("out of memory");
    let fake = Fake::new(&answer);
    let mut without = session(&fake);
    let outcome = step(STAGE_1)(&mut without);
    assert!(matches!(&outcome, Outcome::Failed { tail, .. } if tail == "out of memory"));
    let answer = |_: &str| fine("done\n");
    let fake = Fake::new(&answer);
    let mut silent = session(&fake);
    assert!(reason(&step("speed: inception")(&mut silent)).contains("expected images_per_s"));
}
