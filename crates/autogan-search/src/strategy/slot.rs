//! A [`Slot`] holds a training that goes on beside others.

use std::sync::Arc;
use std::time::Instant;

use autogan_run::{Checkpoint, ModelScore, TrialKind};
use autogan_space::Arch;
use autogan_strategies::Query;
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;
use crate::error::{Result, SearchError};
use crate::event::{Reporter, SampleGrid, TrainingEvent};
use crate::inputs::TrainingInputs;
use crate::job::Job;
use crate::scratch::{Reals, Training, TrainingPosition};

/// G iterations that a training goes on for in one unit of work.
pub(super) const ITERATIONS: u64 = 20;

/// The purpose of a training, and what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// `Trained` for a training that the strategy asked for, `Derive` and `Random` for those at the end.
    pub kind: TrialKind,
    /// Its number among those of its kind, from 0.
    pub step: u64,
    /// The architecture.
    pub arch: Arch,
    /// What the strategy asked for; nothing at the end.
    pub query: Option<Query>,
    /// The position that the training began at, or went on from.
    pub from: TrainingPosition,
    /// G iterations at which it ends.
    pub length: u64,
    /// Its cost, beyond what was paid for it before.
    pub cost: f64,
    /// The seed of the training.
    pub seed: u64,
    /// Seconds that it has taken, its score included.
    pub seconds: f64,
}

/// A training in progress.
pub(super) struct Slot {
    pub task: Task,
    pub training: Training,
    /// Whether the networks have diverged.
    pub diverged: bool,
    /// Sample images of the last score.
    pub grid: Option<SampleGrid>,
}

/// Keeps the sample images.
struct Keeper<'a>(&'a mut Option<SampleGrid>);

impl Reporter<TrainingEvent> for Keeper<'_> {
    fn event(&mut self, event: &TrainingEvent) {
        if let TrainingEvent::Samples(grid) = event {
            *self.0 = Some(grid.clone());
        }
    }
}

impl Slot {
    /// The training of a task: a new one, or one that was paused.
    pub fn open(
        task: Task,
        config: &TrainingConfig,
        paused: Option<&Checkpoint>,
        inputs: TrainingInputs,
        reals: &Arc<Reals>,
    ) -> Result<Self> {
        let mut config = config.clone();
        (config.arch, config.seed) = (task.arch.clone(), task.seed);
        config.schedule.g_iterations = task.length;
        let mut training = match paused {
            Some(checkpoint) => Training::restore(checkpoint, config, inputs)?,
            None => Training::new(config, inputs)?,
        };
        training.know(reals);
        Ok(Self { task, training, diverged: false, grid: None })
    }

    /// Goes on for some iterations; whatever else goes wrong, networks that diverge only end the training.
    pub fn advance(&mut self) -> Result<()> {
        let begun = Instant::now();
        let until = self.position().g_iterations + ITERATIONS;
        while !self.is_over() && self.position().g_iterations < until {
            match self.training.advance(&mut Keeper(&mut self.grid)) {
                Ok(_) => {}
                Err(SearchError::Diverged { .. }) => self.diverged = true,
                Err(error) => return Err(error),
            }
        }
        self.task.seconds += begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// Whether the training has come to its end.
    pub fn is_over(&self) -> bool {
        self.diverged || self.training.place().done
    }

    /// The last score; `None` when the networks have diverged.
    pub fn score(&self) -> Option<ModelScore> {
        self.training.last_score().filter(|_| !self.diverged)
    }

    pub fn position(&self) -> TrainingPosition {
        self.training.position()
    }
}
