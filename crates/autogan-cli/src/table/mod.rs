//! `autogan table`: the table of architectures trained from scratch.

mod best;
mod card;
mod make;
mod pack;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use autogan_table::Table;

use crate::terminal::Terminal;

/// What to do with the table.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Carry out the trainings of the table that are missing.
    Make(make::Args),
    /// Put all finished trainings into one parquet file.
    Pack(pack::Args),
    /// Show what the table knows of an architecture.
    Show(show::Args),
    /// List the best architectures of the table.
    Best(best::Args),
    /// Write the data card: how the table was made, its noise, what explains its scores.
    Card(card::Args),
}

/// The file of the table.
#[derive(Debug, clap::Args)]
struct TableFile {
    /// The table, as `table pack` writes it
    #[arg(long, value_name = "FILE", default_value = "models/table/autogan-cifar10.parquet")]
    table: PathBuf,
}

impl TableFile {
    /// Reads the table. It fails when there is none, or the file is damaged.
    fn open(&self) -> anyhow::Result<Table> {
        let path = &self.table;
        ensure!(
            path.exists(),
            "expected the table at {}, found no file; name it with --table FILE, or make it with `{program} table \
             make` and `{program} table pack`",
            path.display(),
            program = crate::called::program()
        );
        Table::open(path).with_context(|| format!("cannot read the table {}", path.display()))
    }
}

/// Carries the command out.
///
/// # Errors
/// What went wrong, for a person to read.
pub fn run(command: &Command, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let done = match command {
        Command::Make(args) => return make::run(args, terminal),
        Command::Pack(args) => pack::run(args, terminal),
        Command::Show(args) => show::run(args),
        Command::Best(args) => best::run(args, terminal),
        Command::Card(args) => card::run(args, terminal),
    };
    done.map(|()| ExitCode::SUCCESS)
}
