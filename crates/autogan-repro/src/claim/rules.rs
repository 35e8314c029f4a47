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
    /// What searches change in the preset `quick`, beside the sizes of the table.
    pub search: &'static [&'static str],
    /// What searches on shared weights change besides.
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
        search: &["derive.random=1", "strategy.at_once=1", "strategy.lengths=[75, 150, 300]"],
        // As much as the budget pays for.
        shared: &[
            "search.iterations=14",
            "search.grow_at=[3, 6]",
            "controller.steps=14",
            "reward.images=500",
        ],
        training: &[],
    };
}
