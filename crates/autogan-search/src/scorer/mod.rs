//! Trains the compact classifier, the fast scorer of the search (`autogan train-scorer`).
//!
//! The network is that of `autogan_metrics::compact`, trained with AdamW, a one-cycle learning
//! rate and, for CIFAR-10, label smoothing. Two things make its scores mean something on generated images: a share
//! of the images is degraded (made at a lower resolution and enlarged, blurred, or noisy) and keeps its
//! label, and a share is replaced by noise, whose target is the uniform distribution.

mod augment;
mod error;
mod network;
mod train;

pub use augment::Augment;
pub use error::{ScorerError, ScorerResult};
pub use train::{ScorerEvent, TrainedScorer, evaluate, train_scorer};

use serde::{Deserialize, Serialize};

/// How the compact classifier is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerConfig {
    /// Name of the extractor, which labels its scores.
    pub name: String,
    /// Channels at 16x16, 8x8 and 4x4; the last is the number of features.
    pub widths: [usize; 3],
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a batch.
    pub batch: usize,
    /// Highest learning rate of the cycle.
    pub lr: f64,
    /// Share of the steps in which the learning rate rises.
    pub warmup: f64,
    /// Decoupled weight decay of convolutions and linear layer, times the learning rate.
    pub weight_decay: f64,
    /// Probability taken from the true class and spread over all classes.
    pub label_smoothing: f64,
    /// What happens to the images.
    pub augment: Augment,
    /// Seed of initial weights, order and augmentation.
    pub seed: u64,
}

impl ScorerConfig {
    /// `compact-shapes`: small, for the embedded dataset.
    pub fn shapes() -> Self {
        Self {
            name: "compact-shapes".into(),
            widths: [32, 64, 128],
            epochs: 4,
            batch: 64,
            lr: 4e-3,
            warmup: 0.2,
            weight_decay: 0.05,
            label_smoothing: 0.0,
            augment: Augment::shapes(),
            seed: 0,
        }
    }

    /// `compact-cifar10`: wider, with stronger augmentation.
    pub fn cifar10() -> Self {
        Self {
            name: "compact-cifar10".into(),
            widths: [48, 96, 192],
            epochs: 14,
            batch: 64,
            lr: 2.5e-3,
            warmup: 0.25,
            weight_decay: 0.1,
            label_smoothing: 0.1,
            augment: Augment::cifar10(),
            seed: 0,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ScorerError::Config`] naming the setting.
    pub fn check(&self) -> ScorerResult<()> {
        let fail =
            |what, expected, found: String| Err(ScorerError::Config { what, expected, found });
        if self.epochs == 0 || self.batch < 2 {
            let found = format!("{} and {}", self.epochs, self.batch);
            return fail("epochs and batch", "at least 1 and 2", found);
        }
        if self.widths.contains(&0) {
            return fail("widths", "at least 1 each", format!("{:?}", self.widths));
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            let found = self.label_smoothing.to_string();
            return fail("label_smoothing", "in [0, 1)", found);
        }
        if !(self.lr > 0.0 && (0.0..1.0).contains(&self.warmup)) {
            let found = format!("{} and {}", self.lr, self.warmup);
            return fail("lr and warmup", "above 0, and in [0, 1)", found);
        }
        self.augment.check()
    }
}
