//! [`ranking`] orders architectures by the mean of log F over their seeds.

use super::sample::{Measure, Sample, samples};
use super::variance::pooled_variance;
use crate::table::Table;

/// An architecture with its mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked<'a> {
    /// What is known of it.
    pub sample: Sample<'a>,
    /// The mean of log F over its seeds.
    pub log_frechet: f64,
    /// The standard error of that mean, by the noise pooled over all architectures of so many cells: one seed has an
    /// error too. `None` when no architecture has two seeds.
    pub error: Option<f64>,
    /// Seeds whose training had diverged, which the mean leaves out.
    pub diverged: usize,
}

/// The architectures of so many cells by the mean of log F after so many iterations, the best first. Equal means keep
/// the order of the table.
pub fn ranking(table: &Table, cells: usize, iterations: u64) -> Vec<Ranked<'_>> {
    let samples = samples(table, cells, iterations);
    let groups: Vec<Vec<f64>> =
        samples.iter().map(|sample| sample.values(Measure::LogFrechet)).collect();
    let noise = pooled_variance(&groups).map(|(variance, _)| variance);
    let mut ranked: Vec<Ranked<'_>> = samples
        .into_iter()
        .map(|sample| Ranked {
            log_frechet: sample.mean(Measure::LogFrechet),
            error: noise.map(|noise| (noise / sample.seeds.len() as f64).sqrt()),
            diverged: diverged(table, &sample),
            sample,
        })
        .collect();
    ranked.sort_by(|a, b| a.log_frechet.total_cmp(&b.log_frechet));
    ranked
}

fn diverged(table: &Table, sample: &Sample<'_>) -> usize {
    let rows = table.rows_of(sample.arch()).iter();
    let at_length = rows.filter(|row| row.iterations == sample.first.iterations);
    at_length.filter(|row| row.scores.is_none()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    #[test]
    fn means_errors_and_divergence_by_hand() {
        let row = |arch: &str, seed: u64, log: Option<f64>| {
            let scores = log.map_or(",".to_owned(), |log| format!("2.0,{}", log.exp()));
            let line = format!("{arch},1,{seed},300,{scores},8,9,0.5,{}", log.is_none());
            Row::from_csv(&line).unwrap()
        };
        let table = Table::new(vec![
            row("0 0 0 0", 0, Some(1.0)),
            row("0 0 0 0", 1, Some(2.0)),
            row("0 0 1 0", 0, Some(1.25)),
            row("0 0 2 0", 0, Some(1.0)),
            row("0 0 2 0", 1, None),
            row("0 1 2 0", 1, None),
        ]);
        let found = ranking(&table, 1, 300);
        let archs: Vec<String> = found.iter().map(|r| r.sample.arch().to_string()).collect();
        assert_eq!(archs, ["0 0 2 0", "0 0 1 0", "0 0 0 0"], "one has no score");
        assert!((found[2].log_frechet - 1.5).abs() < 1e-12);
        // The variance of 1 and 2 is 1/2.
        assert!((found[2].error.unwrap() - 0.5).abs() < 1e-12);
        assert!((found[1].error.unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(found.iter().map(|r| r.diverged).collect::<Vec<_>>(), [1, 0, 0]);
        assert!(ranking(&table, 1, 75).is_empty());
    }
}
