//! `autogan weights fetch`: the Inception weights from the hub or its cache, checked by hash.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use autogan_weights::hub::{self, HubOptions, INCEPTION_PTH, INCEPTION_SAFETENSORS, PinnedFile};
use autogan_weights::sha256_file;
use indicatif::{ProgressBar, ProgressStyle};

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
/// when it is in the cache.
///
/// # Errors
/// When they are not in the cache and cannot be fetched.
pub fn inception_file(
    repo: Option<&str>,
    revision: Option<&str>,
    offline: bool,
    silent: bool,
) -> anyhow::Result<PathBuf> {
    let options = HubOptions::from_env(offline);
    let file = match repo {
        None => INCEPTION_PTH,
        Some(repo) => pinned(repo, revision),
    };
    if repo.is_none() {
        for file in [&INCEPTION_PTH, &INCEPTION_SAFETENSORS] {
            if let Some(path) = hub::cached(file, &options)? {
                return Ok(path);
            }
        }
    }
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(ProgressStyle::with_template(
        "weights {bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta}",
    )?);
    let progress = {
        let bar = bar.clone();
        Arc::new(move |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
    };
    let path = hub::fetch(&file, &options, Some(progress));
    bar.finish_and_clear();
    Ok(path?)
}

/// The known file of a repository, or the original file where the repository is another.
fn pinned(repo: &str, revision: Option<&str>) -> PinnedFile {
    let known = [INCEPTION_PTH, INCEPTION_SAFETENSORS].into_iter().find(|f| f.repo == repo);
    let usual = known.as_ref().map_or("main".to_string(), |file| file.revision.to_string());
    known.unwrap_or(INCEPTION_PTH).at(repo.to_string(), revision.map_or(usual, str::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_choose_file_and_revision() {
        let file = pinned("nikhilr01/sen-bridge-weights", None);
        assert_eq!(file, INCEPTION_SAFETENSORS);
        let file = pinned("RaphaelLiu/EvalCrafter-Models", Some("abc"));
        assert_eq!((&*file.filename, &*file.revision), (&*INCEPTION_PTH.filename, "abc"));
        let file = pinned("me/copy", None);
        assert_eq!((&*file.sha256, &*file.revision), (&*INCEPTION_PTH.sha256, "main"));
    }
}
