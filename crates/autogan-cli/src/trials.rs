//! `autogan trials` lists every architecture that a run scored, as a table or for other programs.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::ensure;
use autogan_run::export::write_trials;
use autogan_run::{Format, RunDir, StoreReader, TrialFilter, TrialKind};

use crate::terminal::deliver;

/// List the architectures that a run scored.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: a path, a name or a number; the newest without RUN
    run: Option<String>,
    /// Directory of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
    /// Only the best N of each stage, the best first
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Only of this stage, from 0 to 2
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(0..3))]
    stage: Option<u32>,
    /// Only of this kind: controller, candidate, derive, random
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<TrialKind>,
    /// Each architecture once per stage, with its best reward
    #[arg(long)]
    distinct: bool,
    /// table, csv, json or parquet
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Table, value_parser = format)]
    format: Format,
    /// Write to FILE instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Carries the command out. It fails when there is no such run, its store is not intact, or the result cannot be
/// written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let for_programs = args.format == Format::Parquet && args.out.is_none();
    ensure!(
        !(for_programs && std::io::stdout().is_terminal()),
        "--format parquet: expected --out FILE or a pipe, found a terminal"
    );
    let run = RunDir::find_or_newest(&args.runs_dir, args.run.as_deref())?;
    let store = StoreReader::open(&run.store_path())?;
    let trials = store.trials(TrialFilter {
        stage: args.stage,
        kind: args.kind,
        top: args.top,
        distinct: args.distinct,
    })?;
    let mut bytes = Vec::new();
    write_trials(&mut bytes, &trials, args.format)?;
    deliver(&bytes, args.out.as_deref())
}

fn kind(text: &str) -> Result<TrialKind, String> {
    text.parse().map_err(|error: autogan_run::Error| error.to_string())
}

fn format(text: &str) -> Result<Format, String> {
    text.parse().map_err(|error: autogan_run::Error| error.to_string())
}
