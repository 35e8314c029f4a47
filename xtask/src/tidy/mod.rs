//! `cargo xtask tidy` checks the rules of ARCHITECTURE.md that no compiler knows.
//!
//! [`crates`] holds the table of which crate may use which, [`sources`] what every source file
//! looks like; [`vendored`] compares files of others with their list.

mod crates;
mod sources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::{say, vendored};

/// Prints every breach; fails when there is one.
pub fn run(root: &Path) -> Result<ExitCode> {
    check(root)?;
    say("tidy: all fine");
    Ok(ExitCode::SUCCESS)
}

/// Prints every breach; an error when there is one.
pub fn check(root: &Path) -> Result<()> {
    let mut breaches = crates::check(root)?;
    breaches.extend(sources::check(root)?);
    breaches.extend(vendored::check(root)?);
    for breach in &breaches {
        say(&format!("   {breach}"));
    }
    if !breaches.is_empty() {
        bail!("tidy found {} breaches", breaches.len());
    }
    Ok(())
}

/// The text of a file, or an error that names it.
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The entries of a folder in the order of their names.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
