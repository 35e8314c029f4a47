//! [`ShardFile`] keeps the rows of a shard while its trainings are carried out.

use std::path::{Path, PathBuf};

use autogan_files::atomic;

use crate::error::{Result, TableError};
use crate::plan::{LENGTHS, Planned, Shard};
use crate::row::{COLUMNS, Row};

/// The file of a shard: the rows of the trainings that are done. It is replaced as a whole after each training.
#[derive(Debug)]
pub struct ShardFile {
    path: PathBuf,
    shard: Shard,
    rows: Vec<Row>,
}

impl ShardFile {
    /// The file of `shard` in the folder `dir`, with what is in it by now.
    ///
    /// # Errors
    /// When the file cannot be read, or holds rows of other trainings.
    pub fn open(dir: &Path, shard: Shard) -> Result<Self> {
        let path = dir.join(format!("{}.csv", shard.name));
        let mut file = Self { path, shard, rows: Vec::new() };
        match std::fs::read_to_string(&file.path) {
            Ok(text) => file.parse(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(TableError::Read { path: file.path, source }),
        }
        Ok(file)
    }

    /// The rows of the trainings that are done.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The trainings that are not done yet, in their order.
    pub fn missing(&self) -> &[Planned] {
        &self.shard.trainings[self.done()..]
    }

    /// How many trainings are done.
    pub fn done(&self) -> usize {
        let mut rows = 0;
        self.shard
            .trainings
            .iter()
            .take_while(|training| {
                rows += lengths(training).count();
                rows <= self.rows.len()
            })
            .count()
    }

    /// Adds the rows of the next training, and writes the file.
    ///
    /// # Errors
    /// When they are not all rows of the next training, when one could not be read back (a score that is not finite, a time
    /// below 0), and when the file cannot be written. Nothing is added then.
    pub fn push(&mut self, rows: Vec<Row>) -> Result<()> {
        self.check(&rows)?;
        let mut text = format!("{}\n", COLUMNS.join(","));
        for row in self.rows.iter().chain(&rows) {
            text += &row.to_csv();
            text.push('\n');
        }
        atomic::write(&self.path, text.as_bytes())?;
        self.rows.extend(rows);
        Ok(())
    }

    /// Whether these are the rows of the next training, and a reader would find them as they are.
    fn check(&self, rows: &[Row]) -> Result<()> {
        let path = &self.path;
        let wrong = |expected: String, found: String| {
            Err(TableError::Row { path: path.clone(), expected, found })
        };
        let Some(training) = self.missing().first() else {
            return wrong("no more trainings".to_owned(), format!("{} rows", rows.len()));
        };
        let planned: Vec<u64> = lengths(training).collect();
        if rows.len() != planned.len() {
            let expected = format!("{} rows of {}", planned.len(), named(training));
            return wrong(expected, rows.len().to_string());
        }
        for (row, at) in rows.iter().zip(planned) {
            let line = row.to_csv();
            if !is_of(row, training, at) {
                return wrong(format!("{} after {at}", named(training)), format!("'{line}'"));
            }
            match Row::from_csv(&line) {
                Ok(read) if read == *row => {}
                Ok(_) => return wrong("a row that is read back as it is".into(), line),
                Err((expected, found)) => return wrong(expected, found),
            }
        }
        Ok(())
    }

    /// Reads the rows, each of which must be the next that the plan names.
    fn parse(&mut self, text: &str) -> Result<()> {
        let wrong = |line: usize, expected: String, found: String| TableError::Line {
            path: self.path.clone(),
            line,
            expected,
            found,
        };
        let planned = self.shard.trainings.iter();
        let mut places =
            planned.flat_map(|training| lengths(training).map(move |at| (training, at)));
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        let header = COLUMNS.join(",");
        match lines.next() {
            Some((_, first)) if first == header => {}
            first => {
                let found =
                    first.map_or("an empty file".to_owned(), |(_, line)| format!("'{line}'"));
                return Err(wrong(1, format!("the columns '{header}'"), found));
            }
        }
        let mut rows = Vec::new();
        let mut open = false;
        for (line, text) in lines {
            let row =
                Row::from_csv(text).map_err(|(expected, found)| wrong(line, expected, found))?;
            let (training, at) = places
                .next()
                .ok_or_else(|| wrong(line, "no more rows".to_owned(), format!("'{text}'")))?;
            if !is_of(&row, training, at) {
                let expected = format!("{} after {at}", named(training));
                return Err(wrong(line, expected, format!("'{text}'")));
            }
            open = at != training.iterations;
            rows.push(row);
        }
        if open {
            let expected = "all rows of the last training".to_owned();
            return Err(wrong(text.lines().count(), expected, "the end of the file".to_owned()));
        }
        self.rows = rows;
        Ok(())
    }
}

/// Whether a row is of this training, after so many iterations.
fn is_of(row: &Row, training: &Planned, iterations: u64) -> bool {
    (&row.arch, row.seed, row.iterations) == (&training.arch, training.seed, iterations)
}

/// A training for people.
fn named(training: &Planned) -> String {
    format!("{} with seed {}", training.arch, training.seed)
}

/// After how many iterations a training is scored.
fn lengths(training: &Planned) -> impl Iterator<Item = u64> + use<> {
    let last = training.iterations;
    LENGTHS.into_iter().filter(move |&length| length <= last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Scores;

    fn shard() -> Shard {
        let training =
            |arch: &str, iterations| Planned { arch: arch.parse().unwrap(), seed: 1, iterations };
        let trainings = vec![training("0 0 0 0", 300), training("1 2 0 1", 600)];
        Shard { name: "cells1-seed1-000".to_owned(), trainings }
    }

    fn rows(training: &Planned) -> Vec<Row> {
        let row = |iterations| Row {
            arch: training.arch.clone(),
            seed: training.seed,
            iterations,
            scores: (iterations < 300).then_some(Scores { is: 2.0, frechet: 9.5 }),
            params: 10,
            macs: 20,
            seconds: iterations as f64 / 7.0,
        };
        lengths(training).map(row).collect()
    }

    #[test]
    fn a_shard_goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ShardFile::open(dir.path(), shard()).unwrap();
        assert_eq!((file.done(), file.missing().len()), (0, 2));
        file.push(rows(&shard().trainings[0])).unwrap();
        let mut again = ShardFile::open(dir.path(), shard()).unwrap();
        assert_eq!((again.done(), again.rows()), (1, file.rows()));
        assert_eq!(again.missing(), &shard().trainings[1..]);
        again.push(rows(&shard().trainings[1])).unwrap();
        let whole = ShardFile::open(dir.path(), shard()).unwrap();
        assert_eq!((whole.done(), whole.missing().len(), whole.rows().len()), (2, 0, 7));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ShardFile::open(dir.path(), shard()).unwrap();
        let good = rows(&shard().trainings[0]);
        let changed = |change: fn(&mut Row)| {
            let mut rows = good.clone();
            change(&mut rows[1]);
            rows
        };
        let scores = |is, frechet| Some(Scores { is, frechet });
        for (bad, says) in [
            (rows(&shard().trainings[1]), "expected 3 rows of 0 0 0 0 with seed 1, found 4"),
            (good[..2].to_vec(), "found 2"),
            (changed(|row| row.seed = 2), "expected 0 0 0 0 with seed 1 after 150"),
            (changed(|row| row.iterations = 75), "after 150"),
            (changed(|row| row.arch = "0 0 1 0".parse().unwrap()), "after 150"),
            (changed(|row| row.seconds = -0.5), "0 or more as seconds, found '-0.5'"),
            (changed(|row| row.seconds = f64::NAN), "a finite number as seconds"),
            (
                good.iter()
                    .map(|row| Row { scores: scores(f64::NAN, 2.0), ..row.clone() })
                    .collect(),
                "a finite number as is",
            ),
            (
                good.iter().map(|row| Row { scores: scores(2.0, 0.0), ..row.clone() }).collect(),
                "a number above 0 as frechet",
            ),
        ] {
            let error = file.push(bad).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("cells1-seed1-000.csv"), "{error}");
            assert!(file.rows().is_empty() && !dir.path().join("cells1-seed1-000.csv").exists());
        }
        file.push(good).unwrap();
        file.push(rows(&shard().trainings[1])).unwrap();
        let error = file.push(rows(&shard().trainings[1])).unwrap_err().to_string();
        assert!(error.contains("no more trainings"), "{error}");
        assert_eq!(ShardFile::open(dir.path(), shard()).unwrap().rows(), file.rows());
    }

    #[test]
    fn files_that_are_not_of_the_plan_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ShardFile::open(dir.path(), shard()).unwrap();
        file.push(rows(&shard().trainings[0])).unwrap();
        let path = dir.path().join("cells1-seed1-000.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let cut = text.lines().take(3).collect::<Vec<_>>().join("\n");
        let none = String::new();
        for (broken, says) in [
            (
                text.replacen("0 0 0 0,1,1,75", "0 0 1 0,1,1,75", 1),
                "expected 0 0 0 0 with seed 1 after 75",
            ),
            (text.replacen("arch,", "", 1), "line 1: expected the columns"),
            (cut, "all rows of the last training"),
            (none, "found an empty file"),
            (text.replacen(",75,", ",x,", 1), "a whole number as iterations"),
        ] {
            std::fs::write(&path, broken).unwrap();
            let error = ShardFile::open(dir.path(), shard()).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("cells1-seed1-000.csv"), "{error}");
        }
    }
}
