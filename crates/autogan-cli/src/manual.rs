//! `autogan completions` and `autogan man` print what they make from the command line's own definition.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

use crate::terminal::print;

/// Print a script that completes autogan's commands and options in a shell.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Print the manual page, or write one page per command to DIR.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Directory for autogan.1, autogan-search.1 and so on; made if it is not there
    dir: Option<PathBuf>,
}

/// Carries `autogan completions` out. It fails when stdout cannot be written.
pub fn completions(args: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "autogan", &mut script);
    print(&script)
}

/// Carries `autogan man` out. It fails when a page cannot be written.
pub fn man(args: &Man, mut command: Command) -> anyhow::Result<()> {
    command.build();
    match &args.dir {
        None => print(&page(command)?),
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create the directory {}", dir.display()))?;
            pages(dir, "autogan", command)
        }
    }
}

/// The page of a command and those of its subcommands.
fn pages(dir: &Path, name: &str, command: Command) -> anyhow::Result<()> {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        pages(dir, &format!("{name}-{}", sub.get_name()), sub.clone())?;
    }
    let page = page(command)?;
    Ok(autogan_files::atomic::write(&dir.join(format!("{name}.1")), &page)?)
}

fn page(command: Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("cannot write a manual page")?;
    Ok(page)
}
