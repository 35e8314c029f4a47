//! This module loads the network that turns images into features, and finds its weights.

use std::sync::Arc;

use autogan_metrics::{FeatureExtractor, SCORERS, ScorerOptions, load_scorer, scorer_spec};
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::Options;

/// The scorer that has presets and several places to take features from.
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
    let repository = options.weights_repo.clone();
    wanted.repository = repository.map(|repository| (repository, options.revision.clone()));
    let extractor = load_scorer(&options.extractor, &wanted, &options.device()?)?;
    let source = scorer_spec(&options.extractor)?.source();
    let known = source.map(|source| source.known_hashes()).unwrap_or_default();
    let hash = extractor.weights_sha256().unwrap_or("unknown");
    if !known.is_empty() && !known.contains(&hash) {
        let file = options.weights.as_ref().map(|path| path.display().to_string());
        let file = file.or_else(|| options.weights_repo.clone()).unwrap_or_default();
        options.warn(&format!(
            "{file} is not one of the published weight files (SHA-256 {hash}): scores made with it are not comparable with \
             published ones, unless the weights are the same"
        ));
    }
    Ok(extractor)
}
