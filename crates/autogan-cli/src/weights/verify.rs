//! `autogan weights verify` checks that a file is complete, and tells its hash and which known file it is.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use autogan_hub::{INCEPTION_PTH, INCEPTION_SAFETENSORS};
use autogan_metrics::inception::{WeightsCheck, check_weights};
use autogan_weights::{Archive, Container, sha256_file, sniff};

use super::inception_file;

/// Names that an error or a note lists at most.
const LISTED: usize = 8;

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Safetensors or .pth file; the one in the hub's cache without it
    file: Option<PathBuf>,
}

/// Carries the command out.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => inception_file(None, None, true, true).context("no FILE is given")?,
    };
    let container = match sniff(&path)? {
        Container::Safetensors => "safetensors",
        Container::PthZip => ".pth, zip container",
        Container::PthLegacy => ".pth, legacy pickle container",
    };
    let archive = Archive::read_any(&path)?.unwrapped();
    let hash = sha256_file(&path)?;
    let check = check_weights(&archive)?;
    println!("file:       {}", path.display());
    println!("container:  {container}, {} bytes", std::fs::metadata(&path)?.len());
    println!("SHA-256:    {hash}");
    println!("known as:   {}", known_as(&hash));
    if let Some(source) = archive.metadata().get("source_sha256") {
        println!("made from:  a file with SHA-256 {source}, as its metadata say");
    }
    println!(
        "network:    {} of {} convolution blocks, {} of {} tensors",
        check.blocks,
        WeightsCheck::BLOCKS,
        check.right,
        check.right + check.wrong.len()
    );
    if !check.unused.is_empty() {
        println!("not used:   {}", listed(check.unused.iter().cloned()));
    }
    refuse_incomplete(&path, &check)
}

/// Which published file has this hash.
pub fn known_as(hash: &str) -> String {
    let known = [
        (INCEPTION_PTH, "the file behind all PyTorch scorers"),
        (INCEPTION_SAFETENSORS, "its copy as safetensors"),
    ];
    known.iter().find(|(file, _)| file.sha256 == hash).map_or_else(
        || "no published file: scores made with it are not comparable with published ones".into(),
        |(file, what)| format!("{}, {what}", file.filename),
    )
}

fn refuse_incomplete(path: &Path, check: &WeightsCheck) -> anyhow::Result<()> {
    if check.is_complete() {
        return Ok(());
    }
    let wrong = check.wrong.iter().map(|tensor| {
        format!("{} (expected {:?}, found {})", tensor.name, tensor.expected, tensor.found)
    });
    bail!(
        "{} does not hold the Inception network; {} tensors are wrong: {}",
        path.display(),
        check.wrong.len(),
        listed(wrong)
    )
}

/// The first few, and how many more there are.
pub fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut text = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_files_are_named() {
        assert!(known_as(&INCEPTION_PTH.sha256).starts_with("pt_inception-2015-12-05"));
        assert!(known_as(&INCEPTION_SAFETENSORS.sha256).contains("safetensors"));
        assert!(known_as(&"0".repeat(64)).starts_with("no published file"));
    }

    #[test]
    fn long_lists_end_with_a_count() {
        let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        assert_eq!(listed(names[..2].iter().cloned()), "0, 1");
        assert!(listed(names.iter().cloned()).ends_with("6, 7 and 2 more"));
    }
}
