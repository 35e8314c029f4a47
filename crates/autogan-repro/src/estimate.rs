//! What jobs will take on this machine, before they run.

use std::collections::BTreeMap;
use std::time::Duration;

use autogan_search::config::{ModelConfig, TrainConfig};
use autogan_search::{Estimate, Speed, TrainingConfig};
use autogan_space::{Arch, GeneratorShape, MAX_CELLS, discriminator_cost, supernet_cost};

use crate::error::Result;
use crate::job::{Job, Work};
use crate::resolve::{scorer, search_config, training_config};
use crate::scale::{Dataset, Scale};
use crate::source::Source;

/// What jobs will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// For each job, in the order in which they were given.
    pub times: Vec<Duration>,
    /// Scorers that cannot be had here, whose time is left out.
    pub without: Vec<&'static str>,
}

/// The times of `jobs`, from the multiply-accumulates of each and a second of measuring on this machine. A training is
/// counted as one of a mean architecture, for which one it is may not be known yet.
///
/// # Errors
/// When a configuration is impossible or an operator fails.
pub fn estimates(jobs: &[Job], scale: Scale, source: &dyn Source) -> Result<Estimates> {
    let mut speeds: BTreeMap<Dataset, Speed> = BTreeMap::new();
    let (mut times, mut without) = (Vec::new(), Vec::new());
    for job in jobs {
        let on = (job.dataset, job.seed);
        let speed = match speeds.get(&job.dataset) {
            Some(speed) => *speed,
            None => {
                let name = scorer(scale, job.dataset);
                let extractor = source.scorer(name).ok();
                if extractor.is_none() && !without.contains(&name) {
                    without.push(name);
                }
                let config = search_config(scale, crate::Method::Controller, on, source)?;
                let speed = Speed::measure(&config, extractor.as_deref())?;
                speeds.insert(job.dataset, speed);
                speed
            }
        };
        times.push(match &job.work {
            Work::Search(method) => {
                let config = search_config(scale, *method, on, source)?;
                let count = nominal(job.dataset, config.data.count);
                let estimate = Estimate::new(&config, count);
                estimate.training(speed)
                    + estimate.generating(speed)
                    + estimate.scoring(speed).unwrap_or_default()
            }
            Work::Train { length, .. } => {
                let config = training_config(scale, &Arch::AUTOGAN_A, *length, on, source)?;
                training(&config, speed)
            }
        });
    }
    Ok(Estimates { times, without })
}

/// Images of a dataset of which `count` are used, 0 meaning all.
fn nominal(dataset: Dataset, count: usize) -> usize {
    let all = match dataset {
        Dataset::Shapes => 6400,
        Dataset::Cifar10 => 50_000,
        Dataset::Stl10 => 105_000,
    };
    if count == 0 { all } else { count }
}

fn training(config: &TrainingConfig, speed: Speed) -> Duration {
    let (ModelConfig { latent, gf, df, bottom, .. }, t) = (&config.model, &config.train);
    let shape = GeneratorShape { latent: *latent, width: *gf, bottom: *bottom };
    let g = supernet_cost(MAX_CELLS - 1, &shape).macs as f64;
    let d = discriminator_cost(MAX_CELLS - 1, *df, *bottom).macs as f64;
    let iterations = config.schedule.g_iterations as f64;
    let every = config.schedule.score_every;
    let scores = if every == 0 { 1.0 } else { (iterations / every as f64).ceil() };
    let scored = scores * config.score.images as f64;
    let macs = iterations * iteration_macs(t, g, d) + scored * g;
    let scoring = speed.scored_per_s.map_or(0.0, |rate| scored / rate);
    Duration::try_from_secs_f64(macs / speed.macs_per_s + scoring).unwrap_or(Duration::MAX)
}

/// Of one G iteration with its D steps, where images cost `g` and `d`; a backward pass costs two forward ones, frozen
/// weights save one of them.
fn iteration_macs(t: &TrainConfig, g: f64, d: f64) -> f64 {
    let d_step = t.d_batch as f64 * (g + 6.0 * d);
    t.n_critic as f64 * d_step + t.g_batch as f64 * (3.0 * g + 2.0 * d)
}
