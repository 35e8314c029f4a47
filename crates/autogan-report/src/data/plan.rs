//! What a configuration says about a search, read leniently: this crate does not know the
//! configuration's type, and a run of another version should still be readable.

use autogan_space::{Arch, GeneratorShape};
use serde::Serialize;
use toml::{Table, Value};

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
    /// What the reward is: "is", "inverse_fid".
    pub metric: Option<String>,
    /// Images that a child is scored on.
    pub reward_images: Option<u64>,
    /// Search iterations, over all stages; G iterations of a training from scratch.
    pub iterations: Option<u32>,
    /// What a training from scratch trains; absent for a search.
    pub training: Option<TrainingPlan>,
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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TrainingPlan {
    /// The released vector.
    pub arch: String,
    /// D steps per G iteration.
    pub n_critic: u64,
}

impl TrainingPlan {
    /// Where a D step lies on the axis of G iterations.
    pub(crate) fn at(&self, d_step: u64) -> f64 {
        d_step as f64 / self.n_critic as f64
    }

    /// The last stage of the architecture, from 0: that of its images.
    pub(crate) fn stage(&self) -> u32 {
        self.arch.parse::<Arch>().map_or(0, |arch| arch.stage() as u32)
    }
}

impl Plan {
    /// From the text of `config.toml`; text that is not TOML says nothing, and why.
    pub fn parse(config: &str) -> (Plan, Option<String>) {
        match config.parse::<Table>() {
            Ok(table) => (Plan::of(&table), None),
            Err(error) => {
                let first = error.message().lines().next().unwrap_or_default().to_owned();
                (Plan::default(), Some(first))
            }
        }
    }

    fn of(table: &Table) -> Plan {
        let at = |section: &str, key: &str| table.get(section)?.get(key).cloned();
        let text = |section, key| at(section, key)?.as_str().map(str::to_owned);
        let count = |section, key| size(&at(section, key)?);
        let grow_at = at("search", "grow_at");
        let grow_at = grow_at.as_ref().and_then(Value::as_array);
        Plan {
            preset: table.get("preset").and_then(Value::as_str).map(str::to_owned),
            seed: table.get("seed").and_then(size),
            dataset: text("data", "dataset"),
            scorer: text("reward", "scorer").or_else(|| text("score", "scorer")),
            metric: text("reward", "metric"),
            reward_images: count("reward", "images"),
            iterations: count("search", "iterations")
                .or_else(|| count("schedule", "g_iterations"))
                .and_then(|n| u32::try_from(n).ok()),
            training: table.contains_key("schedule").then(|| TrainingPlan {
                arch: vector(table.get("arch")),
                n_critic: count("train", "n_critic").unwrap_or(1).max(1),
            }),
            grow_at: grow_at
                .into_iter()
                .flatten()
                .filter_map(|n| u32::try_from(size(n)?).ok())
                .collect(),
            shape: shape(count("model", "latent"), count("model", "gf"), count("model", "bottom")),
            tap_after_add: text("model", "skip_tap").is_some_and(|tap| tap == "after_add"),
            upsample_first: text("model", "pre_order").is_some_and(|o| o == "upsample_first"),
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

/// An array of numbers as text; empty for anything else.
fn vector(value: Option<&Value>) -> String {
    let numbers = value.and_then(Value::as_array).into_iter().flatten();
    numbers.filter_map(size).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
}

fn size(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|n| u64::try_from(n).ok())
}

/// Sizes that a generator can have; anything else would overflow somewhere.
fn shape(latent: Option<u64>, width: Option<u64>, bottom: Option<u64>) -> Option<GeneratorShape> {
    let sane = |n: Option<u64>| n.filter(|n| (1..=65_536).contains(n)).map(|n| n as usize);
    Some(GeneratorShape { latent: sane(latent)?, width: sane(width)?, bottom: sane(bottom)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_leaves_the_rest_absent() {
        let text = "preset = \"quick\"\nseed = 3\n[search]\niterations = 11\ngrow_at = [2, 4]\n\
                    [model]\nlatent = 32\ngf = 24\nbottom = 4\nskip_tap = \"after_add\"\n";
        let (plan, problem) = Plan::parse(text);
        assert_eq!(problem, None);
        assert_eq!((plan.seed, plan.iterations), (Some(3), Some(11)));
        assert_eq!(plan.grow_at, [2, 4]);
        assert_eq!(plan.side(2), Some(32));
        assert!(plan.tap_after_add && !plan.upsample_first);
        assert_eq!(plan.scorer, None);
    }

    #[test]
    fn a_training_says_what_it_trains() {
        let text = "preset = \"quick\"\narch = [1, 0, 1, 1, 1, 0, 0, 1, 1]\n[train]\nn_critic = 5\n\
                    [schedule]\ng_iterations = 70\n[score]\nscorer = \"inception\"\n";
        let (plan, _) = Plan::parse(text);
        let training = plan.training.unwrap();
        assert_eq!((plan.iterations, plan.scorer.as_deref()), (Some(70), Some("inception")));
        assert_eq!((training.arch.as_str(), training.stage()), ("1 0 1 1 1 0 0 1 1", 1));
        assert_eq!(training.at(12), 2.4);
        let (plan, _) = Plan::parse("arch = 3\n[schedule]\n[train]\nn_critic = 0\n");
        assert_eq!(plan.training, Some(TrainingPlan { arch: String::new(), n_critic: 1 }));
    }

    #[test]
    fn nonsense_says_why_and_nothing_else() {
        let (plan, problem) = Plan::parse("seed = = 3");
        assert_eq!(plan, Plan::default());
        assert!(problem.is_some());
        let (plan, _) = Plan::parse("[model]\nlatent = 32\ngf = -1\nbottom = 999999999\n");
        assert_eq!(plan.shape, None);
    }
}
