//! The steps of the check, in their order. Each says what it needs; what is missing makes it a skip with that reason.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::call::{Call, Finished, Runner, Shown};
use crate::report::Outcome;
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
    pub python: OsString,
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
pub type Programs = BTreeMap<(String, String), PathBuf>;

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
    match gpus {
        Ok(gpus) => {
            session.facts.insert("gpus".into(), gpus.into());
            Outcome::passed()
        }
        Err(reason) if session.gpu => {
            session.facts.insert("gpus".into(), Value::Null);
            Outcome::Passed(Map::from_iter([("nvidia_smi".to_owned(), reason.into())]))
        }
        Err(reason) if there => Outcome::failed(format!(
            "the NVIDIA driver finds no GPU: {reason}. A container needs `--gpus all`, and CUDA_VISIBLE_DEVICES hides GPUs"
        )),
        Err(reason) => Outcome::failed(format!(
            "no NVIDIA driver: its library cannot be loaded, and nvidia-smi says: {reason}. Install the driver; a container \
             needs `--gpus all`"
        )),
    }
}

impl Session<'_> {
    /// The toolkit, where there is a GPU, too; otherwise why a step is skipped.
    fn ready(&self) -> Result<&Toolkit, Outcome> {
        if !self.gpu {
            return Err(Outcome::Skipped(NO_GPU.into()));
        }
        self.toolkit.as_ref().ok_or_else(|| Outcome::Skipped("there is no nvcc".into()))
    }

    /// A program that was built, and what it needs in its environment; otherwise why a step is skipped.
    pub fn program(&self, package: &str, target: &str) -> Result<(&Path, &Toolkit), Outcome> {
        let toolkit = self.ready()?;
        let program = self.programs.get(&(package.to_owned(), target.to_owned()));
        let missing = || Outcome::Skipped(format!("the build made no `{target}` of {package}"));
        Ok((program.ok_or_else(missing)?, toolkit))
    }

    fn features(&self, toolkit: &Toolkit) -> &'static str {
        if self.cudnn && toolkit.cudnn { "cuda,cudnn" } else { "cuda" }
    }
}

fn find_toolkit(session: &mut Session) -> Outcome {
    if !session.gpu {
        // Nothing is installed for a machine that cannot use it.
        let nvcc = nvcc_version(session, &nvcc_here());
        session.facts.insert("nvcc".into(), nvcc.into());
        return Outcome::Skipped(NO_GPU.into());
    }
    let found = match Toolkit::find(session.runner) {
        Ok(found) => found,
        Err(error) => return Outcome::failed(format!("no nvcc: {error:#}")),
    };
    let nvcc = nvcc_version(session, &found.nvcc);
    session.facts.insert("nvcc".into(), nvcc.into());
    let used = session.cudnn && found.cudnn;
    session.facts.insert("cudnn".into(), used.into());
    let why = match (session.cudnn, found.cudnn) {
        (true, true) => "convolutions are cuDNN's",
        (true, false) => "no cuDNN 9 was found: convolutions are our own kernels",
        (false, _) => "--no-cudnn: convolutions are our own kernels",
    };
    session.toolkit = Some(found);
    Outcome::Passed(Map::from_iter([("convolutions".to_owned(), why.into())]))
}

fn nvcc_version(session: &Session, nvcc: &Path) -> Option<String> {
    machine::nvcc_version(&session.runner.run(&Call::new(nvcc, &["--version"])).stdout)
}

/// Builds the program and all tests in one go: the whole workspace is named so that its dependencies are built once, with
/// one set of features; candle's kernels take many minutes.
fn build(session: &mut Session) -> Outcome {
    let toolkit = match session.ready() {
        Ok(toolkit) => toolkit,
        Err(skipped) => return skipped,
    };
    let features = session.features(toolkit);
    let what = ["build", "--release", "--workspace", "--features", features, "--target-dir"];
    let mut call = Call::new(cargo(), &what).with(&toolkit.env);
    call.args.push(toolkit.target.clone().into());
    call.args.extend(["--bin", "autogan"].map(OsString::from));
    call.args.extend(TESTS.iter().flat_map(|test| ["--test", test]).map(OsString::from));
    let so = ["--keep-going", "--message-format", "json-render-diagnostics"];
    call.args.extend(so.map(OsString::from));
    call.shown = Shown::Stderr;
    let Finished { failure, stdout, tail } = session.runner.run(&call);
    session.programs = programs(&stdout);
    match failure {
        Some(reason) => Outcome::Failed { reason, tail },
        None => Outcome::passed(),
    }
}

/// The programs that cargo's messages name.
fn programs(messages: &str) -> Programs {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let program = PathBuf::from(message["executable"].as_str()?);
        let target = message["target"]["name"].as_str()?.to_owned();
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let package = manifest.parent()?.file_name()?.to_str()?.to_owned();
        Some(((package, target), program))
    };
    messages.filter_map(program).collect()
}

/// What tests have to have in their environment: their GPU; and no backtraces, which would push messages out of the tail.
fn on(device: &str) -> [(OsString, OsString); 2] {
    [("AUTOGAN_TEST_DEVICE".into(), device.into()), ("RUST_BACKTRACE".into(), "0".into())]
}

/// Runs a test program, one test at a time, so that memory of the GPU is not short for a reason of its own.
fn test(session: &mut Session, package: &str, target: &str, filter: &[&str]) -> Outcome {
    let (program, toolkit) = match session.program(package, target) {
        Ok(built) => built,
        Err(skipped) => return skipped,
    };
    let mut call = Call::new(program, &["--test-threads", "1"]).with(&toolkit.env).aloud();
    call.args.extend(filter.iter().map(OsString::from));
    call.env.extend(on(&session.device));
    if session.quick {
        call.env.push(("AUTOGAN_TEST_CASES".into(), FEW.into()));
    }
    tests_passed(&session.runner.run(&call))
}

/// Passed only where tests were run at all: a filter that fits none is a success to cargo.
fn tests_passed(finished: &Finished) -> Outcome {
    let tail = finished.tail.clone();
    if let Some(reason) = finished.failure.clone() {
        return Outcome::Failed { reason, tail };
    }
    match count(&finished.stdout) {
        0 => Outcome::Failed { reason: "no test was run".into(), tail },
        tests => Outcome::Passed(Map::from_iter([("tests".to_owned(), json!(tests))])),
    }
}

/// Tests that passed, of all programs whose output this is.
fn count(stdout: &str) -> u64 {
    let results = stdout.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    results.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok()).sum()
}

/// The operators' test under a tool of compute-sanitizer.
fn sanitizer(session: &mut Session, tool: &str) -> Outcome {
    match sanitized(session, &["--tool", tool, "--error-exitcode", "9"], FEW) {
        Ok(call) => tests_passed(&session.runner.run(&call)),
        Err(skipped) => skipped,
    }
}

/// Whether more work leaves more memory behind. Libraries keep some to the end of a program, so that what one run leaves
/// says nothing by itself.
fn leaks(session: &mut Session) -> Outcome {
    let mut left = Vec::new();
    for cases in ["1", "4"] {
        let options = ["--tool", "memcheck", "--leak-check", "full"];
        let call = match sanitized(session, &options, cases) {
            Ok(call) => call,
            Err(skipped) => return skipped,
        };
        let finished = session.runner.run(&call);
        if let Outcome::Failed { reason, tail } = tests_passed(&finished) {
            return Outcome::Failed { reason, tail };
        }
        match allocations_left(&finished.stdout) {
            Some(count) => left.push(count),
            None => {
                let reason = "compute-sanitizer tells no leak summary".to_owned();
                return Outcome::Failed { reason, tail: finished.tail };
            }
        }
    }
    if left[0] < left[1] {
        return Outcome::failed(format!(
            "one case of each operator leaves {} allocations behind, four leave {}",
            left[0], left[1]
        ));
    }
    Outcome::Passed(Map::from_iter([("allocations_left".to_owned(), json!(left))]))
}

/// `== LEAK SUMMARY: 512 bytes leaked in 2 allocations`.
fn allocations_left(stdout: &str) -> Option<u64> {
    let line = stdout.lines().find(|line| line.contains("LEAK SUMMARY:"))?;
    line.split_once(" leaked in ")?.1.split(' ').next()?.parse().ok()
}

/// The operators' test under compute-sanitizer, which watches kernels that it makes slow; or why it is skipped.
fn sanitized(session: &Session, options: &[&str], cases: &str) -> Result<Call, Outcome> {
    if session.quick {
        return Err(Outcome::Skipped("--quick".into()));
    }
    let (tests, toolkit) = session.program("autogan-ops", "gpu")?;
    let Some(program) = &toolkit.sanitizer else {
        let why = "no compute-sanitizer on the path or in CUDA_HOME/bin";
        return Err(Outcome::Skipped(why.into()));
    };
    let mut call = Call::new(program, options).with(&toolkit.env).aloud();
    call.args.push(tests.into());
    call.args.extend(["cases::", "--test-threads", "1"].map(OsString::from));
    call.env.extend(on(&session.device));
    call.env.push(("AUTOGAN_TEST_CASES".into(), cases.into()));
    Ok(call)
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
