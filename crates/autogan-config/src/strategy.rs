//! This module defines the keys of a search by trainings from scratch.

use crate::keys::{ABOVE_0, ANY, SOME, Values, section};

section! {
    /// What a search looks at, and what it may cost, where a strategy decides it.
    StrategyConfig {
        /// Name of the strategy. `supernet` is the search of the paper: shared training, and children that
        /// `[controller]` draws. Any other strategy trains architectures of three cells from scratch. It also reads `seed`,
        /// `[data]`, `[model]`, `[train]`, `[budget]`, of `[reward]` the keys `scorer`, `images`, `splits` and `batch`, and of
        /// `[derive]` the keys `top_k` and `random`.
        name: String, Values::Other("`supernet`, or a strategy of `docs/searching.md`");
        /// What the trainings that the strategy asks for may cost together. The search ends before a training that would
        /// exceed it. At the end the winner and `derive.random` random architectures are trained to the whole length; these
        /// are not part of the budget.
        budget: f64, ABOVE_0, "G iterations";
        /// After how many iterations a training is scored and may end: short, middle, whole. Each is longer than the one
        /// before.
        lengths: [u64; 3], SOME, "G iterations";
        /// Trainings that go on at the same time. The result depends on it, but not on the number of threads.
        at_once: usize, SOME, "trainings";
        /// What a scored image costs.
        image_cost: f64, ANY, "G iterations";
        /// How long a supernet of three cells is trained before the strategy begins, on all architectures evenly. Strategies
        /// that learn from lengths of trainings may then also ask for the scores of architectures on the shared weights. This
        /// training is part of the budget; where its networks diverge, the search ends with an error. With a supernet the search
        /// also reads `reward.weights`, `reward.recalibrate_batches`, `reward.recalibrate_batch`, `search.shared_epochs` and
        /// `search.restart_steps`. 0: there is no supernet.
        supernet_iterations: u64, ANY, "G iterations";
    }
}

impl StrategyConfig {
    /// The name that stands for the search of the paper.
    pub const SUPERNET: &'static str = "supernet";

    /// Whether the search is the paper's.
    pub fn is_supernet(&self) -> bool {
        self.name == Self::SUPERNET
    }
}
