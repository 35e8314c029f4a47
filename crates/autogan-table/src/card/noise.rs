//! How much trainings of one architecture differ, and what one of them says of it.

use autogan_space::MAX_CELLS;

use super::markdown::{Page, count, number, with_interval};
use super::{DRAWS, NO_DATA, cells_name};
use crate::plan::LENGTHS;
use crate::statistics::{Components, Measure, bootstrap, pooled_variance, samples};
use crate::table::Table;

pub(super) fn write(page: &mut Page, table: &Table) {
    noise(page, table);
    reliability(page, table);
}

/// The values of each architecture's seeds.
fn groups(table: &Table, cells: usize, length: u64, measure: Measure) -> Vec<Vec<f64>> {
    samples(table, cells, length).iter().map(|sample| sample.values(measure)).collect()
}

fn each_length() -> impl Iterator<Item = (usize, u64)> {
    (1..=MAX_CELLS).flat_map(|cells| LENGTHS.map(|length| (cells, length)))
}

fn noise(page: &mut Page, table: &Table) {
    page.heading("Noise");
    let rows: Vec<Vec<String>> = each_length()
        .filter_map(|(cells, length)| {
            let pooled = |measure| pooled_variance(&groups(table, cells, length, measure));
            let (frechet, freedom) = pooled(Measure::LogFrechet)?;
            let is = pooled(Measure::Is).map(|(variance, _)| variance.sqrt());
            Some(vec![
                cells_name(cells),
                length.to_string(),
                number(Some(frechet.sqrt()), 3),
                number(is, 3),
                count(freedom),
            ])
        })
        .collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(
        "The standard deviation between trainings of one architecture that differ in the seed alone, \
         pooled over architectures. Log F is the natural logarithm of `frechet`: 0.1 in it is about \
         10 % of F.",
    );
    page.table(1, &["", "iterations", "SD of log F", "SD of IS", "degrees of freedom"], &rows);
}

fn reliability(page: &mut Page, table: &Table) {
    page.heading("Reliability of one seed");
    let rows: Vec<Vec<String>> =
        each_length().filter_map(|(cells, length)| reliabilities(table, cells, length)).collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(
        "The reliability is the variance of the architectures' true values, divided by that variance \
         plus the noise of one training. It is the correlation that two seeds have. It comes from a \
         one-way analysis of variance with random effects; the 95 % intervals come from a bootstrap \
         over architectures. The standard deviations are of the true values.",
    );
    let head = [
        "",
        "iterations",
        "architectures",
        "SD of true log F",
        "reliability of log F",
        "SD of true IS",
        "reliability of IS",
    ];
    page.table(1, &head, &rows);
}

fn reliabilities(table: &Table, cells: usize, length: u64) -> Option<Vec<String>> {
    let mut row = vec![cells_name(cells), length.to_string()];
    for measure in [Measure::LogFrechet, Measure::Is] {
        let groups = groups(table, cells, length, measure);
        let found = Components::of(&groups).filter(|found| found.groups >= 5)?;
        let of = |sample: &[&Vec<f64>]| Some(Components::of(sample)?.reliability());
        if row.len() == 2 {
            row.push(count(found.groups));
        }
        row.push(number(Some(found.between.max(0.0).sqrt()), 3));
        row.push(with_interval(found.reliability(), bootstrap(&groups, DRAWS, of)));
    }
    Some(row)
}
