//! A winner is picked and judged by trainings from scratch, each in this process and on this thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use autogan_data::Images;
use autogan_metrics::FeatureExtractor;
use autogan_search::{
    Job, KnownReals, Reporter, SearchError, Training, TrainingEvent, TrainingInputs,
};
use autogan_space::Arch;
use candle_core::Device;

use super::rules::Rules;
use super::{JUDGED, PICKED, arm};
use crate::error::Result;

/// What is added to the seed of a search for the trainings that pick, and for those that judge. No search has these seeds:
/// those of the trainings of a strategy are below 2³².
const PICKING: u64 = 1 << 33;
const JUDGING: u64 = 1 << 34;

/// Images and scorer, loaded once.
pub(super) struct Judge {
    pub images: Arc<Images>,
    pub extractor: Arc<dyn FeatureExtractor>,
    pub known: KnownReals,
    pub rules: Rules,
}

/// The scores of a training: Fréchet distance and Inception Score; `None` where its networks diverged.
pub(super) type Scores = Option<(f64, f64)>;

/// The seeds of the trainings that judge the winner of the search with this seed.
fn judging(seed: u64) -> std::ops::Range<u64> {
    let first = JUDGING + seed * JUDGED as u64;
    first..first + JUDGED as u64
}

impl Judge {
    /// The best of the first architectures by a training of each, with the seed of the search plus [`PICKING`]; the first of
    /// all where all diverge. `None` when it is stopped.
    pub fn pick(&self, found: &[Arch], seed: u64, stop: &AtomicBool) -> Result<Option<Arch>> {
        let mut best: Option<(f64, &Arch)> = None;
        for arch in found.iter().take(PICKED) {
            let Some(scores) = self.train(arch, seed + PICKING, stop)? else { return Ok(None) };
            let Some((frechet, _)) = scores else { continue };
            if best.is_none_or(|(least, _)| frechet < least) {
                best = Some((frechet, arch));
            }
        }
        Ok(best.map(|(_, arch)| arch).or(found.first()).cloned())
    }

    /// The trainings by which a winner is judged. `None` when it is stopped.
    pub fn judge(&self, arch: &Arch, seed: u64, stop: &AtomicBool) -> Result<Option<Vec<Scores>>> {
        judging(seed).map(|seed| self.train(arch, seed, stop)).collect()
    }

    /// `None` when it is stopped.
    fn train(&self, arch: &Arch, seed: u64, stop: &AtomicBool) -> Result<Option<Scores>> {
        let inputs = TrainingInputs {
            images: Arc::clone(&self.images),
            extractor: Arc::clone(&self.extractor),
            known: self.known.clone(),
            device: Device::Cpu,
        };
        let mut training = Training::new(arm::training(arch, seed, &self.rules)?, inputs)?;
        let mut last = Last(None);
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match training.advance(&mut last) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(last.0)),
                Err(SearchError::Diverged { .. }) => return Ok(Some(None)),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The last scores of a training.
struct Last(Scores);

impl Reporter<TrainingEvent> for Last {
    fn event(&mut self, event: &TrainingEvent) {
        if let TrainingEvent::Measured { score, .. } = event {
            self.0 = score.frechet.map(|frechet| (frechet, score.is));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{ROUNDS, Round};
    use super::*;

    #[test]
    fn no_two_trainings_of_all_rounds_share_a_seed_and_none_is_that_of_a_search() {
        let seeds: Vec<u64> =
            (1..=ROUNDS).flat_map(|number| Round::new(number).unwrap().seeds()).collect();
        let judging = seeds.iter().flat_map(|seed| judging(*seed));
        let all: Vec<u64> = seeds.iter().map(|seed| seed + PICKING).chain(judging).collect();
        assert!(all.iter().all(|seed| *seed > u64::from(u32::MAX)));
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
