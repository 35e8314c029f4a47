//! [`Prices`] are what a search pays for its work, so that searches of different kinds have the same budget.

use serde::Deserialize;

use autogan_config::{RewardMetric, SearchConfig};

use super::{PICKED, Rules};
use crate::error::{ReproError, Result};

/// The price list that is committed with the claim.
const LIST: &str = include_str!("prices.toml");

/// Seconds of one thread, measured once, for one, two and three cells.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// The processor on which they were measured.
    pub host: String,
    /// A G iteration of a training from scratch, with its D steps.
    pub training: [f64; 3],
    /// A G iteration of shared training, with its D steps.
    pub shared: [f64; 3],
    /// A scored image, generated and seen by the scorer.
    pub image: [f64; 3],
    /// A batch of images from which a child's statistics of batch norm are measured.
    pub recalibration: [f64; 3],
}

impl Prices {
    /// The price list of the claim.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn of_claim() -> Result<Self> {
        let prices: Self =
            toml::from_str(LIST).map_err(|error| ReproError::Prices(error.to_string()))?;
        let all = [prices.training, prices.shared, prices.image, prices.recalibration];
        match all.concat().iter().all(|price| price.is_finite() && *price > 0.0) {
            true => Ok(prices),
            false => Err(ReproError::Prices(format!("expected numbers above 0, found {all:?}"))),
        }
    }

    /// A training of three cells from scratch, with the images of its score.
    pub fn whole_training(&self, rules: &Rules) -> f64 {
        self.training[2] * rules.length as f64 + self.image[2] * rules.images as f64
    }

    /// A scored image in G iterations of a training of three cells: the unit of `strategy.budget`.
    pub fn image_in_iterations(&self) -> f64 {
        self.image[2] / self.training[2]
    }

    /// What a search on shared weights costs, without its final comparison with random architectures, which shows what it
    /// is worth but does not choose; with the trainings that pick among what it found.
    pub fn of_supernet(&self, config: &SearchConfig, rules: &Rules) -> f64 {
        let c = &config.search;
        let begins = [0, c.grow_at[0], c.grow_at[1], c.iterations];
        let steps = rules.training_images.div_ceil(config.train.d_batch) / config.train.n_critic;
        let children = (config.controller.steps * config.controller.children) as f64;
        let stages = (0..3).map(|stage| {
            let iterations = (begins[stage + 1] - begins[stage]) as f64;
            let candidates = if stage < 2 { c.candidates } else { config.derive.candidates };
            let scored = iterations * children + candidates as f64;
            let child = self.child(config, stage, config.reward.images);
            iterations * c.shared_epochs as f64 * steps as f64 * self.shared[stage]
                + scored * child
                + self.reference(config, stage, rules)
        });
        let kept = config.derive.top_k as f64 * self.child(config, 2, config.derive.images);
        stages.sum::<f64>() + kept + PICKED as f64 * self.whole_training(rules)
    }

    /// The look at the training images with which a reward by a distance begins a stage.
    fn reference(&self, config: &SearchConfig, stage: usize, rules: &Rules) -> f64 {
        match config.reward.metric {
            RewardMetric::Is => 0.0,
            _ => rules.training_images as f64 * self.image[stage],
        }
    }

    /// The score of a child.
    fn child(&self, config: &SearchConfig, stage: usize, images: usize) -> f64 {
        let batches = config.reward.recalibrate_batches as f64;
        images as f64 * self.image[stage] + batches * self.recalibration[stage]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        let prices = Prices::of_claim().unwrap();
        assert!(!prices.host.is_empty());
        for list in [prices.training, prices.shared, prices.image] {
            assert!(list.is_sorted(), "more cells cost more: {list:?}");
        }
    }
}
