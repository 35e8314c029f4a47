//! A [`Plan`] holds what the configuration of a run says about its course and its networks.

use autogan_config::{
    DataConfig, ModelConfig, PreOrder, RunConfig, SearchConfig, SkipTap, TrainingConfig,
};
use autogan_space::{Arch, Budget, GeneratorShape};
use serde::Serialize;

use crate::arch::Drawing;

/// The part of a configuration that a report needs; what it does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the preset.
    pub preset: Option<String>,
    /// What every random draw follows from.
    pub seed: Option<u64>,
    /// Name of the dataset.
    pub dataset: Option<String>,
    /// Name of the extractor that scores.
    pub scorer: Option<String>,
    /// What the reward is: "is", "inverse_fid", "log_frechet".
    pub metric: Option<String>,
    /// Images that a child is scored on.
    pub reward_images: Option<u64>,
    /// Search iterations, over all stages; G iterations of a training from scratch. A search by trainings from scratch
    /// plans no number.
    pub iterations: Option<u32>,
    /// What a training from scratch trains; absent for a search.
    pub training: Option<TrainingPlan>,
    /// What a search by trainings from scratch is told; absent for one on shared weights.
    pub strategy: Option<StrategyPlan>,
    /// What the section `[budget]` of a search allows; absent where it has no limit.
    #[serde(skip)]
    pub allowed: Option<Budget>,
    /// Iterations at whose beginning stages 1 and 2 begin.
    pub grow_at: Vec<u32>,
    /// The sizes of the generator.
    pub shape: Option<GeneratorShape>,
    /// Skips start after the skips of their own cell were added.
    pub tap_after_add: bool,
    /// A pre-activation half upsamples before norm and ReLU.
    pub upsample_first: bool,
}

/// What a configuration says about a training from scratch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingPlan {
    /// The architecture.
    pub arch: Arch,
    /// D steps per G iteration.
    pub n_critic: u64,
}

/// What a configuration says about a search by trainings from scratch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyPlan {
    /// Name of the strategy.
    pub name: String,
    /// The lengths of its trainings in G iterations: short, middle, whole.
    pub lengths: [u64; 3],
    /// G iterations of the supernet that is trained first; 0 where there is none.
    pub supernet_iterations: u64,
}

impl StrategyPlan {
    /// Of a search by trainings from scratch; `None` for one on shared weights.
    fn read(config: &SearchConfig) -> Option<StrategyPlan> {
        let c = &config.strategy;
        if c.is_supernet() {
            return None;
        }
        let (name, lengths) = (c.name.clone(), c.lengths);
        let supernet_iterations = c.supernet_iterations;
        Some(StrategyPlan { name, lengths, supernet_iterations })
    }
}

impl TrainingPlan {
    /// Where a D step lies on the axis of G iterations.
    pub(crate) fn at(&self, d_step: u64) -> f64 {
        d_step as f64 / self.n_critic as f64
    }

    /// The last stage of the architecture, from 0: that of its images.
    pub(crate) fn stage(&self) -> u32 {
        self.arch.stage() as u32
    }
}

impl Plan {
    /// From the text of `config.toml`; what is no configuration says nothing, and becomes a problem. Without a text
    /// there is nothing to say.
    pub(super) fn read(config: Option<&str>, problems: &mut Vec<String>) -> Plan {
        match config.map(|text| RunConfig::read(text, "config.toml cannot be read")) {
            Some(Ok(RunConfig::Search(config))) => Plan::of_search(&config, problems),
            Some(Ok(RunConfig::Training(config))) => Plan::of_training(&config),
            Some(Err(error)) => {
                problems.push(error.to_string());
                Plan::default()
            }
            None => Plan::default(),
        }
    }

    fn of_search(config: &SearchConfig, problems: &mut Vec<String>) -> Plan {
        let grow_at = config.search.grow_at.iter();
        let strategy = StrategyPlan::read(config);
        let networks = Plan::of_networks(&config.data, &config.model);
        let allowed = networks
            .shape
            .and_then(|_| config.allowed().map_err(|error| problems.push(error.to_string())).ok());
        let iterations = u32::try_from(config.search.iterations).ok();
        Plan {
            preset: Some(config.preset.clone()),
            seed: Some(config.seed),
            scorer: Some(config.reward.scorer.clone()),
            metric: Some(config.reward.metric.name().to_owned()),
            reward_images: Some(config.reward.images as u64),
            iterations: iterations.filter(|_| strategy.is_none()),
            strategy,
            allowed: allowed.filter(Budget::is_limited),
            grow_at: grow_at.filter_map(|&at| u32::try_from(at).ok()).collect(),
            ..networks
        }
    }

    fn of_training(config: &TrainingConfig) -> Plan {
        Plan {
            preset: Some(config.preset.clone()),
            seed: Some(config.seed),
            scorer: Some(config.score.scorer.clone()),
            iterations: u32::try_from(config.schedule.g_iterations).ok(),
            training: Some(TrainingPlan {
                arch: config.arch.clone(),
                n_critic: config.train.n_critic as u64,
            }),
            ..Plan::of_networks(&config.data, &config.model)
        }
    }

    fn of_networks(data: &DataConfig, model: &ModelConfig) -> Plan {
        // Sizes that a generator can have; anything else would overflow somewhere.
        let sane = [model.latent, model.gf, model.bottom].iter().all(|size| *size <= 65_536);
        Plan {
            dataset: Some(data.dataset.clone()),
            shape: sane.then(|| model.shape()),
            tap_after_add: model.skip_tap == SkipTap::AfterAdd,
            upsample_first: model.pre_order == PreOrder::UpsampleFirst,
            ..Plan::default()
        }
    }

    /// Side of a stage's images in pixels.
    pub fn side(&self, stage: u32) -> Option<usize> {
        self.shape.map(|shape| shape.bottom << (stage.min(8) + 1))
    }

    /// How architectures of this run are drawn: with its sizes, else with the paper's.
    pub fn drawing(&self) -> Drawing {
        Drawing {
            shape: self.shape.unwrap_or(Drawing::PAPER.shape),
            tap_after_add: self.tap_after_add,
            upsample_first: self.upsample_first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autogan_config::Configuration;

    fn read(text: &str) -> (Plan, Vec<String>) {
        let mut problems = Vec::new();
        (Plan::read(Some(text), &mut problems), problems)
    }

    #[test]
    fn a_search_says_its_course() {
        let config = SearchConfig::preset("released", &["seed=3".to_owned()]).unwrap();
        let (plan, problems) = read(&config.to_toml().unwrap());
        assert_eq!(problems, [""; 0]);
        assert_eq!((plan.seed, plan.iterations), (Some(3), Some(65)));
        assert_eq!(plan.grow_at, [15, 35]);
        assert_eq!((plan.metric.as_deref(), plan.reward_images), (Some("is"), Some(5000)));
        assert_eq!(plan.side(2), Some(32));
        assert!(plan.tap_after_add && !plan.upsample_first);
        assert_eq!((plan.scorer.as_deref(), plan.training), (Some("inception"), None));
    }

    #[test]
    fn a_training_says_what_it_trains() {
        let settings = ["arch=[1, 0, 1, 1, 1, 0, 0, 1, 1]", "schedule.g_iterations=70"];
        let config = TrainingConfig::preset("cifar10", &settings.map(str::to_owned)).unwrap();
        let (plan, _) = read(&config.to_toml().unwrap());
        let training = plan.training.unwrap();
        assert_eq!((plan.iterations, plan.scorer.as_deref()), (Some(70), Some("inception")));
        assert_eq!(
            (training.arch.to_string().as_str(), training.stage()),
            ("1 0 1 1 1 0 0 1 1", 1)
        );
        assert_eq!(training.at(12), 2.4);
    }

    #[test]
    fn a_run_of_the_first_version_is_read_too() {
        let text = SearchConfig::preset("quick", &[]).unwrap().to_toml().unwrap();
        let old = text.replace("levels = \"multi\"\n", "");
        assert!(old.len() < text.len());
        assert_eq!(read(&old), read(&text));
    }

    #[test]
    fn nonsense_says_why_and_nothing_else() {
        let text = SearchConfig::preset("quick", &[]).unwrap().to_toml().unwrap();
        for (nonsense, why) in [
            ("seed = = 3".to_owned(), "config.toml cannot be read"),
            (text.replace("gf = 24", "gf = -1"), "gf"),
            (text.replace("seed = 0", "later = 0"), "later"),
        ] {
            let (plan, problems) = read(&nonsense);
            assert_eq!(plan, Plan::default());
            assert!(problems.len() == 1 && problems[0].contains(why), "{problems:?}");
        }
        let (plan, _) = read(&text.replace("bottom = 4", "bottom = 999999999"));
        assert_eq!((plan.shape, plan.seed), (None, Some(0)));
    }
}
