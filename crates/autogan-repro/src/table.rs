//! [`TableMaker`] carries out the trainings of the table of `autogan-table`: many at once, each on one thread, with images
//! and scorer loaded once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use autogan_config::{Configuration, TrainingConfig};
use autogan_data::Images;
use autogan_metrics::FeatureExtractor;
use autogan_search::{
    Job, KnownReals, Outcome, Reporter, SearchError, Sources, Training, TrainingEvent,
    TrainingInputs,
};
use autogan_space::{GeneratorShape, MAX_CELLS, derived_generator_cost};
use autogan_table::{LENGTHS, Origin, Planned, Row, Scores, Shard, ShardFile};
use candle_core::Device;
use rustix::time::{ClockId, clock_gettime};

use crate::error::{ReproError, Result};
use crate::threads::on_each;

/// The preset of the table's trainings.
pub const TABLE_PRESET: &str = "quick";

/// What the table's trainings change in [`TABLE_PRESET`].
pub const TABLE_SETTINGS: [&str; 10] = [
    "data.dataset=cifar10",
    "data.count=0",
    "model.gf=16",
    "model.df=16",
    "model.latent=32",
    "schedule.g_iterations=300",
    "schedule.score_every=75",
    "schedule.samples_every=0",
    "score.scorer=compact-cifar10",
    "score.images=2000",
];

/// A training of the table that has ended.
#[derive(Debug)]
pub struct TableTraining<'a> {
    /// Its shard.
    pub shard: &'a str,
    /// The training.
    pub training: &'a Planned,
    /// What it gave.
    pub rows: &'a [Row],
}

/// What makes the table's rows.
pub struct TableMaker {
    config: TrainingConfig,
    /// The training images at the side of one, two and three cells.
    images: [Arc<Images>; MAX_CELLS],
    extractor: Arc<dyn FeatureExtractor>,
    known: KnownReals,
    origin: Origin,
}

/// The shards that wait, and whether the work is to end early.
struct Queue<'a> {
    shards: Mutex<std::vec::IntoIter<Shard>>,
    dir: PathBuf,
    stop: &'a AtomicBool,
    failed: AtomicBool,
}

impl TableMaker {
    /// Loads images and scorer from `sources`.
    ///
    /// # Errors
    /// When they cannot be loaded.
    pub fn new(sources: &Sources) -> Result<Self> {
        let config = TrainingConfig::preset(TABLE_PRESET, &TABLE_SETTINGS.map(str::to_owned))?;
        let side = config.model.bottom << MAX_CELLS;
        let images = sources.images(&config.data, side).map_err(|source| ReproError::Images {
            dataset: config.data.dataset.clone(),
            option: "--data",
            source,
        })?;
        let at = |cells: usize| -> Result<Arc<Images>> {
            let images = images.resize(config.model.bottom << cells);
            Ok(Arc::new(images.map_err(SearchError::from)?.into_owned()))
        };
        let extractor = sources.scorer(&config.score.scorer, &Device::Cpu)?;
        let origin = origin(&config.data.dataset, &images, &*extractor);
        Ok(Self {
            images: [at(1)?, at(2)?, at(3)?],
            extractor,
            known: KnownReals::default(),
            origin,
            config,
        })
    }

    /// What the trainings are made on, and what scores them.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Carries out what is missing of `shards`, whose files lie in `dir`, on so many threads, until `stop` is set. Each
    /// training is written when it ends, and told to `tell`.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a training fails for another reason than divergence. The other threads
    /// stop then too.
    pub fn make(
        &self,
        shards: Vec<Shard>,
        dir: PathBuf,
        threads: usize,
        stop: &AtomicBool,
        tell: &(dyn Fn(TableTraining<'_>) + Sync),
    ) -> Result<Outcome> {
        let shards = Mutex::new(shards.into_iter());
        let queue = Queue { shards, dir, stop, failed: AtomicBool::new(false) };
        on_each(threads, &queue.failed, &|| self.until_empty(&queue, tell))?;
        Ok(if stop.load(Ordering::Relaxed) { Outcome::Stopped } else { Outcome::Finished })
    }

    /// Takes shards from the queue until there is none.
    fn until_empty(
        &self,
        queue: &Queue<'_>,
        tell: &(dyn Fn(TableTraining<'_>) + Sync),
    ) -> Result<()> {
        loop {
            // Taking the next one cannot panic.
            let next = queue.shards.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(shard) = next else { return Ok(()) };
            let name = shard.name.clone();
            let mut file = ShardFile::open(&queue.dir, shard)?;
            for training in file.missing().to_vec() {
                let Some(rows) = self.train(&training, queue)? else { return Ok(()) };
                file.push(rows.clone())?;
                tell(TableTraining { shard: &name, training: &training, rows: &rows });
            }
        }
    }

    /// The rows of one training; `None` when it was stopped.
    fn train(&self, planned: &Planned, queue: &Queue<'_>) -> Result<Option<Vec<Row>>> {
        let mut config = self.config.clone();
        (config.arch, config.seed) = (planned.arch.clone(), planned.seed);
        config.schedule.g_iterations = planned.iterations;
        let shape = config.model.shape();
        let inputs = TrainingInputs {
            images: Arc::clone(&self.images[planned.arch.stage()]),
            extractor: Arc::clone(&self.extractor),
            known: self.known.clone(),
            device: Device::Cpu,
        };
        let mut training = Training::new(config, inputs)?;
        let mut rows = Rows::new(planned, &shape);
        loop {
            if queue.stop.load(Ordering::Relaxed) || queue.failed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match training.advance(&mut rows) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(rows.rows)),
                Err(SearchError::Diverged { .. }) => return Ok(Some(rows.diverged())),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What trainings are made on, and what scores them.
pub(crate) fn origin(dataset: &str, images: &Images, extractor: &dyn FeatureExtractor) -> Origin {
    Origin {
        dataset: dataset.to_owned(),
        images: images.len(),
        images_sha256: images.content_hash(),
        scorer: extractor.name().to_owned(),
        scorer_sha256: extractor.weights_sha256().map(str::to_owned),
    }
}

/// The rows of a training, as its scores come.
struct Rows<'a> {
    planned: &'a Planned,
    params: u64,
    macs: u64,
    rows: Vec<Row>,
    begun: Duration,
    scoring: Duration,
    /// When the last step ended.
    stepped: Duration,
}

impl<'a> Rows<'a> {
    fn new(planned: &'a Planned, shape: &GeneratorShape) -> Self {
        let cost = derived_generator_cost(&planned.arch, shape);
        let now = processor_time();
        Self {
            planned,
            params: cost.params,
            macs: cost.macs,
            rows: Vec::new(),
            begun: now,
            scoring: Duration::ZERO,
            stepped: now,
        }
    }

    fn row(&self, iterations: u64, scores: Option<Scores>) -> Row {
        let seconds = self.stepped.saturating_sub(self.begun + self.scoring).as_secs_f64();
        Row {
            arch: self.planned.arch.clone(),
            seed: self.planned.seed,
            iterations,
            scores,
            params: self.params,
            macs: self.macs,
            // A microsecond is all that the clock is good for.
            seconds: (seconds * 1e6).round() / 1e6,
        }
    }

    /// All rows of a training that ends here because its networks diverged.
    fn diverged(mut self) -> Vec<Row> {
        self.stepped = processor_time();
        let had = self.rows.last().map_or(0, |row| row.iterations);
        for length in LENGTHS {
            if length > had && length <= self.planned.iterations {
                self.rows.push(self.row(length, None));
            }
        }
        self.rows
    }
}

impl Reporter<TrainingEvent> for Rows<'_> {
    fn event(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::Step(_) => self.stepped = processor_time(),
            TrainingEvent::Measured { score, .. } => {
                if let (Some(frechet), true) = (score.frechet, LENGTHS.contains(&score.g_iteration))
                {
                    let scores = Scores { is: score.is, frechet };
                    self.rows.push(self.row(score.g_iteration, Some(scores)));
                }
                self.scoring += processor_time().saturating_sub(self.stepped);
            }
            TrainingEvent::Real { .. }
            | TrainingEvent::Samples(_)
            | TrainingEvent::BestLost { .. }
            | TrainingEvent::Trained(_) => {}
        }
    }
}

/// Processor time that this thread has taken.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;

    use autogan_data::Hub;

    use super::*;

    /// A folder that looks like CIFAR-10's binary files, with 300 images.
    pub fn cifar10(dir: &Path) -> Sources {
        let image = |n: u32| {
            let pixels = (0..3072u32).map(move |at| ((at * (n % 13 + 1) + n * 31) % 251) as u8);
            std::iter::once((n % 10) as u8).chain(pixels)
        };
        let bytes: Vec<u8> = (0..300).flat_map(image).collect();
        fs::write(dir.join("data_batch_1.bin"), bytes).unwrap();
        let mut sources = Sources::new(Hub::from_env(true));
        sources.data = Some(dir.to_owned());
        sources
    }

    fn shard(name: &str, archs: &[&str]) -> Shard {
        let planned =
            |arch: &&str| Planned { arch: arch.parse().unwrap(), seed: 1, iterations: 75 };
        Shard { name: name.to_owned(), trainings: archs.iter().map(planned).collect() }
    }

    /// The scores of a training by itself, as `autogan train` carries it out.
    fn alone(sources: &Sources, arch: &str) -> Scores {
        struct Last(Option<Scores>);
        impl Reporter<TrainingEvent> for Last {
            fn event(&mut self, event: &TrainingEvent) {
                if let TrainingEvent::Measured { score, .. } = event {
                    self.0 = Some(Scores { is: score.is, frechet: score.frechet.unwrap() });
                }
            }
        }
        let mut config =
            TrainingConfig::preset(TABLE_PRESET, &TABLE_SETTINGS.map(str::to_owned)).unwrap();
        (config.arch, config.seed) = (arch.parse().unwrap(), 1);
        config.schedule.g_iterations = 75;
        let inputs = Training::load(&config, sources, &Device::Cpu).unwrap();
        let mut training = Training::new(config, inputs).unwrap();
        let mut last = Last(None);
        while training.advance(&mut last).unwrap() {}
        last.0.unwrap()
    }

    #[test]
    fn an_origin_follows_the_images() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = TableMaker::new(&cifar10(one.path())).unwrap();
        let origin = first.origin();
        assert_eq!((origin.images, origin.images_sha256.len()), (300, 64));
        assert_eq!(origin.scorer_sha256.as_ref().map(String::len), Some(64));
        let sources = cifar10(other.path());
        assert_eq!(TableMaker::new(&sources).unwrap().origin(), origin);
        let file = other.path().join("data_batch_1.bin");
        let mut bytes = fs::read(&file).unwrap();
        bytes[5_000] ^= 1;
        fs::write(&file, bytes).unwrap();
        let changed = TableMaker::new(&sources).unwrap();
        assert_ne!(changed.origin().images_sha256, origin.images_sha256, "one pixel differs");
    }

    #[test]
    fn rows_are_those_of_trainings_alone_on_any_number_of_threads_after_any_stop() {
        let dir = tempfile::tempdir().unwrap();
        let sources = cifar10(dir.path());
        let maker = TableMaker::new(&sources).unwrap();
        let shards = || vec![shard("a", &["1 0 1 1", "0 1 0 0"]), shard("b", &["1 2 2 0"])];
        let stop = AtomicBool::new(false);
        let one = dir.path().join("one");
        let two = dir.path().join("two");
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        // Stopped after each training, and begun anew.
        let mut rounds = 0;
        loop {
            stop.store(false, Ordering::Relaxed);
            let tell = |_: TableTraining<'_>| stop.store(true, Ordering::Relaxed);
            let outcome = maker.make(shards(), one.clone(), 1, &stop, &tell).unwrap();
            if !stop.load(Ordering::Relaxed) {
                assert_eq!(outcome, Outcome::Finished);
                break;
            }
            rounds += 1;
        }
        assert_eq!(rounds, 3);
        stop.store(false, Ordering::Relaxed);
        maker.make(shards(), two.clone(), 2, &stop, &|_| ()).unwrap();
        let rows = |dir: &Path| -> Vec<Row> {
            let of = |shard| ShardFile::open(dir, shard).unwrap().rows().to_vec();
            // Time is what differs.
            shards().into_iter().flat_map(of).map(|row| Row { seconds: 0.0, ..row }).collect()
        };
        let all = rows(&one);
        assert_eq!(all, rows(&two));
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].scores, Some(alone(&sources, "1 0 1 1")));
    }
}
