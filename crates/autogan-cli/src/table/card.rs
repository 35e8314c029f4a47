//! `autogan table card`: the data card of the table.

use std::path::PathBuf;

use autogan_repro::{TABLE_PRESET, TABLE_SETTINGS};
use autogan_table::Making;

use super::TableFile;
use crate::terminal::{Terminal, deliver};

/// Write the data card: how the table was made, its noise, what explains its scores.
///
/// Each number comes from the table. A part for which the table has too few trainings says so. The table says which images
/// it was made on, if its shards do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: TableFile,
    /// What else a reader has to know of the images, in a sentence; can be given several times
    #[arg(long = "note", value_name = "TEXT")]
    notes: Vec<String>,
    /// The page, as Markdown
    #[arg(long, value_name = "FILE", default_value = "models/table/README.md")]
    out: PathBuf,
}

/// Carries the command out. It fails when the table cannot be read, or the page cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    let table = args.file.open()?;
    let making = Making { preset: TABLE_PRESET, settings: &TABLE_SETTINGS, notes: &args.notes };
    deliver(autogan_table::card(&table, making).as_bytes(), Some(&args.out))?;
    terminal.note(&format!("wrote {}", args.out.display()));
    Ok(())
}
