//! [`Results`] reads the run directories of finished jobs as numbers.

use std::path::{Path, PathBuf};

use autogan_config::Configuration;
use autogan_run::{
    ArchFile, Host, Record, RunDir, ScoresFile, Session, StoreReader, Trial, TrialFilter,
};
use autogan_search::{SearchConfig, TrainingConfig, best_is_intact};
use autogan_space::{GeneratorShape, TokenOrder};

use crate::error::Result;
use crate::job::{Job, Work};

/// The jobs of one scale.
#[derive(Debug, Clone)]
pub struct Results {
    jobs: PathBuf,
}

/// A finished search.
#[derive(Debug, Clone)]
pub struct SearchResult {
    /// What was found.
    pub arch: ArchFile,
    /// Every architecture that was scored.
    pub trials: Vec<Trial>,
    /// Mean rewards of the controller's steps.
    pub rewards: Vec<StepReward>,
    /// Resets of the shared weights.
    pub resets: usize,
    /// Real images that the discriminator was shown.
    pub trained: u64,
    /// Images that were generated to be scored, with those of the final derivation and its random architectures.
    pub scored: u64,
    /// The run's wall clock.
    pub seconds: f64,
    /// The sizes of its generator.
    pub shape: GeneratorShape,
    /// The order in which its controller decided.
    pub order: TokenOrder,
    /// The machine and program.
    pub host: Host,
}

/// The mean reward of one step of the controller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReward {
    /// The run's wall clock.
    pub seconds: f64,
    /// Real images that the discriminator had been shown.
    pub trained: u64,
    /// The reward.
    pub reward: f64,
}

/// A finished training from scratch.
#[derive(Debug, Clone)]
pub struct TrainingResult {
    /// The scores.
    pub file: ScoresFile,
    /// Scores on the way: G iterations, Inception Score, Fréchet distance.
    pub curve: Vec<(u64, f64, f64)>,
    /// Images that were generated to be scored.
    pub scored: u64,
    /// The run's wall clock.
    pub seconds: f64,
    /// The last sample grid.
    pub grid: Option<PathBuf>,
    /// The machine and program.
    pub host: Host,
}

impl Results {
    /// The jobs under `root`, the directory of one scale.
    pub fn new(root: &Path) -> Results {
        Results { jobs: root.join("jobs") }
    }

    /// The directory of a job.
    pub fn dir(&self, job: &str) -> PathBuf {
        self.jobs.join(job)
    }

    /// A search, once it is finished.
    ///
    /// # Errors
    /// When a file of its directory is damaged.
    pub fn search(&self, job: &str) -> Result<Option<SearchResult>> {
        let Some(End { run, reader, seconds, .. }) = self.finished(job)? else { return Ok(None) };
        let Some(arch) = run.arch()? else { return Ok(None) };
        let config = SearchConfig::stored(&run.config()?, "the job's config.toml")?;
        let trials = reader.trials(TrialFilter::ALL)?.into_iter().map(|stored| stored.row);
        let batch = config.train.d_batch as u64;
        let rewards = reader.series("controller/reward")?.into_iter().map(|stored| StepReward {
            seconds: stored.row.seconds,
            trained: stored.row.step * batch,
            reward: stored.row.value,
        });
        Ok(Some(SearchResult {
            scored: images(&reader, "scored")?,
            arch,
            trials: trials.collect(),
            rewards: rewards.collect(),
            resets: reader.events(Some("reset"))?.len(),
            trained: images(&reader, "real")?,
            seconds,
            shape: config.model.shape(),
            order: config.controller.tokens,
            host: run.host()?,
        }))
    }

    /// A training, once it is finished.
    ///
    /// # Errors
    /// When its directory is damaged.
    pub fn training(&self, job: &str) -> Result<Option<TrainingResult>> {
        let Some(End { run, reader, seconds, .. }) = self.finished(job)? else { return Ok(None) };
        let Some(file) = run.scores()? else { return Ok(None) };
        let config = TrainingConfig::stored(&run.config()?, "the job's config.toml")?;
        let frechet = reader.series("score/frechet")?;
        let curve: Vec<(u64, f64, f64)> = reader
            .series("score/is")?
            .into_iter()
            .map(|stored| {
                let same = frechet.iter().find(|other| other.row.tick == stored.row.tick);
                let distance = same.map_or(f64::NAN, |other| other.row.value);
                (stored.row.step / config.train.n_critic as u64, stored.row.value, distance)
            })
            .collect();
        let scored = (curve.len() * config.score.images) as u64;
        let grid = reader.images()?.pop().map(|image| run.path().join(image.row.path));
        Ok(Some(TrainingResult { file, curve, scored, seconds, grid, host: run.host()? }))
    }

    /// Whether a job is finished, without reading what it came to. One whose result or best weights are gone or
    /// damaged is not: resuming it writes those anew.
    ///
    /// # Errors
    /// When its store or its result cannot be read.
    pub fn is_finished(&self, job: &Job) -> Result<bool> {
        let Some(End { run, .. }) = self.finished(&job.name)? else { return Ok(false) };
        let there = match job.work {
            Work::Search(_) => run.arch().map(|found| found.is_some()),
            Work::Train { .. } if !best_is_intact(&run)? => Ok(false),
            Work::Train { .. } => run.scores().map(|found| found.is_some()),
        };
        match there {
            Err(autogan_run::Error::Damaged { .. }) => Ok(false),
            there => Ok(there?),
        }
    }

    /// Why a job failed: its networks diverged, which they would again.
    ///
    /// # Errors
    /// When its store is damaged.
    pub fn diverged(&self, job: &str) -> Result<Option<String>> {
        let end = self.end(job)?.filter(|end| end.json["outcome"] == "diverged");
        Ok(end.map(|end| end.json["reason"].as_str().unwrap_or("it diverged").to_owned()))
    }

    /// The wall clock of a job that finished.
    ///
    /// # Errors
    /// When its directory is damaged.
    pub(crate) fn seconds(&self, job: &str) -> Result<Option<f64>> {
        Ok(self.finished(job)?.map(|end| end.seconds))
    }

    /// The end of a job that finished.
    fn finished(&self, job: &str) -> Result<Option<End>> {
        Ok(self.end(job)?.filter(|end| end.json["outcome"] == "finished"))
    }

    /// How the last session of a job ended that came to an end of its own.
    fn end(&self, job: &str) -> Result<Option<End>> {
        let Ok(run) = RunDir::open(&self.dir(job)) else { return Ok(None) };
        // A run that was killed right after it was made has no store yet.
        if !run.store_path().exists() {
            return Ok(None);
        }
        let reader = StoreReader::open_live(&run.store_path())?;
        let sessions: Vec<Record<Session>> = reader.rows_after(0)?;
        let last = sessions.into_iter().rev().find(|session| session.row.kind == "end");
        Ok(last.map(|last| End {
            run,
            reader,
            seconds: last.row.seconds,
            json: serde_json::from_str(&last.row.json).unwrap_or_default(),
        }))
    }
}

/// The end of a session.
struct End {
    run: RunDir,
    reader: StoreReader,
    /// The run's wall clock.
    seconds: f64,
    /// What the session said about it.
    json: serde_json::Value,
}

/// What a curve of the search's images came to.
fn images(reader: &StoreReader, curve: &str) -> Result<u64> {
    let last = reader.series(&format!("images/{curve}"))?.pop();
    Ok(last.map_or(0, |stored| stored.row.value as u64))
}
