//! The `autogan` command searches for GAN generators, shows architectures, makes sample images, and scores images.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 an error that was explained, 2 a command
//! line that cannot be, 130 and 143 stopped by Ctrl-C and by SIGTERM.
#![allow(clippy::print_stdout, clippy::print_stderr)] // printing is this crate's task

// First, for its macros are those of every module.
#[macro_use]
mod terminal;

mod arch;
mod arch_arg;
mod bench;
mod called;
mod claim;
mod compare;
mod compare_strategies;
#[cfg(not(feature = "cuda"))]
mod cuda_program;
mod dashboard;
mod device;
mod dry_run;
mod eval;
mod event_json;
mod export;
mod generator;
mod hub;
mod interpolate;
mod manual;
mod report;
mod repro;
mod run_args;
mod runs;
mod sample;
mod score;
mod screen;
mod search;
mod signals;
mod table;
mod train;
mod train_scorer;
mod trials;
mod weights;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::terminal::Terminal;

/// Neural architecture search for GAN generators (AutoGAN, ICCV 2019).
#[derive(Debug, Parser)]
#[command(name = "autogan", version, arg_required_else_help = true)]
struct Cli {
    /// Threads for the networks; all cores if not given. Results do not depend on it.
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    #[command(flatten)]
    terminal: Terminal,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Search for an architecture.
    Search(search::Args),
    /// Train an architecture from scratch, or the best of a search in turn.
    Train(Box<train::Args>),
    /// Show, draw, count or convert architectures.
    #[command(subcommand)]
    Arch(arch::Command),
    /// Write the report of a run: one HTML file with everything in it.
    Report(report::Args),
    /// Generate images from a checkpoint.
    Sample(sample::Args),
    /// Write a checkpoint's generator to a file: ONNX, safetensors or .pth.
    Export(export::Args),
    /// Score what a checkpoint's generator makes.
    Eval(Box<eval::Args>),
    /// Score images: Inception Score, FID, KID, precision and recall, and their kin.
    Score(Box<score::Args>),
    /// Fetch, check and convert weight files; check the scorer against published values.
    #[command(subcommand)]
    Weights(weights::Command),
    /// Train the compact classifier that scores images.
    TrainScorer(train_scorer::Args),
    /// Measure how fast this machine is at training, features and scores.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Look at runs in a browser: curves, samples, trials, comparisons.
    Dashboard(dashboard::Args),
    /// List the architectures that a run scored.
    Trials(trials::Args),
    /// List the runs of a directory.
    Runs(runs::Args),
    /// Compare runs: scores, the best architectures, time, and how their configurations differ.
    Compare(compare::Args),
    /// Compare search strategies on a table of trainings or on made-up landscapes.
    CompareStrategies(compare_strategies::Args),
    /// Compare the proposed default search with random search, by rules that were fixed before.
    Claim(claim::Args),
    /// Run the paper's experiments: tables, figures, a page for each.
    Repro(repro::Args),
    /// Make and query the table of architectures trained from scratch.
    #[command(subcommand)]
    Table(table::Command),
    /// Print a script that completes autogan's commands and options in a shell.
    Completions(manual::Completions),
    /// Print the manual page, or write one page per command to a directory.
    Man(manual::Man),
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of mimalloc's option `purge_delay`, in milliseconds (its `mi_option_t`).
const PURGE_DELAY: i32 = 15;

fn main() -> ExitCode {
    // Training makes and drops the same large tensors at every step. Memory that goes back to the system between two
    // steps has to be cleared page by page when it is taken again.
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: the option is one of mimalloc's, any delay is valid, and no other thread runs yet.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10_000) };
    }
    // candle's own thread pool spins while it waits, which starves the operators' threads on a busy machine.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    let command = Cli::command().bin_name(called::program());
    let matches = command.try_get_matches().unwrap_or_else(|error| terminal::refuse_line(&error));
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| terminal::refuse_line(&error));
    cli.terminal.listen();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            terminal::error(&explained(&error));
            ExitCode::from(1)
        }
    }
}

/// An error with its causes, each said once: some errors of libraries name theirs themselves.
fn explained(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Some(threads) = cli.threads {
        anyhow::ensure!(threads > 0, "--threads: expected 1 or more, found 0");
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    let terminal = &cli.terminal;
    let done = match cli.command {
        Command::Search(args) => return search::run(&args, terminal),
        Command::Train(args) => return train::run(&args, terminal),
        Command::Repro(args) => return repro::run(&args, terminal),
        Command::Claim(args) => return claim::run(&args, terminal),
        Command::CompareStrategies(args) => return compare_strategies::run(&args, terminal),
        Command::Table(command) => return table::run(&command, terminal),
        Command::Arch(command) => arch::run(&command),
        Command::Report(args) => report::run(&args, terminal),
        Command::Sample(args) => sample::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Eval(args) => return eval::run(&args),
        Command::Score(args) => return score::run(&args),
        Command::Weights(command) => weights::run(&command),
        Command::TrainScorer(args) => in_pool(|| train_scorer::run(&args)),
        Command::Dashboard(args) => dashboard::run(&args),
        Command::Bench(command) => in_pool(|| bench::run(&command)),
        Command::Trials(args) => trials::run(&args),
        Command::Runs(args) => runs::run(&args, terminal),
        Command::Compare(args) => compare::run(&args, terminal),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man(args) => manual::man(&args, Cli::command()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Runs `f` on a thread of the pool, so that each parallel loop begins where it is called: handing every loop of a
/// training step to sleeping threads and waiting for them costs as much as small loops themselves. Not for what waits
/// for threads that use the pool.
fn in_pool<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}
