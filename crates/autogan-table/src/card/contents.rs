//! What is in the table, and how long it took.

use std::collections::BTreeMap;

use autogan_space::MAX_CELLS;

use super::markdown::{Page, count, number};
use super::{LENGTH, NO_DATA, cells_name};
use crate::plan::{LENGTHS, plan};
use crate::row::{COLUMNS, Row};
use crate::table::Table;

/// What the columns hold, in the order of [`COLUMNS`].
const MEANINGS: [&str; COLUMNS.len()] = [
    "the architecture as released vector: numbers separated by single spaces",
    "its number of cells, 1 to 3",
    "the seed of the training",
    "iterations of the training before this score",
    "the formula of the Inception Score; higher is better; null after divergence",
    "the Fréchet distance to the training images; lower is better; null after divergence",
    "parameters of the generator",
    "multiply-accumulates of the generator for one image",
    "processor seconds of one thread that the training had taken, without scoring",
    "whether the training had diverged by then",
];

pub(super) fn write(page: &mut Page, table: &Table) {
    page.heading("What is in it");
    page.text("One row stands for one training after so many iterations. Its columns:");
    let column = |(name, meaning): (&&str, &str)| vec![format!("`{name}`"), meaning.to_owned()];
    let rows: Vec<Vec<String>> = COLUMNS.iter().zip(MEANINGS).map(column).collect();
    page.table(2, &["column", "holds"], &rows);
    let mut planned = [0; MAX_CELLS];
    for training in plan().iter().flat_map(|shard| &shard.trainings) {
        planned[training.arch.stage()] += 1;
    }
    let rows: Vec<Vec<String>> =
        (1..=MAX_CELLS).map(|cells| counts(table, cells, planned[cells - 1])).collect();
    page.text(
        "How many there are. A training is long when it goes on to 600 iterations. The last column \
         counts trainings whose networks diverged.",
    );
    page.table(
        1,
        &[
            "",
            "architectures",
            "by number of seeds",
            "trainings",
            "of the plan",
            "long",
            "diverged",
        ],
        &rows,
    );
    let all: usize = planned.iter().sum();
    let there = trainings(table).count();
    page.text(&match all - there.min(all) {
        0 => format!("The table is complete: {} rows.", count(table.rows().len())),
        missing => format!(
            "The table is not complete: {} of {} trainings of the plan are missing. It has {} rows.",
            count(missing),
            count(all),
            count(table.rows().len())
        ),
    });
}

/// The last row of each training.
fn trainings(table: &Table) -> impl Iterator<Item = &Row> {
    let same = |a: &Row, b: &Row| a.arch == b.arch && a.seed == b.seed;
    table.rows().chunk_by(same).filter_map(<[Row]>::last)
}

fn counts(table: &Table, cells: usize, planned: usize) -> Vec<String> {
    let of: Vec<&Row> = trainings(table).filter(|row| row.arch.cells().len() == cells).collect();
    let mut seeds: BTreeMap<usize, usize> = BTreeMap::new();
    for arch in table.archs(cells) {
        *seeds.entry(table.seeds(arch).len()).or_default() += 1;
    }
    let seeds: Vec<String> =
        seeds.iter().rev().map(|(seeds, archs)| format!("{} x {seeds}", count(*archs))).collect();
    vec![
        cells_name(cells),
        count(table.archs(cells).count()),
        if seeds.is_empty() { "–".to_owned() } else { seeds.join(", ") },
        count(of.len()),
        count(planned),
        count(of.iter().filter(|row| Some(&row.iterations) == LENGTHS.last()).count()),
        count(of.iter().filter(|row| row.scores.is_none()).count()),
    ]
}

pub(super) fn seconds(page: &mut Page, table: &Table) {
    page.heading("Time");
    let rows: Vec<Vec<String>> = (1..=MAX_CELLS).filter_map(|cells| times(table, cells)).collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(&format!(
        "Processor seconds of one thread for {LENGTH} iterations of training without scoring, over \
         trainings that did not diverge; and processor hours of all trainings together."
    ));
    let head = ["", "trainings", "mean", "median", "shortest", "longest", "hours of all"];
    page.table(1, &head, &rows);
}

fn times(table: &Table, cells: usize) -> Option<Vec<String>> {
    let of_cells = |row: &&Row| row.arch.cells().len() == cells;
    let usual = table.rows().iter().filter(of_cells);
    let usual = usual.filter(|row| row.iterations == LENGTH && row.scores.is_some());
    let mut seconds: Vec<f64> = usual.map(|row| row.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let (first, last) = (*seconds.first()?, *seconds.last()?);
    let all: f64 = trainings(table).filter(of_cells).map(|row| row.seconds).sum();
    let (mean, median) = (autogan_stats::mean(&seconds), autogan_stats::quantile(&seconds, 0.5));
    let mut cells = vec![cells_name(cells), count(seconds.len())];
    cells.extend([mean, median, first, last].map(|value| number(Some(value), 2)));
    cells.push(number(Some(all / 3600.0), 1));
    Some(cells)
}
