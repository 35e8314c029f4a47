//! A [`Fuzzer`] is the built program that libFuzzer drives.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::entries;
use crate::handover::cargo;

/// Makes rustc count which parts of the code an input reaches, as `cargo fuzz --sanitizer none` does.
const COUNT: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// The variables that the program reads.
pub(super) const TARGET: &str = "AUTOGAN_FUZZ_TARGET";
const SEEDS: &str = "AUTOGAN_FUZZ_SEEDS";

/// The program, which holds every target.
#[derive(Debug)]
pub(super) struct Fuzzer {
    program: PathBuf,
    target_dir: PathBuf,
}

impl Fuzzer {
    /// Builds it in the profile of tests, which has debug assertions and overflow checks. With `own`, only our own crates
    /// count what is reached: the libraries are those that the tests were built with.
    pub(super) fn build(root: &Path, own: bool) -> Result<Self> {
        let target_dir = target_dir(root)?;
        let mut build = cargo();
        build.current_dir(root).args(["test", "--no-run", "--test", "libfuzzer"]);
        build.args(["--features", "autogan-fuzz/libfuzzer"]);
        build.args(["--message-format", "json-render-diagnostics"]);
        if own {
            // As for all tests, so that the libraries of those serve.
            build.arg("--workspace");
            build.env("RUSTC_WORKSPACE_WRAPPER", root.join("scripts/rustc_with_coverage.sh"));
            build.env("AUTOGAN_COVERAGE_FLAGS", COUNT.join(" "));
        } else {
            // With a platform named, build scripts and macros do not get the flags.
            build.args(["--package", "autogan-fuzz", "--target", &host()?]);
            build.env("RUSTFLAGS", format!("{} --cfg fuzzing", COUNT.join(" ")));
            build.arg("--target-dir").arg(target_dir.join("fuzz"));
        }
        let messages = build.stderr(Stdio::inherit()).output().context("cargo does not start")?;
        if !messages.status.success() {
            bail!("the fuzzer could not be built; the messages are above");
        }
        let program = program(&String::from_utf8_lossy(&messages.stdout));
        Ok(Self { program: program.context("cargo tells no program")?, target_dir })
    }

    /// A command that runs one target.
    pub(super) fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env(TARGET, target);
        command
    }

    /// The folder of what was found so far.
    pub(super) fn work(&self) -> PathBuf {
        self.target_dir.join("fuzz-work")
    }

    /// Writes the seeds of every target to `folder/TARGET`, and tells the names of the targets.
    pub(super) fn write_seeds(&self, folder: &Path) -> Result<Vec<String>> {
        // libFuzzer notes on stderr which sanitizers there are not.
        let status = self.command("").env(SEEDS, folder).stderr(Stdio::null()).status();
        let status =
            status.with_context(|| format!("{} does not start", self.program.display()))?;
        if !status.success() {
            bail!("{} wrote no seeds: it ended with {status}", self.program.display());
        }
        let name = |path: PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(entries(folder)?.into_iter().filter_map(name).collect())
    }
}

/// The program that cargo's messages name.
fn program(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    let named = |message: serde_json::Value| Some(message["executable"].as_str()?.into());
    messages.filter_map(named).next_back()
}

/// The target folder of the workspace.
fn target_dir(root: &Path) -> Result<PathBuf> {
    let output = cargo()
        .current_dir(root)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo does not start")?;
    let data: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    let folder =
        data["target_directory"].as_str().context("cargo metadata has no target folder")?;
    Ok(folder.into())
}

/// The name of this machine's platform, as rustc tells it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not tell its host")?.to_owned())
}
