//! This module finds what has a name in place of a path: `stats:NAME` and `hub:OWNER/NAME/FILE.npz`.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use autogan_hub::{HubFile, PinnedFile, RepoKind};
use autogan_metrics::inception::Preset;
use autogan_metrics::io::StatsRegistry;

use super::{Options, extractor};

/// What stands before the name of statistics.
pub const STATS: &str = "stats:";

/// What stands before the name of a file on the hub.
const HUB: &str = "hub:";

/// Statistics that other people have published, under the hash that the hub shows for them.
pub struct Published {
    /// The name behind `stats:`.
    pub name: &'static str,
    /// The file on the hub.
    file: PinnedFile,
    /// The preset that resizes as those who made them did.
    pub preset: Preset,
    /// What they are of.
    pub data: &'static str,
}

impl Published {
    /// The protocol that features must follow to be compared with them.
    pub fn extractor(&self) -> String {
        self.preset.extractor_name()
    }
}

/// All published statistics that have a name here. Hash and commit are those that the commit's page on the hub shows
/// (JamesHujy/EMABench, f246ee5e; it shows the hash of FID's Inception weights, too). mu and sigma are those of
/// VIRTUAL_imagenet256_labeled.npz, ADM's reference batch, without its images.
pub const PUBLISHED: &[Published] = &[Published {
    name: "imagenet-256-adm",
    file: PinnedFile {
        kind: RepoKind::Model,
        repo: std::borrow::Cow::Borrowed("JamesHujy/EMABench"),
        revision: std::borrow::Cow::Borrowed("f246ee5ecfcd2435c8edd3ecb89bba9f02d6ac03"),
        filename: std::borrow::Cow::Borrowed("fid_stats_imagenet256_guided_diffusion.npz"),
        sha256: std::borrow::Cow::Borrowed(
            "374aa549982adbfd595eaecc8a014eea6566156f8b227fc2d9052c0482bb4a2f",
        ),
    },
    preset: Preset::TorchFidelity,
    data: "ImageNet 256x256, the reference statistics of ADM's evaluator",
}];

/// The registry of the user: the folder in `AUTOGAN_STATS_DIR`, or `autogan/stats` in the user's cache.
pub fn registry() -> anyhow::Result<StatsRegistry> {
    let given = std::env::var_os("AUTOGAN_STATS_DIR").filter(|dir| !dir.is_empty());
    let usual = || Some(autogan_hub::user_cache()?.join("autogan/stats"));
    let dir = given.map(PathBuf::from).or_else(usual);
    let dir = dir.context(
        "there is no folder for statistics with names: set AUTOGAN_STATS_DIR, XDG_CACHE_HOME or HOME",
    )?;
    Ok(StatsRegistry::new(dir))
}

/// The file that an input names, where it names one by `stats:` or `hub:`. It fails for a name that nobody knows, and
/// when the file cannot be had.
pub fn locate(input: &str, options: &Options) -> anyhow::Result<Option<PathBuf>> {
    if let Some(name) = input.strip_prefix(STATS) {
        return statistics(name, options).map(Some);
    }
    let Some(name) = input.strip_prefix(HUB) else { return Ok(None) };
    let file: HubFile = name.parse().with_context(|| input.to_owned())?;
    ensure!(
        file.filename.ends_with(".npz"),
        "{input}: expected a file of arrays, .npz, found {}",
        file.filename
    );
    let path = crate::hub::open(options.offline, options.silent).fetch_recorded(&file);
    path.map(Some).with_context(|| format!("cannot get {input}"))
}

fn statistics(name: &str, options: &Options) -> anyhow::Result<PathBuf> {
    let registry = registry()?;
    if let Some(path) = registry.find(name)? {
        return Ok(path);
    }
    let Some(published) = PUBLISHED.iter().find(|published| published.name == name) else {
        let own = registry.names()?;
        let published = PUBLISHED.iter().map(|published| published.name.to_owned());
        let known: Vec<String> = own.into_iter().chain(published).collect();
        bail!(
            "{STATS}{name}: there are no statistics of this name, only {}; `autogan score stats REF --as {name}` makes them",
            known.join(", ")
        );
    };
    let asked = match options.extractor.as_str() {
        extractor::INCEPTION => options.preset().extractor_name(),
        other => other.to_owned(),
    };
    ensure!(
        asked == published.extractor(),
        "{STATS}{name} follows {} and what is asked for here follows {asked}: scores across protocols mean nothing; ask \
         for --preset {} or make statistics of your own",
        published.extractor(),
        published.preset
    );
    let hub = crate::hub::open(options.offline, options.silent);
    hub.fetch(&published.file).with_context(|| format!("cannot get {STATS}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_statistics_are_pinned_and_have_names() {
        for published in PUBLISHED {
            StatsRegistry::check_name(published.name).unwrap();
            let file = &published.file;
            let text = format!("{}/{}@{}#{}", file.repo, file.filename, file.revision, file.sha256);
            let read: HubFile = text.parse().unwrap();
            assert_eq!(read.sha256.as_deref(), Some(&*file.sha256));
            assert!(file.revision.len() == 40 && file.filename.ends_with(".npz"));
        }
    }
}
