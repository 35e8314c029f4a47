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
    /// When the file cannot be written; the rows are not added then.
    pub fn push(&mut self, rows: Vec<Row>) -> Result<()> {
        let mut text = format!("{}\n", COLUMNS.join(","));
        for row in self.rows.iter().chain(&rows) {
            text += &row.to_csv();
            text.push('\n');
        }
        atomic::write(&self.path, text.as_bytes())?;
        self.rows.extend(rows);
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
            if (&row.arch, row.seed, row.iterations) != (&training.arch, training.seed, at) {
                let expected = format!("{} with seed {} after {at}", training.arch, training.seed);
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
