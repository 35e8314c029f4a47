//! `cargo xtask …` is the front door of the repository.
//!
//! Most subcommands build the `autogan` binary in release and hand everything over to it; `check`
//! and `tidy` look after the repository itself. Links no crate of ours, so that it builds in
//! seconds and still works when one of them does not compile.

mod bench;
mod browser;
mod check;
mod cuda;
mod fuzz;
mod handover;
mod kernels;
mod reproducible;
mod sbom;
mod tidy;
mod vendored;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

/// The subcommands of the binary, `name  what it does` a line. A test of the binary holds the file against its own list.
const AUTOGAN: &str = include_str!("../../crates/autogan-cli/commands.txt");

/// The front door of AutoGAN: search, look at what was found, and check the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = autogan_commands())]
struct Cli {
    /// Features to build the binary with, before the subcommand
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the programs: `autogan`, and with --cuda `autogan-cuda` beside it, which computes on NVIDIA GPUs
    Build {
        /// The program for NVIDIA GPUs, too; what is missing of CUDA's toolkit is installed into a cache folder
        #[arg(long)]
        cuda: bool,
        /// Convolutions by our own kernels instead of cuDNN
        #[arg(long, requires = "cuda")]
        no_cudnn: bool,
    },
    /// Format, lints, documentation, tidy and dependency policy; what CI runs before the tests
    Check {
        /// Instead of those, the CUDA code without a GPU: nvcc for every architecture (installed into a cache
        /// folder where there is none), lints of the features cuda and cudnn, emulation, sanitizers
        #[arg(long)]
        cuda: bool,
    },
    /// The dashboard and the report in headless Chromium; needs node, npm and Chromium
    CheckBrowser(browser::Args),
    /// The loops that compute, on every path of this processor, between guard pages or under valgrind
    Kernels(kernels::Args),
    /// What a machine with an NVIDIA GPU can prove, in one file to send: operators, golden values, a search, speed
    #[command(disable_help_flag = true)]
    GpuCheck {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<OsString>,
    },
    /// Feed the readers with inputs that libFuzzer makes; needs a C++ compiler
    Fuzz(fuzz::Args),
    /// Let the calls of a small search that touch files fail one by one, and check that nothing is lost
    #[command(disable_help_flag = true)]
    Faults {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<OsString>,
    },
    /// Print where CUDA's toolkit is, as JSON; it is installed into a cache folder where there is none
    #[command(hide = true)]
    CudaToolkit,
    /// The rules that no compiler knows: crate boundaries, file headers and lengths, vendored files
    Tidy,
    /// A bill of materials (CycloneDX) of each program; needs cargo-cyclonedx
    Sbom(sbom::Args),
    /// Build a program twice, in two folders, and compare the bytes; takes as long as two builds from nothing
    Reproducible(reproducible::Args),
    /// A subcommand of the binary, with arguments that are its own to read, `--help` included.
    #[command(external_subcommand)]
    Autogan(Vec<OsString>),
}

/// The second half of `--help`.
fn autogan_commands() -> String {
    let lines = AUTOGAN.lines().map(|line| format!("\n  {line}"));
    format!("Commands of autogan, which is built in release first:{}", lines.collect::<String>())
}

fn main() -> ExitCode {
    let Cli { features, command } = Cli::parse();
    let result = root().and_then(|root| match command {
        Command::Autogan(words) => hand_over(&root, &words, features.as_deref()),
        Command::Build { cuda, no_cudnn } => build(features, cuda.then_some(!no_cudnn)),
        Command::Check { cuda: false } => check::run(&root),
        Command::Check { cuda: true } => cuda::run(&root),
        Command::CheckBrowser(args) => browser::run(&root, &args),
        Command::Fuzz(args) => fuzz::run(&root, &args),
        Command::Kernels(args) => kernels::run(&root, &args),
        Command::GpuCheck { rest } => gpu_check(&root, &rest),
        Command::Faults { rest } => faults(&rest, features.as_deref()),
        Command::CudaToolkit => cuda::build::print_toolkit(&root),
        Command::Tidy => tidy::run(&root),
        Command::Sbom(args) => sbom::run(&root, &args),
        Command::Reproducible(args) => reproducible::run(&root, &args),
    });
    result.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Builds the binary and becomes it, unless it has no such subcommand: that is said before anything is built.
fn hand_over(root: &Path, words: &[OsString], features: Option<&str>) -> anyhow::Result<ExitCode> {
    let Some((name, rest)) = words.split_first() else { anyhow::bail!("expected a command") };
    match name.to_str().filter(|name| is_known(name)) {
        Some("bench") => bench::dispatch(root, rest, features),
        Some(name) => handover::run(name, rest, features),
        None => {
            let message = format!(
                "there is no command `{}`; `cargo xtask --help` lists the commands",
                name.to_string_lossy()
            );
            Cli::command().error(ErrorKind::InvalidSubcommand, message).exit()
        }
    }
}

/// Whether the binary has a subcommand of this name; `help` is clap's own.
fn is_known(name: &str) -> bool {
    AUTOGAN.lines().any(|line| line.split(' ').next() == Some(name))
}

/// Builds the check and becomes it.
fn gpu_check(root: &Path, rest: &[OsString]) -> anyhow::Result<ExitCode> {
    let mut check = handover::cargo();
    check.args(["run", "--quiet", "--package", "autogan-gpu-check", "--", "--root"]);
    check.arg(root).args(rest);
    handover::execute(check)
}

/// Builds `autogan`, and becomes the check that injects faults into it.
fn faults(rest: &[OsString], features: Option<&str>) -> anyhow::Result<ExitCode> {
    let program = handover::build(features)?;
    let mut check = handover::cargo();
    check.args(["run", "--quiet", "--package", "autogan-fault-check", "--", "--program"]);
    check.arg(program).args(rest);
    handover::execute(check)
}

/// Builds `autogan`, and the program for GPUs where it is asked for, with cuDNN or without.
fn build(features: Option<String>, gpu: Option<bool>) -> anyhow::Result<ExitCode> {
    let mut features = features.unwrap_or_default();
    if let Some(cudnn) = gpu {
        features.push_str(if cudnn { ",cuda,cudnn" } else { ",cuda" });
    }
    let binary = handover::build(Some(&features))?;
    match gpu {
        Some(cudnn) => cuda::build::tell(&binary, cudnn)?,
        None => say(&binary.display().to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The repository's root; cargo says where this package lies.
fn root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = package.context("CARGO_MANIFEST_DIR is not set; run this as `cargo xtask`")?;
    let root = Path::new(&package).parent();
    let root = root.with_context(|| format!("{} has no parent", Path::new(&package).display()))?;
    Ok(root.to_owned())
}

/// One line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "a command-line tool speaks on stderr")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn handed_over(args: &[&str]) -> (Option<String>, Vec<OsString>) {
        let cli = Cli::try_parse_from([&["cargo xtask"], args].concat()).unwrap();
        match cli.command {
            Command::Autogan(words) => (cli.features, words),
            other => panic!("{other:?} is not handed over"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_subcommand_is_handed_over() {
        let words = ["search", "--preset", "quick", "--help", "--", "-x", "--features", "x"];
        assert_eq!(handed_over(&words), (None, words.map(OsString::from).to_vec()));
        let (features, words) = handed_over(&["--features", "cuda", "train-scorer", "shapes"]);
        assert_eq!(features.as_deref(), Some("cuda"));
        assert_eq!(words, ["train-scorer", "shapes"]);
    }

    #[test]
    fn help_lists_the_commands_of_both() {
        let help = Cli::command().render_help().to_string();
        for name in ["gpu-check", "faults", "tidy", "search", "train-scorer", "man"] {
            assert!(help.contains(&format!("  {name} ")), "{name} in {help}");
        }
    }

    #[test]
    fn only_commands_of_the_binary_are_known() {
        assert!(is_known("search") && is_known("train-scorer"));
        assert!(!is_known("serach") && !is_known("") && !is_known("Search"));
    }
}
