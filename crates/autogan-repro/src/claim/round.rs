//! A [`Round`] of the claim has seeds of its own; its [`RoundFile`] keeps the rows of what is finished.

use std::path::{Path, PathBuf};

use autogan_files::atomic;
use autogan_space::Arch;

use super::{Arm, JUDGED, ROUNDS, SEARCHES};
use crate::error::{ReproError, Result};

/// The columns of a round's file.
const COLUMNS: &str = "seed,arm,arch,price,seconds,frechet,is";
/// What stands for the scores of a training whose networks diverged.
const DIVERGED: &str = "diverged";

/// A round: the searches of one set of seeds, [`Self::seeds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round(u64);

impl Round {
    /// The round of this number, from 1.
    ///
    /// # Errors
    /// When there is no such round.
    pub fn new(number: u64) -> Result<Self> {
        let expected = format!("1 to {ROUNDS}");
        match (1..=ROUNDS).contains(&number) {
            true => Ok(Self(number)),
            false => Err(ReproError::Claim {
                what: "the number of the round",
                expected,
                found: number.to_string(),
            }),
        }
    }

    /// The number, from 1.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The seeds of its searches.
    pub fn seeds(self) -> std::ops::Range<u64> {
        100 * self.0..100 * self.0 + SEARCHES
    }

    /// All searches of a seed come together, so that what is stopped early holds whole comparisons.
    pub fn searches(self) -> Vec<(u64, Arm)> {
        self.seeds().flat_map(|seed| Arm::ALL.map(|arm| (seed, arm))).collect()
    }
}

/// A search with the trainings of its winner.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The seed of the search.
    pub seed: u64,
    /// The arm.
    pub arm: Arm,
    /// The winner; `None` where the networks of the search diverged.
    pub arch: Option<Arch>,
    /// What the search cost, in seconds of one thread by the price list.
    pub price: f64,
    /// Seconds that the thread of the search took here.
    pub seconds: f64,
    /// Fréchet distance and Inception Score of each training of the winner; `None` where its networks diverged.
    pub trainings: Vec<Option<(f64, f64)>>,
}

impl Row {
    fn to_csv(&self) -> String {
        let list = |pick: fn(&(f64, f64)) -> f64| -> String {
            let one = |scores: &Option<(f64, f64)>| match scores {
                Some(scores) => pick(scores).to_string(),
                None => DIVERGED.to_owned(),
            };
            self.trainings.iter().map(one).collect::<Vec<_>>().join(" ")
        };
        format!(
            "{},{},{},{},{},{},{}",
            self.seed,
            self.arm.name(),
            self.arch.as_ref().map(Arch::to_string).unwrap_or_default(),
            self.price,
            self.seconds,
            list(|scores| scores.0),
            list(|scores| scores.1)
        )
    }

    /// `None` when the line is no row.
    fn from_csv(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let &[seed, arm, arch, price, seconds, frechet, is] = fields.as_slice() else {
            return None;
        };
        let number = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        let scores = |(frechet, is): (&str, &str)| match (frechet, is) {
            (DIVERGED, DIVERGED) => Some(None),
            _ => Some(Some((number(frechet)?, number(is)?))),
        };
        let (frechet, is): (Vec<&str>, Vec<&str>) =
            (frechet.split(' ').collect(), is.split(' ').collect());
        if frechet.len() != JUDGED || is.len() != JUDGED {
            return None;
        }
        Some(Self {
            seed: seed.parse().ok()?,
            arm: Arm::of_name(arm)?,
            arch: if arch.is_empty() { None } else { Some(arch.parse().ok()?) },
            price: number(price)?,
            seconds: number(seconds)?,
            trainings: frechet.into_iter().zip(is).map(scores).collect::<Option<_>>()?,
        })
    }
}

/// The rows of a round, in the order of its searches. The file is replaced as a whole after each row.
#[derive(Debug)]
pub struct RoundFile {
    path: PathBuf,
    round: Round,
    rows: Vec<Row>,
}

impl RoundFile {
    /// The file of a round in the folder `dir`, with what is in it by now.
    ///
    /// # Errors
    /// When the file cannot be read, or holds what is no row of this round.
    pub fn open(dir: &Path, round: Round) -> Result<Self> {
        let path = dir.join(format!("round{}.csv", round.0));
        let mut file = Self { path, round, rows: Vec::new() };
        match std::fs::read_to_string(&file.path) {
            Ok(text) => file.parse(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file.wrong("a file that can be read", &error.to_string())),
        }
        Ok(file)
    }

    /// The finished rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The searches that have no row yet.
    pub fn missing(&self) -> Vec<(u64, Arm)> {
        let done = |&(seed, arm): &(u64, Arm)| {
            self.rows.iter().any(|row| (row.seed, row.arm) == (seed, arm))
        };
        self.round.searches().into_iter().filter(|search| !done(search)).collect()
    }

    /// Adds a row and writes the file.
    ///
    /// # Errors
    /// When the row is not one that is missing, or the file cannot be written. Nothing is added then.
    pub fn push(&mut self, row: Row) -> Result<()> {
        let line = row.to_csv();
        if Row::from_csv(&line).as_ref() != Some(&row)
            || !self.missing().contains(&(row.seed, row.arm))
        {
            return Err(self.wrong("a row that is missing, with finite numbers", &line));
        }
        let mut rows = self.rows.clone();
        rows.push(row);
        let order = self.round.searches();
        let place = |row: &Row| order.iter().position(|search| *search == (row.seed, row.arm));
        rows.sort_by_key(place);
        let lines = rows.iter().map(Row::to_csv);
        let text: String =
            std::iter::once(COLUMNS.to_owned()).chain(lines).map(|line| line + "\n").collect();
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)
                .map_err(|error| self.wrong("a folder that can be made", &error.to_string()))?;
        }
        atomic::write(&self.path, text.as_bytes())?;
        self.rows = rows;
        Ok(())
    }

    fn parse(&mut self, text: &str) -> Result<()> {
        let mut lines = text.lines();
        match lines.next() {
            Some(COLUMNS) => {}
            first => return Err(self.wrong(COLUMNS, first.unwrap_or("an empty file"))),
        }
        for line in lines {
            let row = Row::from_csv(line).filter(|row| {
                let search = (row.seed, row.arm);
                self.missing().contains(&search)
            });
            let row = row.ok_or_else(|| self.wrong("a row of this round that comes once", line))?;
            self.rows.push(row);
        }
        Ok(())
    }

    fn wrong(&self, expected: &str, found: &str) -> ReproError {
        let path = self.path.clone();
        ReproError::ClaimFile { path, expected: expected.to_owned(), found: found.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seed: u64, arm: Arm) -> Row {
        let scores = |i: usize| (i != 2).then_some((9.5 + i as f64, 2.0));
        Row {
            seed,
            arm,
            arch: Some(Arch::HAND_MADE),
            price: 599.5,
            seconds: 612.25,
            trainings: (0..JUDGED).map(scores).collect(),
        }
    }

    #[test]
    fn a_round_has_its_own_seeds_and_a_size() {
        let round = Round::new(2).unwrap();
        assert_eq!(round.seeds(), 200..200 + SEARCHES);
        assert_eq!(round.searches().len(), SEARCHES as usize * 6);
        for number in [0, 4] {
            let error = Round::new(number).unwrap_err().to_string();
            assert!(error.contains("expected 1 to 3"), "{error}");
        }
    }

    #[test]
    fn rows_come_in_any_order_and_are_kept_in_that_of_the_round() {
        let dir = tempfile::tempdir().unwrap();
        let round = Round::new(1).unwrap();
        let mut file = RoundFile::open(&dir.path().join("new"), round).unwrap();
        let none = Row { arch: None, trainings: vec![None; JUDGED], ..row(102, Arm::Early) };
        file.push(none.clone()).unwrap();
        file.push(row(101, Arm::Led)).unwrap();
        file.push(row(100, Arm::HandMade)).unwrap();
        let again = RoundFile::open(&dir.path().join("new"), round).unwrap();
        assert_eq!(again.rows(), [row(100, Arm::HandMade), row(101, Arm::Led), none]);
        assert_eq!(again.missing().len(), SEARCHES as usize * 6 - 3);
        assert!(file.push(row(100, Arm::HandMade)).is_err(), "it is there");
        assert!(file.push(row(200, Arm::Led)).is_err(), "it is of another round");
    }

    #[test]
    fn what_is_no_row_is_an_error_that_shows_it() {
        let dir = tempfile::tempdir().unwrap();
        let round = Round::new(1).unwrap();
        let line = row(100, Arm::Led).to_csv();
        for (text, part) in [
            (String::new(), "an empty file"),
            ("seed,arm\n".to_owned(), "seed,arm"),
            (format!("{COLUMNS}\n{line}\n{line}\n"), "comes once"),
            (format!("{COLUMNS}\n{}\n", line.replace("100,led", "100,luck")), "luck"),
            (format!("{COLUMNS}\n{}\n", line.replace("9.5", "inf")), "inf"),
            (format!("{COLUMNS}\n{}\n", line.replace(" 10.5", "")), "9.5"),
        ] {
            std::fs::write(dir.path().join("round1.csv"), &text).unwrap();
            let error = RoundFile::open(dir.path(), round).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("round1.csv"), "{error}");
        }
    }
}
