//! These types are the rows of the tables.

use autogan_space::Arch;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::row::{Field, Kind, Row, kind_of, next, row};
use crate::error::{Error, Result};
use crate::names::names;

/// Why an architecture was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrialKind {
    /// A child of a controller step, whose reward trained the controller.
    Controller,
    /// A candidate for the beam at the end of a stage.
    Candidate,
    /// A candidate of the final derivation.
    Derive,
    /// A random architecture, for comparison.
    Random,
    /// A child of the last stage, scored anew beside the random ones.
    Drawn,
    /// A training from scratch that a search strategy asked for.
    Trained,
    /// A score on shared weights that a search strategy asked for.
    Shared,
}

names!(TrialKind, "kind of trial", 7:
    Controller = "controller", Candidate = "candidate", Derive = "derive", Random = "random",
    Drawn = "drawn", Trained = "trained", Shared = "shared");

/// As its name.
impl Field for TrialKind {
    const KIND: Kind = Kind::Text;

    fn value(&self, column: &'static str) -> Result<Value> {
        self.to_string().value(column)
    }

    fn read(value: &Value) -> Result<Self, String> {
        String::read(value)?.parse().map_err(|error: Error| error.to_string())
    }
}

/// One architecture with its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The search's global tick.
    pub tick: u64,
    /// Why it was scored.
    pub kind: TrialKind,
    /// Stage, from 0.
    pub stage: u32,
    /// Search iteration, from 0; of a training from scratch the G iterations after which it was scored.
    pub iteration: u32,
    /// Step within the iteration (or number of the candidate), from 0.
    pub step: u32,
    /// The architecture; stored and exported as its released vector, numbers separated by spaces.
    #[serde(serialize_with = "autogan_space::as_text")]
    pub arch: Arch,
    /// The named form.
    pub named: String,
    /// What the scorer gave, higher is better; NaN if it has no score.
    pub score: f64,
    /// Standard deviation of the score over its splits.
    pub spread: f64,
    /// Entropy of the policy in nats, the mean over the architecture's tokens; none where nothing was drawn from a policy.
    pub entropy: Option<f64>,
    /// What the policy gradient weighed it by: the reward, with the entropy where the loss of the policy adds that, less
    /// the baseline. None where nothing was learnt from it.
    pub advantage: Option<f64>,
    /// The baseline that was subtracted. Older versions worked this and the advantage out from the means of a step, which is
    /// right for one child in a step, and without entropy in the reward.
    pub baseline: Option<f64>,
    /// Parameters of the derived generator.
    pub params: u64,
    /// Multiply-accumulates of one image through it.
    pub macs: u64,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
    /// What it is ranked by and learnt from: the score, less what its cost takes from it. None in runs of older versions.
    pub reward: Option<f64>,
}

impl Trial {
    /// What it is ranked by: its reward, or its score where an older version recorded that alone. NaN if it has neither.
    pub fn rank_value(&self) -> f64 {
        self.reward.unwrap_or(self.score)
    }
}

row!(Trial in "trials":
    tick kind stage iteration step arch named score spread entropy advantage baseline params macs seconds reward;
    const ADDED: usize = 1;
);

/// One number of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scalar {
    /// The search's global tick.
    pub tick: u64,
    /// Position in the series, as the series counts.
    pub step: u64,
    /// Name of the series: "loss/g", "reward/mean".
    pub tag: String,
    /// The number; NaN is possible.
    pub value: f64,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}

row!(Scalar in "scalars": tick step tag value seconds; const MOST: usize = 1_000_000;);

/// One picture of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Image {
    /// The search's global tick.
    pub tick: u64,
    /// The file, relative to the run directory, with forward slashes.
    pub path: String,
    /// Stage, from 0.
    pub stage: u32,
    /// Search iteration, from 0.
    pub iteration: u32,
    /// What it shows: "best", "random".
    pub tag: String,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}

row!(Image in "images": tick path stage iteration tag seconds);

/// Something that happened in the search: a stage began, shared weights were reset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The search's global tick.
    pub tick: u64,
    /// What kind: "stage", "reset".
    pub kind: String,
    /// What belongs to it, as JSON text.
    pub json: String,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}

row!(Event in "events": tick kind json seconds);

/// Something that happened to the run from outside: it was started, resumed, its configuration
/// changed. Resuming removes none of these.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Session {
    /// The search's global tick.
    pub tick: u64,
    /// What kind: "config", "resume", "finish".
    pub kind: String,
    /// What belongs to it, as JSON text.
    pub json: String,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}

row!(Session in "sessions": tick kind json seconds; const ROLLED_BACK: bool = false;);
