//! The sets that are compared: features of images, or statistics from a file.

use std::path::PathBuf;

use anyhow::{Context, bail};
use autogan_metrics::io::{
    ExtractOptions, FeatureCache, FeatureSet, ImageSource, Input, OpenOptions, StatsProtocol,
    StoredStatistics, extract_set, open,
};
use autogan_metrics::{GaussianStats, Statistics};
use indicatif::{ProgressBar, ProgressStyle};

use super::Options;
use super::extractor::{Loaded, load};

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
    /// What the user called it.
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
    fn protocol(&self) -> Option<(&str, Option<&str>)> {
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
    loaded: Option<Loaded>,
}

impl<'a> Sets<'a> {
    pub fn new(options: &'a Options) -> Self {
        Self { options, loaded: None }
    }

    /// Reads an input.
    pub fn open(&mut self, input: &str) -> anyhow::Result<Set> {
        let o = self.options;
        let options = OpenOptions {
            recursive: o.recursive,
            extensions: o.ext.clone(),
            drop_alpha: o.drop_alpha,
            crop: o.resize_and_crop.map(|side| side as usize),
            data_dir: o.data.clone(),
            offline: o.offline,
        };
        match open(input, &options)? {
            Input::Statistics(stored) => Ok(Set::Stored { label: input.to_string(), stored }),
            Input::Images(source) => self.extract(&source),
        }
    }

    fn extract(&mut self, source: &ImageSource) -> anyhow::Result<Set> {
        let loaded = match self.loaded.take() {
            Some(loaded) => loaded,
            None => load(self.options)?,
        };
        let loaded = self.loaded.insert(loaded);
        let weights = loaded.weights_sha256.clone();
        let cache = cache_dir(self.options)
            .map(|dir| FeatureCache::new(dir, weights.as_deref().unwrap_or_default()));
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let options = ExtractOptions {
            batch: self.options.batch_size as usize,
            workers: self.options.num_workers.map_or(workers, |n| n as usize),
            cache,
        };
        let bar = if self.options.silent { ProgressBar::hidden() } else { ProgressBar::new(0) };
        bar.set_style(ProgressStyle::with_template(
            "{prefix} {bar:30} {pos}/{len} images {per_sec} left {eta}",
        )?);
        bar.set_prefix(source.label().to_string());
        bar.set_length(source.len() as u64);
        let extractor = loaded.extractor.as_ref();
        let features = extract_set(source, extractor, &options, &mut |done| {
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
    pub fn extractor(&self) -> Option<(&str, Option<&str>)> {
        let loaded = self.loaded.as_ref()?;
        Some((loaded.extractor.name(), loaded.weights_sha256.as_deref()))
    }

    /// What statistics of `count` images are to be stored with.
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

/// Refuses sets whose features follow different protocols, and warns of what shifts a comparison.
pub fn check_comparable(options: &Options, first: &Set, second: &Set) -> anyhow::Result<()> {
    match (first.protocol(), second.protocol()) {
        (Some((a, _)), Some((b, _))) if a != b => bail!(
            "{} follows {a} and {} follows {b}: scores across protocols mean nothing; make both with the same \
             --extractor, --preset and --dims",
            first.label(),
            second.label()
        ),
        (Some((_, a)), Some((_, b))) if a != b => bail!(
            "{} and {} were made with different weights (SHA-256 {} and {}): make both with the same --weights",
            first.label(),
            second.label(),
            a.unwrap_or("none"),
            b.unwrap_or("none")
        ),
        (Some(_), Some(_)) => {}
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
