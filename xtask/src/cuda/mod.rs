//! `cargo xtask check --cuda` checks the CUDA kernels without a GPU: NVIDIA's compiler translates every kernel for
//! every architecture that is supported, and the emulation runs them, also under sanitizers.

pub mod build;
mod link;
pub mod toolkit;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use toolkit::Toolkit;

use crate::check::{DENY, every, in_root};
use crate::handover::succeed;
use crate::say;

/// From the oldest that is supported (Turing) to the newest that is compiled for.
const ARCHITECTURES: [&str; 4] = ["75", "80", "86", "90"];

/// Crates whose sources hold kernels.
const SOURCES: &str = "crates/autogan-ops/src";

/// Everything that can be known of the kernels without a GPU.
pub fn run(root: &Path) -> Result<ExitCode> {
    every(&[
        ("nvcc", &|| compile(root)),
        ("lints of cuda and cudnn", &|| succeed(features(root)?)),
        ("lints of the emulation", &|| {
            let what = ["clippy", "--example", "gpu_memory"];
            succeed(in_root(root, &[&what[..], &TEST, &DENY].concat()))
        }),
        ("emulation", &|| succeed(emulation(root))),
        ("emulation under sanitizers", &|| succeed(sanitized(root)?)),
    ])
}

/// The test that runs the kernels, which other commands leave out. The whole workspace is named so that its dependencies
/// are built with the features that they have been built with already.
const TEST: [&str; 5] = ["--workspace", "--features", "emulate", "--test", "emulated"];

/// The whole workspace with both features, tests and benches too.
fn features(root: &Path) -> Result<Command> {
    // `--all-targets` leaves out the tests that only run on a GPU.
    let targets = ["--workspace", "--all-targets", "--test", "gpu"];
    let words = [&["clippy"], &targets[..], &["--features", "cuda,cudnn"], &DENY].concat();
    Toolkit::find(root, false)?.cargo(root, &words)
}

fn emulation(root: &Path) -> Command {
    in_root(root, &[&["test", "--release"], &TEST[..]].concat())
}

/// The emulation with AddressSanitizer's library loaded before everything else, as it wants to be.
fn sanitized(root: &Path) -> Result<Command> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let library = said(Command::new(&compiler).arg("-print-file-name=libasan.so"))?;
    let library = library.trim();
    if !Path::new(library).is_absolute() {
        bail!("{} has no libasan.so; install it, or let CXX name g++", compiler.display());
    }
    let rustc = said(Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say which machine it runs on")?;
    let runner = format!("CARGO_TARGET_{}_RUNNER", host.replace(['-', '.'], "_").to_uppercase());
    let mut command = emulation(root);
    command.env("AUTOGAN_EMULATE_SANITIZE", "1").env(runner, format!("env LD_PRELOAD={library}"));
    // What the test runner keeps to its end is no leak.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    Ok(command)
}

/// What a command says on stdout.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {stderr}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Compiles every kernel and prints what each needs; an error where one spills registers.
fn compile(root: &Path) -> Result<()> {
    let nvcc = Toolkit::find(root, false)?.nvcc;
    say(&format!("   {}", nvcc.display()));
    let mut files = Vec::new();
    kernel_files(&root.join(SOURCES), &mut files)?;
    let mut kernels = BTreeMap::new();
    for file in &files {
        let report = report(&nvcc, file)?;
        let found = read_report(&report);
        if found.is_empty() {
            bail!("nvcc names no kernel in {}:\n{report}", file.display());
        }
        kernels.extend(found);
    }
    let spills = table(&kernels);
    if !spills.is_empty() {
        bail!("these kernels spill registers: {}", spills.join(", "));
    }
    Ok(())
}

fn kernel_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for path in crate::tidy::entries(folder)? {
        if path.is_dir() {
            kernel_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "cu") {
            found.push(path);
        }
    }
    Ok(())
}

/// What nvcc and ptxas say of one file, compiled for all architectures.
fn report(nvcc: &Path, file: &Path) -> Result<String> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let mut command = Command::new(nvcc);
    command.args(["-fatbin", "-O3", "--threads", "0", "-Werror", "all-warnings", "-Xptxas", "-v"]);
    for architecture in ARCHITECTURES {
        command.args(["-gencode", &format!("arch=compute_{architecture},code=sm_{architecture}")]);
    }
    let output = command.arg("-o").arg(own.with_file_name("kernels.fatbin")).arg(file).output();
    let output = output.with_context(|| format!("{} does not start", nvcc.display()))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("nvcc does not compile {}:\n{said}", file.display());
    }
    Ok(said.into_owned())
}

/// What one kernel needs on one architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Needs {
    registers: u32,
    /// Bytes spilled, stores and loads.
    spilled: u32,
    /// Bytes of shared memory of a block.
    shared: u32,
}

/// Kernel and architecture to needs, from what ptxas says.
fn read_report(report: &str) -> BTreeMap<(String, String), Needs> {
    let mut found: BTreeMap<(String, String), Needs> = BTreeMap::new();
    let mut current = None;
    for line in report.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            let mut quoted = rest.split('\'');
            let key = quoted.next().zip(quoted.nth(1));
            current = key.map(|(kernel, on)| (kernel.to_owned(), on.replace("sm_", "")));
        }
        let Some(key) = &current else { continue };
        let needs = found.entry(key.clone()).or_default();
        needs.registers += before(line, " registers");
        needs.spilled += before(line, " bytes spill stores") + before(line, " bytes spill loads");
        needs.shared += before(line, " bytes smem");
    }
    found
}

/// The number before some words, or 0 where the words are not.
fn before(line: &str, words: &str) -> u32 {
    let Some((before, _)) = line.split_once(words) else { return 0 };
    let word = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Prints a row for each kernel, and returns those that spill.
fn table(kernels: &BTreeMap<(String, String), Needs>) -> Vec<String> {
    let on: String = ARCHITECTURES.iter().map(|a| format!("{:>7}", format!("sm_{a}"))).collect();
    say(&format!("   {:<28}{on}   spilled  shared", "registers of a thread"));
    let mut spills = Vec::new();
    let mut rows: BTreeMap<&str, Vec<Needs>> = BTreeMap::new();
    for ((kernel, _), needs) in kernels {
        rows.entry(kernel).or_default().push(*needs);
    }
    for (kernel, needs) in rows {
        let registers: String = needs.iter().map(|n| format!("{:>7}", n.registers)).collect();
        let spilled: u32 = needs.iter().map(|n| n.spilled).sum();
        let shared = needs.iter().map(|n| n.shared).max().unwrap_or(0);
        say(&format!("   {kernel:<28}{registers}{spilled:>10}{shared:>8}"));
        if spilled > 0 {
            spills.push(kernel.to_owned());
        }
    }
    spills
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'matmul' for 'sm_86'
ptxas info    : Function properties for matmul
    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 48 registers, used 1 barriers, 8320 bytes smem, 396 bytes cmem[0]
ptxas info    : Compiling entry function 'add_row' for 'sm_75'
ptxas info    : Function properties for add_row
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers, 384 bytes cmem[0]
";

    #[test]
    fn what_ptxas_says_is_read() {
        let found = read_report(REPORT);
        let of = |kernel: &str, on: &str| found[&(kernel.to_owned(), on.to_owned())];
        assert_eq!(found.len(), 2);
        assert_eq!(of("matmul", "86"), Needs { registers: 48, spilled: 28, shared: 8320 });
        assert_eq!(of("add_row", "75"), Needs { registers: 32, spilled: 0, shared: 0 });
    }

    #[test]
    fn a_kernel_that_spills_is_named() {
        assert_eq!(table(&read_report(REPORT)), ["matmul"]);
    }
}
