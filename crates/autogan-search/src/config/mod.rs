//! The configuration of a search: every choice has a name, none has a hidden default.
//!
//! Presets are files under `models/presets`; a run stores the resolved configuration. The choices on which the
//! paper, the released code and this project differ are named after what they do, so that `paper` and `released`
//! are configurations like any other.

mod change;
mod check;
mod cost;
mod load;

pub use autogan_nn::{DiscriminatorInit, EmaBuffers, PreOrder, SkipTap};
use autogan_rl::{BaselineOrder, FirstInput, PolicyLoss};
use autogan_space::TokenOrder;
use serde::{Deserialize, Serialize};

pub(crate) use change::check_continues;
pub(crate) use check::{check_count, require};
pub use load::{PRESETS, preset_text};
pub(crate) use load::{read, text_among, text_of, written};

/// Everything that decides what a search does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchConfig {
    /// Name of the preset that this began as.
    pub preset: String,
    /// What every random stream follows from.
    pub seed: u64,
    /// The images.
    pub data: DataConfig,
    /// The sizes of the networks.
    pub model: ModelConfig,
    /// Shared training of generator and discriminator.
    pub train: TrainConfig,
    /// Iterations, growth, beams.
    pub search: PlanConfig,
    /// Dynamic reset.
    pub reset: ResetConfig,
    /// The controller and its policy gradient.
    pub controller: PolicyConfig,
    /// How a child is scored.
    pub reward: RewardConfig,
    /// What an architecture may cost.
    pub budget: BudgetConfig,
    /// How the result is picked.
    pub derive: DeriveConfig,
}

/// The images that networks learn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Name of a dataset in the registry: `shapes`, `cifar10`, `stl10`, `folder`.
    pub dataset: String,
    /// Directory of its files; empty for the embedded dataset, or to fetch from the hub.
    pub dir: String,
    /// How many images are used, in the dataset's order; 0 for all.
    pub count: usize,
}

/// The sizes of the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Length of the latent vector.
    pub latent: usize,
    /// Channels of the generator.
    pub gf: usize,
    /// Channels of the discriminator.
    pub df: usize,
    /// Side of the first feature map; stage s makes images of side `bottom · 2^(s+1)`.
    pub bottom: usize,
    /// Where skips start.
    pub skip_tap: SkipTap,
    /// Where a pre-activation half upsamples.
    pub pre_order: PreOrder,
    /// How the discriminator begins.
    pub discriminator_init: DiscriminatorInit,
}

/// Whether the step size changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LrDecay {
    /// It does not.
    Constant,
    /// It falls linearly to zero at the end of the last iteration.
    Linear,
}

/// How often spectral norm's vectors follow the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerIterations {
    /// At each forward pass of the discriminator in training: twice in a D step.
    PerForward,
    /// Once a step.
    PerStep,
}

/// Shared training of generator and discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Real images of a D step, and as many fakes.
    pub d_batch: usize,
    /// Fakes of a G step.
    pub g_batch: usize,
    /// D steps per G step; the G step follows the first of each group.
    pub n_critic: usize,
    /// Adam's step size for the discriminator.
    pub d_lr: f64,
    /// Adam's step size for the generator.
    pub g_lr: f64,
    /// Adam's decay of the first moment.
    pub beta1: f64,
    /// Adam's decay of the second moment.
    pub beta2: f64,
    /// Whether the step size changes.
    pub lr_decay: LrDecay,
    /// Decay of the generator's moving average, per G step.
    pub ema_decay: f64,
    /// What the moving average does with running statistics.
    pub ema_buffers: EmaBuffers,
    /// How often spectral norm's vectors follow the weights.
    pub power_iterations: PowerIterations,
}

/// Whether cells are searched one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// Multi-level (MLAS, section 3.2): a stage for each cell, with a controller of its own that starts from a beam.
    Multi,
    /// Single-level (SLAS, figure 10): one controller for all cells and images at their full side from the beginning.
    /// The only stage is the last, there is no growth and no beam.
    Single,
}

/// Iterations, growth, beams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanConfig {
    /// Whether cells are searched one after the other.
    pub levels: Levels,
    /// Search iterations, over all stages.
    pub iterations: usize,
    /// Iterations at whose beginning stages 1 and 2 begin; `[0, 0]` with a single level, which begins with the last.
    pub grow_at: [usize; 2],
    /// Epochs of shared training in an iteration.
    pub shared_epochs: usize,
    /// M: candidates that are sampled and scored at the end of a stage; read with several levels alone, as is K.
    pub candidates: usize,
    /// K: candidates that go on to the next stage.
    pub top_k: usize,
    /// The M candidates differ from each other.
    pub distinct: bool,
    /// What the M candidates are, and those of `derive.candidates`.
    pub candidates_from: CandidatesFrom,
}

/// Which architectures are ranked at the end of a stage and at the end of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidatesFrom {
    /// New draws from the policy (section 3.2). What its children earned before is not used again.
    Policy,
    /// Half of them are the stage's best children so far, the others new draws from the policy. All are scored again, on
    /// the same weights and latents.
    PolicyAndChildren,
}

/// Which spread of the loss window is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetStatistic {
    /// The variance.
    Variance,
    /// The standard deviation.
    Std,
}

/// When a growth or the end falls on a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RankOrder {
    /// Candidates are ranked on the trained weights, then the weights are re-initialised.
    BeforeReset,
    /// The weights are re-initialised first, as in the released code, which then ranks an untrained supernet.
    AfterReset,
}

/// Dynamic reset (section 3.3.1): shared training stops when the losses stop moving, and starts over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Losses in the moving window.
    pub window: usize,
    /// Spread below which the losses count as standing still.
    pub threshold: f64,
    /// Which spread.
    pub statistic: ResetStatistic,
    /// The windows are emptied when a stage begins.
    pub clear_on_growth: bool,
    /// Ranking and reset in one iteration.
    pub rank: RankOrder,
}

/// How architectures are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// By the controller, which learns from the rewards by REINFORCE.
    Reinforce,
    /// Evenly among what is allowed: random search with weight sharing (section 4.3.5). As many children are scored as
    /// with the controller, those of an iteration differing from each other where there are enough. What ends a stage
    /// and the search ranks the best of the stage's children instead of candidates drawn from a policy.
    Uniform,
}

/// The controller and its policy gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// How architectures are drawn; `steps` and `children` hold for both ways, the other keys for the controller.
    pub policy: Policy,
    /// Length of its hidden vector.
    pub hidden: usize,
    /// Order and kind of its tokens.
    pub tokens: TokenOrder,
    /// What it reads first.
    pub first_input: FirstInput,
    /// Adam's step size.
    pub lr: f64,
    /// Adam's decay of the first moment.
    pub beta1: f64,
    /// Adam's decay of the second moment.
    pub beta2: f64,
    /// Steps in an iteration.
    pub steps: usize,
    /// Children per step.
    pub children: usize,
    /// Where the entropy goes.
    pub loss: PolicyLoss,
    /// Weight of the entropy, in units of reward per nat.
    pub entropy_weight: f64,
    /// Weight of the old value in the baseline.
    pub baseline_decay: f64,
    /// Whether a reward counts in the baseline that is subtracted from it.
    pub baseline_order: BaselineOrder,
    /// Whether each iteration starts with a fresh baseline.
    pub restart_baseline: bool,
}

/// What the reward is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardMetric {
    /// The Inception Score.
    Is,
    /// 1 / FID against the training images at the stage's side.
    InverseFid,
}

/// Which weights are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardWeights {
    /// The moving average.
    Ema,
    /// The live ones, as in the released search.
    Live,
}

/// Which cost lowers the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardCost {
    /// None does.
    None,
    /// Parameters of the derived generator.
    Params,
    /// Multiply-accumulates of one image through it.
    Macs,
}

/// How a child is scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardConfig {
    /// Feature extractor: `inception`, `compact-shapes`, `compact-cifar10`.
    pub scorer: String,
    /// What is made of its output.
    pub metric: RewardMetric,
    /// Which cost lowers the reward.
    pub cost: RewardCost,
    /// How much: the reward is the score minus `cost_weight · cost / reference`, the reference being the cost of the
    /// dearest architecture of the same stage. In units of the score.
    pub cost_weight: f64,
    /// Images per child.
    pub images: usize,
    /// Splits of the Inception Score.
    pub splits: usize,
    /// Images that are generated and scored at once.
    pub batch: usize,
    /// Which weights are scored.
    pub weights: RewardWeights,
    /// Batches from which a child's batch-norm statistics are recalibrated; 0 uses the running ones, which are mixed
    /// over all architectures.
    pub recalibrate_batches: usize,
    /// Images of each of those batches.
    pub recalibrate_batch: usize,
}

/// What an architecture may cost, counted for the derived generator of all three cells with the sizes of `[model]`, as
/// `autogan arch show` counts. Nothing is drawn that cannot be completed within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// Most trained parameters; 0 for any number.
    pub max_params: u64,
    /// Most multiply-accumulates of one image of side `8 · bottom`; 0 for any number.
    pub max_macs: u64,
}

/// How the result is picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeriveConfig {
    /// Architectures sampled from the last policy.
    pub candidates: usize,
    /// Architectures kept.
    pub top_k: usize,
    /// Images on which the kept ones and those that they are compared with are scored anew.
    pub images: usize,
    /// Random architectures that the result is compared with.
    pub random: usize,
}
