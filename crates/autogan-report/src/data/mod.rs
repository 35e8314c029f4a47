//! This module reads a run directory into one piece of data, for the report and the dashboard.
//!
//! Reading never fails as a whole: what is missing or damaged is left out, and said in
//! [`RunData::problems`]. Nothing that failed its checksum is ever shown.

mod axis;
mod follow;
mod plan;
mod read;
mod sensible;
mod summary;
mod token;

use std::collections::BTreeMap;

use autogan_run::{ArchFile, Image, Record, ScoresFile, Trial};
use serde::Serialize;

pub use follow::Follower;
pub use plan::{Plan, StrategyPlan, TrainingPlan};
pub use summary::{Status, Summary};
pub(crate) use token::choices as choices_of;
pub use token::{Token, tokens};

/// Everything that a run directory holds, except checkpoints and pixels.
#[derive(Debug, Clone, Serialize)]
pub struct RunData {
    /// What a list of runs shows.
    pub summary: Summary,
    /// What the configuration says about the course of the search.
    pub plan: Plan,
    /// The text of `config.toml`.
    pub config: String,
    /// The machine that the run was started on.
    pub host: Option<autogan_run::Host>,
    /// The content of `arch.json`.
    pub found: Option<ArchFile>,
    /// The content of `scores.json`.
    pub trained: Option<ScoresFile>,
    /// The stages that were reached.
    pub stages: Vec<StageSpan>,
    /// The decisions of an architecture, to which [`TrialRow::choice`] refers.
    pub tokens: Vec<Token>,
    /// Every architecture that was scored, in the order in which it was.
    pub trials: Vec<TrialRow>,
    /// Every series but the policy's, by tag.
    pub scalars: BTreeMap<String, Series>,
    /// The policy's probabilities, one entry per token and stage.
    pub policy: Vec<PolicyToken>,
    /// Sample grids; `path` is relative to the run directory.
    pub images: Vec<Record<Image>>,
    /// What happened in the search: beams, resets, results.
    pub events: Vec<EventRow>,
    /// What happened to the run from outside: start, changes of the configuration.
    pub sessions: Vec<EventRow>,
    /// What is missing or damaged, each in a sentence.
    pub problems: Vec<String>,
}

/// A stage of the search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageSpan {
    /// From 0.
    pub stage: u32,
    /// Side of its images in pixels, where the configuration tells.
    pub side: Option<usize>,
    /// Its first iteration, from 0.
    pub first: u32,
    /// The iteration after its last one, as far as the run got.
    pub end: u32,
    /// Score of real images at this side.
    pub real: Option<f64>,
}

/// An architecture that was scored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialRow {
    /// The row of the store.
    #[serde(flatten)]
    pub trial: Record<Trial>,
    /// Place on the axis of iterations: iteration i spans from i to i + 1. In a search by trainings from scratch the axis
    /// counts trainings in the order in which they ended.
    pub at: f64,
    /// For each of [`RunData::tokens`] that the architecture has, the index of what was chosen;
    /// shorter for architectures of fewer cells.
    pub choice: Vec<usize>,
}

/// A series of numbers, column by column; the columns have one length.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Series {
    /// The search's global tick.
    pub tick: Vec<u64>,
    /// Place on the axis of iterations: iteration i spans from i to i + 1.
    pub at: Vec<f64>,
    /// The numbers; NaN is possible.
    pub value: Vec<f64>,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: Vec<f64>,
}

/// The probabilities of one token's choices at the end of each iteration of its stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PolicyToken {
    /// The stage, which is the cell that the token belongs to, from 0.
    pub stage: u32,
    /// The token's name.
    pub token: String,
    /// Names of the choices.
    pub choices: Vec<String>,
    /// Iterations, from 0; the probabilities are those at its end.
    pub iteration: Vec<u32>,
    /// For each choice a probability per iteration; NaN where it is not known.
    pub probability: Vec<Vec<f64>>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRow {
    /// The search's global tick.
    pub tick: u64,
    /// The iteration, from 0.
    pub iteration: u32,
    /// What kind: "beam", "reset", "found"; "config".
    pub kind: String,
    /// What belongs to it.
    pub detail: serde_json::Value,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}
