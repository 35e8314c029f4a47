//! `autogan weights fetch` gets the Inception weights from the hub or its cache, and checks their hash.

use std::path::PathBuf;

use anyhow::Context;
use autogan_weights::sha256_file;

/// Where the weights are to come from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Repository on the hub that holds them; nikhilr01/sen-bridge-weights has them as safetensors
    #[arg(long, value_name = "OWNER/NAME")]
    weights_repo: Option<String>,
    /// Revision of that repository
    #[arg(long, value_name = "COMMIT", requires = "weights_repo")]
    revision: Option<String>,
    /// Never touch the network: only look into the hub's cache
    #[arg(long)]
    offline: bool,
    /// No bar
    #[arg(long)]
    silent: bool,
}

/// Carries the command out: the path on stdout, what it is on stderr.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (repo, revision) = (args.weights_repo.as_deref(), args.revision.as_deref());
    let path = inception_file(repo, revision, args.offline, args.silent)
        .context("cannot get the Inception weights")?;
    if !args.silent {
        eprintln!("{} bytes, SHA-256 {}", std::fs::metadata(&path)?.len(), sha256_file(&path)?);
    }
    println!("{}", path.display());
    Ok(())
}

/// The Inception weights from the hub or its cache, checked by hash; without `repo` either of the known files will do
/// when it is in the cache. It fails when they are not in the cache and cannot be fetched.
pub fn inception_file(
    repo: Option<&str>,
    revision: Option<&str>,
    offline: bool,
    silent: bool,
) -> anyhow::Result<PathBuf> {
    Ok(crate::hub::open(offline, silent).inception(repo, revision)?)
}
