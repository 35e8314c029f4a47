//! `cargo xtask bench` runs criterion benches, one measurement by the binary, or the binary and PyTorch in turn.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::handover::{build, cargo, execute, run, succeed};

/// The script that runs both sides in turn.
const VERSUS: &str = "scripts/bench_vs_torch.py";

/// Without arguments the criterion benches; with `--vs-torch` the comparison; anything else is the binary's to read.
pub fn dispatch(root: &Path, rest: &[OsString], features: Option<&str>) -> Result<ExitCode> {
    match rest.split_first() {
        None => criterion(root),
        Some((first, more)) if first == "--vs-torch" => versus(root, more, features),
        Some(_) => run("bench", rest, features),
    }
}

/// Every benchmark target of the workspace.
fn criterion(root: &Path) -> Result<ExitCode> {
    let mut bench = cargo();
    bench.args(["bench", "--workspace", "--bench", "*"]).current_dir(root);
    succeed(bench)?;
    Ok(ExitCode::SUCCESS)
}

/// Hands over to the script, with the binary to measure.
fn versus(root: &Path, rest: &[OsString], features: Option<&str>) -> Result<ExitCode> {
    let binary = build(features)?;
    let python = std::env::var_os("AUTOGAN_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    command.arg(root.join(VERSUS)).arg("--autogan").arg(binary).args(rest);
    execute(command).with_context(|| {
        format!(
            "{} does not start; AUTOGAN_PYTHON names a Python that has PyTorch",
            Path::new(&python).display()
        )
    })
}
