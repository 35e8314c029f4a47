//! A [`Sample`] is what is known of one architecture after so many iterations.

use autogan_space::Arch;

use crate::row::{Row, Scores};
use crate::table::Table;

/// What statistics are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The natural logarithm of the Fréchet distance.
    LogFrechet,
    /// The formula of the Inception Score.
    Is,
}

impl Measure {
    /// The value of this measure.
    pub fn of(self, scores: Scores) -> f64 {
        match self {
            Self::LogFrechet => scores.frechet.ln(),
            Self::Is => scores.is,
        }
    }
}

/// The scores of one architecture after so many iterations, one for each seed whose training had not diverged.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The row of the first seed.
    pub first: &'a Row,
    /// Each seed with its scores, by seed; one or more.
    pub seeds: Vec<(u64, Scores)>,
}

impl Sample<'_> {
    /// The architecture.
    pub fn arch(&self) -> &Arch {
        &self.first.arch
    }

    /// The measure of each seed.
    pub fn values(&self, measure: Measure) -> Vec<f64> {
        self.seeds.iter().map(|&(_, scores)| measure.of(scores)).collect()
    }

    /// The mean of the measure over the seeds.
    pub fn mean(&self, measure: Measure) -> f64 {
        autogan_stats::mean(&self.values(measure))
    }
}

/// The samples of all architectures of so many cells, ordered as in the table. One that has no score at this length is
/// not there.
pub fn samples(table: &Table, cells: usize, iterations: u64) -> Vec<Sample<'_>> {
    let of = |arch| {
        let at_length = table.rows_of(arch).iter().filter(|row| row.iterations == iterations);
        let mut scored = at_length.filter_map(|row| Some((row, row.scores?))).peekable();
        let (first, _) = *scored.peek()?;
        Some(Sample { first, seeds: scored.map(|(row, scores)| (row.seed, scores)).collect() })
    };
    table.archs(cells).filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_hold_the_seeds_that_did_not_diverge() {
        let lines = [
            "0 1 2 1,1,0,75,2.5,12.25,8,9,0.5,false",
            "0 1 2 1,1,0,150,2.5,1.0,8,9,0.5,false",
            "0 1 2 1,1,1,75,,,8,9,0.5,true",
            "0 1 2 1,1,2,75,3.5,2.0,8,9,0.5,false",
            "0 1 2 0,1,0,75,,,8,9,0.5,true",
            "0 1 2 0 0 0 0 0 0,2,0,75,2.5,12.25,8,9,0.5,false",
        ];
        let table = Table::new(lines.map(|line| Row::from_csv(line).unwrap()).to_vec());
        let found = samples(&table, 1, 75);
        assert_eq!(found.len(), 1, "one architecture diverged with all its seeds");
        assert_eq!(found[0].values(Measure::Is), [2.5, 3.5]);
        assert_eq!(found[0].mean(Measure::LogFrechet), (12.25_f64.ln() + 2.0_f64.ln()) / 2.0);
        assert_eq!(found[0].seeds.iter().map(|seed| seed.0).collect::<Vec<_>>(), [0, 2]);
        assert!(samples(&table, 3, 75).is_empty() && samples(&table, 1, 600).is_empty());
    }
}
