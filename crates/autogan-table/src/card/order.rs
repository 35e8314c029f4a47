//! How well other numbers order the architectures: short trainings, other seeds, costs.

use autogan_space::MAX_CELLS;
use autogan_stats::spearman;

use super::markdown::{Page, count, with_interval};
use super::{DRAWS, LENGTH, NO_DATA, cells_name};
use crate::plan::LENGTHS;
use crate::statistics::{Measure, Part, Sample, Seeds, fidelity, samples};
use crate::table::Table;

pub(super) fn write(page: &mut Page, table: &Table) {
    fidelities(page, table);
    correlations(page, table);
}

fn fidelities(page: &mut Page, table: &Table) {
    page.heading("Do short trainings order architectures as long ones do?");
    let lengths = (1..=MAX_CELLS).flat_map(|cells| LENGTHS.map(|length| (cells, length)));
    let rows: Vec<Vec<String>> =
        lengths.filter_map(|(cells, length)| fidelity_row(table, cells, length)).collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(&format!(
        "Spearman's rank correlation of log F after so many iterations with log F after {LENGTH}. \
         *Same seed*: both of one training. *Other seed*: of two trainings of one architecture; the \
         row of {LENGTH} says how far a second seed agrees. *Best quarter*: among the quarter of \
         trainings whose log F after {LENGTH} is lowest. The 95 % intervals come from a bootstrap over architectures."
    ));
    let head = [
        "",
        "iterations",
        "architectures",
        "same seed",
        "other seed",
        "same seed, best quarter",
        "other seed, best quarter",
    ];
    page.table(1, &head, &rows);
}

fn fidelity_row(table: &Table, cells: usize, length: u64) -> Option<Vec<String>> {
    let (first, last) = (samples(table, cells, length), samples(table, cells, LENGTH));
    let both: std::collections::HashSet<_> = first.iter().map(Sample::arch).collect();
    let archs = last.iter().filter(|sample| both.contains(sample.arch())).count();
    let mut row = vec![cells_name(cells), length.to_string(), count(archs)];
    let mut any = false;
    for part in [Part::All, Part::BestQuarter] {
        for seeds in [Seeds::Same, Seeds::Other] {
            // A training agrees with itself.
            let trivial = length == LENGTH && seeds == Seeds::Same;
            let found = (!trivial).then(|| fidelity(&first, &last, seeds, part, DRAWS)).flatten();
            any |= found.is_some();
            row.push(found.map_or("–".into(), |f| with_interval(f.rho, f.interval)));
        }
    }
    any.then_some(row)
}

fn correlations(page: &mut Page, table: &Table) {
    page.heading("What goes with log F");
    let rows: Vec<Vec<String>> =
        (1..=MAX_CELLS).filter_map(|cells| correlation_row(table, cells)).collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(&format!(
        "Spearman's rank correlation of log F after {LENGTH} iterations, the mean over seeds, with \
         other numbers of the architecture. Below zero means that more of it goes with a better F. The \
         95 % intervals are those of Bonett and Wright."
    ));
    let head = ["", "architectures", "parameters", "multiply-accumulates", "seconds", "IS"];
    page.table(1, &head, &rows);
}

fn correlation_row(table: &Table, cells: usize) -> Option<Vec<String>> {
    let samples = samples(table, cells, LENGTH);
    if samples.len() < 5 {
        return None;
    }
    let with = |of: &dyn Fn(&Sample<'_>) -> f64| {
        let pairs: Vec<(f64, f64)> =
            samples.iter().map(|sample| (of(sample), sample.mean(Measure::LogFrechet))).collect();
        let found = spearman(&pairs);
        found.map_or("–".into(), |found| {
            let known = found.low.is_finite().then_some((found.low, found.high));
            with_interval(found.rho, known)
        })
    };
    Some(vec![
        cells_name(cells),
        count(samples.len()),
        with(&|sample| sample.first.params as f64),
        with(&|sample| sample.first.macs as f64),
        with(&|sample| sample.first.seconds),
        with(&|sample| sample.mean(Measure::Is)),
    ])
}
