//! [`Rules`] say what a search of the claim may cost, and how its winner is trained.

/// What a search may cost, and how its winner is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What a search may cost, in seconds of one thread by the price list.
    pub budget: f64,
    /// G iterations of a training from scratch.
    pub length: u64,
    /// Generated images on which a training is scored.
    pub images: usize,
    /// The number of training images.
    pub training_images: usize,
    /// What searches change in the preset `quick`, beside the sizes of the table.
    pub search: &'static [&'static str],
    /// What searches on shared weights change besides.
    pub supernet: &'static [&'static str],
    /// What the paper's controller changes besides.
    pub controller: &'static [&'static str],
    /// What random search with weight sharing changes besides.
    pub shared: &'static [&'static str],
    /// What trainings change in the configuration of the table.
    pub training: &'static [&'static str],
}

impl Rules {
    /// The rules of the claim.
    pub const CLAIM: Rules = Rules {
        budget: 600.0,
        length: 300,
        images: 2000,
        training_images: 20_000,
        search: &[
            "data.count=20000",
            "derive.random=1",
            "strategy.at_once=1",
            "strategy.lengths=[75, 150, 300]",
        ],
        // As much as the budget pays for. The controller keeps its reward and its dynamic reset; random search has the reward
        // that is the endpoint, and pays for the look at the training images that it needs.
        supernet: &["search.iterations=14", "search.grow_at=[3, 6]", "reward.images=500"],
        controller: &["controller.steps=14"],
        shared: &[
            "controller.steps=12",
            "controller.policy=uniform",
            "reward.metric=log_frechet",
            "reset.enabled=false",
        ],
        training: &["data.count=20000"],
    };
}
