//! This module trains the compact classifier, the fast scorer of the search (`autogan train-scorer`).
//!
//! The network is that of `autogan_metrics::compact`, trained with AdamW, a one-cycle learning
//! rate and, for CIFAR-10, label smoothing. Two things make its scores mean something on generated images: a share
//! of the images is degraded (made at a lower resolution and enlarged, blurred, or noisy) and keeps its
//! label, and a share is replaced by noise, whose target is the uniform distribution.

mod augment;
mod error;
mod network;
mod train;

pub use autogan_config::ScorerConfig;
pub use error::{ScorerError, ScorerResult};
pub use train::{ScorerEvent, TrainedScorer, evaluate, train_scorer};
