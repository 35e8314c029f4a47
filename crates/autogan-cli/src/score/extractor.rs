//! This module loads the network that turns images into features, and finds its weights.

use std::sync::Arc;

use anyhow::Context;
use autogan_metrics::inception::KNOWN_WEIGHTS;
use autogan_metrics::{FeatureExtractor, SCORERS, ScorerOptions, load_scorer};
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::Options;
use crate::weights::inception_file;

/// The scorer whose weights are a file.
pub const INCEPTION: &str = "inception";

/// The scorers on the command line.
pub fn names() -> PossibleValuesParser {
    let named =
        |spec: &autogan_metrics::ScorerSpec| PossibleValue::new(spec.name).help(spec.summary);
    SCORERS.iter().map(named).collect::<Vec<_>>().into()
}

/// Loads the extractor that the options ask for.
pub fn load(options: &Options) -> anyhow::Result<Arc<dyn FeatureExtractor>> {
    let mut wanted = ScorerOptions::new(
        options.weights.clone(),
        crate::hub::open(options.offline, options.silent),
    );
    wanted.preset = options.preset();
    wanted.features = options.dims.unwrap_or(wanted.features);
    if options.extractor == INCEPTION && wanted.weights.is_none() {
        let (repo, revision) = (options.weights_repo.as_deref(), options.revision.as_deref());
        let file = inception_file(repo, revision, options.offline, options.silent);
        wanted.weights = Some(file.context(
            "cannot get the Inception weights; `--weights FILE` takes a local file, and \
             `--extractor compact-cifar10` needs none",
        )?);
    }
    let extractor = load_scorer(&options.extractor, &wanted, &options.device()?)?;
    if let Some(path) = wanted.weights.filter(|_| options.extractor == INCEPTION) {
        let hash = extractor.weights_sha256();
        if !hash.is_some_and(|hash| KNOWN_WEIGHTS.contains(&hash)) {
            options.warn(&format!(
                "{} is not one of the published weight files (SHA-256 {}): scores made with it are not comparable \
                 with published ones",
                path.display(),
                hash.unwrap_or("unknown")
            ));
        }
    }
    Ok(extractor)
}
