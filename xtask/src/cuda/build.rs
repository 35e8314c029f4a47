//! `cargo xtask build --cuda` builds `autogan`, and beside it `autogan-cuda`, which computes on NVIDIA GPUs.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use super::link;
use super::toolkit::{Toolkit, joined};
use crate::handover::succeed;
use crate::say;

/// Says where the programs lie that were built, and what the second needs.
pub fn tell(autogan: &Path, cudnn: bool) -> Result<()> {
    let gpu = gpu_program(autogan);
    let bytes = fs::metadata(&gpu)?.len();
    say(&format!(
        "{}\n{} ({:.1} MB) takes over where a command says --device cuda:N. It needs NVIDIA's driver, and the \
         libraries of CUDA 13{} where the system's loader finds them (LD_LIBRARY_PATH).",
        autogan.display(),
        gpu.display(),
        bytes as f64 / 1e6,
        if cudnn { " and cuDNN 9" } else { "" }
    ));
    Ok(())
}

/// The path of `autogan-cuda`, which lies beside `autogan`.
pub fn gpu_program(autogan: &Path) -> PathBuf {
    autogan.with_file_name(format!("autogan-cuda{}", std::env::consts::EXE_SUFFIX))
}

/// Builds `autogan-cuda`, stripped, beside `autogan`, with these features and perhaps cuDNN.
pub fn beside(
    root: &Path,
    toolkit: &Toolkit,
    autogan: &Path,
    (features, cudnn): (&[String], bool),
) -> Result<()> {
    let target = Toolkit::target()?;
    let own = if cudnn { "cuda,cudnn" } else { "cuda" }.to_owned();
    let features = [&[own], features].concat().join(",");
    let with = ["build", "--release", "--package", "autogan-cli", "--features", &features];
    let mut command = toolkit.cargo(root, &with)?;
    command.envs([linking(root, toolkit)?]);
    succeed(command)?;
    let name = format!("autogan{}", std::env::consts::EXE_SUFFIX);
    place(&target.join("release").join(name), &gpu_program(autogan))
}

/// What programs that link CUDA's libraries need in their build's environment. Compilers that link search the folder
/// last, and nothing is built anew because of it.
pub fn linking(root: &Path, toolkit: &Toolkit) -> Result<(OsString, OsString)> {
    let folder = Toolkit::target()?.join("link");
    link::folder(root, toolkit, &folder)?;
    Ok(("LIBRARY_PATH".into(), joined([folder], "LIBRARY_PATH")?))
}

/// Prints what `gpu-check` needs to know of the toolkit, as one JSON object.
#[expect(clippy::print_stdout, reason = "results go to stdout")]
pub fn print_toolkit(root: &Path) -> Result<ExitCode> {
    let toolkit = Toolkit::find(root, true)?;
    let mut env = toolkit.environment()?;
    env.push(linking(root, &toolkit)?);
    let found = serde_json::json!({
        "nvcc": &toolkit.nvcc,
        "libraries": toolkit.libraries(),
        "env": env.iter().map(|(k, v)| [text(k), text(v)]).collect::<Vec<_>>(),
        "sanitizer": toolkit.program("compute-sanitizer"),
        "target": Toolkit::target()?,
    });
    println!("{found}");
    Ok(ExitCode::SUCCESS)
}

fn text(word: &OsStr) -> std::borrow::Cow<'_, str> {
    word.to_string_lossy()
}

/// A copy without symbols for debuggers, where `strip` is there; never half of one.
fn place(from: &Path, to: &Path) -> Result<()> {
    let aside = to.with_extension("new");
    fs::copy(from, &aside)
        .with_context(|| format!("cannot copy {} to {}", from.display(), aside.display()))?;
    let mut strip = Command::new("strip");
    strip.arg(&aside);
    if !strip.status().is_ok_and(|status| status.success()) {
        say("   `strip` failed or is missing: the program keeps its symbols");
    }
    fs::rename(&aside, to).with_context(|| format!("cannot write {}", to.display()))
}
