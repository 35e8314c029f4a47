//! [`SearchConfig`] configures a search; its presets are the files under `presets/search`.

use crate::keys::{ANY, SOME, TWO, Values, choice, section};
use crate::networks::{DataConfig, ModelConfig, TrainConfig};
use crate::policy::PolicyConfig;
use crate::strategy::StrategyConfig;

section! {
    /// Everything that decides what a search does.
    SearchConfig {
        /// Name of the preset that this configuration began as.
        preset: String, Values::Other("a name");
        /// The number that every random draw follows from.
        seed: u64, ANY;
        /// The images that networks learn from.
        data: DataConfig, DataConfig::SECTION;
        /// The sizes of the networks.
        model: ModelConfig, ModelConfig::SECTION;
        /// Which strategy decides what is looked at, and what that may cost.
        strategy: StrategyConfig, StrategyConfig::SECTION;
        /// Shared training: the training steps of generator and discriminator.
        train: TrainConfig, TrainConfig::SECTION;
        /// Iterations, growth and candidates.
        search: PlanConfig, PlanConfig::SECTION;
        /// Dynamic reset (section 3.3.1): shared training stops when the losses stop moving, and starts over.
        reset: ResetConfig, ResetConfig::SECTION;
        /// The controller and its policy gradient.
        controller: PolicyConfig, PolicyConfig::SECTION;
        /// How a child is scored.
        reward: RewardConfig, RewardConfig::SECTION;
        /// What an architecture may cost, counted for the derived generator of all three cells with the sizes of
        /// `[model]`, as `autogan arch show` counts. Nothing is drawn that cannot be completed within it.
        budget: BudgetConfig, BudgetConfig::SECTION;
        /// How the result is picked.
        derive: DeriveConfig, DeriveConfig::SECTION;
    }
}

section! {
    /// Iterations, growth and candidates.
    PlanConfig {
        /// Whether cells are searched one after the other.
        levels: Levels, Levels::VALUES;
        /// Search iterations, over all stages.
        iterations: usize, SOME, "iterations";
        /// Iterations at whose beginning stages 1 and 2 begin: 0 < first < second < `iterations`. `[0, 0]` with a single
        /// level, which begins with the last stage.
        grow_at: [usize; 2], ANY, "iterations";
        /// Epochs of shared training in an iteration.
        shared_epochs: usize, SOME, "epochs";
        /// M of the paper: candidates that are scored at the end of a stage. It is read with several levels alone, as is
        /// `top_k`.
        candidates: usize, SOME, "architectures";
        /// K of the paper: candidates that go on to the next stage; at most `candidates`.
        top_k: usize, SOME, "architectures";
        /// Whether the candidates differ from each other.
        distinct: bool, Values::Flag;
        /// Where these candidates come from, and those of `derive.candidates`.
        candidates_from: CandidatesFrom, CandidatesFrom::VALUES;
    }
}

choice! {
    /// Whether cells are searched one after the other.
    Levels {
        /// Multi-level (MLAS, section 3.2): a stage for each cell, with a controller of its own that starts from a beam.
        Multi = "multi",
        /// Single-level (SLAS, figure 10): one controller for all cells and images at their full side from the
        /// beginning. The only stage is the last, there is no growth and no beam.
        Single = "single",
    }
}

choice! {
    /// Where the architectures come from that are ranked at the end of a stage and at the end of the search.
    CandidatesFrom {
        /// New draws from the policy (section 3.2). What its children earned before is not used again.
        Policy = "policy",
        /// Half of them are the stage's best children so far, the others new draws from the policy. All are scored again,
        /// on the same weights and latents.
        PolicyAndChildren = "policy_and_children",
    }
}

section! {
    /// Dynamic reset (section 3.3.1): shared training stops when the losses stop moving, and starts over.
    ResetConfig {
        /// Whether there is a reset.
        enabled: bool, Values::Flag;
        /// Losses in the moving window.
        window: usize, TWO, "losses";
        /// Spread below which the losses count as standing still.
        threshold: f64, ANY;
        /// Which spread of the window is compared with `threshold`.
        statistic: ResetStatistic, ResetStatistic::VALUES;
        /// Whether the windows are emptied when a stage begins.
        clear_on_growth: bool, Values::Flag;
        /// What comes first when the end of a stage, or of the search, falls on a reset.
        rank: RankOrder, RankOrder::VALUES;
    }
}

choice! {
    /// Which spread of the loss window is compared with the threshold.
    ResetStatistic {
        /// The variance.
        Variance = "variance",
        /// The standard deviation.
        Std = "std",
    }
}

choice! {
    /// What comes first when the end of a stage, or of the search, falls on a reset.
    RankOrder {
        /// Candidates are ranked on the trained weights, then the weights are initialised anew.
        BeforeReset = "before_reset",
        /// The weights are initialised first, as in the released code, which then ranks an untrained supernet.
        AfterReset = "after_reset",
    }
}

section! {
    /// How a child is scored.
    RewardConfig {
        /// Name of the feature extractor.
        scorer: String, Values::Other("`inception`, `compact-shapes`, `compact-cifar10`");
        /// What is made of the extractor's output.
        metric: RewardMetric, RewardMetric::VALUES;
        /// Which cost lowers the reward.
        cost: RewardCost, RewardCost::VALUES;
        /// How much the cost lowers the reward, which is the score minus `cost_weight · cost / reference`. The reference
        /// is the cost of the dearest architecture of the same stage. Above 0 with a `cost`, and 0 with `"none"`.
        cost_weight: f64, ANY, "the score's";
        /// Generated images that a child is scored on; at least `splits`. With `metric = "inverse_fid"` at most half of
        /// the training images.
        images: usize, SOME, "images";
        /// Splits of the Inception Score.
        splits: usize, SOME, "splits";
        /// Images that are generated and scored at once.
        batch: usize, SOME, "images";
        /// Which weights are scored.
        weights: RewardWeights, RewardWeights::VALUES;
        /// Batches from which the batch-norm statistics of a child are measured anew. 0 uses the running statistics,
        /// which are mixed over all architectures.
        recalibrate_batches: usize, ANY, "batches";
        /// Images of each of those batches; 1 or more where there are any.
        recalibrate_batch: usize, ANY, "images";
    }
}

choice! {
    /// What the reward is made of.
    RewardMetric {
        /// The Inception Score.
        Is = "is",
        /// 1 / FID against the training images at the stage's side.
        InverseFid = "inverse_fid",
    }
}

choice! {
    /// Which weights are scored.
    RewardWeights {
        /// The moving average.
        Ema = "ema",
        /// The live ones, as in the released search.
        Live = "live",
    }
}

choice! {
    /// Which cost lowers the reward.
    RewardCost {
        /// None does.
        None = "none",
        /// Parameters of the derived generator.
        Params = "params",
        /// Multiply-accumulates of one image through it.
        Macs = "macs",
    }
}

section! {
    /// What an architecture may cost, counted for the derived generator of all three cells with the sizes of `[model]`, as
    /// `autogan arch show` counts. Nothing is drawn that cannot be completed within it.
    BudgetConfig {
        /// Most trained parameters; 0 for any number.
        max_params: u64, ANY, "parameters";
        /// Most multiply-accumulates of one image of side `8 · bottom`; 0 for any number.
        max_macs: u64, ANY, "multiply-accumulates";
    }
}

section! {
    /// How the result is picked.
    DeriveConfig {
        /// Architectures that are ranked at the end of the search; `search.candidates_from` says where they come from.
        candidates: usize, SOME, "architectures";
        /// Architectures that are kept; at most `candidates`.
        top_k: usize, SOME, "architectures";
        /// Generated images on which the kept ones, and those that they are compared with, are scored anew. At least
        /// `reward.splits`, and at most as many as for `reward.images`.
        images: usize, SOME, "images";
        /// Random architectures that the result is compared with.
        random: usize, SOME, "architectures";
    }
}
