//! This module defines the keys that searches and trainings share: images, networks, and the training steps of
//! generator and discriminator.

use crate::keys::{ABOVE_0, ANY, SHARE, SOME, Values, choice, section};

section! {
    /// The images that networks learn from.
    DataConfig {
        /// Name of a dataset.
        dataset: String, Values::Other("`shapes`, `cifar10`, `stl10`, `folder`");
        /// Directory of the dataset's files. Empty for the embedded dataset, or to fetch the files from the hub.
        dir: String, Values::Other("a path, or empty");
        /// How many images are used, in the dataset's order; 0 for all.
        count: usize, ANY, "images";
        /// Whether alpha channels of pictures in a folder are dropped. Without it, a picture with one is refused.
        drop_alpha: bool, Values::Flag;
    }
}

section! {
    /// The sizes of the networks.
    ModelConfig {
        /// Length of the latent vector.
        latent: usize, SOME, "numbers";
        /// Width of the generator.
        gf: usize, SOME, "channels";
        /// Width of the discriminator.
        df: usize, SOME, "channels";
        /// Side of the first feature map. Stage s, from 0, makes images of side `bottom · 2^(s+1)`.
        bottom: usize, SOME, "pixels";
        /// Which tensor of a cell later cells receive through their skips.
        skip_tap: SkipTap, SkipTap::VALUES;
        /// Where the first half of a pre-activation cell upsamples.
        pre_order: PreOrder, PreOrder::VALUES;
        /// How the discriminator's convolutions start.
        discriminator_init: DiscriminatorInit, DiscriminatorInit::VALUES;
        /// Power iterations of spectral norm on initial weights, before the first training step. PyTorch's current
        /// spectral norm has 15, that of the released code none.
        spectral_warm_up: usize, ANY, "power iterations";
    }
}

choice! {
    /// Which tensor of a cell later cells receive through their skips.
    SkipTap {
        /// The first half's output before the cell adds its own incoming skips: our default.
        BeforeAdd = "before_add",
        /// The same after they are added: what the released code does, since it adds in place.
        AfterAdd = "after_add",
    }
}

choice! {
    /// Where the first half of a pre-activation cell upsamples.
    PreOrder {
        /// Norm, ReLU, upsampling, convolution: the released code, and our default.
        NormFirst = "norm_first",
        /// Upsampling, norm, ReLU, convolution: the paper's figure.
        UpsampleFirst = "upsample_first",
    }
}

choice! {
    /// How the discriminator's convolutions start.
    DiscriminatorInit {
        /// Xavier-uniform with gain 1, as both paper and released code state.
        Xavier = "xavier",
        /// PyTorch's default U(±1/√fan_in), to which the released code falls back on a GPU.
        PytorchDefault = "pytorch_default",
    }
}

section! {
    /// The training steps of generator and discriminator.
    TrainConfig {
        /// Real images of a D step, and as many generated ones.
        d_batch: usize, SOME, "images";
        /// Generated images of a G step.
        g_batch: usize, SOME, "images";
        /// D steps per G step; the G step follows the first of each group.
        n_critic: usize, SOME, "D steps";
        /// Adam's step size for the discriminator.
        d_lr: f64, ABOVE_0;
        /// Adam's step size for the generator.
        g_lr: f64, ABOVE_0;
        /// Adam's decay of the first moment.
        beta1: f64, SHARE;
        /// Adam's decay of the second moment.
        beta2: f64, SHARE;
        /// What Adam does with a parameter that has no gradient in a step, such as those of an operation that the drawn
        /// architecture does not use.
        adam: AdamRule, AdamRule::VALUES;
        /// Whether the step size changes.
        lr_decay: LrDecay, LrDecay::VALUES;
        /// Decay of the generator's moving average, per G step.
        ema_decay: f64, SHARE;
        /// What the moving average does with batch norm's running statistics.
        ema_buffers: EmaBuffers, EmaBuffers::VALUES;
        /// How often the vectors of spectral norm follow the weights.
        power_iterations: PowerIterations, PowerIterations::VALUES;
    }
}

choice! {
    /// What Adam does with a parameter that has no gradient in a step.
    AdamRule {
        /// It passes the parameter over, as current PyTorch does: our default.
        SkipIdle = "skip_idle",
        /// Adam of PyTorch 1.1, with which the released code ran. A parameter that once had a gradient has a gradient of
        /// zeros from then on: its moments decay and its steps are counted. `eps` is added to the root of the second
        /// moment before the bias is corrected.
        Torch11 = "torch_1_1",
    }
}

choice! {
    /// Whether the step size changes.
    LrDecay {
        /// It does not.
        Constant = "constant",
        /// It falls linearly, iteration by iteration, to zero in the last one.
        Linear = "linear",
    }
}

choice! {
    /// What the moving average does with batch norm's running statistics.
    EmaBuffers {
        /// It averages them like the parameters: our default.
        Averaged = "averaged",
        /// The averaged generator always has the newest ones of the trained generator, as in the released code.
        Live = "live",
    }
}

choice! {
    /// How often the vectors of spectral norm follow the weights.
    PowerIterations {
        /// At each forward pass of the discriminator in training: twice in a D step.
        PerForward = "per_forward",
        /// Once a training step.
        PerStep = "per_step",
    }
}
