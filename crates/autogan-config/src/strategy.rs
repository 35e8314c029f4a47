//! This module defines the keys of a search by trainings from scratch.

use crate::keys::{ABOVE_0, ANY, SOME, Values, section};

section! {
    /// What a search looks at, and what it may cost, where a strategy decides it.
    StrategyConfig {
        /// Name of the strategy. `supernet` is the search of the paper: shared training, and children that
        /// `[controller]` draws. Any other strategy trains architectures of three cells from scratch, and reads of the
        /// other sections `[data]`, `[model]`, `[train]`, `[budget]`, and of `[reward]` the scorer and its images.
        name: String, Values::Other("`supernet`, or a strategy of `docs/searching.md`");
        /// What all trainings together may cost. A strategy asks for no training that would exceed it.
        budget: f64, ABOVE_0, "G iterations";
        /// After how many iterations a training is scored and may end: short, middle, whole. Each is longer than the one
        /// before.
        lengths: [u64; 3], SOME, "G iterations";
        /// Trainings that go on at the same time. The result depends on it, but not on the number of threads.
        at_once: usize, SOME, "trainings";
        /// What a scored image costs.
        image_cost: f64, ANY, "G iterations";
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
