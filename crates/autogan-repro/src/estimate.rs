//! [`estimates`] says how long jobs will take on this machine, before they run.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use autogan_data::{registry, shapes};
use autogan_search::{Estimate, Speed, TrainingEstimate};
use autogan_space::Arch;
use candle_core::Device;

use crate::error::{ReproError, Result};
use crate::job::{ArchSource, Job, Work};
use crate::resolve::{scorer, search_config, training_config};
use crate::scale::{Dataset, Scale};
use crate::source::Files;

/// What jobs will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// For each job, in the order in which they were given.
    pub times: Vec<Duration>,
    /// Scorers that cannot be had here, whose time is left out.
    pub without: Vec<&'static str>,
}

/// The times of `jobs`, from the multiply-accumulates of each and a second of measuring `device`. A training of what
/// is yet to be found counts as one of a mean architecture.
///
/// # Errors
/// When a configuration is impossible or an operator fails.
pub fn estimates(jobs: &[Job], scale: Scale, files: &Files, device: &Device) -> Result<Estimates> {
    let mut speeds: BTreeMap<Dataset, Speed> = BTreeMap::new();
    let (mut times, mut without) = (Vec::new(), Vec::new());
    for job in jobs {
        let on = (job.dataset, job.seed);
        let speed = match speeds.entry(job.dataset) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(entry) => {
                let name = scorer(scale, job.dataset);
                let extractor = files.sources.scorer(name, device).ok();
                if extractor.is_none() && !without.contains(&name) {
                    without.push(name);
                }
                let config = search_config(scale, crate::Method::Controller, on, files)?;
                let (model, batch) = (&config.model, config.reward.batch);
                *entry.insert(Speed::measure(model, batch, extractor.as_deref(), device)?)
            }
        };
        let (computing, scored) = match &job.work {
            Work::Search(method) => {
                let config = search_config(scale, *method, on, files)?;
                let estimate = Estimate::new(&config, count(job.dataset, config.data.count)?);
                (estimate.training(speed) + estimate.generating(speed), estimate.scored())
            }
            Work::Train { arch, length } => {
                let (of, estimate): (Arch, fn(&_, usize) -> TrainingEstimate) = match arch {
                    ArchSource::Fixed(arch) => (arch.clone(), TrainingEstimate::new),
                    _ => (Arch::AUTOGAN_A, TrainingEstimate::of_mean),
                };
                let config = training_config(scale, &of, *length, on, files)?;
                let estimate = estimate(&config, count(job.dataset, config.data.count)?);
                (estimate.training(speed) + estimate.generating(speed), estimate.scored)
            }
        };
        times.push(computing + speed.scoring(scored).unwrap_or_default());
    }
    Ok(Estimates { times, without })
}

/// Images of a dataset of which `count` are used, 0 meaning all.
fn count(dataset: Dataset, count: usize) -> Result<usize> {
    let spec = registry::spec(dataset.name())
        .map_err(|error| ReproError::NoData(format!("{}: {error}", dataset.name())))?;
    Ok(if count == 0 { spec.published.unwrap_or(shapes::TRAIN_COUNT) } else { count })
}
