//! The row types of the four tables.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;
use serde::Serialize;

use super::row::{Fields, Row, count, real};
use crate::error::{Error, Result};

/// Why an architecture was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
}

impl TrialKind {
    /// All kinds.
    pub const ALL: [TrialKind; 4] =
        [TrialKind::Controller, TrialKind::Candidate, TrialKind::Derive, TrialKind::Random];

    /// The name in the store.
    pub fn name(self) -> &'static str {
        match self {
            TrialKind::Controller => "controller",
            TrialKind::Candidate => "candidate",
            TrialKind::Derive => "derive",
            TrialKind::Random => "random",
        }
    }
}

impl fmt::Display for TrialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TrialKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        TrialKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names = TrialKind::ALL.map(TrialKind::name).join(", ");
            Error::invalid("kind of trial", format!("one of {names}"), format!("{text:?}"))
        })
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
    /// Search iteration, from 0.
    pub iteration: u32,
    /// Step within the iteration (or number of the candidate), from 0.
    pub step: u32,
    /// The released vector, numbers separated by spaces.
    pub arch: String,
    /// The named form.
    pub named: String,
    /// The score, higher is better; NaN if it has none.
    pub reward: f64,
    /// Standard deviation of the score over its splits.
    pub spread: f64,
    /// Entropy of the policy in nats, the mean over the architecture's tokens; none where nothing was drawn from a policy.
    pub entropy: Option<f64>,
    /// Reward minus baseline.
    pub advantage: Option<f64>,
    /// The baseline that the reward was compared with.
    pub baseline: Option<f64>,
    /// Parameters of the derived generator.
    pub params: u64,
    /// Multiply-accumulates of one image through it.
    pub macs: u64,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
}

impl Row for Trial {
    const TABLE: &'static str = "trials";
    const COLUMNS: &'static [&'static str] = &[
        "tick",
        "kind",
        "stage",
        "iteration",
        "step",
        "arch",
        "named",
        "reward",
        "spread",
        "entropy",
        "advantage",
        "baseline",
        "params",
        "macs",
        "seconds",
    ];

    fn tick(&self) -> u64 {
        self.tick
    }

    fn values(&self) -> Result<Vec<Value>> {
        let optional = |number: Option<f64>| number.map_or(Value::Null, real);
        Ok(vec![
            count("tick", self.tick)?,
            Value::Text(self.kind.name().to_owned()),
            Value::Integer(self.stage.into()),
            Value::Integer(self.iteration.into()),
            Value::Integer(self.step.into()),
            Value::Text(self.arch.clone()),
            Value::Text(self.named.clone()),
            real(self.reward),
            real(self.spread),
            optional(self.entropy),
            optional(self.advantage),
            optional(self.baseline),
            count("number of parameters", self.params)?,
            count("number of multiply-accumulates", self.macs)?,
            real(self.seconds),
        ])
    }

    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String> {
        Ok(Trial {
            tick: fields.count()?,
            kind: fields.text()?.parse().map_err(|error: Error| error.to_string())?,
            stage: fields.count()?,
            iteration: fields.count()?,
            step: fields.count()?,
            arch: fields.text()?,
            named: fields.text()?,
            reward: fields.real()?,
            spread: fields.real()?,
            entropy: fields.optional()?,
            advantage: fields.optional()?,
            baseline: fields.optional()?,
            params: fields.count()?,
            macs: fields.count()?,
            seconds: fields.real()?,
        })
    }
}

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

impl Row for Scalar {
    const TABLE: &'static str = "scalars";
    const COLUMNS: &'static [&'static str] = &["tick", "step", "tag", "value", "seconds"];

    fn tick(&self) -> u64 {
        self.tick
    }

    fn values(&self) -> Result<Vec<Value>> {
        Ok(vec![
            count("tick", self.tick)?,
            count("step", self.step)?,
            Value::Text(self.tag.clone()),
            real(self.value),
            real(self.seconds),
        ])
    }

    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String> {
        Ok(Scalar {
            tick: fields.count()?,
            step: fields.count()?,
            tag: fields.text()?,
            value: fields.real()?,
            seconds: fields.real()?,
        })
    }
}

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

impl Row for Image {
    const TABLE: &'static str = "images";
    const COLUMNS: &'static [&'static str] =
        &["tick", "path", "stage", "iteration", "tag", "seconds"];

    fn tick(&self) -> u64 {
        self.tick
    }

    fn values(&self) -> Result<Vec<Value>> {
        Ok(vec![
            count("tick", self.tick)?,
            Value::Text(self.path.clone()),
            Value::Integer(self.stage.into()),
            Value::Integer(self.iteration.into()),
            Value::Text(self.tag.clone()),
            real(self.seconds),
        ])
    }

    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String> {
        Ok(Image {
            tick: fields.count()?,
            path: fields.text()?,
            stage: fields.count()?,
            iteration: fields.count()?,
            tag: fields.text()?,
            seconds: fields.real()?,
        })
    }
}

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

impl Row for Event {
    const TABLE: &'static str = "events";
    const COLUMNS: &'static [&'static str] = &["tick", "kind", "json", "seconds"];

    fn tick(&self) -> u64 {
        self.tick
    }

    fn values(&self) -> Result<Vec<Value>> {
        Ok(vec![
            count("tick", self.tick)?,
            Value::Text(self.kind.clone()),
            Value::Text(self.json.clone()),
            real(self.seconds),
        ])
    }

    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String> {
        Ok(Event {
            tick: fields.count()?,
            kind: fields.text()?,
            json: fields.text()?,
            seconds: fields.real()?,
        })
    }
}

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

impl Row for Session {
    const TABLE: &'static str = "sessions";
    const COLUMNS: &'static [&'static str] = &["tick", "kind", "json", "seconds"];
    const ROLLED_BACK: bool = false;

    fn tick(&self) -> u64 {
        self.tick
    }

    fn values(&self) -> Result<Vec<Value>> {
        Ok(vec![
            count("tick", self.tick)?,
            Value::Text(self.kind.clone()),
            Value::Text(self.json.clone()),
            real(self.seconds),
        ])
    }

    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String> {
        Ok(Session {
            tick: fields.count()?,
            kind: fields.text()?,
            json: fields.text()?,
            seconds: fields.real()?,
        })
    }
}
