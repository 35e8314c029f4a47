//! [`score_generator`]: scores whatever makes images, without files in between. It knows no generator: a function is
//! asked for batches.

use autogan_ops::floats_to_bytes;
use candle_core::{DType, Tensor};

use crate::extractor::check_images;
use crate::{
    Error, FeatureExtractor, FeatureSet, GaussianStats, InceptionScore, InceptionScoreConfig,
    Result, Statistics, frechet_distance, inception_score,
};

/// How a generator is scored.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorScoreOptions<'a> {
    /// Images to make, 1 or more.
    pub images: usize,
    /// Images to make at a time, 1 or more.
    pub batch: usize,
    /// How the Inception Score is made; none for no Inception Score.
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
        let found = format!("{images} and {batch}");
        let (what, expected) = ("images and batch of a generator's score", "at least 1 each");
        return Err(Error::Config { what, expected, found });
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
        (found, ..) => Err(Error::Shape {
            what: "images that the generator made".into(),
            expected: format!("{count}, as many as it was asked for"),
            found: format!("{found}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{ModuleExtractor, ModuleInput};

    /// Images of one level each, as floats in [-1, 1], and the same as bytes.
    fn levels(from: usize, n: usize, floats: bool) -> candle_core::Result<Tensor> {
        let level = |i: usize, c: usize| (i * 37 + c * (11 + i * i)) % 256;
        let pixels = (from..from + n).flat_map(|i| (0..3 * 4).map(move |p| level(i, p / 4)));
        let bytes = Tensor::from_iter(pixels.map(|v| v as u8), &Device::Cpu)?;
        let bytes = bytes.reshape((n, 3, 2, 2))?;
        // In the middle of what becomes each byte.
        let middle = (bytes.to_dtype(DType::F32)? + 0.5)?;
        if floats { middle.affine(1.0 / 127.5, -1.0) } else { Ok(bytes) }
    }

    fn extractor() -> impl FeatureExtractor {
        let means = |x: &Tensor| x.mean(3)?.mean(2);
        let input = ModuleInput::plain(2, (0.0, 1.0), &Device::Cpu);
        let head = |x: &Tensor| x * 5.0;
        ModuleExtractor::new("means", means, input).unwrap().with_logits(head).unwrap()
    }

    fn score(floats: bool, batch: usize) -> GeneratorScore {
        let extractor = extractor();
        let real = extractor.extract(&levels(100, 30, false).unwrap()).unwrap();
        let real = crate::Matrix::from_tensor(&real.features).unwrap();
        let options = GeneratorScoreOptions {
            images: 40,
            batch,
            inception: Some(InceptionScoreConfig::in_order(2)),
            reference: Some(&Statistics::of(&real).unwrap()),
        };
        let (mut made, mut told) = (0, Vec::new());
        let mut make = |n| {
            made += n;
            levels(made - n, n, floats)
        };
        let score = score_generator(&extractor, &options, &mut make, &mut |n| told.push(n));
        assert_eq!((made, told.last()), (40, Some(&40)));
        score.unwrap()
    }

    #[test]
    fn floats_bytes_and_batches_give_one_score() {
        let whole = score(false, 40);
        assert_eq!(whole.set.features.rows(), 40);
        assert!(whole.inception.unwrap().mean > 1.0 && whole.frechet.unwrap() > 0.0);
        assert_eq!(whole, score(true, 40));
        assert_eq!(whole, score(true, 7));
    }

    #[test]
    fn too_few_images_and_missing_logits_are_named() {
        let mut options =
            GeneratorScoreOptions { images: 8, batch: 4, inception: None, reference: None };
        let mut one = |_| levels(0, 1, true);
        let error = score_generator(&extractor(), &options, &mut one, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("expected 4"), "{error}");

        let means = |x: &Tensor| x.mean(3)?.mean(2);
        let input = ModuleInput::plain(2, (0.0, 1.0), &Device::Cpu);
        let plain = ModuleExtractor::new("means", means, input).unwrap();
        options.inception = Some(InceptionScoreConfig::in_order(1));
        let mut make = |n| levels(0, n, true);
        let error = score_generator(&plain, &options, &mut make, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("no classes"), "{error}");
    }
}
