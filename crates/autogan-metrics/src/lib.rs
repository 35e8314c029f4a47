//! This crate scores generated images: Inception Score, Fréchet distance, KID and MMD, MIND, precision, recall, density
//! and coverage, each with an interval where it is asked for.
//!
//! A score is made in three steps, and each of them can be used alone:
//!
//! 1. a [`FeatureExtractor`] turns `u8` images `[N, 3, H, W]` into features `[N, D]` and logits
//!    `[N, K]`;
//! 2. [`Matrix`] keeps them, or [`Statistics`] streams them into mean and covariance;
//! 3. a pure function in `f64` makes the score: [`inception_score`], [`frechet_distance`],
//!    [`kernel_distance`], [`mmd`], [`mind`], [`precision_recall`], [`prdc`]; `…_interval` adds how sure it is.
//!
//! [`score_generator`] does all three for a function that makes images; [`ModuleExtractor`] makes an extractor of any
//! candle module. [`load_scorer`] takes a scorer's name; [`SCORERS`] lists the names: Inception-v3, the compact
//! classifiers, DINOv2 and CLIP ([`vit`]), and residual networks of CIFAR-10 ([`resnet`]).
//!
//! Scores made with the compact classifier carry its name and cannot be compared with published Inception Scores and
//! FIDs. The crate knows no generator and no search.

pub mod compact;
mod error;
mod extractor;
mod generator;
pub mod inception;
#[cfg(feature = "io")]
pub mod io;
mod matrix;
mod module;
pub mod numpy_rng;
mod registry;
pub mod resnet;
pub mod scores;
mod statistics;
mod tensors;
pub mod torch_rng;
pub mod vit;

pub use error::{Error, Result};
pub use extractor::{Extraction, FeatureExtractor, FeatureSet, extract_batched};
pub use generator::{GeneratorScore, GeneratorScoreOptions, score_generator};
pub use matrix::Matrix;
pub use module::{ModuleExtractor, ModuleInput};
pub use registry::{
    Load, SCORERS, ScorerOptions, ScorerSpec, WeightSource, load_classifier, load_scorer,
    scorer_spec,
};
pub use scores::frechet::{
    FrechetSide, frechet_distance, frechet_distance_interval, frechet_distance_of_sets,
};
pub use scores::inception::{
    InceptionScore, InceptionScoreConfig, inception_score, inception_score_interval,
};
pub use scores::kernel::{
    Estimator, Kernel, KernelDistance, KernelDistanceConfig, MmdConfig, kernel_distance,
    kernel_distance_interval, mmd, mmd_interval,
};
pub use scores::mind::{MindConfig, mind, mind_along, mind_interval};
pub use scores::prc::{
    Prdc, PrdcIntervals, PrecisionRecall, prdc, prdc_intervals, precision_recall,
    precision_recall_intervals,
};
pub use scores::resample::{Interval, ResampleConfig, Samples};
pub use statistics::{GaussianStats, Statistics};
