//! `autogan weights convert` converts between `.pth` (reads both containers, writes zip) and safetensors.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use autogan_weights::{Archive, sha256_file};

use super::verify::listed;

/// What to convert.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Safetensors or .pth file of any network
    input: PathBuf,
    /// File to write; its ending says what: .safetensors or .pth
    output: PathBuf,
    /// Replace OUTPUT where it exists
    #[arg(long)]
    force: bool,
}

/// Carries the command out.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let output = &args.output;
    let ending = output.extension().and_then(|ending| ending.to_str());
    let Some(ending @ ("safetensors" | "pth")) = ending else {
        bail!("{}: expected a name that ends in .safetensors or .pth", output.display());
    };
    ensure!(
        args.force || !output.exists(),
        "{} exists already: --force replaces it",
        output.display()
    );
    let mut archive = Archive::read_any(&args.input)?;
    let names = listed(archive.opaque().iter().map(|(name, what)| format!("{name} ({what})")));
    if archive.is_empty() {
        let beside = if names.is_empty() { names } else { format!(" that are read, but {names}") };
        bail!("{} holds no tensors{beside}", args.input.display());
    }
    let hash = sha256_file(&args.input)?;
    // Which file the tensors came from first; and what other readers of safetensors ask for.
    if !archive.metadata().contains_key("source_sha256") {
        archive.set_metadata("source_sha256", hash);
        if let Some(name) = args.input.file_name() {
            archive.set_metadata("source_name", name.to_string_lossy());
        }
    }
    archive.set_metadata("format", "pt");
    match ending {
        "pth" => archive.write_pth(output),
        _ => archive.write_safetensors(output),
    }
    .context("nothing was written")?;
    println!("{} tensors in {}", archive.len(), output.display());
    if !archive.opaque().is_empty() {
        eprintln!("left out, since they are no tensors that are read: {names}");
    }
    Ok(())
}
