//! A [`Scale`] says how large the experiments are: on which images, with which seeds and settings.
//!
//! `small` is sized for two cores and some hours for the items that the paper's comparisons need; its seeds are named
//! here, before any of its runs. `full` has the paper's sizes and scores by Inception.

use std::fmt;
use std::str::FromStr;

use autogan_config::{SearchConfig, TrainingConfig};

/// How large the experiments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Seconds: shows that everything runs, and nothing else.
    Tiny,
    /// Some hours on two cores.
    Small,
    /// The paper's.
    Full,
}

/// The images that experiments run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dataset {
    /// The embedded dataset.
    Shapes,
    /// CIFAR-10.
    Cifar10,
    /// STL-10 at 48x48.
    Stl10,
}

impl Scale {
    /// All of them.
    pub const ALL: [Scale; 3] = [Scale::Tiny, Scale::Small, Scale::Full];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scale::Tiny => "tiny",
            Scale::Small => "small",
            Scale::Full => "full",
        }
    }

    /// The seeds of every comparison.
    pub fn seeds(self) -> &'static [u64] {
        match self {
            Scale::Tiny => &[0, 1],
            Scale::Small | Scale::Full => &[0, 1, 2],
        }
    }

    /// The images that architectures are searched on.
    pub fn datasets(self) -> &'static [Dataset] {
        match self {
            Scale::Tiny => &[Dataset::Shapes],
            Scale::Small => &[Dataset::Shapes, Dataset::Cifar10],
            Scale::Full => &[Dataset::Cifar10],
        }
    }

    /// What is changed in the presets, and how much is done.
    pub fn sizes(self) -> &'static Sizes {
        match self {
            Scale::Tiny => &TINY,
            Scale::Small => &SMALL,
            Scale::Full => &FULL,
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Scale::ALL.into_iter().find(|scale| scale.name() == text);
        found.ok_or_else(|| format!("expected tiny, small or full, found {text:?}"))
    }
}

impl Dataset {
    /// The name in the registry of datasets, and in the names of jobs.
    pub fn name(self) -> &'static str {
        match self {
            Dataset::Shapes => "shapes",
            Dataset::Cifar10 => "cifar10",
            Dataset::Stl10 => "stl10",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Dataset::Shapes => "the embedded shapes",
            Dataset::Cifar10 => "CIFAR-10",
            Dataset::Stl10 => "STL-10",
        }
    }
}

/// What is changed in a configuration.
pub type Change<C> = fn(&mut C);

/// What is changed in a search besides, so that a reset fires in it.
#[derive(Debug, Clone, Copy)]
pub struct ResetSizes {
    /// In both runs of the comparison.
    pub both: Change<SearchConfig>,
    /// Where the reset is on.
    pub on: Change<SearchConfig>,
}

/// What is changed in the presets, and how much is done.
///
/// A budget of images is a number of real images that the discriminator is shown: G iterations times the D steps of
/// each times their batch. Images that are generated to be scored come on top, and pages name them beside.
#[derive(Debug)]
pub struct Sizes {
    /// Preset of the searches by dataset: the embedded shapes, CIFAR-10.
    pub search_presets: [&'static str; 2],
    /// What is changed in it.
    pub search: Change<SearchConfig>,
    /// Presets of training from scratch: the embedded shapes, CIFAR-10, 48x48.
    pub training_presets: [&'static str; 3],
    /// What is changed in them.
    pub training: Change<TrainingConfig>,
    /// The comparison of figure 9, where the usual search is none of its runs.
    pub reset: Option<ResetSizes>,
    /// G iterations of a short training, as figure 7 and random search without shared weights have them.
    pub short: u64,
    /// G iterations of a training to the end.
    pub long: u64,
    /// K of the paper: the best of a search that are trained from scratch, of which one is kept.
    pub kept: usize,
    /// Random architectures of figure 7.
    pub proxies: usize,
    /// Architectures of figure 7 that the search drew, at most.
    pub drawn: usize,
    /// Architectures of random search without shared weights: so many short trainings show the discriminator as many
    /// images as one search.
    pub scratch: usize,
}

const TINY: Sizes = Sizes {
    search_presets: ["quick", "cifar10-cpu"],
    search: |c| {
        c.data.count = 40;
        (c.model.latent, c.model.gf, c.model.df) = (4, 4, 4);
        (c.train.d_batch, c.train.g_batch) = (8, 8);
        (c.search.iterations, c.search.grow_at) = (4, [1, 2]);
        (c.search.candidates, c.search.top_k) = (4, 2);
        (c.controller.hidden, c.controller.steps) = (8, 3);
        (c.reward.images, c.reward.batch) = (16, 8);
        (c.reward.recalibrate_batches, c.reward.recalibrate_batch) = (1, 8);
        (c.derive.candidates, c.derive.top_k) = (4, 3);
        (c.derive.images, c.derive.random, c.derive.drawn) = (16, 6, 3);
    },
    training_presets: ["quick", "cifar10-cpu", "stl10"],
    training: |c| {
        c.data.count = 40;
        (c.model.latent, c.model.gf, c.model.df) = (4, 4, 4);
        (c.train.d_batch, c.train.g_batch, c.train.n_critic) = (8, 8, 1);
        (c.score.images, c.score.splits, c.score.batch) = (16, 2, 8);
    },
    reset: Some(ResetSizes {
        both: |c| c.search.shared_epochs = 2,
        on: |c| (c.reset.window, c.reset.threshold) = (4, 1000.0),
    }),
    short: 5,
    long: 8,
    kept: 2,
    proxies: 6,
    drawn: 3,
    scratch: 4,
};

const SMALL: Sizes = Sizes {
    search_presets: ["quick", "quick"],
    search: |c| {
        c.data.count = 3200;
        (c.search.iterations, c.search.grow_at) = (11, [2, 4]);
        c.controller.steps = 8;
        c.reward.images = 256;
        (c.derive.images, c.derive.random, c.derive.drawn) = (1000, 10, 6);
    },
    training_presets: ["quick", "quick", "quick"],
    training: |c| {
        c.data.count = 3200;
        (c.model.latent, c.model.gf, c.model.df) = (32, 24, 32);
        (c.train.d_batch, c.train.g_batch, c.train.n_critic) = (32, 32, 1);
        (c.train.d_lr, c.train.g_lr, c.train.ema_decay) = (2e-3, 2e-3, 0.99);
        (c.score.images, c.score.splits) = (2000, 2);
    },
    reset: Some(ResetSizes {
        both: |c| {
            (c.search.iterations, c.search.grow_at) = (4, [1, 2]);
            c.search.shared_epochs = 3;
        },
        on: |c| (c.reset.window, c.reset.threshold) = (60, 0.1),
    }),
    short: 275,
    long: 360,
    kept: 3,
    proxies: 6,
    drawn: 6,
    scratch: 4,
};

const FULL: Sizes = Sizes {
    search_presets: ["quick", "cifar10"],
    search: |c| (c.derive.random, c.derive.drawn) = (48, 24),
    training_presets: ["quick", "cifar10", "stl10"],
    training: |_| (),
    reset: None,
    short: 4688,
    long: 50_000,
    kept: 5,
    proxies: 24,
    drawn: 24,
    scratch: 45,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scale in Scale::ALL {
            assert_eq!(scale.to_string().parse(), Ok(scale));
        }
        assert!("large".parse::<Scale>().is_err());
    }

    #[test]
    fn random_search_without_sharing_uses_trainings_that_figure_7_has_too() {
        assert!([&TINY, &SMALL].iter().all(|sizes| sizes.scratch <= sizes.proxies));
    }
}
