//! [`ImageScore`] is the hook through which a search is given its score; [`ExtractorScore`] holds the scores that a
//! configuration can name.

use std::sync::Arc;

use autogan_metrics::{
    Extraction, FeatureExtractor, GaussianStats, InceptionScoreConfig, Matrix, Statistics,
    frechet_distance, inception_score,
};
use autogan_rl::RewardValue;
use candle_core::Tensor;

use crate::config::{RewardConfig, RewardMetric};
use crate::error::Result;

/// The score of images, which a search makes as high as it can: what an architecture is rewarded with is the score of its
/// images, less what its cost takes from it.
///
/// [`ExtractorScore`] holds those that a configuration can name; any other implementation may take its place in
/// [`Inputs`](crate::Inputs).
pub trait ImageScore: Send {
    /// The scorer's name, which `arch.json` and messages tell.
    fn name(&self) -> &str;

    /// The name of a score of `images` images that says how it was taken, such as `is_compact-shapes_256_2splits`.
    fn protocol(&self, images: usize) -> String {
        format!("{}_{images}", self.name())
    }

    /// Prepares for a stage, before anything of it is scored. `reals` gives all training images at the stage's side, u8
    /// `[N, 3, side, side]`.
    ///
    /// # Errors
    /// When they cannot be read.
    fn begin_stage(&mut self, reals: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        let _ = reals;
        Ok(())
    }

    /// The score of images, u8 `[n, 3, side, side]` on the search's device or the CPU; higher is better. It must be the
    /// same for the same images.
    ///
    /// # Errors
    /// When the images cannot be scored.
    fn score(&self, images: &Tensor) -> Result<RewardValue>;
}

/// The Inception Score, or the inverse of the Fréchet distance to the training images, by what a feature extractor sees.
pub struct ExtractorScore {
    extractor: Arc<dyn FeatureExtractor>,
    config: RewardConfig,
    /// Statistics of the training images, for the Fréchet distance.
    reference: Option<GaussianStats>,
}

impl ExtractorScore {
    /// The score that `config` names, by `extractor`.
    pub fn new(extractor: Arc<dyn FeatureExtractor>, config: &RewardConfig) -> Self {
        Self { extractor, config: config.clone(), reference: None }
    }

    /// Returns one part of what the extractor makes of images, `width` numbers for each.
    fn see(&self, images: &Tensor, width: usize, part: fn(Extraction) -> Tensor) -> Result<Matrix> {
        let (n, batch) = (images.dim(0)?, self.config.batch);
        let mut seen = Matrix::empty(width);
        for start in (0..n).step_by(batch) {
            let images = images.narrow(0, start, batch.min(n - start))?;
            seen.push_tensor(&part(self.extractor.extract(&images)?))?;
        }
        Ok(seen)
    }

    fn statistics(&self, images: &Tensor) -> Result<GaussianStats> {
        let features = self.see(images, self.extractor.dims(), |seen| seen.features)?;
        Ok(Statistics::of(&features)?)
    }
}

impl ImageScore for ExtractorScore {
    fn name(&self) -> &str {
        &self.config.scorer
    }

    fn protocol(&self, images: usize) -> String {
        let (metric, scorer) = (metric_name(&self.config), &self.config.scorer);
        let splits = match self.config.metric {
            RewardMetric::Is => format!("_{}splits", self.config.splits),
            RewardMetric::InverseFid => String::new(),
        };
        format!("{metric}_{scorer}_{images}{splits}")
    }

    fn begin_stage(&mut self, reals: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        self.reference = match self.config.metric {
            RewardMetric::Is => None,
            RewardMetric::InverseFid => Some(self.statistics(&reals()?)?),
        };
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        if let Some(reference) = &self.reference {
            let distance = frechet_distance(&self.statistics(images)?, reference)?;
            return Ok(RewardValue::exact(1.0 / distance));
        }
        let logits = self.see(images, self.extractor.classes(), |seen| seen.logits)?;
        let score = inception_score(&logits, &InceptionScoreConfig::in_order(self.config.splits))?;
        Ok(RewardValue { value: score.mean, spread: score.std })
    }
}

/// The metric's short name; the Fréchet distance is called FID with Inception alone.
pub fn metric_name(config: &RewardConfig) -> &'static str {
    match config.metric {
        RewardMetric::Is => "is",
        RewardMetric::InverseFid if config.scorer == "inception" => "inverse_fid",
        RewardMetric::InverseFid => "inverse_frechet",
    }
}
