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

    /// The score of training images of the stage, u8 `[n, 3, side, side]`, which generated ones are read against. `others`
    /// gives those that are not among them, in the same form: a score that compares images with the training images
    /// compares these with the others, and not with themselves.
    ///
    /// # Errors
    /// As [`ImageScore::score`]; when the others cannot be read.
    fn score_real(
        &self,
        images: &Tensor,
        others: &dyn Fn() -> Result<Tensor>,
    ) -> Result<RewardValue> {
        let _ = others;
        self.score(images)
    }
}

/// The smallest Fréchet distance that a logarithm is taken of. A distance of 0, or one below that by rounding, would
/// have none that is finite.
const SMALLEST: f64 = 1e-6;

/// The Inception Score, or a score made of the Fréchet distance to the training images, by what a feature extractor sees.
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

    /// The score of images by their Fréchet distance to a reference.
    fn nearness(&self, images: &Tensor, reference: &GaussianStats) -> Result<RewardValue> {
        let distance = frechet_distance(&self.statistics(images)?, reference)?;
        let value = match self.config.metric {
            RewardMetric::Is | RewardMetric::InverseFid => 1.0 / distance,
            RewardMetric::LogFrechet => minus_log(distance),
        };
        Ok(RewardValue::exact(value))
    }
}

/// −ln of a Fréchet distance, at most −ln [`SMALLEST`].
pub(crate) fn minus_log(distance: f64) -> f64 {
    // NaN stays NaN, unlike with `f64::max`.
    if distance < SMALLEST { -SMALLEST.ln() } else { -distance.ln() }
}

impl ImageScore for ExtractorScore {
    fn name(&self) -> &str {
        &self.config.scorer
    }

    fn protocol(&self, images: usize) -> String {
        let (metric, scorer) = (metric_name(&self.config), &self.config.scorer);
        let splits = match self.config.metric {
            RewardMetric::Is => format!("_{}splits", self.config.splits),
            RewardMetric::InverseFid | RewardMetric::LogFrechet => String::new(),
        };
        format!("{metric}_{scorer}_{images}{splits}")
    }

    fn begin_stage(&mut self, reals: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        self.reference = match self.config.metric.is_frechet() {
            true => Some(self.statistics(&reals()?)?),
            false => None,
        };
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        if let Some(reference) = &self.reference {
            return self.nearness(images, reference);
        }
        let logits = self.see(images, self.extractor.classes(), |seen| seen.logits)?;
        let score = inception_score(&logits, &InceptionScoreConfig::in_order(self.config.splits))?;
        Ok(RewardValue { value: score.mean, spread: score.std })
    }

    fn score_real(
        &self,
        images: &Tensor,
        others: &dyn Fn() -> Result<Tensor>,
    ) -> Result<RewardValue> {
        match self.config.metric.is_frechet() {
            true => self.nearness(images, &self.statistics(&others()?)?),
            false => self.score(images),
        }
    }
}

/// The metric's short name; the Fréchet distance is called FID with Inception alone.
pub fn metric_name(config: &RewardConfig) -> &'static str {
    match config.metric {
        RewardMetric::Is => "is",
        RewardMetric::InverseFid if config.scorer == "inception" => "inverse_fid",
        RewardMetric::InverseFid => "inverse_frechet",
        RewardMetric::LogFrechet if config.scorer == "inception" => "minus_log_fid",
        RewardMetric::LogFrechet => "minus_log_frechet",
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::config::{Configuration, SearchConfig};

    /// The mean of each colour, as features.
    struct Colours;

    impl FeatureExtractor for Colours {
        fn name(&self) -> &str {
            "colours"
        }

        fn dims(&self) -> usize {
            3
        }

        fn classes(&self) -> usize {
            3
        }

        fn extract(&self, images: &Tensor) -> autogan_metrics::Result<Extraction> {
            let features = (images.to_dtype(DType::F32)?.mean((2, 3))? / 16.0)?;
            Ok(Extraction { logits: features.clone(), features })
        }
    }

    /// `n` images whose colours have no order, each between 0 and `most`.
    fn images(n: usize, most: u32) -> Tensor {
        let byte = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) % (most + 1);
        let pixels: Vec<u8> = (0..n * 3 * 4).map(|i| byte(i) as u8).collect();
        Tensor::from_vec(pixels, (n, 3, 2, 2), &Device::Cpu).unwrap()
    }

    fn score(metric: &str) -> ExtractorScore {
        let set = format!("reward.metric={metric}");
        let config = SearchConfig::preset("quick", &[set]).unwrap().reward;
        let mut score = ExtractorScore::new(Arc::new(Colours), &config);
        score.begin_stage(&|| Ok(images(90, 255))).unwrap();
        score
    }

    fn distance(first: &Tensor, second: &Tensor) -> f64 {
        let of = |images: &Tensor| {
            let features = Colours.extract(images).unwrap().features;
            Statistics::of(&Matrix::from_tensor(&features).unwrap()).unwrap()
        };
        frechet_distance(&of(first), &of(second)).unwrap()
    }

    #[test]
    fn the_logarithm_is_that_of_the_distance_and_orders_as_its_inverse_does() {
        let (log, inverse) = (score("log_frechet"), score("inverse_fid"));
        let mut both: Vec<(f64, f64)> = Vec::new();
        for most in [9, 250, 100, 180, 30] {
            let made = images(70, most);
            let (found, other) = (log.score(&made).unwrap(), inverse.score(&made).unwrap());
            let expected = -distance(&made, &images(90, 255)).ln();
            assert!((found.value - expected).abs() < 1e-9, "{} {expected}", found.value);
            assert_eq!(found.spread, 0.0);
            both.push((found.value, other.value));
        }
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(both.windows(2).all(|two| two[0].1 < two[1].1), "{both:?}");
    }

    #[test]
    fn real_images_are_compared_with_the_others_alone() {
        for metric in ["log_frechet", "inverse_fid"] {
            let score = score(metric);
            let all = images(90, 255);
            let (held, rest) = (all.narrow(0, 0, 40).unwrap(), all.narrow(0, 40, 50).unwrap());
            let found = score.score_real(&held, &|| Ok(rest.clone())).unwrap().value;
            let far = distance(&held, &rest);
            let expected = if metric == "log_frechet" { -far.ln() } else { 1.0 / far };
            assert!((found - expected).abs() < 1e-9, "{metric}: {found} {expected}");
            // Compared with all of them, itself included, the same part looks nearer than it is.
            assert!(score.score(&held).unwrap().value > found, "{metric}");
        }
        let plain = score("is");
        let others = || -> Result<Tensor> { panic!("the Inception Score reads no others") };
        let held = images(40, 255);
        let of_real = plain.score_real(&held, &others).unwrap();
        assert_eq!(of_real, plain.score(&held).unwrap());
    }

    #[test]
    fn no_distance_is_infinitely_good_and_no_number_is_made_of_none() {
        let log = score("log_frechet");
        let same = log.score(&images(90, 255)).unwrap().value;
        assert_eq!(same, -SMALLEST.ln());
        assert_eq!([0.0, -1e-9, SMALLEST / 2.0].map(minus_log), [same; 3]);
        assert_eq!(minus_log(1.0), 0.0);
        assert!(minus_log(f64::NAN).is_nan() && minus_log(f64::INFINITY) == f64::NEG_INFINITY);
    }

    #[test]
    fn a_score_is_named_by_what_it_is_made_of() {
        let config = |scorer: &str| {
            let set = ["reward.metric=log_frechet".into(), format!("reward.scorer={scorer}")];
            SearchConfig::preset("quick", &set).unwrap().reward
        };
        assert_eq!(metric_name(&config("inception")), "minus_log_fid");
        let ours = ExtractorScore::new(Arc::new(Colours), &config("compact-shapes"));
        assert_eq!(ours.protocol(256), "minus_log_frechet_compact-shapes_256");
    }
}
