//! `autogan table`: the table of architectures trained from scratch.

mod make;

use std::process::ExitCode;

use crate::terminal::Terminal;

/// What to do with the table.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Carry out the trainings of the table that are missing.
    Make(make::Args),
}

/// Carries the command out.
///
/// # Errors
/// What went wrong, for a person to read.
pub fn run(command: &Command, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match command {
        Command::Make(args) => make::run(args, terminal),
    }
}
