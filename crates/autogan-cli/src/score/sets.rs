//! This module reads the sets that are compared: features of images, or statistics from a file.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use autogan_data::listing::LeftOut;
use autogan_metrics::io::{
    ExtractOptions, FeatureCache, FeatureSet, ImageSource, Input, OpenOptions, StatsNote,
    StatsProtocol, StoredStatistics, extract_set, open, open_npz,
};
use autogan_metrics::{FeatureExtractor, GaussianStats, Matrix, Statistics};

use super::extractor::load;
use super::looked::Looked;
use super::protocol::{Protocol, check_asked, same_protocol};
use super::{Options, named, pipe};

/// How a bar looks while images go through an extractor; its prefix is their name.
pub const EXTRACTING: &str = "{prefix} {bar:30} {pos}/{len} images {per_sec} left {eta}";

/// How it looks while nobody knows how many images there are.
const EXTRACTING_PIPE: &str = "{prefix} {spinner} {pos} images {per_sec}";

/// One input.
pub enum Set {
    /// Images, seen by the extractor, and the statistics that lay beside them in their file; or features from a file.
    Features {
        label: String,
        features: FeatureSet,
        beside: Option<StoredStatistics>,
        left_out: LeftOut,
        lossy: Option<bool>,
        /// Extractor and weights; none where another program made the features.
        made_with: Option<(String, Option<String>)>,
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
            Set::Features { beside: Some(stored), .. } | Set::Stored { stored, .. } => {
                stored.stats.clone()
            }
            Set::Features { features, .. } => Statistics::of(&features.features)?,
        })
    }

    /// What the folder or archive of the images holds besides them.
    pub fn left_out(&self) -> Option<&LeftOut> {
        match self {
            Set::Features { left_out, .. } => Some(left_out),
            Set::Stored { .. } => None,
        }
    }

    /// Whether there are features of each image.
    pub fn holds_features(&self) -> bool {
        matches!(self, Set::Features { .. })
    }

    /// Whether there are classes of each image.
    pub fn has_classes(&self) -> bool {
        matches!(self, Set::Features { features, .. } if features.logits.cols() > 0)
    }

    /// Whether the Fréchet distance reads statistics from a file.
    pub fn reads_statistics(&self) -> bool {
        matches!(self, Set::Stored { .. }) || self.has_statistics_beside()
    }

    /// Whether the Fréchet distance reads statistics that lay beside the images.
    pub fn has_statistics_beside(&self) -> bool {
        matches!(self, Set::Features { beside: Some(_), .. })
    }

    /// Whether the Fréchet distance reads statistics that do not say how they were made.
    pub fn has_foreign_statistics(&self) -> bool {
        match self {
            Set::Features { beside, .. } => beside.as_ref().is_some_and(|s| s.protocol.is_none()),
            Set::Stored { stored, .. } => stored.protocol.is_none(),
        }
    }

    /// Whether its features do not say how they were made.
    pub fn has_foreign_features(&self) -> bool {
        matches!(self, Set::Features { made_with: None, .. })
    }

    /// Extractor and weights hash that its features follow; none for foreign statistics and features.
    pub fn protocol(&self) -> Option<Protocol<'_>> {
        match self {
            Set::Features { made_with, .. } => {
                let (extractor, weights) = made_with.as_ref()?;
                Some((extractor, weights.as_deref()))
            }
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

    /// Looks at inputs, and says what it found. All are looked at before the first image goes through the network, so
    /// that a wrong path or statistics of another protocol do not cost an hour.
    pub fn look(&mut self, inputs: &[&str]) -> anyhow::Result<Vec<Looked>> {
        self.options.pipe.check_inputs(inputs)?;
        let inputs =
            inputs.iter().map(|&label| Ok((pipe::label(label), Rc::new(self.input(label)?))));
        let looked = self.compare_with(inputs.collect::<anyhow::Result<Vec<_>>>()?)?;
        looked.iter().for_each(|input| self.options.note(&input.line()));
        Ok(looked)
    }

    /// Looks at inputs that other sets have looked at, for the features of these ones.
    pub fn look_again(&mut self, looked: &[Looked]) -> anyhow::Result<Vec<Looked>> {
        let inputs = looked.iter().map(|looked| (&*looked.label, Rc::clone(&looked.input)));
        self.compare_with(inputs.collect())
    }

    /// Loads the extractor where there are images, and finds statistics that cannot be compared with its features.
    fn compare_with(&mut self, inputs: Vec<(&str, Rc<Input>)>) -> anyhow::Result<Vec<Looked>> {
        let spatial = self.options.is_spatial();
        let mut looked: Vec<Looked> =
            inputs.into_iter().map(|(label, input)| Looked::new(label, input, spatial)).collect();
        if looked.iter().any(|input| input.images().is_some()) {
            self.load_extractor()?;
        }
        for input in &mut looked {
            input.unlike = self.check_stored(input).err().map(|error| error.to_string());
        }
        Ok(looked)
    }

    /// Reads an input: its images go through the extractor.
    pub fn read(&mut self, looked: Looked) -> anyhow::Result<Set> {
        let stored = looked.stats().map(|stats| StoredStatistics {
            stats: stats.clone(),
            spatial: None,
            protocol: looked.stored().and_then(|stored| stored.protocol.clone()),
            note: StatsNote::default(),
        });
        if let Some(features) = looked.features() {
            let (features, logits) = (features.clone(), Matrix::empty(0));
            return Ok(Set::Features {
                label: looked.label,
                features: FeatureSet { features, logits },
                beside: None,
                left_out: LeftOut::default(),
                lossy: None,
                made_with: None,
            });
        }
        match (looked.images(), stored) {
            (Some(source), stored) => self.extract(source, stored, cache_dir(self.options)),
            (None, Some(stored)) => Ok(Set::Stored { label: looked.label, stored }),
            (None, None) => bail!("{}", without_spatial(&looked.label, "mu and sigma only")),
        }
    }

    fn input(&self, input: &str) -> anyhow::Result<Input> {
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
        if input == pipe::NAME {
            return Ok(Input::Images(o.pipe.open(&options)?));
        }
        match named::locate(input, o)? {
            Some(path) => open_npz(&path, &options).with_context(|| format!("cannot read {input}")),
            None => Ok(open(input, &options)?),
        }
    }

    /// Refuses statistics and features that those of the loaded extractor cannot be compared with.
    fn check_stored(&self, looked: &Looked) -> anyhow::Result<()> {
        let label = looked.label.as_str();
        let found = match (looked.stats(), looked.features()) {
            (Some(stats), _) => stats.dims(),
            (None, Some(features)) if !looked.is_spatial() => features.cols(),
            (None, features) => {
                let found = if features.is_some() { "features" } else { "mu and sigma only" };
                ensure!(looked.images().is_some(), without_spatial(label, found));
                return Ok(());
            }
        };
        let protocol = looked.stored().and_then(|stored| stored.protocol.as_ref());
        let Some(extractor) = &self.extractor else {
            return protocol.map_or(Ok(()), |theirs| check_asked(self.options, label, theirs));
        };
        let (name, dims) = (extractor.name(), extractor.dims());
        if let Some(protocol) = protocol {
            let theirs = (protocol.extractor.as_str(), protocol.weights_sha256.as_deref());
            let ours = (name, extractor.weights_sha256());
            same_protocol((label, theirs), ("what is asked for here", ours))?;
        }
        ensure!(
            found == dims,
            "{label}: expected statistics of {dims} features, as {name} gives, found {found}; see --dims"
        );
        Ok(())
    }

    /// Loads the extractor, so that what is wrong with it is known before images are made.
    pub fn load_extractor(&mut self) -> anyhow::Result<()> {
        self.loaded().map(drop)
    }

    /// A set of images that were made just now; their features are not kept.
    pub fn made(&mut self, source: &ImageSource) -> anyhow::Result<Set> {
        self.extract(source, None, None)
    }

    fn loaded(&mut self) -> anyhow::Result<&dyn FeatureExtractor> {
        let extractor = match self.extractor.take() {
            Some(extractor) => extractor,
            None => load(self.options)?,
        };
        Ok(&**self.extractor.insert(extractor))
    }

    fn extract(
        &mut self,
        source: &ImageSource,
        beside: Option<StoredStatistics>,
        cache: Option<PathBuf>,
    ) -> anyhow::Result<Set> {
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
        let template = if source.count().is_some() { EXTRACTING } else { EXTRACTING_PIPE };
        let bar = options.bar(source.len(), template).with_prefix(source.label().to_string());
        let extracted = extract_set(source, extractor, &how, &mut |done| {
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let extracted = extracted.with_context(|| format!("cannot score {}", source.label()))?;
        if let Some(error) = extracted.not_kept {
            options.warn(&format!(
                "the features of {} are not kept for the next time: {error}; --cache-dir names another place, and \
                 --no-cache keeps none",
                source.label()
            ));
        }
        let lossy = source.lossy();
        Ok(Set::Features {
            label: source.label().to_string(),
            features: extracted.set,
            beside,
            left_out: source.left_out().clone(),
            // A mixture is told as JPEG: it has the artefacts.
            lossy: lossy.last().copied(),
            made_with: Some((extractor.name().to_string(), weights)),
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

/// The fault of a file without statistics of spatial features.
fn without_spatial(label: &str, found: &str) -> String {
    format!(
        "{label}: expected statistics of spatial features too (mu_s and sigma_s, as in the files of ADM's evaluator), \
         found {found}; give images, or what `autogan score stats --dims spatial` makes of them"
    )
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
    options.cache_dir.clone().or_else(|| Some(autogan_hub::user_cache()?.join("autogan/features")))
}
