//! What the tokens explain of the differences between architectures.

use autogan_space::{Arch, MAX_CELLS};

use super::markdown::{Page, count, number};
use super::{LENGTH, NO_DATA, cells_name};
use crate::statistics::{Fit, Measure, Model, Sample, fit, pooled_variance, samples, tokens};
use crate::table::Table;

/// Architectures of so many cells with the mean of log F over their seeds.
struct Means<'a> {
    archs: Vec<&'a Arch>,
    values: Vec<f64>,
    /// The variance of the means' noise, on average.
    noise: f64,
}

pub(super) fn write(page: &mut Page, table: &Table) {
    page.heading("What explains log F");
    let all: Vec<(usize, Vec<Sample<'_>>)> =
        (1..=MAX_CELLS).map(|cells| (cells, samples(table, cells, LENGTH))).collect();
    let all: Vec<(usize, Means<'_>)> =
        all.iter().filter_map(|(cells, samples)| Some((*cells, Means::of(samples)?))).collect();
    let rows: Vec<Vec<String>> = all
        .iter()
        .filter_map(|(cells, means)| Some([vec![cells_name(*cells)], means.shares()?].concat()))
        .collect();
    if rows.is_empty() {
        page.text(NO_DATA);
        return;
    }
    page.text(&format!(
        "Shares of the variance of the true log F after {LENGTH} iterations: what the tokens explain \
         when each adds its effect (main effects), what pairs of tokens add to that, and the rest. \
         The models are fitted to the architectures' means by least squares. The shares are adjusted \
         for the number of coefficients, as in adjusted R², and the noise is taken off, so that a small \
         share can come out below zero."
    ));
    let head =
        ["", "architectures", "main effects", "pairs", "rest", "noise, of the variance of means"];
    page.table(1, &head, &rows);
    page.text("The share that the choices of one token explain alone:");
    let mut rows = Vec::new();
    for (cells, means) in &all {
        rows.extend(means.single(*cells));
    }
    page.table(3, &["", "cell", "token", "share"], &rows);
}

impl<'a> Means<'a> {
    /// `None` when the noise is not known.
    fn of(samples: &'a [Sample<'a>]) -> Option<Self> {
        let groups: Vec<Vec<f64>> =
            samples.iter().map(|sample| sample.values(Measure::LogFrechet)).collect();
        let (within, _) = pooled_variance(&groups)?;
        let per_mean: Vec<f64> = groups.iter().map(|group| within / group.len() as f64).collect();
        Some(Self {
            archs: samples.iter().map(Sample::arch).collect(),
            values: groups.iter().map(|group| autogan_stats::mean(group)).collect(),
            noise: autogan_stats::mean(&per_mean),
        })
    }

    fn fit(&self, model: Model) -> Option<Fit> {
        fit(model, &self.archs, &self.values)
    }

    /// `None` when not even the main effects can be told.
    fn shares(&self) -> Option<Vec<String>> {
        let fit = self.fit(Model::Tokens)?;
        let main = fit.share(self.noise)?;
        let pairs = self.fit(Model::Pairs).and_then(|fit| fit.share(self.noise));
        let total = fit.total / (fit.n as f64 - 1.0);
        Some(vec![
            count(self.archs.len()),
            number(Some(main), 2),
            number(pairs.map(|pairs| pairs - main), 2),
            number(pairs.map(|pairs| 1.0 - pairs), 2),
            number(Some(self.noise / total), 2),
        ])
    }

    /// A row for each token.
    fn single(&self, cells: usize) -> Vec<Vec<String>> {
        let row = |(at, (cell, token)): (usize, (usize, autogan_space::TokenKind))| {
            let share = self.fit(Model::Token(at))?.share(self.noise)?;
            let share = number(Some(share), 3);
            Some(vec![cells_name(cells), cell.to_string(), token.name(), share])
        };
        tokens(cells).into_iter().enumerate().filter_map(row).collect()
    }
}
