//! This crate scores generated images: Inception Score, Fréchet distance, KID, precision and recall.
//!
//! A score is made in three steps, and each of them can be used alone:
//!
//! 1. a [`FeatureExtractor`] turns `u8` images `[N, 3, H, W]` into features `[N, D]` and logits
//!    `[N, K]`;
//! 2. [`Matrix`] keeps them, or [`Statistics`] streams them into mean and covariance;
//! 3. a pure function in `f64` makes the score: [`inception_score`], [`frechet_distance`],
//!    [`kernel_distance`], [`precision_recall`].
//!
//! [`score_generator`] does all three for a function that makes images; [`ModuleExtractor`] makes an extractor of any
//! candle module. [`load_scorer`] takes a scorer's name; [`SCORERS`] lists the names.
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
pub mod scores;
mod statistics;

pub use error::{Error, Result};
pub use extractor::{Extraction, FeatureExtractor, FeatureSet, extract_batched};
pub use generator::{GeneratorScore, GeneratorScoreOptions, score_generator};
pub use matrix::Matrix;
pub use module::{ModuleExtractor, ModuleInput};
pub use registry::{SCORERS, ScorerOptions, ScorerSpec, load_scorer};
pub use scores::frechet::{frechet_distance, frechet_distance_of_sets};
pub use scores::inception::{InceptionScore, InceptionScoreConfig, inception_score};
pub use scores::kernel::{KernelDistance, KernelDistanceConfig, kernel_distance};
pub use scores::prc::{PrecisionRecall, precision_recall};
pub use statistics::{GaussianStats, Statistics};
