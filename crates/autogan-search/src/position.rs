//! [`Position`] says where a search is between two units of work.

use serde::{Deserialize, Serialize};

/// The part of a search that is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// About to begin an iteration, and with it perhaps a stage.
    #[default]
    Begin,
    /// Shared training.
    Shared,
    /// Controller training.
    Controller,
    /// The end of an iteration: samples, and a ranking where a stage ends.
    End,
    /// The final derivation.
    Derive,
    /// Nothing is left to do.
    Done,
}

/// The position of a search; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Units of work done; it only grows.
    pub tick: u64,
    /// The stage, from 0.
    pub stage: usize,
    /// The iteration, from 0.
    pub iteration: usize,
    /// The phase that is next.
    pub phase: Phase,
    /// Units of this phase that are done.
    pub step: u64,
    /// D steps over the whole search.
    pub d_steps: u64,
    /// Batches of this stage so far, which say where its epochs are; those that a new epoch skipped included.
    pub stage_steps: u64,
    /// D steps of this stage that a G step followed. Earlier versions did not count them.
    #[serde(default)]
    pub stage_g_steps: u64,
    /// D steps of this stage without a G step. Earlier versions did not count them.
    #[serde(default)]
    pub stage_d_alone: u64,
    /// A reset is due at the end of this iteration.
    pub reset_due: bool,
    /// Resets so far, each of which draws other initial weights.
    pub resets: u64,
    /// Images so far.
    pub images: ImageCount,
}

/// The images that a search took, by purpose: searches are compared under an equal budget of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageCount {
    /// Real images that shared training saw.
    pub real: u64,
    /// Images that were generated for shared training, in D steps and in G steps.
    pub fake: u64,
    /// Images that were generated and scored, of children, candidates and results; without those from which batch-norm
    /// statistics were recalibrated.
    pub scored: u64,
}
