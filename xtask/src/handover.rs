//! This module builds the `autogan` binary in release and becomes it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cuda::toolkit::Toolkit;
use crate::{cuda, say};

/// Builds `autogan`, with features where any are named, and runs `autogan NAME REST…` in its place; its exit status is
/// ours.
pub fn run(name: &str, rest: &[OsString], features: Option<&str>) -> Result<ExitCode> {
    let binary = build(features)?;
    if names_a_gpu(rest) && is_older(&cuda::build::gpu_program(&binary), &binary) {
        say("note: autogan-cuda is older than autogan; `cargo xtask build --cuda` builds it anew");
    }
    let mut command = Command::new(&binary);
    // What the binary tells a person to type next begins like this command.
    command.arg(name).args(rest).env("AUTOGAN_CALLED_AS", "cargo xtask");
    execute(command).with_context(|| format!("{} does not start", binary.display()))
}

/// Whether the arguments ask for an NVIDIA GPU.
fn names_a_gpu(rest: &[OsString]) -> bool {
    let words: Vec<_> = rest.iter().map(|word| word.to_string_lossy()).collect();
    let apart = words.windows(2).any(|pair| pair[0] == "--device" && pair[1].starts_with("cuda"));
    apart || words.iter().any(|word| word.starts_with("--device=cuda"))
}

/// Whether both files are there and the first was written before the second.
fn is_older(first: &Path, second: &Path) -> bool {
    let written = |path: &Path| path.metadata().and_then(|data| data.modified());
    matches!((written(first), written(second)), (Ok(first), Ok(second)) if first < second)
}

/// Builds `autogan` in release, with features where any are named, and tells where it lies. The features `cuda` and
/// `cudnn` make a second program, `autogan-cuda` beside it, which takes over where a command names a GPU.
pub fn build(features: Option<&str>) -> Result<PathBuf> {
    let Features { both, gpu } = Features::of(features.unwrap_or_default());
    let binary = plain(&both)?;
    if let Some(cudnn) = gpu {
        let root = crate::root()?;
        cuda::build::beside(&root, &Toolkit::find(&root, true)?, &binary, (&both, cudnn))?;
    }
    Ok(binary)
}

/// Features by the program that has them.
#[derive(Debug, PartialEq, Eq)]
struct Features {
    /// Of `autogan` and `autogan-cuda`.
    both: Vec<String>,
    /// Whether `autogan-cuda` is wanted, and if so, whether with cuDNN.
    gpu: Option<bool>,
}

impl Features {
    /// From a list as cargo takes it.
    fn of(list: &str) -> Self {
        let names = || list.split([',', ' ']).filter(|name| !name.is_empty());
        let has = |wanted: &str| names().any(|name| name == wanted);
        let both = names().filter(|name| !["cuda", "cudnn"].contains(name));
        Self {
            both: both.map(str::to_owned).collect(),
            gpu: (has("cuda") || has("cudnn")).then(|| has("cudnn")),
        }
    }
}

fn plain(features: &[String]) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "autogan-cli"]);
    if !features.is_empty() {
        build.args(["--features", &features.join(",")]);
    }
    let status = build.status().context("cargo does not start")?;
    if !status.success() {
        bail!("the build failed; its messages are above");
    }
    binary()
}

/// The cargo that runs us, or the one on the path.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where the build put the binary: beside our own profile's folder, whatever the target folder is.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let Some(target) = own.parent().and_then(|profile| profile.parent()) else {
        bail!("{} lies in no target folder", own.display());
    };
    let name = format!("autogan{}", std::env::consts::EXE_SUFFIX);
    let binary = target.join("release").join(name);
    if !binary.is_file() {
        bail!(
            "expected the built binary at {}, found none; run `cargo xtask` from the repository \
             without a `--target`",
            binary.display()
        );
    }
    Ok(binary)
}

/// Becomes the command, so that signals reach it directly.
#[cfg(unix)]
pub fn execute(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

/// Runs the command and passes its exit status on.
#[cfg(not(unix))]
pub fn execute(mut command: Command) -> Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Runs a step's command to its end.
pub fn succeed(mut command: Command) -> Result<()> {
    let line = line_of(&command);
    say(&format!("   $ {line}"));
    let status = command.status().with_context(|| format!("`{line}` does not start"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// The command as a person would type it: its program without the folder.
fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = program.file_name().into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_program_is_noticed_where_a_gpu_is_asked_for() {
        let asks =
            |line: &str| names_a_gpu(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(asks("--preset cifar10 --device cuda:1") && asks("--device=cuda"));
        assert!(!asks("--device cpu --set x=cuda") && !asks("--preset cuda"));
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        for path in [&old, &new] {
            std::fs::write(path, "").unwrap();
        }
        let past = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        std::fs::File::options().write(true).open(&old).unwrap().set_modified(past).unwrap();
        assert!(is_older(&old, &new) && !is_older(&new, &old));
        assert!(!is_older(&dir.path().join("none"), &new));
    }

    #[test]
    fn features_go_to_the_program_that_has_them() {
        let of = |list: &str| {
            let Features { both, gpu } = Features::of(list);
            (both.join("+"), gpu)
        };
        assert_eq!(of(""), (String::new(), None));
        assert_eq!(of("other"), ("other".into(), None));
        assert_eq!(of("cuda"), (String::new(), Some(false)));
        assert_eq!(of("other,cudnn more"), ("other+more".into(), Some(true)));
    }
}
