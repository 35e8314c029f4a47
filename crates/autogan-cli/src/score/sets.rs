//! This module reads the sets that are compared: features of images, or statistics from a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use autogan_metrics::inception::Tap;
use autogan_metrics::io::{
    ExtractOptions, FeatureCache, FeatureSet, ImageSource, Input, OpenOptions, StatsProtocol,
    StoredStatistics, extract_set, open,
};
use autogan_metrics::{FeatureExtractor, GaussianStats, Statistics};

use super::Options;
use super::extractor::load;

/// How a bar looks while images go through an extractor; its prefix is their name.
pub const EXTRACTING: &str = "{prefix} {bar:30} {pos}/{len} images {per_sec} left {eta}";

/// One input.
pub enum Set {
    /// Images, seen by the extractor.
    Features {
        label: String,
        features: FeatureSet,
        lossy: Option<bool>,
        extractor: String,
        weights: Option<String>,
    },
    /// Statistics from a file.
    Stored { label: String, stored: StoredStatistics },
}

impl Set {
    /// The name that the user gave to the set.
    pub fn label(&self) -> &str {
        match self {
            Set::Features { label, .. } | Set::Stored { label, .. } => label,
        }
    }

    /// Number of images, where it is known.
    pub fn count(&self) -> Option<usize> {
        match self {
            Set::Features { features, .. } => Some(features.features.rows()),
            Set::Stored { stored, .. } => stored.stats.count,
        }
    }

    /// Number of features.
    pub fn dims(&self) -> usize {
        match self {
            Set::Features { features, .. } => features.features.cols(),
            Set::Stored { stored, .. } => stored.stats.dims(),
        }
    }

    /// Features, which `metric` needs.
    pub fn features(&self, metric: &str) -> anyhow::Result<&FeatureSet> {
        match self {
            Set::Features { features, .. } => Ok(features),
            Set::Stored { label, .. } => {
                bail!("{metric} needs images, and {label} holds only their mean and covariance")
            }
        }
    }

    /// Mean and covariance.
    pub fn statistics(&self) -> anyhow::Result<GaussianStats> {
        Ok(match self {
            Set::Features { features, .. } => Statistics::of(&features.features)?,
            Set::Stored { stored, .. } => stored.stats.clone(),
        })
    }

    /// Extractor and weights hash that its features follow; none for foreign statistics.
    pub fn protocol(&self) -> Option<Protocol<'_>> {
        match self {
            Set::Features { extractor, weights, .. } => Some((extractor, weights.as_deref())),
            Set::Stored { stored, .. } => {
                let protocol = stored.protocol.as_ref()?;
                Some((&protocol.extractor, protocol.weights_sha256.as_deref()))
            }
        }
    }
}

/// Opens inputs, and loads the extractor when the first of them needs it.
pub struct Sets<'a> {
    options: &'a Options,
    extractor: Option<Arc<dyn FeatureExtractor>>,
}

impl<'a> Sets<'a> {
    pub fn new(options: &'a Options) -> Self {
        Self { options, extractor: None }
    }

    /// Reads inputs. All are looked at before the first image goes through the network, so that a wrong path or
    /// statistics of another protocol do not cost an hour.
    pub fn open(&mut self, inputs: &[&str]) -> anyhow::Result<Vec<Set>> {
        let opened =
            inputs.iter().map(|input| self.look(input)).collect::<anyhow::Result<Vec<_>>>()?;
        if opened.iter().any(|input| matches!(input, Input::Images(_))) {
            self.load_extractor()?;
        }
        for (label, input) in inputs.iter().zip(&opened) {
            if let Input::Statistics(stored) = input {
                self.check_stored(label, stored)?;
            }
        }
        let labelled = inputs.iter().zip(opened);
        labelled
            .map(|(label, input)| match input {
                Input::Statistics(stored) => Ok(Set::Stored { label: label.to_string(), stored }),
                Input::Images(source) => self.extract(&source, cache_dir(self.options)),
            })
            .collect()
    }

    fn look(&self, input: &str) -> anyhow::Result<Input> {
        let o = self.options;
        let options = OpenOptions {
            recursive: o.recursive,
            extensions: o.ext.clone(),
            drop_alpha: o.drop_alpha,
            crop: o.resize_and_crop.map(|side| side as usize),
            data_dir: o.data.clone(),
            hub: crate::hub::open(o.offline, o.silent),
        };
        ensure!(
            !is_checkpoint(Path::new(input)),
            "{input} is a checkpoint, not a set of images: `autogan eval {input}` scores what it generates"
        );
        match open(input, &options)? {
            Input::Statistics(stored) if o.dims == Tap::Spatial && stored.protocol.is_none() => {
                let stats = stored.spatial.with_context(|| {
                    format!(
                        "{input}: expected statistics of spatial features too (mu_s and sigma_s, as in the files of \
                         ADM's evaluator), found mu and sigma only; give images, or what `autogan score stats --dims \
                         spatial` makes of them"
                    )
                })?;
                Ok(Input::Statistics(StoredStatistics { stats, spatial: None, protocol: None }))
            }
            other => Ok(other),
        }
    }

    /// Refuses statistics that features of the loaded extractor cannot be compared with.
    fn check_stored(&self, label: &str, stored: &StoredStatistics) -> anyhow::Result<()> {
        let Some(extractor) = &self.extractor else { return Ok(()) };
        let (name, dims) = (extractor.name(), extractor.dims());
        if let Some(protocol) = &stored.protocol {
            let theirs = (protocol.extractor.as_str(), protocol.weights_sha256.as_deref());
            let ours = (name, extractor.weights_sha256());
            same_protocol((label, theirs), ("what is asked for here", ours))?;
        }
        ensure!(
            stored.stats.dims() == dims,
            "{label}: expected statistics of {dims} features, as {name} gives, found {}; see --dims",
            stored.stats.dims()
        );
        Ok(())
    }

    /// Loads the extractor, so that what is wrong with it is known before images are made.
    pub fn load_extractor(&mut self) -> anyhow::Result<()> {
        self.loaded().map(drop)
    }

    /// A set of images that were made just now; their features are not kept.
    pub fn made(&mut self, source: &ImageSource) -> anyhow::Result<Set> {
        self.extract(source, None)
    }

    fn loaded(&mut self) -> anyhow::Result<&dyn FeatureExtractor> {
        let extractor = match self.extractor.take() {
            Some(extractor) => extractor,
            None => load(self.options)?,
        };
        Ok(&**self.extractor.insert(extractor))
    }

    fn extract(&mut self, source: &ImageSource, cache: Option<PathBuf>) -> anyhow::Result<Set> {
        let options = self.options;
        let extractor = self.loaded()?;
        let weights = extractor.weights_sha256().map(str::to_owned);
        let cache = cache.map(|dir| FeatureCache::new(dir, weights.as_deref().unwrap_or_default()));
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let how = ExtractOptions {
            batch: options.batch_size as usize,
            workers: options.num_workers.map_or(workers, |n| n as usize),
            cache,
        };
        let bar = options.bar(source.len(), EXTRACTING).with_prefix(source.label().to_string());
        let features = extract_set(source, extractor, &how, &mut |done| {
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let lossy = source.lossy();
        Ok(Set::Features {
            label: source.label().to_string(),
            features: features.with_context(|| format!("cannot score {}", source.label()))?,
            // A mixture is told as JPEG: it has the artefacts.
            lossy: lossy.last().copied(),
            extractor: extractor.name().to_string(),
            weights,
        })
    }

    /// Name and weights hash of the extractor, once an input needed it.
    pub fn extractor(&self) -> Option<Protocol<'_>> {
        let extractor = self.extractor.as_ref()?;
        Some((extractor.name(), extractor.weights_sha256()))
    }

    /// The protocol that statistics of `count` images are stored with.
    pub fn protocol(&self, count: usize) -> StatsProtocol {
        let (extractor, weights) = self.extractor().unwrap_or_default();
        StatsProtocol {
            extractor: extractor.to_string(),
            weights_sha256: weights.map(str::to_string),
            count,
            version: env!("CARGO_PKG_VERSION").to_string(),
        }
    }
}

/// Whether a path looks like a generator's weights or a run.
fn is_checkpoint(path: &Path) -> bool {
    let weights = path.extension().is_some_and(|e| e == "pth" || e == "pt" || e == "safetensors");
    path.is_file() && weights
        || path.join("checkpoints").is_dir() && path.join("config.toml").is_file()
}

/// Where features are kept.
fn cache_dir(options: &Options) -> Option<PathBuf> {
    if options.no_cache {
        return None;
    }
    let base = || {
        let path = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))
    };
    options.cache_dir.clone().or_else(|| Some(base()?.join("autogan/features")))
}

/// Name of an extractor and hash of its weights.
pub type Protocol<'a> = (&'a str, Option<&'a str>);

/// Refuses features that follow different protocols.
fn same_protocol(
    (first, (a, a_weights)): (&str, Protocol<'_>),
    (second, (b, b_weights)): (&str, Protocol<'_>),
) -> anyhow::Result<()> {
    ensure!(
        a == b,
        "{first} follows {a} and {second} follows {b}: scores across protocols mean nothing; make both with the same \
         --extractor, --preset and --dims"
    );
    ensure!(
        a_weights == b_weights,
        "{first} and {second} were made with different weights (SHA-256 {} and {}): make both with the same --weights",
        a_weights.unwrap_or("none"),
        b_weights.unwrap_or("none")
    );
    Ok(())
}

/// Refuses sets whose features follow different protocols, and warns of what shifts a comparison.
pub fn check_comparable(options: &Options, first: &Set, second: &Set) -> anyhow::Result<()> {
    match (first.protocol(), second.protocol()) {
        (Some(a), Some(b)) => same_protocol((first.label(), a), (second.label(), b))?,
        _ => options.warn(
            "the statistics do not say how they were made: extractor, preset and weights must be the same for both sets",
        ),
    }
    if let (Set::Features { lossy: Some(a), .. }, Set::Features { lossy: Some(b), .. }) =
        (first, second)
        && a != b
    {
        options.warn(
            "one set is stored as JPEG and the other is not: JPEG artefacts alone shift FID and KID; store both the same way",
        );
    }
    Ok(())
}
