//! `cargo xtask kernels` tests the loops that compute, on every path of this processor: between guard pages, or under
//! valgrind.
//!
//! The test programs are those called `guarded`; `docs/performance.md` says what they do. Here they run one after the
//! other, with their output, so that a log names the paths that were taken.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::handover::{cargo, succeed};
use crate::say;

/// The crates that have unsafe code on the CPU, or loops compiled for several vector units.
const CRATES: [&str; 3] = ["autogan-kernels", "autogan-ops", "autogan-metrics"];

/// The test program of each.
const PROGRAM: &str = "guarded";

/// What valgrind has to find, as `tests/guarded/probe.rs` of the kernels names them.
const MISTAKES: [&str; 5] =
    ["read-behind", "write-behind", "read-before", "read-freed", "branch-on-unwritten"];

/// What valgrind exits with where it found an error; a test that fails exits with another code.
const FOUND: i32 = 99;

/// How kernels are tested.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Under valgrind, which also finds decisions that depend on memory that nobody wrote; it knows no AVX-512, and the
    /// tests take a fifth of their cases
    #[arg(long)]
    memcheck: bool,
}

/// Builds the test programs and runs them.
pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    if args.memcheck {
        memcheck(root)?
    } else {
        guarded(root)?
    }
    Ok(ExitCode::SUCCESS)
}

/// All of them, between guard pages.
fn guarded(root: &Path) -> Result<()> {
    for (name, program) in build(root)? {
        say(&format!("== {name}"));
        let mut tests = Command::new(program);
        tests.args(["--nocapture", "--test-threads=1"]);
        succeed(tests)?;
    }
    Ok(())
}

/// All of them, under valgrind.
fn memcheck(root: &Path) -> Result<()> {
    let version = Command::new("valgrind").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        bail!("valgrind is not installed: `apt-get install valgrind`, then run this again");
    }
    let (programs, paths) = (build(root)?, paths());
    for mistake in MISTAKES {
        // The program of the kernels makes mistakes where it is asked to.
        let mut probe = valgrind(&programs[0].1, &paths);
        probe.args(["--exact", "probe::mistake"]).env("AUTOGAN_KERNEL_MISTAKE", mistake);
        let output = probe.output().context("valgrind does not start")?;
        if output.status.code() != Some(FOUND) {
            let told = String::from_utf8_lossy(&output.stderr);
            bail!(
                "valgrind does not find the mistake {mistake}; so it would find no other:\n{told}"
            );
        }
    }
    say(&format!("   valgrind finds {}", MISTAKES.join(", ")));
    for (name, program) in programs {
        say(&format!("== {name} under valgrind, on the paths {paths}"));
        let mut tests = valgrind(&program, &paths);
        tests.args(["--nocapture", "--test-threads=1"]);
        succeed(tests)?;
    }
    Ok(())
}

/// A test program under valgrind, on memory of the system.
fn valgrind(program: &Path, paths: &str) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--leak-check=no", "--fair-sched=yes"]);
    command.arg(format!("--error-exitcode={FOUND}")).arg(program);
    command.env("AUTOGAN_KERNEL_MEMORY", "plain").env("AUTOGAN_KERNEL_PATHS", paths);
    // Valgrind runs one thread at a time; with a second one, loops still hand work over.
    command.env("RAYON_NUM_THREADS", "2");
    command
}

/// The paths that this processor has and valgrind knows.
fn paths() -> String {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return "scalar,avx2".into();
    }
    if cfg!(target_arch = "aarch64") { "scalar,neon".into() } else { "scalar".into() }
}

/// Builds the test programs, with the features that they have among all crates, and tells where they lie.
fn build(root: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut build = cargo();
    build.current_dir(root).args(["test", "--workspace", "--no-run", "--test", PROGRAM]);
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = build.output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("the tests do not build; the messages are above");
    }
    let lines = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
    let found = |name| {
        let program = program(&lines, name);
        Ok((name, program.with_context(|| format!("cargo names no program {PROGRAM} of {name}"))?))
    };
    CRATES.into_iter().map(found).collect()
}

/// The path of a crate's test program in cargo's messages.
fn program(lines: &str, name: &str) -> Option<PathBuf> {
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_it = |message: &Value| {
        let source = message["manifest_path"].as_str().map(Path::new);
        message["target"]["name"] == PROGRAM
            && source.is_some_and(|path| path.ends_with(Path::new(name).join("Cargo.toml")))
    };
    messages.filter(is_it).find_map(|message| Some(message["executable"].as_str()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let lines = concat!(
            r#"{"manifest_path":"/r/autogan-ops/Cargo.toml","target":{"name":"autogan_ops"},"executable":null}"#,
            "\n",
            r#"{"manifest_path":"/r/autogan-ops/Cargo.toml","target":{"name":"guarded"},"executable":"/t/guarded-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(program(lines, "autogan-ops"), Some(PathBuf::from("/t/guarded-1")));
        assert_eq!(program(lines, "autogan-kernels"), None);
    }

    #[test]
    fn every_crate_has_the_program() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        for name in CRATES {
            let tests = crates.join(name).join("tests");
            let there = tests.join("guarded.rs").exists() || tests.join("guarded/main.rs").exists();
            assert!(there, "{name} has no test program {PROGRAM}");
        }
    }
}
