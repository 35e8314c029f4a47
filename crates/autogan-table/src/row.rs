//! A [`Row`] holds what one training gave after so many iterations.

use autogan_space::Arch;

/// The columns of the table, in their order.
pub const COLUMNS: [&str; 10] = [
    "arch",
    "cells",
    "seed",
    "iterations",
    "is",
    "frechet",
    "params",
    "macs",
    "seconds",
    "diverged",
];

/// One training after so many iterations.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The architecture.
    pub arch: Arch,
    /// The seed of the training.
    pub seed: u64,
    /// Iterations of the training before this score; each is a step of the generator and one of the discriminator.
    pub iterations: u64,
    /// The scores; `None` when the training had diverged by then.
    pub scores: Option<Scores>,
    /// Parameters of the generator.
    pub params: u64,
    /// Multiply-accumulates of the generator for one image.
    pub macs: u64,
    /// Processor seconds of one thread that the training had taken, without scoring.
    pub seconds: f64,
}

/// The scores of a generator, by the compact classifier of CIFAR-10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// The formula of the Inception Score; higher is better.
    pub is: f64,
    /// The Fréchet distance to the training images, above 0; lower is better.
    pub frechet: f64,
}

impl Row {
    /// The row as a line of a CSV file, without its end. Numbers are written so that they are read back exactly.
    pub fn to_csv(&self) -> String {
        let score =
            |of: fn(Scores) -> f64| self.scores.map_or(String::new(), |s| of(s).to_string());
        [
            self.arch.to_string(),
            self.arch.cells().len().to_string(),
            self.seed.to_string(),
            self.iterations.to_string(),
            score(|s| s.is),
            score(|s| s.frechet),
            self.params.to_string(),
            self.macs.to_string(),
            self.seconds.to_string(),
            self.scores.is_none().to_string(),
        ]
        .join(",")
    }

    /// The row that a line of a CSV file holds.
    ///
    /// # Errors
    /// What was expected and what was found, when it holds none.
    pub fn from_csv(line: &str) -> std::result::Result<Row, (String, String)> {
        let cells: Vec<&str> = line.split(',').collect();
        let [arch, count, seed, iterations, is, frechet, params, macs, seconds, diverged] =
            cells[..]
        else {
            let expected = format!("{} columns", COLUMNS.len());
            return Err((expected, cells.len().to_string()));
        };
        let arch: Arch =
            arch.parse().map_err(|e| (format!("an architecture ({e})"), quoted(arch)))?;
        let scores = match diverged {
            "true" if is.is_empty() && frechet.is_empty() => None,
            "false" => {
                Some(Scores { is: finite("is", is)?, frechet: positive("frechet", frechet)? })
            }
            other => {
                return Err(("false, or true without scores, as diverged".into(), quoted(other)));
            }
        };
        if count != arch.cells().len().to_string() {
            return Err((format!("{} cells", arch.cells().len()), quoted(count)));
        }
        Ok(Row {
            seed: whole("seed", seed)?,
            iterations: whole("iterations", iterations)?,
            scores,
            params: whole("params", params)?,
            macs: whole("macs", macs)?,
            seconds: Some(finite("seconds", seconds)?)
                .filter(|seconds| *seconds >= 0.0)
                .ok_or_else(|| ("0 or more as seconds".to_owned(), quoted(seconds)))?,
            arch,
        })
    }
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn whole(name: &str, text: &str) -> std::result::Result<u64, (String, String)> {
    text.parse().map_err(|_| (format!("a whole number as {name}"), quoted(text)))
}

fn finite(name: &str, text: &str) -> std::result::Result<f64, (String, String)> {
    let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| (format!("a finite number as {name}"), quoted(text)))
}

fn positive(name: &str, text: &str) -> std::result::Result<f64, (String, String)> {
    let number = finite(name, text)?;
    match number > 0.0 {
        true => Ok(number),
        false => Err((format!("a number above 0 as {name}"), quoted(text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scores: Option<Scores>) -> Row {
        Row {
            arch: "0 1 2 1 1 0 1 1 0".parse().unwrap(),
            seed: 3,
            iterations: 150,
            scores,
            params: 12_345,
            macs: 678_901,
            seconds: 0.1 + 0.2,
        }
    }

    #[test]
    fn rows_are_read_back_exactly() {
        for scores in [Some(Scores { is: 1.0 / 3.0, frechet: 12.25 }), None] {
            let row = row(scores);
            assert_eq!(Row::from_csv(&row.to_csv()).unwrap(), row);
        }
        let line = row(Some(Scores { is: 2.5, frechet: 12.25 })).to_csv();
        assert_eq!(
            line,
            "0 1 2 1 1 0 1 1 0,2,3,150,2.5,12.25,12345,678901,0.30000000000000004,false"
        );
    }

    #[test]
    fn what_is_no_row_is_refused_by_name() {
        let good = row(Some(Scores { is: 2.5, frechet: 12.25 })).to_csv();
        for (from, to, says) in [
            ("0 1 2 1 1 0 1 1 0", "0 1 9 1 1 0 1 1 0", "an architecture"),
            (",2,3,", ",1,3,", "2 cells"),
            (",3,150", ",-3,150", "seed"),
            ("2.5", "NaN", "is"),
            ("2.5", "", "is"),
            ("12.25", "inf", "frechet"),
            ("12.25", "0", "a number above 0 as frechet"),
            ("0.30000000000000004", "-1", "0 or more as seconds"),
            ("false", "true", "without scores"),
            ("false", "", "diverged"),
            (",false", "", "10 columns"),
        ] {
            let (expected, _) = Row::from_csv(&good.replacen(from, to, 1)).unwrap_err();
            assert!(expected.contains(says), "{expected}: {says}");
        }
    }
}
