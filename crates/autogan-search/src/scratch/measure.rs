//! These functions score a generator and real images: the formula of the Inception Score, and the Fréchet distance to
//! the training images, from one pass through the extractor.

use autogan_metrics::{
    FeatureExtractor, GaussianStats, InceptionScore, InceptionScoreConfig, Matrix, Statistics,
    frechet_distance, inception_score,
};
use autogan_nn::{Generator, NormMode};
use autogan_run::{RealScore, ScoresProtocol};
use autogan_space::Arch;
use candle_core::Tensor;

use crate::config::ScoreConfig;
use crate::error::Result;
use crate::images::{StageImages, to_u8};

/// The scores and statistics of real images, from one pass over them.
#[derive(Debug)]
pub(crate) struct Reals {
    /// The scores of the real images.
    pub score: RealScore,
    /// Mean and covariance of all of them, where the Fréchet distance is taken.
    pub reference: Option<GaussianStats>,
}

/// The names of the scores that `config` asks for, against `train` training images.
pub(crate) fn protocol(config: &ScoreConfig, train: usize) -> ScoresProtocol {
    let ScoreConfig { scorer, images, splits, .. } = config;
    let distance = if scorer == "inception" { "fid" } else { "frechet" };
    ScoresProtocol {
        is: format!("is_{scorer}_{images}_{splits}splits"),
        frechet: config.fid.then(|| format!("{distance}_{scorer}_{images}_{train}train")),
    }
}

/// Inception Score, and Fréchet distance to `reference` if there is one, of what `generator` makes of the latents `z`
/// `[N, latent]`.
pub(crate) fn score_generator(
    generator: &Generator,
    arch: &Arch,
    z: &Tensor,
    extractor: &dyn FeatureExtractor,
    config: &ScoreConfig,
    reference: Option<&GaussianStats>,
) -> Result<(InceptionScore, Option<f64>)> {
    let n = z.dim(0)?;
    let mut seen = SeenImages::new(extractor, n, reference.is_some());
    for start in (0..n).step_by(config.batch) {
        let part = z.narrow(0, start, config.batch.min(n - start))?;
        let images = generator.forward_frozen(&part, arch, NormMode::Running)?;
        seen.push(&to_u8(&images)?)?;
    }
    let score = inception_score(&seen.logits, &InceptionScoreConfig::in_order(config.splits))?;
    let distance = match (seen.features, reference) {
        (Some(features), Some(reference)) => {
            Some(frechet_distance(&features.finish()?, reference)?)
        }
        _ => None,
    };
    Ok((score, distance))
}

/// The scores of training images, in an order that follows from `seed`: as many as a generator is scored on, or all
/// where there are fewer.
pub(crate) fn score_reals(
    images: &StageImages,
    extractor: &dyn FeatureExtractor,
    config: &ScoreConfig,
    seed: u64,
) -> Result<Reals> {
    let order = images.held_order(seed);
    let scored = config.images.min(order.len());
    let mut seen = SeenImages::new(extractor, scored, config.fid);
    let apart = config.images.min(order.len() / 2);
    let (first, rest) = order.split_at(if config.fid { apart } else { scored });
    for part in first.chunks(config.batch) {
        seen.push(&images.at_u8(part)?)?;
    }
    let (mut frechet, mut reference) = (None, None);
    if let Some(first) = seen.features.replace(Statistics::new(extractor.dims())) {
        for part in rest.chunks(config.batch) {
            seen.push(&images.at_u8(part)?)?;
        }
        if let Some(rest) = seen.features.take() {
            let mut all = first.clone();
            all.merge(rest.clone())?;
            frechet = Some(frechet_distance(&first.finish()?, &rest.finish()?)?);
            reference = Some(all.finish()?);
        }
    }
    let is = inception_score(&seen.logits, &InceptionScoreConfig::in_order(config.splits))?;
    Ok(Reals { score: RealScore { is: is.mean, is_std: is.std, frechet }, reference })
}

/// The results of an extractor for the images so far.
struct SeenImages<'a> {
    extractor: &'a dyn FeatureExtractor,
    logits: Matrix,
    /// Rows of logits that are kept; features are of all images.
    kept: usize,
    features: Option<Statistics>,
}

impl<'a> SeenImages<'a> {
    fn new(extractor: &'a dyn FeatureExtractor, kept: usize, features: bool) -> Self {
        Self {
            extractor,
            logits: Matrix::empty(extractor.classes()),
            kept,
            features: features.then(|| Statistics::new(extractor.dims())),
        }
    }

    /// Adds images, u8 `[n, 3, side, side]`.
    fn push(&mut self, images: &Tensor) -> Result<()> {
        let out = self.extractor.extract(images)?;
        let room = self.kept.saturating_sub(self.logits.rows()).min(images.dim(0)?);
        if room > 0 {
            self.logits.push_tensor(&out.logits.narrow(0, 0, room)?)?;
        }
        if let Some(features) = &mut self.features {
            features.push(&Matrix::from_tensor(&out.features)?)?;
        }
        Ok(())
    }
}
