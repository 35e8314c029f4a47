//! [`score_generator`] scores the images that a function makes batch by batch, without files in between.

use autogan_ops::floats_to_bytes;
use candle_core::{DType, Tensor};

use crate::extractor::check_images;
use crate::{
    Error, FeatureExtractor, FeatureSet, GaussianStats, InceptionScore, InceptionScoreConfig,
    Result, Statistics, frechet_distance, inception_score,
};

/// The settings for scoring a generator.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorScoreOptions<'a> {
    /// Images to make, 1 or more.
    pub images: usize,
    /// Images to make at a time, 1 or more.
    pub batch: usize,
    /// The settings of the Inception Score; none for no Inception Score.
    pub inception: Option<InceptionScoreConfig>,
    /// The statistics of real images, by the same extractor; none for no Fréchet distance.
    pub reference: Option<&'a GaussianStats>,
}

/// Scores of a generator; those that were not asked for are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorScore {
    /// The Inception Score by the extractor's logits.
    pub inception: Option<InceptionScore>,
    /// The Fréchet distance to the reference.
    pub frechet: Option<f64>,
    /// Features and logits of the images, from which [`crate::kernel_distance`] and [`crate::precision_recall`] make
    /// further scores.
    pub set: FeatureSet,
}

/// Scores the images that `make` makes. `make(n)` gives `n` images `[n, 3, H, W]`: bytes (`u8`), or floats in [-1, 1],
/// which are scaled to 0..=255 and cut off, not rounded. `progress` is told how many images are done.
///
/// # Errors
/// What `make` and the extractor return; [`Error::Config`] for no images or a batch of 0; [`Error::Shape`] for other
/// shapes than asked for; those of the scores, such as too few images.
pub fn score_generator(
    extractor: &dyn FeatureExtractor,
    options: &GeneratorScoreOptions<'_>,
    make: &mut dyn FnMut(usize) -> candle_core::Result<Tensor>,
    progress: &mut dyn FnMut(usize),
) -> Result<GeneratorScore> {
    let GeneratorScoreOptions { images, batch, inception, reference } = *options;
    if images == 0 || batch == 0 {
        let what = "images and batch of a generator's score";
        return Err(Error::config(what, "at least 1 each", format!("{images} and {batch}")));
    }
    let mut set = FeatureSet::empty(extractor);
    for start in (0..images).step_by(batch) {
        let count = batch.min(images - start);
        set.push(&extractor.extract(&as_bytes(&make(count)?, count)?)?)?;
        progress(start + count);
    }
    Ok(GeneratorScore {
        inception: inception.map(|config| inception_score(&set.logits, &config)).transpose()?,
        frechet: reference
            .map(|reference| frechet_distance(&Statistics::of(&set.features)?, reference))
            .transpose()?,
        set,
    })
}

/// `count` images as bytes.
fn as_bytes(images: &Tensor, count: usize) -> Result<Tensor> {
    let bytes = match images.dtype() {
        DType::U8 => images.clone(),
        _ => floats_to_bytes(&images.detach().to_dtype(DType::F32)?)?,
    };
    match check_images(&bytes)? {
        (found, ..) if found == count => Ok(bytes),
        (found, ..) => {
            let expected = format!("{count}, as many as it was asked for");
            Err(Error::shape("images that the generator made", expected, found.to_string()))
        }
    }
}
