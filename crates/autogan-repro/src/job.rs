//! A [`Job`] is one search or one training from scratch, in a run directory of its own. Experiments share jobs: a job's
//! name says everything that it depends on, and its numbers do not depend on when it is run.

use autogan_config::{EntropyUnit, Levels, Policy, RewardMetric, SearchConfig};
use autogan_space::Arch;

use crate::scale::{Dataset, ResetSizes, Scale};

/// How a search differs from the usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// It does not: multi-level, a controller that learns, scored by the Inception Score's formula.
    Controller,
    /// Random search with shared weights: children are drawn uniformly.
    Uniform,
    /// All cells are searched at once.
    Single,
    /// The usual one, but for the weight of the entropy, which follows the scale of the reward: `SPREAD_WEIGHT`.
    Inception,
    /// As [`Method::Inception`], with 1 / Fréchet distance as the reward.
    Frechet,
    /// With a dynamic reset that fires.
    Reset,
    /// As [`Method::Reset`], without it.
    NoReset,
}

/// What the entropy's weight is multiplied by where it counts in standard deviations of the reward and not in the reward:
/// Inception Scores of the children of one iteration have a standard deviation of about a quarter.
pub const SPREAD_WEIGHT: f64 = 4.0;

/// A job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name, which is that of its directory.
    pub name: String,
    /// The images.
    pub dataset: Dataset,
    /// Its seed.
    pub seed: u64,
    /// What it does.
    pub work: Work,
}

/// What a job does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A search.
    Search(Method),
    /// A training from scratch.
    Train {
        /// Of which architecture.
        arch: ArchSource,
        /// For how long.
        length: Length,
    },
}

/// Where the architecture of a training comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ArchSource {
    /// It is given.
    Fixed(Arch),
    /// A search found it.
    Found {
        /// The search's job.
        job: String,
        /// Its place in the list, from 1.
        rank: usize,
    },
    /// A search scored it on its shared weights as one of the random architectures for comparison.
    Random {
        /// The search's job.
        job: String,
        /// Which one, from 0.
        index: usize,
    },
    /// A search scored it anew on its shared weights as one of the children that it drew.
    Drawn {
        /// The search's job.
        job: String,
        /// Which one, from 0.
        index: usize,
    },
    /// One of the best of these trainings, by [`autogan_run::by_score`].
    Ranked {
        /// The trainings.
        jobs: Vec<String>,
        /// The place among them, from 1.
        rank: usize,
    },
}

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A short one: [`crate::scale::Sizes::short`].
    Short,
    /// To the end: [`crate::scale::Sizes::long`]. It picks among the best of a search.
    Picking,
    /// To the end, with the seed of the comparison.
    Long,
    /// To the end, at 48x48.
    Transfer,
}

impl Method {
    /// The name in the names of jobs.
    pub fn name(self) -> &'static str {
        match self {
            Method::Controller => "controller",
            Method::Uniform => "uniform",
            Method::Single => "single",
            Method::Inception => "inception",
            Method::Frechet => "frechet",
            Method::Reset => "reset",
            Method::NoReset => "no-reset",
        }
    }

    /// The search with reset of figure 9: the usual one, where that is the comparison's.
    pub fn with_reset(scale: Scale) -> Method {
        if scale.sizes().reset.is_none() { Method::Controller } else { Method::Reset }
    }

    /// Changes the configuration of the usual search.
    pub(crate) fn change(self, scale: Scale, config: &mut SearchConfig) {
        match self {
            Method::Controller => (),
            Method::Uniform => config.controller.policy = Policy::Uniform,
            Method::Single => {
                config.search.levels = Levels::Single;
                config.search.grow_at = [0, 0];
            }
            Method::Inception | Method::Frechet => {
                config.controller.entropy_unit = EntropyUnit::Spread;
                config.controller.entropy_weight *= SPREAD_WEIGHT;
                if self == Method::Frechet {
                    config.reward.metric = RewardMetric::InverseFid;
                }
            }
            Method::Reset | Method::NoReset => {
                config.reset.enabled = self == Method::Reset;
                if let Some(ResetSizes { both, on }) = scale.sizes().reset {
                    both(config);
                    if config.reset.enabled {
                        on(config);
                    }
                }
            }
        }
    }
}

impl Job {
    fn new(what: &str, work: Work, dataset: Dataset, seed: u64) -> Job {
        Job { name: format!("{what}-{}-s{seed}", dataset.name()), dataset, seed, work }
    }

    /// A search.
    pub fn search(method: Method, dataset: Dataset, seed: u64) -> Job {
        Job::new(&format!("search-{}", method.name()), Work::Search(method), dataset, seed)
    }

    /// A training to the end of what a search with `method` found, the architecture of this rank in its list: one of those
    /// from which [`Job::found`] picks.
    pub fn candidate(method: Method, rank: usize, dataset: Dataset, seed: u64) -> Job {
        let job = Job::search(method, dataset, seed).name;
        let name = format!("pick-{}-rank{rank}", method.name());
        Job::train(&name, ArchSource::Found { job, rank }, Length::Picking, dataset, seed)
    }

    /// All candidates of a search, the first K of its list (section 3.3.3).
    pub fn candidates(scale: Scale, method: Method, dataset: Dataset, seed: u64) -> Vec<Job> {
        let of = |rank| Job::candidate(method, rank, dataset, seed);
        (1..=scale.sizes().kept).map(of).collect()
    }

    /// A training of the best candidate of a search with `method`. It is another one than that which picked it: with the
    /// same training, the luck of the pick would count in the result.
    pub fn found(scale: Scale, method: Method, dataset: Dataset, seed: u64) -> Job {
        let arch = best_of(&Job::candidates(scale, method, dataset, seed));
        Job::train(&format!("train-{}", method.name()), arch, Length::Long, dataset, seed)
    }

    /// A training at 48x48 (a first feature map of 6x6) of what the usual search on `from` found at 32x32 (section 4.2).
    pub fn transfer(scale: Scale, from: Dataset, dataset: Dataset, seed: u64) -> Job {
        let arch = best_of(&Job::candidates(scale, Method::Controller, from, seed));
        let name = format!("transfer-from-{}", from.name());
        Job::train(&name, arch, Length::Transfer, dataset, seed)
    }

    /// A short training of a random architecture, the one of this number that the usual search scored for comparison.
    pub fn random(index: usize, dataset: Dataset, seed: u64) -> Job {
        let job = Job::search(Method::Controller, dataset, seed).name;
        let arch = ArchSource::Random { job, index };
        Job::train(&format!("short-random{index}"), arch, Length::Short, dataset, seed)
    }

    /// A short training of an architecture that the usual search drew, the one of this number of those that it scored anew.
    pub fn drawn(index: usize, dataset: Dataset, seed: u64) -> Job {
        let job = Job::search(Method::Controller, dataset, seed).name;
        let arch = ArchSource::Drawn { job, index };
        Job::train(&format!("short-drawn{index}"), arch, Length::Short, dataset, seed)
    }

    /// The trainings that random search without shared weights consists of.
    pub fn scratch(scale: Scale, dataset: Dataset, seed: u64) -> Vec<Job> {
        (0..scale.sizes().scratch).map(|index| Job::random(index, dataset, seed)).collect()
    }

    /// As [`Job::candidates`], of random search without shared weights: the best of its short trainings.
    pub fn scratch_candidates(scale: Scale, dataset: Dataset, seed: u64) -> Vec<Job> {
        let short = Job::scratch(scale, dataset, seed);
        let jobs: Vec<String> = short.into_iter().map(|job| job.name).collect();
        let of = |rank| {
            let arch = ArchSource::Ranked { jobs: jobs.clone(), rank };
            let name = format!("pick-scratch-rank{rank}");
            Job::train(&name, arch, Length::Picking, dataset, seed)
        };
        (1..=scale.sizes().kept).map(of).collect()
    }

    /// As [`Job::found`], of random search without shared weights.
    pub fn scratch_found(scale: Scale, dataset: Dataset, seed: u64) -> Job {
        let arch = best_of(&Job::scratch_candidates(scale, dataset, seed));
        Job::train("train-scratch", arch, Length::Long, dataset, seed)
    }

    /// The training to the end of the hand-made baseline.
    pub fn baseline(dataset: Dataset, seed: u64) -> Job {
        Job::train(
            "train-baseline",
            ArchSource::Fixed(Arch::HAND_MADE),
            Length::Long,
            dataset,
            seed,
        )
    }

    /// The jobs that have to be finished before this one can begin.
    pub fn needs(&self) -> Vec<&str> {
        match &self.work {
            Work::Search(_) => Vec::new(),
            Work::Train { arch, .. } => match arch {
                ArchSource::Fixed(_) => Vec::new(),
                ArchSource::Found { job, .. }
                | ArchSource::Random { job, .. }
                | ArchSource::Drawn { job, .. } => vec![job],
                ArchSource::Ranked { jobs, .. } => jobs.iter().map(String::as_str).collect(),
            },
        }
    }

    fn train(name: &str, arch: ArchSource, length: Length, dataset: Dataset, seed: u64) -> Job {
        Job::new(name, Work::Train { arch, length }, dataset, seed)
    }
}

/// The best of these trainings.
fn best_of(jobs: &[Job]) -> ArchSource {
    ArchSource::Ranked { jobs: jobs.iter().map(|job| job.name.clone()).collect(), rank: 1 }
}
