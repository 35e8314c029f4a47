//! This module reads an architecture from the command line: a vector, words, a published name, a file, or a run.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use autogan_run::{ArchFile, RunDir, sealed};
use autogan_space::Arch;

/// An architecture given as one argument or as several numbers.
///
/// In this order: a released vector, a named form or a published name; a file (`.toml` with the key `arch` as those in
/// `models/archs`, `arch.json` of a run, or any of the former as text); a run's directory. `:2` after the last two
/// takes the second best of a run. It fails when it is none of them, or the file or the run holds no architecture.
pub fn parse(words: &[String]) -> anyhow::Result<Arch> {
    let text = words.join(" ");
    let error = match text.parse() {
        Ok(arch) => return Ok(arch),
        Err(error) => error,
    };
    if let Some((path, rank)) = existing(&text) {
        return read(&path, rank)
            .with_context(|| format!("cannot read an architecture from {}", path.display()));
    }
    // What looks like a path was meant as one.
    if words.len() == 1 && (text.contains(['/', '\\']) && !text.contains(' ') || text.contains('.'))
    {
        bail!("cannot read the architecture {text:?}: there is no such file or directory");
    }
    Err(error).with_context(|| format!("cannot read the architecture {text:?}"))
}

/// The file or directory that `PATH` or `PATH:RANK` names, with the rank.
fn existing(text: &str) -> Option<(PathBuf, Option<usize>)> {
    let whole = Path::new(text);
    if whole.exists() {
        return Some((whole.to_owned(), None));
    }
    let (path, rank) = text.rsplit_once(':')?;
    let path = Path::new(path);
    path.exists().then(|| rank.parse().ok().map(|rank| (path.to_owned(), Some(rank))))?
}

fn read(path: &Path, rank: Option<usize>) -> anyhow::Result<Arch> {
    if path.is_dir() {
        let dir = RunDir::open(path)?;
        // A training has one architecture, which has no rank.
        if let Some(trained) = dir.scores()?.filter(|_| rank.is_none()) {
            return Ok(trained.arch);
        }
        let found = dir.arch()?;
        return ranked(found.context("the run has no arch.json yet")?, rank);
    }
    let text = std::fs::read_to_string(path)?;
    if text.trim_start().starts_with('{') {
        return ranked(sealed::read(path)?, rank);
    }
    ensure!(rank.is_none(), "only runs and their arch.json have ranks");
    if path.extension().is_some_and(|extension| extension == "toml") {
        let mut table: toml::Table = toml::from_str(&text)?;
        let arch = table.remove("arch").context("expected the key `arch`, found none")?;
        return Ok(arch.try_into()?);
    }
    Ok(text.parse()?)
}

fn ranked(file: ArchFile, rank: Option<usize>) -> anyhow::Result<Arch> {
    let rank = rank.unwrap_or(1);
    let found = rank.checked_sub(1).and_then(|index| file.top.get(index));
    found
        .map(|found| found.arch.clone())
        .with_context(|| format!("expected a rank from 1 to {}, found {rank}", file.top.len()))
}
