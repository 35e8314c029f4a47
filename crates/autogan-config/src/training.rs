//! [`TrainingConfig`] configures a training from scratch; its presets are the files under `presets/training`.

use autogan_space::Arch;

use crate::check::require;
use crate::configuration::{Configuration, Presets, presets};
use crate::error::Result;
use crate::keys::{ANY, SOME, TWO, Values, choice, section};
use crate::networks::{DataConfig, ModelConfig, TrainConfig};

section! {
    /// Everything that decides what a training from scratch does.
    TrainingConfig {
        /// Name of the preset that this configuration began as.
        preset: String, Values::Other("a name");
        /// The number that every random draw follows from.
        seed: u64, ANY;
        /// The architecture, of one to three cells. In presets it stands for any other.
        arch: Arch, Values::Other("a released vector");
        /// What the convolutions of the training steps compute in. The key is a training's alone: a search stays in f32.
        precision: TrainingPrecision, TrainingPrecision::VALUES;
        /// The images that networks learn from.
        data: DataConfig, DataConfig::SECTION;
        /// The sizes of the networks.
        model: ModelConfig, ModelConfig::SECTION;
        /// The training steps of generator and discriminator. With a linear decay the step size falls from G iteration
        /// to G iteration.
        train: TrainConfig, TrainConfig::SECTION;
        /// How long a training goes on, and what is looked at on the way.
        schedule: ScheduleConfig, ScheduleConfig::SECTION;
        /// How the averaged generator is scored: with the running statistics of its batch norm, which are averaged with
        /// it.
        score: ScoreConfig, ScoreConfig::SECTION;
    }
}

choice! {
    /// What the convolutions of a training step compute in. Weights, spectral norm, norms, losses and the optimizer are
    /// f32 in any case, and so is everything about the generator that is scored or shown.
    TrainingPrecision {
        /// f32.
        F32 = "f32",
        /// f32, whose factors cuDNN may round to TF32: on a GPU, in a build with cuDNN, and an error elsewhere.
        Tf32 = "tf32",
        /// Factors and results rounded to bf16, sums in f32. Fast on GPUs from compute capability 8.0 with cuDNN; on the
        /// CPU it computes the same and is slower than f32.
        Bf16 = "bf16",
    }
}

section! {
    /// How long a training goes on, and what is looked at on the way.
    ScheduleConfig {
        /// G iterations: each is a G step with `train.n_critic` D steps.
        g_iterations: u64, SOME, "G iterations";
        /// G iterations between scores; 0 for one at the end, where there is one anyway.
        score_every: u64, ANY, "G iterations";
        /// G iterations between sample grids; 0 for one at the end, where there is one anyway.
        samples_every: u64, ANY, "G iterations";
    }
}

section! {
    /// How the averaged generator is scored: with the running statistics of its batch norm, which are averaged with it.
    ScoreConfig {
        /// Name of the feature extractor.
        scorer: String, Values::Other("`inception`, `compact-shapes`, `compact-cifar10`, or another of `autogan score --extractor`");
        /// Generated images; at least `splits`.
        images: usize, TWO, "images";
        /// Splits of the Inception Score; at most the number of training images.
        splits: usize, SOME, "splits";
        /// Images that are generated and scored at once.
        batch: usize, SOME, "images";
        /// Whether the Fréchet distance to all training images is taken too, and decides which weights are the best. It
        /// is FID with Inception alone.
        fid: bool, Values::Flag;
    }
}

impl Configuration for TrainingConfig {
    const PRESETS: Presets =
        presets!("training": "quick", "cifar10-cpu", "cifar10", "stl10", "paper", "released");
    const KEYS: Values = Self::SECTION;
    const FREE: &'static [&'static str] = &["schedule"];
    // A checkpoint holds the scores so far, under the name of one protocol.
    const FIXED: &'static [&'static str] =
        &["preset", "seed", "arch", "data", "model", "train.n_critic", "score"];
    const ADDED: &'static str = "
        precision = 'f32'
        data = { drop_alpha = false }
        model = { spectral_warm_up = 15 }
        train = { adam = 'skip_idle' }";

    fn check_together(&self) -> Result<()> {
        let images = format!("at least score.splits ({})", self.score.splits);
        require(self.score.images >= self.score.splits, "score.images", &images, self.score.images)
    }
}

impl TrainingConfig {
    /// Checks whether `images` training images are enough for the scores, before the first hours of training.
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
