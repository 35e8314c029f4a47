//! A ranking that has begun: which of its architectures are scored.

use autogan_rl::Candidate;
use serde::{Deserialize, Serialize};

/// Architectures that are being scored one after the other, on common latents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ranking {
    /// As they were drawn; the rewards of the first `scored` are known.
    pub candidates: Vec<Candidate>,
    pub scored: usize,
    /// When they were drawn, which says which latents they are scored on.
    pub tick: u64,
}
