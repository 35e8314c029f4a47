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
        /// Whether each iteration's shared training begins with a new epoch and with a new group of `train.n_critic` D
        /// steps, as in the released code. Else both go on where the last iteration stopped.
        restart_steps: bool, Values::Flag;
        /// M of the paper: candidates that are scored at the end of a stage. It is read with several levels alone, as is
        /// `top_k`.
        candidates: usize, SOME, "architectures";
        /// K of the paper: candidates that go on to the next stage; at most `candidates`.
        top_k: usize, SOME, "architectures";
        /// Whether the candidates differ from each other.
        distinct: bool, Values::Flag;
        /// Where these candidates come from, and those of `derive.candidates`.
        candidates_from: CandidatesFrom, CandidatesFrom::VALUES;
        /// By what the best candidates are picked, those of `derive.candidates` included.
        pick: Pick, Pick::VALUES;
        /// How the architectures of shared training are drawn. `"fair"` goes with no limit in `[budget]`.
        shared_sampling: SharedSampling, SharedSampling::VALUES;
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
        /// Those of which a model of the stage's children expects the most, of all architectures that the stage allows. All
        /// are scored, on the same weights and latents.
        Model = "model",
    }
}

choice! {
    /// By what the best of some architectures are picked.
    Pick {
        /// By their scores.
        Score = "score",
        /// By what a model expects of them, a ridge regression on tokens and pairs of tokens. It learns from all children of
        /// the stage as well, so that one lucky score does not decide; best with `reward.standardise = "iteration"`.
        Model = "model",
    }
}

choice! {
    /// How the architectures of shared training are drawn.
    SharedSampling {
        /// As children are: from the policy with a controller, evenly in a random search.
        Policy = "policy",
        /// Evenly among what is allowed, also where a controller learns.
        Uniform = "uniform",
        /// By strict fairness (FairNAS, arXiv 1907.01845): each choice of a token comes once before any of them comes
        /// again, in an order that is drawn anew each time; entries of the beam likewise. The D steps with a G step are
        /// counted apart from the others, so that both networks are trained fairly.
        Fair = "fair",
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
        /// After which training steps the windows are looked at. The one of the generator must be full.
        check: ResetCheck, ResetCheck::VALUES;
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
    /// After which training steps the loss windows are looked at.
    ResetCheck {
        /// After those D steps that a G step follows. Losses are read one training step late, so that a GPU need not wait
        /// for them: one more step is taken.
        GStep = "g_step",
        /// After every D step, as in the released code, and at once: training waits for each loss.
        DStep = "d_step",
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
        scorer: String, Values::Other("`inception`, `compact-shapes`, `compact-cifar10`, or another of `autogan score --extractor`");
        /// What is made of the extractor's output.
        metric: RewardMetric, RewardMetric::VALUES;
        /// Which cost lowers the reward.
        cost: RewardCost, RewardCost::VALUES;
        /// How much the cost lowers the reward, which is the score minus `cost_weight · cost / reference`. The reference
        /// is the cost of the dearest architecture of the same stage. Above 0 with a `cost`, and 0 with `"none"`.
        cost_weight: f64, ANY, "the score's";
        /// Where rewards of different iterations meet, whether they are standardised within their iteration.
        standardise: Standardise, Standardise::VALUES;
        /// How long the latents of children stay the same.
        latents: RewardLatents, RewardLatents::VALUES;
        /// Generated images that a child is scored on; at least `splits`. With a Fréchet distance as the `metric` at most
        /// half of the training images.
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
        /// −ln FID against the training images at the stage's side. It orders as `inverse_fid` does, and its noise depends
        /// less on how good an architecture is. A distance below 1e-6 counts as 1e-6, so the score is at most 13.8.
        LogFrechet = "log_frechet",
    }
}

choice! {
    /// Whether rewards are standardised within their iteration: less the mean, divided by the standard deviation. The weights
    /// get better from iteration to iteration, and all rewards rise with them.
    Standardise {
        /// They are not.
        None = "none",
        /// They are. The controller learns from each reward less the mean of the iteration's rewards so far, those of the
        /// step included, divided by their standard deviation, so `controller.entropy_weight` is in standard deviations per nat.
        /// Children of different iterations are compared by rewards that are standardised over their whole iteration. Where
        /// all rewards are equal, each becomes 0.
        Iteration = "iteration",
    }
}

choice! {
    /// How long the latents of children stay the same.
    RewardLatents {
        /// For one step of the controller; the next step draws others.
        Step = "step",
        /// For all children of an iteration. The weights stay the same too, so a child that comes again gets the same score.
        Iteration = "iteration",
    }
}

impl RewardMetric {
    /// Whether it is made of the Fréchet distance to the training images.
    pub const fn is_frechet(self) -> bool {
        match self {
            Self::Is => false,
            Self::InverseFid | Self::LogFrechet => true,
        }
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
        /// Children of the last stage that are scored anew beside the random ones, on the same weights and latents: as the
        /// search drew them, evenly over its course, each once. Fewer where it drew fewer.
        drawn: usize, ANY, "architectures";
    }
}
