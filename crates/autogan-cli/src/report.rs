//! `autogan report` writes one HTML file that shows everything in a run directory.

use std::path::PathBuf;

use anyhow::Context;
use autogan_report::write_report;
use autogan_run::RunDir;

use crate::terminal::{Terminal, print};

/// Write the report of a run: one HTML file with everything in it.
///
/// Nothing in it is fetched from anywhere, so it can be kept, sent and printed. It can be made while the search runs,
/// and of a run that was copied from elsewhere.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: a path, a name or a number; the newest without it
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// File to write; report.html in the run's directory without it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Directory of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
}

/// Carries the command out. It fails when there is no such run, or the file cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    let run = RunDir::find_or_newest(&args.runs_dir, args.run.as_deref())?;
    let written = write_report(&run, args.out.as_deref()).context("no report was written")?;
    for problem in &written.problems {
        terminal.warn(problem);
    }
    print(format!("{}\n", written.path.display()).as_bytes())
}

/// Writes the report of a search that is over. That it cannot be written takes nothing from the search's result.
pub fn after_search(run: &RunDir, terminal: &Terminal) {
    match write_report(run, None) {
        Ok(written) => written.problems.iter().for_each(|problem| terminal.warn(problem)),
        Err(error) => terminal.warn(&format!("no report was written: {error}")),
    }
}
