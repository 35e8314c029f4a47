//! [`TrainingEstimate`] says what a training from scratch will cost.

use std::time::Duration;

use autogan_space::{derived_generator_cost, discriminator_cost, supernet_cost};

use crate::config::TrainingConfig;
use crate::estimate::{Speed, step_macs};

/// The cost of a whole training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingEstimate {
    /// MACs of its steps; forward and backward, plain form.
    pub step_macs: f64,
    /// MACs of generating the images that are scored.
    pub generating_macs: f64,
    /// Images that the extractor sees, training images among them.
    pub scored: u64,
    /// The training images among them.
    pub reals: u64,
}

impl TrainingEstimate {
    /// The cost of `config` on a dataset of `images` images.
    pub fn new(config: &TrainingConfig, images: usize) -> Self {
        let shape = config.model.shape();
        Self::of(config, images, derived_generator_cost(&config.arch, &shape).macs)
    }

    /// As [`TrainingEstimate::new`], of a mean architecture of as many cells: for one that is not known yet.
    pub fn of_mean(config: &TrainingConfig, images: usize) -> Self {
        let shape = config.model.shape();
        Self::of(config, images, supernet_cost(config.arch.stage(), &shape).macs)
    }

    fn of(config: &TrainingConfig, images: usize, generator: u64) -> Self {
        let model = &config.model;
        let g = generator as f64;
        let d = discriminator_cost(config.arch.stage(), model.df, model.bottom).macs as f64;
        let fakes = config.scores() * config.score.images as u64;
        let reals = if config.score.fid { images } else { images.min(config.score.images) } as u64;
        Self {
            step_macs: config.d_steps() as f64 * step_macs(&config.train, g, d),
            generating_macs: fakes as f64 * g,
            scored: fakes + reals,
            reals,
        }
    }

    /// Time for the steps.
    pub fn training(&self, speed: Speed) -> Duration {
        speed.computing(self.step_macs)
    }

    /// Time for generating the images that are scored.
    pub fn generating(&self, speed: Speed) -> Duration {
        speed.computing(self.generating_macs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autogan_config::Configuration;

    #[test]
    fn costs_are_those_of_the_steps_and_the_scores() {
        let settings = ["train.n_critic=2", "schedule.g_iterations=10", "schedule.score_every=4"];
        let settings: Vec<String> = settings.map(str::to_owned).to_vec();
        let mut config = TrainingConfig::preset("quick", &settings).unwrap();
        let shape = config.model.shape();
        let g = derived_generator_cost(&config.arch, &shape).macs as f64;
        let d = discriminator_cost(2, config.model.df, config.model.bottom).macs as f64;
        let found = TrainingEstimate::new(&config, 6400);
        // Ten G steps of 32 images, twenty D steps of 32 real ones and 32 fakes.
        let steps = 10.0 * 32.0 * (3.0 * g + 2.0 * d) + 20.0 * 32.0 * (g + 6.0 * d);
        assert!((found.step_macs / steps - 1.0).abs() < 1e-12);
        // Scored at 4, 8 and 10, on 1000 images each, against all training images.
        assert_eq!((found.scored, found.reals), (3000 + 6400, 6400));
        assert_eq!(found.generating_macs, 3000.0 * g);
        config.score.fid = false;
        config.schedule.score_every = 0;
        assert_eq!(TrainingEstimate::new(&config, 6400).scored, 1000 + 1000);
        assert!(TrainingEstimate::of_mean(&config, 6400).step_macs != found.step_macs);
    }
}
