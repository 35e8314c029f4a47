//! This module leaves out what no run writes: numbers that lead outside of every count, and names without end.
//!
//! A checksum shows damage. It does not show who wrote a row, so the numbers of a run that somebody else made are
//! checked before anything counts with them.

use autogan_run::store::Row;
use autogan_run::{Image, Record, Trial};
use autogan_space::MAX_CELLS;

use super::follow::Tables;

/// No run has more iterations.
pub(super) const ITERATIONS: u32 = 1_000_000_000;
/// Problems that are said one by one.
const SAID: usize = 50;

impl Tables {
    /// Leaves out trials and pictures of stages or iterations that no run has.
    pub(super) fn keep_sensible(&mut self, problems: &mut Vec<String>) {
        let trial = |trial: &Trial| {
            trial.stage as usize <= trial.arch.stage() && trial.iteration <= ITERATIONS
        };
        let image =
            |image: &Image| (image.stage as usize) < MAX_CELLS && image.iteration <= ITERATIONS;
        keep(&mut self.trials, trial, problems);
        keep(&mut self.images, image, problems);
    }
}

fn keep<R: Row>(
    rows: &mut Vec<Record<R>>,
    sensible: impl Fn(&R) -> bool,
    problems: &mut Vec<String>,
) {
    let Some(first) = rows.iter().find(|row| !sensible(&row.row)).map(|row| row.id) else { return };
    let before = rows.len();
    rows.retain(|row| sensible(&row.row));
    problems.push(format!(
        "{} rows of {} are left out, row {first} first: no run has their stage or iteration",
        before - rows.len(),
        R::TABLE
    ));
}

/// Says only the first problems, and how many more there are.
pub(super) fn shorten(problems: &mut Vec<String>) {
    if problems.len() > SAID {
        let more = problems.len() - SAID;
        problems.truncate(SAID);
        problems.push(format!("{more} more problems of this kind or others"));
    }
}
