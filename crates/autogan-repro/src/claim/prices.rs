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

    /// What a search on shared weights costs, with the trainings that pick among what it found.
    pub fn of_supernet(&self, config: &SearchConfig, rules: &Rules) -> f64 {
        let work = SupernetWork::of(config, rules);
        let stages = (0..3).map(|stage| {
            (work.epochs[stage] * work.steps) as f64 * self.shared[stage]
                + (work.images[stage] + work.reference) * self.image[stage]
                + work.recalibrations[stage] * self.recalibration[stage]
        });
        stages.sum::<f64>() + PICKED as f64 * self.whole_training(rules)
    }
}

/// What a search on shared weights does in each stage, without its final comparison with random architectures: that shows
/// what the result is worth, but does not choose.
#[derive(Debug, PartialEq)]
pub(super) struct SupernetWork {
    /// Epochs of shared training.
    pub epochs: [usize; 3],
    /// G iterations of an epoch.
    pub steps: usize,
    /// Images that are generated and scored.
    pub images: [f64; 3],
    /// Batches from which statistics of batch norm are measured.
    pub recalibrations: [f64; 3],
    /// Training images that a reward by a distance looks at when a stage begins.
    pub reference: f64,
}

impl SupernetWork {
    pub fn of(config: &SearchConfig, rules: &Rules) -> Self {
        let c = &config.search;
        let begins = [0, c.grow_at[0], c.grow_at[1], c.iterations];
        let iterations: [usize; 3] = std::array::from_fn(|at| begins[at + 1] - begins[at]);
        let children = config.controller.steps * config.controller.children;
        let ranked = [c.candidates, c.candidates, config.derive.candidates];
        let kept = [0, 0, config.derive.top_k];
        let scored = |stage: usize| iterations[stage] * children + ranked[stage];
        let images = |stage: usize| {
            scored(stage) * config.reward.images + kept[stage] * config.derive.images
        };
        let batches =
            |stage: usize| (scored(stage) + kept[stage]) * config.reward.recalibrate_batches;
        Self {
            epochs: iterations.map(|count| count * c.shared_epochs),
            steps: rules.training_images.div_ceil(config.train.d_batch) / config.train.n_critic,
            images: std::array::from_fn(|stage| images(stage) as f64),
            recalibrations: std::array::from_fn(|stage| batches(stage) as f64),
            reference: match config.reward.metric {
                RewardMetric::Is => 0.0,
                _ => rules.training_images as f64,
            },
        }
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
