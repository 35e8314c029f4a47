//! [`ClaimMaker`] carries out the searches of a round and judges their winners: several at once, each on one thread.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use autogan_config::{RunConfig, SearchConfig};
use autogan_metrics::FeatureExtractor;
use autogan_run::{Host, RunDir};
use autogan_search::{
    ExtractorScore, Inputs, Job, KnownReals, Outcome, RunOptions, Search, SearchError, Silent,
    Sources, StrategySearch, TrainingInputs,
};
use autogan_space::Arch;
use autogan_table::Origin;
use candle_core::Device;

use super::judge::Judge;
use super::{Arm, JUDGED, Prices, Round, RoundFile, Row, Rules};
use crate::error::{ReproError, Result};
use crate::results::Results;
use crate::runner::{check_config, open_job};
use crate::table::origin;
use crate::threads::on_each;

/// Longest time between two checkpoints of a search.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

/// What makes the rows of a round.
pub struct ClaimMaker {
    judge: Judge,
    prices: Prices,
    /// Where the images lie, as configurations say it; empty for the hub.
    data: String,
    /// The run directories of all rounds.
    runs: PathBuf,
}

/// A search whose winner was judged.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Its row.
    pub row: &'a Row,
    /// Searches that are left.
    pub left: usize,
}

/// The searches that wait, and the file of those that are finished.
struct Work<'a> {
    queue: Mutex<std::vec::IntoIter<(u64, Arm)>>,
    file: Mutex<RoundFile>,
    stop: &'a AtomicBool,
    failed: AtomicBool,
}

impl ClaimMaker {
    /// Loads images and scorer from `sources`; the run directories lie in `runs`.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub fn new(sources: &Sources, runs: PathBuf) -> Result<Self> {
        Self::by_rules(Rules::CLAIM, sources, runs)
    }

    fn by_rules(rules: Rules, sources: &Sources, runs: PathBuf) -> Result<Self> {
        let prices = Prices::of_claim()?;
        let dir = sources.data.as_ref().map(|dir| dir.display().to_string());
        let data = dir.unwrap_or_default();
        let config = super::arm::training(&Arch::HAND_MADE, 0, &rules)?;
        let images = sources.images(&config.data, config.side()).map_err(|source| {
            ReproError::Images { dataset: config.data.dataset.clone(), option: "--data", source }
        })?;
        if images.len() != rules.training_images {
            return Err(ReproError::Claim {
                what: "the training images of CIFAR-10",
                expected: format!(
                    "{}, the first of all; name their folder with --data",
                    rules.training_images
                ),
                found: images.len().to_string(),
            });
        }
        let extractor = sources.scorer(&config.score.scorer, &Device::Cpu)?;
        let judge =
            Judge { images: Arc::new(images), extractor, known: KnownReals::default(), rules };
        Ok(Self { judge, prices, data, runs })
    }

    /// What the searches and trainings are made on.
    pub fn origin(&self) -> Origin {
        origin("cifar10", &self.judge.images, &*self.judge.extractor)
    }

    /// Carries out what is missing of a round, whose file lies in `dir`, on so many threads, until `stop` is set. Each row is
    /// written when it is finished, and told to `tell`.
    ///
    /// # Errors
    /// When a search fails for another reason than divergence, or a file cannot be written. The other threads finish their
    /// present search first.
    pub fn make(
        &self,
        round: Round,
        dir: &Path,
        threads: usize,
        stop: &AtomicBool,
        tell: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<Outcome> {
        let file = RoundFile::open(dir, round)?;
        let work = Work {
            queue: Mutex::new(file.missing().into_iter()),
            file: Mutex::new(file),
            stop,
            failed: AtomicBool::new(false),
        };
        on_each(threads, &work.failed, &|| self.until_empty(round, &work, tell))?;
        Ok(if stop.load(Ordering::Relaxed) { Outcome::Stopped } else { Outcome::Finished })
    }

    /// Takes searches from the queue until there is none.
    fn until_empty(
        &self,
        round: Round,
        work: &Work<'_>,
        tell: &(dyn Fn(Finished<'_>) + Sync),
    ) -> Result<()> {
        loop {
            let next = lock(&work.queue).next();
            let Some((seed, arm)) = next else { return Ok(()) };
            if work.stop.load(Ordering::Relaxed) || work.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let Some(row) = self.row(round, seed, arm, work.stop)? else { return Ok(()) };
            let mut file = lock(&work.file);
            file.push(row.clone())?;
            tell(Finished { row: &row, left: file.missing().len() });
        }
    }

    /// A search with the trainings of its winner; `None` when it was stopped.
    fn row(&self, round: Round, seed: u64, arm: Arm, stop: &AtomicBool) -> Result<Option<Row>> {
        let Some((found, mut seconds)) = self.found(round, seed, arm, stop)? else {
            return Ok(None);
        };
        let begun = Instant::now();
        let arch = match arm.shares_weights() && !found.is_empty() {
            true => match self.judge.pick(&found, seed, stop)? {
                Some(arch) => Some(arch),
                None => return Ok(None),
            },
            false => found.into_iter().next(),
        };
        seconds += begun.elapsed().as_secs_f64();
        let trainings = match &arch {
            Some(arch) => self.judge.judge(arch, seed, stop)?,
            // What found nothing counts like networks that diverged.
            None => Some(vec![None; JUDGED]),
        };
        let price = arm.price((&self.judge.rules, &self.prices))?;
        // A millisecond and a hundredth are all that these are good for.
        let rounded = |value: f64, by: f64| (value * by).round() / by;
        let (price, seconds) = (rounded(price, 100.0), rounded(seconds, 1000.0));
        Ok(trainings.map(|trainings| Row { seed, arm, arch, price, seconds, trainings }))
    }

    /// The architectures that an arm finds, the best first, none where its networks diverge; with the seconds that its
    /// search took. `None` when it was stopped.
    fn found(
        &self,
        round: Round,
        seed: u64,
        arm: Arm,
        stop: &AtomicBool,
    ) -> Result<Option<(Vec<Arch>, f64)>> {
        let by = (&self.judge.rules, &self.prices);
        let Some(config) = arm.search(seed, &self.data, by)? else {
            return Ok(Some((arm.known().into_iter().collect(), 0.0)));
        };
        let results = Results::new(&self.runs.join(format!("round{}", round.number())));
        let name = format!("{}-s{seed}", arm.name());
        check_config(&results.dir(&name), &RunConfig::Search(Box::new(config.clone())))?;
        if top(&results, &name)?.is_none() && results.diverged(&name)?.is_none() {
            let ended = self.search(&results, &name, config, stop);
            match ended {
                Err(ReproError::Search(SearchError::Diverged { .. })) => {}
                Err(error) => return Err(error),
                Ok(Outcome::Stopped) => return Ok(None),
                Ok(Outcome::Finished) => {}
            }
        }
        match top(&results, &name)? {
            Some(found) => Ok(Some(found)),
            None if results.diverged(&name)?.is_some() => Ok(Some((Vec::new(), 0.0))),
            None => Err(ReproError::Claim {
                what: "the result of a search that ended",
                expected: format!("an arch.json in {}", results.dir(&name).display()),
                found: "none; remove this folder to search anew".into(),
            }),
        }
    }

    /// Carries a search out in its run directory, or goes on with it.
    fn search(
        &self,
        results: &Results,
        name: &str,
        config: SearchConfig,
        stop: &AtomicBool,
    ) -> Result<Outcome> {
        let path = results.dir(name);
        let images = Arc::clone(&self.judge.images);
        let extractor: Arc<dyn FeatureExtractor> = Arc::clone(&self.judge.extractor);
        let device = Device::Cpu;
        if config.strategy.is_supernet() {
            let score = Box::new(ExtractorScore::new(extractor, &config.reward));
            let inputs = Inputs { images, score, device };
            return run::<Search>(&path, config, inputs, stop);
        }
        let known = self.judge.known.clone();
        let inputs = TrainingInputs { images, extractor, known, device };
        run::<StrategySearch>(&path, config, inputs, stop)
    }
}

/// What a finished search found, the best first, with the seconds that it took; `None` while it is not finished, or its result
/// is gone.
fn top(results: &Results, name: &str) -> Result<Option<(Vec<Arch>, f64)>> {
    let Some(seconds) = results.seconds(name)? else { return Ok(None) };
    let file = RunDir::open(&results.dir(name))?.arch()?;
    Ok(file.map(|file| (file.top.into_iter().map(|found| found.arch).collect(), seconds)))
}

fn run<J: Job>(
    path: &Path,
    config: J::Config,
    inputs: J::Inputs,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let options = RunOptions { checkpoint_every: CHECKPOINT_EVERY, stop };
    // What was damaged in a checkpoint does not change the result.
    let mut session = open_job::<J>(path, &Host::detect("cpu"), config, inputs, &mut |_| {})?;
    let report = session.run(&mut Silent, &options)?;
    if report.outcome == Outcome::Finished {
        session.finish()?;
    }
    Ok(report.outcome)
}

/// Nothing is left half done where a thread panics: the file is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::prices::SupernetWork;
    use super::*;
    use crate::table::tests::cifar10;

    /// Seconds in place of hours.
    const TINY: Rules = Rules {
        budget: 1.5,
        length: 4,
        images: 16,
        training_images: 300,
        search: &[
            "derive.random=1",
            "strategy.at_once=1",
            "strategy.lengths=[2, 3, 4]",
            "data.count=0",
            "model.gf=4",
            "model.df=4",
            "model.latent=4",
            "reward.images=16",
            "reward.batch=8",
            "derive.images=16",
        ],
        supernet: &[
            "search.iterations=3",
            "search.grow_at=[1, 2]",
            "search.candidates=4",
            "controller.steps=2",
            "derive.candidates=4",
            "derive.top_k=3",
        ],
        controller: &[],
        shared: &["controller.policy=uniform", "reward.metric=log_frechet"],
        training: &["model.gf=4", "model.df=4", "model.latent=4", "score.batch=8"],
    };

    /// What a search on shared weights did is what it pays for, beside the comparison at its end.
    fn is_priced(maker: &ClaimMaker, arm: Arm) {
        let by = (&maker.judge.rules, &maker.prices);
        let config = arm.search(100, &maker.data, by).unwrap().unwrap();
        let work = SupernetWork::of(&config, by.0);
        let results = Results::new(&maker.runs.join("round1"));
        let did = results.search(&format!("{}-s100", arm.name())).unwrap().unwrap();
        let compared = config.derive.random * config.derive.images;
        assert_eq!(work.images.iter().sum::<f64>(), (did.scored - compared as u64) as f64);
        let epochs: usize = work.epochs.iter().sum();
        assert_eq!((epochs * by.0.training_images) as u64, did.trained);
    }

    #[test]
    fn every_arm_gives_a_row_and_gives_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let sources = cifar10(dir.path());
        let maker = ClaimMaker::by_rules(TINY, &sources, dir.path().join("runs")).unwrap();
        let (round, go_on) = (Round::new(1).unwrap(), AtomicBool::new(false));
        for arm in Arm::ALL {
            let row = maker.row(round, 100, arm, &go_on).unwrap().unwrap();
            assert_eq!((row.seed, row.arm, row.trainings.len()), (100, arm, JUDGED));
            assert_eq!(row.arch.as_ref().unwrap().cells().len(), 3, "{arm:?}");
            let scores: Vec<(f64, f64)> = row.trainings.iter().flatten().copied().collect();
            assert!(scores.iter().any(|one| one.0 != scores[0].0), "other seeds, other scores");
            if matches!(arm, Arm::Early | Arm::Shared) {
                // The search is finished: its winner is judged by the same trainings.
                let again = maker.row(round, 100, arm, &go_on).unwrap().unwrap();
                assert_eq!((again.arch, again.trainings), (row.arch, row.trainings), "{arm:?}");
            }
            if arm.shares_weights() {
                is_priced(&maker, arm);
            }
            let run = dir.path().join("runs/round1/jobs").join(format!("{}-s100", arm.name()));
            assert_eq!(run.join("arch.json").exists(), arm.known().is_none());
        }
        assert!(maker.row(round, 101, Arm::Led, &AtomicBool::new(true)).unwrap().is_none());
        // A result that is lost is made again, and a search of another configuration is refused.
        let lost = dir.path().join("runs/round1/jobs/random-early-s100/arch.json");
        let known = std::fs::read(&lost).unwrap();
        std::fs::remove_file(&lost).unwrap();
        maker.found(round, 100, Arm::Early, &go_on).unwrap().unwrap();
        assert_eq!(std::fs::read(&lost).unwrap(), known);
        let other = Rules { budget: 2.0, ..TINY };
        let maker = ClaimMaker::by_rules(other, &sources, dir.path().join("runs")).unwrap();
        let error = maker.found(round, 100, Arm::Early, &go_on).unwrap_err().to_string();
        assert!(error.contains("strategy.budget"), "{error}");
        let few = Rules { training_images: 299, ..TINY };
        let error = ClaimMaker::by_rules(few, &sources, dir.path().join("runs")).err().unwrap();
        assert!(error.to_string().contains("expected 299"), "{error}");
    }
}
