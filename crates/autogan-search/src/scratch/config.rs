//! The configuration of a training from scratch; its presets are the files under `models/training`.

use std::path::Path;

use autogan_ops::Precision;
use autogan_space::Arch;
use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::config::{
    DataConfig, ModelConfig, TrainConfig, check_continues, check_count, read, require, text_among,
    text_of, written,
};
use crate::error::Result;

/// The presets by name, the default first. Those of the search with the same name go before them.
pub const TRAINING_PRESETS: &[(&str, &str)] = &[
    ("quick", include_str!("../../../../models/training/quick.toml")),
    ("cifar10-cpu", include_str!("../../../../models/training/cifar10-cpu.toml")),
    ("cifar10", include_str!("../../../../models/training/cifar10.toml")),
    ("stl10", include_str!("../../../../models/training/stl10.toml")),
    ("paper", include_str!("../../../../models/training/paper.toml")),
    ("released", include_str!("../../../../models/training/released.toml")),
];

/// Keys that may change while a run goes on.
const FREE: [&str; 1] = ["schedule"];
/// Keys and sections that say what is in a checkpoint or where a run is.
///
/// The scores so far are in it, under one protocol's name.
const FIXED: [&str; 7] = ["preset", "seed", "arch", "data", "model", "train.n_critic", "score"];

/// Everything that decides what a training from scratch does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Name of the preset that this began as.
    pub preset: String,
    /// What every random stream follows from.
    pub seed: u64,
    /// The architecture, of one to three cells.
    pub arch: Arch,
    /// What the convolutions of the steps compute in. The key is a training's alone: a search stays in f32.
    pub precision: TrainingPrecision,
    /// The images.
    pub data: DataConfig,
    /// The sizes of the networks.
    pub model: ModelConfig,
    /// The steps of generator and discriminator. With a linear decay the step size falls from G iteration to G iteration
    /// and is zero in the last.
    pub train: TrainConfig,
    /// How long, and what is looked at on the way.
    pub schedule: ScheduleConfig,
    /// How the averaged generator is scored.
    pub score: ScoreConfig,
}

/// What the convolutions of a training's steps compute in. Weights, spectral norm, norms, losses and the optimizer are
/// f32 in any case, and so is everything about the generator that is scored or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrainingPrecision {
    /// f32.
    F32,
    /// f32, whose factors cuDNN may round to TF32: on a card, in a build with cuDNN, and an error elsewhere.
    Tf32,
    /// Factors and results rounded to bf16, sums in f32. Fast on cards from compute capability 8.0 with cuDNN; on the CPU
    /// it computes the same and is slower than f32.
    Bf16,
}

impl TrainingPrecision {
    /// The same, for operators.
    pub(super) fn of_operators(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Tf32 => Precision::Tf32,
            Self::Bf16 => Precision::Bf16,
        }
    }

    /// Whether a training on `device` can compute so, before its first step.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn check_on(self, device: &Device) -> Result<()> {
        let fits = self != Self::Tf32 || device.is_cuda();
        require(fits, "precision", "f32 or bf16 on the CPU: TF32 is a card's, by cuDNN", "tf32")
    }
}

/// How long a training goes on, and what is looked at on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// G iterations: G steps, each with `train.n_critic` D steps.
    pub g_iterations: u64,
    /// G iterations between scores; 0 for one at the end, where there is one anyway.
    pub score_every: u64,
    /// G iterations between sample grids; 0 for one at the end, where there is one anyway.
    pub samples_every: u64,
}

/// How the averaged generator is scored: with the running statistics of its batch norm, which are averaged with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreConfig {
    /// Feature extractor: `inception`, `compact-shapes`, `compact-cifar10`.
    pub scorer: String,
    /// Generated images.
    pub images: usize,
    /// Splits of the Inception Score.
    pub splits: usize,
    /// Images that are generated and scored at once.
    pub batch: usize,
    /// Whether the Fréchet distance to all training images is taken too, and decides which weights are the best. It is
    /// FID with Inception alone.
    pub fid: bool,
}

impl TrainingConfig {
    /// A preset, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the preset or a key is unknown, or a value does not fit.
    pub fn preset(name: &str, settings: &[String]) -> Result<Self> {
        let text = text_among(TRAINING_PRESETS, name)?;
        Self::from_toml(text, &format!("preset {name}"), settings)
    }

    /// A configuration file, with `key=value` settings over it.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown or missing, or a value does not fit.
    pub fn file(path: &Path, settings: &[String]) -> Result<Self> {
        Self::from_toml(&text_of(path)?, &path.display().to_string(), settings)
    }

    /// TOML text named `origin` in messages, with `key=value` settings over it.
    ///
    /// # Errors
    /// When a key is unknown or missing, or a value does not fit.
    pub fn from_toml(text: &str, origin: &str, settings: &[String]) -> Result<Self> {
        read::<Self>(text, origin, settings)?.checked()
    }

    /// The configuration as TOML, as a run stores it.
    ///
    /// # Errors
    /// When a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String> {
        written(self)
    }

    /// The configuration itself, when every value is possible and they fit each other.
    ///
    /// # Errors
    /// When one is not: the message names the key, what it may be and what was found.
    pub fn checked(self) -> Result<Self> {
        self.model.check()?;
        self.train.check()?;
        let s = &self.score;
        check_count("score.splits", s.splits)?;
        check_count("score.batch", s.batch)?;
        let images = format!("2 or more, and at least score.splits ({})", s.splits);
        require(s.images >= s.splits.max(2), "score.images", &images, s.images)?;
        let iterations = self.schedule.g_iterations;
        require(iterations > 0, "schedule.g_iterations", "1 or more", iterations)?;
        Ok(self)
    }

    /// Whether `images` training images are enough for the scores, before the first hours of training.
    ///
    /// # Errors
    /// When they are not: the message names the key.
    pub fn check_images(&self, images: usize) -> Result<()> {
        let splits = self.score.splits;
        let expected = format!("at most {images}, the training images");
        require(splits <= images, "score.splits", &expected, splits)?;
        // Two halves of the images, each with a covariance.
        let expected = format!("false with fewer than 4 training images, here {images}");
        require(!self.score.fid || images >= 4, "score.fid", &expected, self.score.fid)
    }

    /// Whether a run of `self` can go on with `next`: as
    /// [`SearchConfig::check_continues`](crate::SearchConfig::check_continues), where `[schedule]` may differ.
    ///
    /// # Errors
    /// When something else differs, with its keys; when `allowed` names what is no key or one that cannot change.
    pub fn check_continues(&self, next: &Self, allowed: &[String]) -> Result<()> {
        check_continues(self, next, allowed, &FREE, &FIXED)
    }

    /// Side of the images in pixels.
    pub fn side(&self) -> usize {
        self.model.bottom << (self.arch.stage() + 1)
    }

    /// D steps of the whole training.
    pub fn d_steps(&self) -> u64 {
        self.schedule.g_iterations * self.train.n_critic as u64
    }

    /// How often the averaged generator is scored, at the end included.
    pub fn scores(&self) -> u64 {
        match self.schedule.score_every {
            0 => 1,
            every => self.schedule.g_iterations.div_ceil(every),
        }
    }
}
