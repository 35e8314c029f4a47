//! [`STEPS`] lists the steps of the check. A step whose needs are missing is skipped and says why.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::call::{Call, Echo, Output, Runner};
use crate::report::{Obstacle, Outcome, measured};
use crate::toolkit::{Toolkit, cargo, nvcc_here};
use crate::{machine, throughput};

/// What the steps know and find out.
pub struct Session<'a> {
    pub runner: &'a dyn Runner,
    /// `cuda:N`.
    pub device: String,
    pub quick: bool,
    /// Whether cuDNN is wanted, where it is there.
    pub cudnn: bool,
    /// The Python that is asked for PyTorch.
    pub python: String,
    /// Whether the driver's library can be loaded.
    pub driver_loads: fn() -> bool,
    pub facts: Map<String, Value>,
    /// Whether there is a GPU to run on.
    pub gpu: bool,
    pub toolkit: Option<Toolkit>,
    /// What was built, by package and target.
    pub programs: Programs,
}

/// Where programs lie, by package and target.
pub type Programs = BTreeMap<(String, String), String>;

/// A step: its name, and what it does.
pub type Step<'a> = (&'static str, &'a dyn Fn(&mut Session) -> Outcome);

/// All steps.
pub const STEPS: [Step<'static>; 17] = [
    ("driver", &driver),
    ("toolkit", &find_toolkit),
    ("build", &build),
    ("operators", &|s| test(s, "autogan-ops", "gpu", &["--skip", "twice::"])),
    ("determinism: operators", &|s| test(s, "autogan-ops", "gpu", &["twice::"])),
    ("determinism: steps", &|s| test(s, "autogan-search", "gpu", &["same_bits"])),
    ("golden: networks", &|s| test(s, "autogan-nn", "golden", &[])),
    ("golden: controller", &|s| test(s, "autogan-rl", "golden", &[])),
    ("golden: scorer", &|s| test(s, "autogan-metrics", "inception", &[])),
    ("search and training", &|s| test(s, "autogan-search", "gpu", &["--skip", "same_bits"])),
    ("memcheck", &|s| sanitizer(s, "memcheck")),
    ("racecheck", &|s| sanitizer(s, "racecheck")),
    ("leaks", &leaks),
    ("speed: shared training, stage 0", &|s| throughput::supernet(s, "0")),
    ("speed: shared training, stage 1", &|s| throughput::supernet(s, "1")),
    ("speed: shared training, stage 2", &|s| throughput::supernet(s, "2")),
    ("speed: inception", &throughput::inception),
];

/// The test targets that the steps run.
const TESTS: [&str; 3] = ["gpu", "golden", "inception"];

/// Cases of each operator where they are to be few: under `--quick`, and under tools that make kernels slow.
const FEW: &str = "2";

/// Why nearly everything is skipped on a machine without a GPU or its driver.
const NO_GPU: &str = "there is no GPU to run on";

fn driver(session: &mut Session) -> Outcome {
    let gpus = machine::gpus(session.runner);
    let there = gpus.is_ok() || (session.driver_loads)();
    // A driver without nvidia-smi is enough; one that finds no GPU is not.
    let empty = gpus.as_ref().is_err_and(|reason| reason.contains(machine::NO_GPU));
    session.gpu = there && !empty;
    let reason = match gpus {
        Ok(gpus) => {
            session.facts.insert("gpus".into(), gpus.into());
            return Ok(Map::new());
        }
        Err(reason) if session.gpu => return measured("nvidia_smi", reason),
        Err(reason) => reason,
    };
    Err(Obstacle::failed(if there {
        format!(
            "the NVIDIA driver finds no GPU: {reason}. A container needs `--gpus all`, and CUDA_VISIBLE_DEVICES hides GPUs"
        )
    } else {
        format!(
            "no NVIDIA driver: its library cannot be loaded, and nvidia-smi says: {reason}. Install the driver; a container \
             needs `--gpus all`"
        )
    }))
}

impl Session<'_> {
    /// The toolkit, where there is a GPU, too; otherwise why a step is skipped.
    fn ready(&self) -> Result<&Toolkit, Obstacle> {
        if !self.gpu {
            return Err(Obstacle::Skipped(NO_GPU.into()));
        }
        self.toolkit.as_ref().ok_or_else(|| Obstacle::Skipped("there is no nvcc".into()))
    }

    /// A program that was built, and what it needs in its environment; otherwise why a step is skipped.
    pub fn program(&self, package: &str, target: &str) -> Result<(&str, &Toolkit), Obstacle> {
        let toolkit = self.ready()?;
        let program = self.programs.get(&(package.to_owned(), target.to_owned()));
        let missing = || Obstacle::Skipped(format!("the build made no `{target}` of {package}"));
        Ok((program.ok_or_else(missing)?, toolkit))
    }

    /// The environment of tests: the toolkit's, their GPU, how many cases of each operator they take; and no backtraces,
    /// which would push messages out of the tail.
    fn environment(&self, toolkit: &Toolkit, cases: Option<&str>) -> Vec<(String, String)> {
        let own = [("AUTOGAN_TEST_DEVICE", self.device.as_str()), ("RUST_BACKTRACE", "0")];
        let own = own.into_iter().chain(cases.map(|cases| ("AUTOGAN_TEST_CASES", cases)));
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        toolkit.env.iter().cloned().chain(own).collect()
    }

    fn nvcc_version(&self, nvcc: &str) -> Value {
        machine::nvcc_version(&self.runner.run(&Call::new(nvcc, &["--version"])).stdout).into()
    }
}

fn find_toolkit(session: &mut Session) -> Outcome {
    if !session.gpu {
        // Nothing is installed for a machine that cannot use it.
        session.facts.insert("nvcc".into(), session.nvcc_version(&nvcc_here()));
        return Err(Obstacle::Skipped(NO_GPU.into()));
    }
    let found = Toolkit::find(session.runner);
    let found = found.map_err(|error| Obstacle::failed(format!("no nvcc: {error:#}")))?;
    session.facts.insert("nvcc".into(), session.nvcc_version(&found.nvcc));
    session.facts.insert("cudnn".into(), (session.cudnn && found.cudnn).into());
    let why = match (session.cudnn, found.cudnn) {
        (true, true) => "convolutions are cuDNN's",
        (true, false) => "no cuDNN 9 was found: convolutions are our own kernels",
        (false, _) => "--no-cudnn: convolutions are our own kernels",
    };
    session.toolkit = Some(found);
    measured("convolutions", why)
}

/// Builds the program and all tests in one go: the whole workspace is named so that its dependencies are built once, with
/// one set of features; candle's kernels take many minutes.
fn build(session: &mut Session) -> Outcome {
    let toolkit = session.ready()?;
    let features = if session.cudnn && toolkit.cudnn { "cuda,cudnn" } else { "cuda" };
    let what = ["build", "--release", "--workspace", "--features", features, "--target-dir"];
    let tests = TESTS.map(|test| ["--test", test]).concat();
    let so = ["--keep-going", "--message-format", "json-render-diagnostics"];
    let words =
        [&what[..], &[toolkit.target.as_str(), "--bin", "autogan"], &tests[..], &so].concat();
    let call = Call { echo: Echo::Stderr, ..Call::new(&cargo(), &words).with(&toolkit.env) };
    let output = session.runner.run(&call);
    session.programs = programs(&output.stdout);
    output.succeeded().map(|_| Map::new())
}

/// The programs that cargo's messages name.
fn programs(messages: &str) -> Programs {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let program = message["executable"].as_str()?.to_owned();
        let target = message["target"]["name"].as_str()?.to_owned();
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let package = manifest.parent()?.file_name()?.to_str()?.to_owned();
        Some(((package, target), program))
    };
    messages.filter_map(program).collect()
}

/// Runs a test program, one test at a time, so that memory of the GPU is not short for a reason of its own.
fn test(session: &mut Session, package: &str, target: &str, filter: &[&str]) -> Outcome {
    let (program, toolkit) = session.program(package, target)?;
    let env = session.environment(toolkit, session.quick.then_some(FEW));
    let call = Call::new(program, &[&["--test-threads", "1"], filter].concat()).with(&env).aloud();
    tests_passed(session.runner.run(&call)).map(|(outcome, _)| outcome)
}

/// How many tests passed, and the output. Passed only where tests were run at all: a filter that fits none is a success to
/// cargo.
fn tests_passed(output: Output) -> Result<(Map<String, Value>, Output), Obstacle> {
    let output = output.succeeded()?;
    match count(&output.stdout) {
        0 => Err(Obstacle::Failed { reason: "no test was run".into(), tail: output.tail }),
        tests => Ok((measured("tests", tests)?, output)),
    }
}

/// Tests that passed, of all programs whose output this is.
fn count(stdout: &str) -> u64 {
    let results = stdout.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

/// The operators' test under a tool of compute-sanitizer.
fn sanitizer(session: &mut Session, tool: &str) -> Outcome {
    let output = sanitized(session, &["--tool", tool, "--error-exitcode", "9"], FEW)?;
    tests_passed(output).map(|(outcome, _)| outcome)
}

/// Whether more work leaves more memory behind. Libraries keep some to the end of a program, so that what one run leaves
/// says nothing by itself.
fn leaks(session: &mut Session) -> Outcome {
    let mut left = Vec::new();
    for cases in ["1", "4"] {
        let options = ["--tool", "memcheck", "--leak-check", "full"];
        let (_, output) = tests_passed(sanitized(session, &options, cases)?)?;
        let Some(count) = allocations_left(&output.stdout) else {
            let reason = "compute-sanitizer tells no leak summary".to_owned();
            return Err(Obstacle::Failed { reason, tail: output.tail });
        };
        left.push(count);
    }
    if left[0] < left[1] {
        return Err(Obstacle::failed(format!(
            "one case of each operator leaves {} allocations behind, four leave {}",
            left[0], left[1]
        )));
    }
    measured("allocations_left", left)
}

/// `== LEAK SUMMARY: 512 bytes leaked in 2 allocations`.
fn allocations_left(stdout: &str) -> Option<u64> {
    let line = stdout.lines().find(|line| line.contains("LEAK SUMMARY:"))?;
    line.split_once(" leaked in ")?.1.split(' ').next()?.parse().ok()
}

/// Runs the operators' test under compute-sanitizer, which watches kernels that it makes slow; or says why it is skipped.
fn sanitized(session: &Session, options: &[&str], cases: &str) -> Result<Output, Obstacle> {
    if session.quick {
        return Err(Obstacle::Skipped("--quick".into()));
    }
    let (tests, toolkit) = session.program("autogan-ops", "gpu")?;
    let why = "no compute-sanitizer on the path or in CUDA_HOME/bin";
    let program = toolkit.sanitizer.as_ref().ok_or_else(|| Obstacle::Skipped(why.into()))?;
    let words = [options, &[tests, "cases::", "--test-threads", "1"]].concat();
    let env = session.environment(toolkit, Some(cases));
    Ok(session.runner.run(&Call::new(program, &words).with(&env).aloud()))
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
