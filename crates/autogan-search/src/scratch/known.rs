//! [`KnownReals`] keeps the scores of training images from one training to the next: with Inception they take a pass over
//! tens of thousands of images.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::measure::Reals;
use crate::config::DataConfig;
use crate::config::{ScoreConfig, TrainingConfig};
use crate::error::Result;

/// The number of entries that are kept: with Inception's features each takes 32 MiB. The seeds of six trainings at a time
/// find theirs again.
const KEPT: usize = 8;

/// Scores and statistics of training images, for trainings of one process on the same images; a clone shares them.
#[derive(Clone, Debug, Default)]
pub struct KnownReals(Arc<Mutex<Entries>>);

/// The newest first.
type Entries = VecDeque<(Key, Arc<Reals>)>;

/// Everything that the scores and statistics depend on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    data: DataConfig,
    images: usize,
    side: usize,
    seed: u64,
    score: ScoreConfig,
}

impl KnownReals {
    /// What the `images` training images of `config` give: the kept entry, or what `take` gives, which is then kept.
    pub(super) fn get_or(
        &self,
        config: &TrainingConfig,
        images: usize,
        take: impl FnOnce() -> Result<Reals>,
    ) -> Result<Arc<Reals>> {
        let key = Key {
            data: config.data.clone(),
            images,
            side: config.side(),
            seed: config.seed,
            score: config.score.clone(),
        };
        // A panic elsewhere leaves whole entries.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, reals)) = kept.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(reals));
        }
        let reals = Arc::new(take()?);
        kept.truncate(KEPT - 1);
        kept.push_front((key, Arc::clone(&reals)));
        Ok(reals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autogan_config::Configuration;
    use autogan_run::RealScore;

    #[test]
    fn only_what_is_the_same_is_kept_and_not_for_ever() {
        let known = KnownReals::default();
        let config =
            |seed| TrainingConfig { seed, ..TrainingConfig::preset("quick", &[]).unwrap() };
        let get = |config: &TrainingConfig, images, value: f64| {
            let score = RealScore { is: value, is_std: 0.0, frechet: None };
            let take = || Ok(Reals { score, reference: None });
            known.get_or(config, images, take).unwrap().score.is
        };
        assert_eq!(get(&config(0), 40, 1.0), 1.0);
        assert_eq!(get(&config(0), 40, 2.0), 1.0);
        assert_eq!(get(&config(1), 40, 3.0), 3.0);
        let mut other = config(0);
        other.score.images += 1;
        assert_eq!(get(&other, 40, 4.0), 4.0);
        for more in 1..=KEPT - 3 {
            assert_eq!(get(&config(0), 40 + more, 5.0), 5.0);
        }
        assert_eq!(get(&config(0), 40, 6.0), 1.0, "still among those that are kept");
        assert_eq!(get(&config(0), 99, 7.0), 7.0);
        assert_eq!(get(&config(0), 40, 8.0), 8.0, "taken anew");
    }
}
