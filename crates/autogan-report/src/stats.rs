//! This module says which choices score higher, with confidence intervals.
//!
//! Scores rise while the shared weights learn, and the policy draws what it likes again and again.
//! So a score counts relative to the mean of its iteration, and an architecture counts once, with
//! the mean over its trials: choices are compared between architectures, not between repetitions of
//! one. What remains is an association in one run, not an experiment: the policy does not draw the
//! other choices independently.

use std::collections::BTreeMap;

use autogan_run::TrialKind;
use autogan_space::Arch;
use autogan_stats::mean;
use serde::Serialize;

use crate::data::{RunData, Token};

/// What is known of one choice of one token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChoiceStats {
    /// The choice in words.
    pub choice: String,
    /// Children with it that were scored.
    pub trials: usize,
    /// Mean of their scores as they are; NaN without any.
    pub mean_score: f64,
    /// Scores relative to their iteration's mean, one per architecture, ascending.
    pub relative: Vec<f64>,
}

/// The choices of one token, over the children of the stage that searched its cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenStats {
    /// The cell, from 0.
    pub cell: usize,
    /// The token's name.
    pub token: String,
    /// Its choices.
    pub choices: Vec<ChoiceStats>,
}

/// A child of the controller, as far as the statistics need it.
struct Child<'a> {
    score: f64,
    relative: f64,
    arch: &'a Arch,
    choice: &'a [usize],
}

/// Statistics of every token whose cell was searched.
pub fn by_choice(data: &RunData) -> Vec<TokenStats> {
    let mut stats = Vec::new();
    for stage in data.stages.iter().map(|span| span.stage) {
        let children = children(data, stage);
        let cell = stage as usize;
        let tokens = data.tokens.iter().enumerate().filter(|(_, token)| token.cell == cell);
        stats.extend(tokens.map(|(at, token)| token_stats(token, at, &children)));
    }
    stats
}

/// The children of a stage with their scores relative to the mean of their iteration; a child that came again comes again.
pub fn relative_scores(data: &RunData, stage: u32) -> Vec<(Arch, f64)> {
    let all = children(data, stage).into_iter();
    all.map(|child| (child.arch.clone(), child.relative)).collect()
}

/// The children of a stage, their scores also relative to the mean of their iteration.
fn children(data: &RunData, stage: u32) -> Vec<Child<'_>> {
    let rows = data.trials.iter().filter(|row| {
        let trial = &row.trial.row;
        trial.kind == TrialKind::Controller && trial.stage == stage && trial.score.is_finite()
    });
    let mut means: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for row in rows.clone() {
        let mean = means.entry(row.trial.row.iteration).or_default();
        *mean = (mean.0 + row.trial.row.score, mean.1 + 1.0);
    }
    rows.filter_map(|row| {
        let (sum, count) = means.get(&row.trial.row.iteration)?;
        let (score, arch) = (row.trial.row.score, &row.trial.row.arch);
        Some(Child { score, relative: score - sum / count, arch, choice: &row.choice })
    })
    .collect()
}

fn token_stats(token: &Token, at: usize, children: &[Child<'_>]) -> TokenStats {
    let choices = token.choices.iter().enumerate().map(|(choice, name)| {
        let with: Vec<&Child<'_>> =
            children.iter().filter(|child| child.choice.get(at) == Some(&choice)).collect();
        let mut by_arch: BTreeMap<&Arch, Vec<f64>> = BTreeMap::new();
        for child in &with {
            by_arch.entry(child.arch).or_default().push(child.relative);
        }
        let mut relative: Vec<f64> = by_arch.values().map(|values| mean(values)).collect();
        relative.sort_by(f64::total_cmp);
        ChoiceStats {
            choice: name.clone(),
            trials: with.len(),
            mean_score: mean(&with.iter().map(|child| child.score).collect::<Vec<_>>()),
            relative,
        }
    });
    TokenStats { cell: token.cell, token: token.name.clone(), choices: choices.collect() }
}
