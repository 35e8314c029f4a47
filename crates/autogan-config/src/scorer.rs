//! [`ScorerConfig`] configures the training of a scorer; its presets are the files under `presets/scorer`.

use crate::check::require;
use crate::configuration::{Configuration, Presets, presets};
use crate::error::Result;
use crate::keys::{ABOVE_0, ANY, SHARE, SOME, TWO, Values, section};

section! {
    /// How the compact classifier that scores images is trained.
    ScorerConfig {
        /// Name of the scorer, which labels its scores.
        name: String, Values::Other("a name");
        /// The number that every random draw follows from.
        seed: u64, ANY;
        /// Widths at 16x16, 8x8 and 4x4 pixels. The last is the number of features.
        widths: [usize; 3], SOME, "channels";
        /// Passes over the training images.
        epochs: usize, SOME, "epochs";
        /// Images of a training step.
        batch: usize, TWO, "images";
        /// Highest step size of the cycle.
        lr: f64, ABOVE_0;
        /// Share of the training steps in which the step size rises.
        warmup: f64, SHARE;
        /// Decoupled weight decay of convolutions and linear layer, times the step size.
        weight_decay: f64, ANY;
        /// Probability that is taken from the true class and spread over all classes.
        label_smoothing: f64, SHARE;
        /// What happens to a training image. The shares `sixteen`, `eight`, `four`, `noise` and `blur` are of images that
        /// keep their class; they are at most 1 together.
        augment: AugmentConfig, AugmentConfig::SECTION;
    }
}

section! {
    /// What happens to a training image. At most one of `sixteen`, `eight`, `four`, `noise` and `blur` does; their shares
    /// are at most 1 together.
    AugmentConfig {
        /// Whether half of the images are mirrored.
        flip: bool, Values::Flag;
        /// Largest shift along each axis; the border is repeated.
        shift: usize, Values::Number("0 to 31", |v| v < 32.0), "pixels";
        /// Side of a grey square that is put anywhere into half of the images; 0 for none.
        cutout: usize, Values::Number("0 to 32", |v| v <= 32.0), "pixels";
        /// Largest relative change of contrast, and largest shift of brightness; 0 for none.
        colour: f32, SHARE;
        /// Share of images that are made at 16x16 and enlarged.
        sixteen: f64, SHARE;
        /// Share of images that are made at 8x8 and enlarged.
        eight: f64, SHARE;
        /// Share of images that are made at 4x4 and enlarged, so that a blurred figure still counts a little.
        four: f64, SHARE;
        /// Share of images with Gaussian noise.
        noise: f64, SHARE;
        /// Share of blurred images.
        blur: f64, SHARE;
        /// Share of images that are replaced by noise, whose target is the uniform distribution.
        junk: f64, SHARE;
    }
}

impl Configuration for ScorerConfig {
    const PRESETS: Presets = presets!("scorer": "compact-shapes", "compact-cifar10");
    const KEYS: Values = Self::SECTION;

    fn check_together(&self) -> Result<()> {
        let a = &self.augment;
        let sum = a.sixteen + a.eight + a.four + a.noise + a.blur;
        let keys = "augment.sixteen, eight, four, noise, blur";
        require(sum <= 1.0, keys, "at most 1 together", sum)
    }
}
