//! `cargo xtask …`, the front door of the repository.
//!
//! Most subcommands build the `autogan` binary in release and hand everything over to it; `check`
//! and `tidy` look after the repository itself. Links no crate of ours, so that it builds in
//! seconds and still works when one of them does not compile.

mod bench;
mod browser;
mod check;
mod cuda;
mod gpu_check;
mod handover;
mod tidy;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// The front door of AutoGAN: search, look at what was found, and check the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    /// Features to build the binary with, before the subcommand: `cargo xtask --features cuda search …`
    #[arg(long, value_name = "LIST")]
    features: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Autogan(Autogan),
    /// Build the programs: `autogan`, and with --cuda `autogan-cuda` beside it, which computes on NVIDIA cards
    Build {
        /// The program for NVIDIA cards, too; what is missing of CUDA's toolkit is installed into a cache folder
        #[arg(long)]
        cuda: bool,
        /// Convolutions by our own kernels instead of cuDNN
        #[arg(long, requires = "cuda")]
        no_cudnn: bool,
    },
    /// Format, lints, documentation, tidy and dependency policy; what CI runs before the tests
    Check {
        /// Instead of those, the CUDA code without a card: nvcc for every architecture (installed into a cache
        /// folder where there is none), lints of the features cuda and cudnn, emulation, sanitizers
        #[arg(long)]
        cuda: bool,
    },
    /// The dashboard and the report in headless Chromium; needs node, npm and Chromium
    CheckBrowser(browser::Args),
    /// What a machine with an NVIDIA card can prove, in one file to send: operators, golden values, a search, speed
    GpuCheck(gpu_check::Args),
    /// The rules that no compiler knows: crate boundaries, file headers and lengths, README
    Tidy,
}

/// Subcommands of the `autogan` binary; each passes its arguments on as they are. `tidy` checks that
/// these are the ones that the binary has.
#[derive(Debug, Subcommand)]
enum Autogan {
    /// Search for an architecture
    Search(Rest),
    /// Train an architecture from scratch, or the best of a search in turn
    Train(Rest),
    /// Show, draw, count or convert architectures
    Arch(Rest),
    /// Write the report of a run: one HTML file with everything in it
    Report(Rest),
    /// Generate images from a checkpoint
    Sample(Rest),
    /// Write a checkpoint's generator to a file: ONNX, safetensors or .pth
    Export(Rest),
    /// Train the compact classifier that scores images
    TrainScorer(Rest),
    /// Score what a checkpoint's generator makes
    Eval(Rest),
    /// Score images: Inception Score, FID, KID, precision and recall
    Score(Rest),
    /// Look at runs in a browser: curves, samples, trials, comparisons
    Dashboard(Rest),
    /// Measure speed: criterion benches; `supernet|inception|frechet …`; `--vs-torch …` beside PyTorch
    Bench(Rest),
    /// Fetch, check and convert weight files; check the scorer against published values
    Weights(Rest),
    /// List the architectures that a run scored
    Trials(Rest),
    /// List the runs of a directory
    Runs(Rest),
    /// Compare runs: scores, architectures, time, configurations
    Compare(Rest),
    /// Run the paper's experiments: tables, figures, a page for each
    Repro(Rest),
    /// Print a script that completes autogan's commands in a shell
    Completions(Rest),
    /// Print the manual page, or write one page per command to a directory
    Man(Rest),
}

/// Arguments that are the binary's to read, `--help` included.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

impl Autogan {
    /// The binary's name for the subcommand, and its arguments.
    fn into_parts(self) -> (&'static str, Vec<OsString>) {
        let (name, Rest { rest }) = match self {
            Self::Search(rest) => ("search", rest),
            Self::Train(rest) => ("train", rest),
            Self::Arch(rest) => ("arch", rest),
            Self::Report(rest) => ("report", rest),
            Self::Sample(rest) => ("sample", rest),
            Self::Export(rest) => ("export", rest),
            Self::TrainScorer(rest) => ("train-scorer", rest),
            Self::Eval(rest) => ("eval", rest),
            Self::Score(rest) => ("score", rest),
            Self::Dashboard(rest) => ("dashboard", rest),
            Self::Bench(rest) => ("bench", rest),
            Self::Weights(rest) => ("weights", rest),
            Self::Trials(rest) => ("trials", rest),
            Self::Runs(rest) => ("runs", rest),
            Self::Compare(rest) => ("compare", rest),
            Self::Repro(rest) => ("repro", rest),
            Self::Completions(rest) => ("completions", rest),
            Self::Man(rest) => ("man", rest),
        };
        (name, rest)
    }
}

fn main() -> ExitCode {
    let Cli { features, command } = Cli::parse();
    let result = match command {
        Command::Autogan(Autogan::Bench(Rest { rest })) => {
            root().and_then(|root| bench::dispatch(&root, &rest, features.as_deref()))
        }
        Command::Autogan(command) => {
            let (name, rest) = command.into_parts();
            handover::run(name, &rest, features.as_deref())
        }
        Command::Build { cuda, no_cudnn } => build(features, cuda.then_some(!no_cudnn)),
        Command::Check { cuda: false } => root().and_then(|root| check::run(&root)),
        Command::Check { cuda: true } => root().and_then(|root| cuda::run(&root)),
        Command::CheckBrowser(args) => root().and_then(|root| browser::run(&root, &args)),
        Command::GpuCheck(args) => root().and_then(|root| gpu_check::run(&root, &args)),
        Command::Tidy => root().and_then(|root| tidy::run(&root)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Builds `autogan`, and the program for cards where it is asked for, with cuDNN or without.
fn build(features: Option<String>, cards: Option<bool>) -> anyhow::Result<ExitCode> {
    let mut features = features.unwrap_or_default();
    if let Some(cudnn) = cards {
        features.push_str(if cudnn { ",cuda,cudnn" } else { ",cuda" });
    }
    let binary = handover::build(Some(&features))?;
    match cards {
        Some(cudnn) => cuda::build::tell(&binary, cudnn)?,
        None => say(&binary.display().to_string()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The repository's root; cargo says where this package lies.
fn root() -> anyhow::Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").ok_or_else(|| {
        anyhow::anyhow!("CARGO_MANIFEST_DIR is not set; run this as `cargo xtask`")
    })?;
    Path::new(&package)
        .parent()
        .map(Path::to_owned)
        .ok_or_else(|| anyhow::anyhow!("{} has no parent", Path::new(&package).display()))
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

    fn handed_over(args: &[&str]) -> (&'static str, Vec<OsString>) {
        let cli = Cli::try_parse_from([&["cargo xtask"], args].concat()).unwrap();
        match cli.command {
            Command::Autogan(command) => command.into_parts(),
            other => panic!("{other:?} is not handed over"),
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_after_the_subcommand_is_handed_over() {
        let (name, rest) = handed_over(&["search", "--preset", "quick", "--help", "--", "-x"]);
        assert_eq!(name, "search");
        assert_eq!(rest, ["--preset", "quick", "--help", "--", "-x"]);
        assert_eq!(handed_over(&["train-scorer", "shapes"]).0, "train-scorer");
    }

    #[test]
    fn features_come_before_the_subcommand() {
        let args = ["cargo xtask", "--features", "cuda", "search", "--features", "x"];
        let cli = Cli::try_parse_from(args).unwrap();
        assert_eq!(cli.features.as_deref(), Some("cuda"));
        let Command::Autogan(command) = cli.command else { panic!("{cli:?} is not handed over") };
        assert_eq!(command.into_parts().1, ["--features", "x"]);
    }

    #[test]
    fn an_unknown_subcommand_is_an_error() {
        let error = Cli::try_parse_from(["cargo xtask", "serach"]).unwrap_err();
        assert!(error.to_string().contains("search"), "{error}");
    }
}
