//! An [`Outcome`] is everything in a finished run that must not depend on what happened on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::subject::{STATS, Subject};

/// The tables of a run's store; `sessions` tells of interruptions, which are not compared.
const TABLES: [&str; 4] = ["trials", "scalars", "images", "events"];

/// Files that tell of times, machines or sessions; only that they are there is compared.
const PRESENT: [&str; 4] = ["log.txt", "report.html", "host.json", "run.lock"];

/// SQLite's companions of a store, which may stay; what is in them is read with the store.
const COMPANIONS: [&str; 2] = ["run.sqlite-wal", "run.sqlite-shm"];

/// The bytes of a record of an event file before its data, those after it, and those of the time at its start.
const RECORD: (usize, usize, usize) = (12, 4, 9);

/// What each file of a run directory holds, without times. The names are paths below the directory.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome(BTreeMap<String, Vec<u8>>);

impl Outcome {
    /// Reads a run directory, or the folder of a file. In such a folder, which is the user's own, a killed process leaves
    /// a hidden file, which does not count; in a run directory nothing hidden may stay.
    ///
    /// # Errors
    /// When a file cannot be read or is damaged.
    pub fn read(run: &Path, subject: Subject) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(run, "", &mut files)?;
        if subject == Subject::Stats {
            files.retain(|name, _| !name.starts_with('.'));
        }
        Ok(Self(files))
    }

    /// The first thing in which `other` differs; `None` where all is the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        for (name, content) in &self.0 {
            match other.0.get(name) {
                None => return Some(format!("{name} is missing")),
                Some(found) if found != content => return Some(format!("{name} differs")),
                Some(_) => {}
            }
        }
        let more = other.0.keys().find(|name| !self.0.contains_key(*name));
        more.map(|name| format!("{name} should not be there"))
    }

    /// Whether the run has a file of this kind: by the start of its path.
    pub fn has(&self, start: &str) -> bool {
        self.0.keys().any(|name| name.starts_with(start))
    }
}

fn collect(dir: &Path, before: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    let listed = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    for entry in listed {
        let path = entry?.path();
        let last = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{before}{last}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if !COMPANIONS.contains(&&*last) {
            let content = content(&path, &last).with_context(|| format!("{name} is damaged"))?;
            files.insert(name, content);
        }
    }
    Ok(())
}

/// What a file holds, without times.
fn content(path: &Path, name: &str) -> Result<Vec<u8>> {
    match name {
        _ if PRESENT.contains(&name) => Ok(Vec::new()),
        "run.sqlite" => dump(path),
        STATS => statistics(&fs::read(path)?),
        _ if name.starts_with("events.out.tfevents") => records(&fs::read(path)?),
        _ => Ok(fs::read(path)?),
    }
}

/// The rows of a store as text, without the column `seconds`.
fn dump(path: &Path) -> Result<Vec<u8>> {
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let whole: String = store.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    ensure!(whole == "ok", "SQLite says: {whole}");
    let mut text = String::new();
    for table in TABLES {
        let mut query = store.prepare(&format!("SELECT * FROM {table} ORDER BY id"))?;
        let names: Vec<String> = query.column_names().map(str::to_owned).collect();
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            text += table;
            for (at, name) in names.iter().enumerate().filter(|(_, name)| *name != "seconds") {
                let value = match row.get_ref(at)? {
                    ValueRef::Real(number) => format!("{:016x}", number.to_bits()),
                    other => format!("{other:?}"),
                };
                text += &format!(" {name}={value}");
            }
            text.push('\n');
        }
    }
    Ok(text.into_bytes())
}

/// The length of a file of statistics, and its members but the first, which tells when it was made.
fn statistics(bytes: &[u8]) -> Result<Vec<u8>> {
    let (member, directory) = (b"PK\x03\x04", b"PK\x01\x02");
    let find = |mark: &[u8], from: usize| {
        let at = bytes.get(from..)?.windows(mark.len()).position(|window| window == mark)?;
        Some(from + at)
    };
    let second = find(member, member.len()).context("expected three members, found one")?;
    let end = find(directory, second).context("expected a directory at the end, found none")?;
    Ok([&bytes.len().to_le_bytes()[..], &bytes[second..end]].concat())
}

/// The data of an event file's records, each without the time at its start.
fn records(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let (before, after, time) = RECORD;
    let mut data = Vec::new();
    while !bytes.is_empty() {
        let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let end = before.saturating_add(length);
        let record = bytes.get(before..end).filter(|record| record.len() >= time);
        let rest = bytes.get(end.saturating_add(after)..);
        let (Some(record), Some(rest)) = (record, rest) else {
            anyhow::bail!("a record ends too early");
        };
        data.extend_from_slice(&record[time..]);
        bytes = rest;
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(time: u8, data: &[u8]) -> Vec<u8> {
        let length = (RECORD.2 + data.len()) as u64;
        let parts = [&length.to_le_bytes()[..], &[0; 4], &[time; 9], data, &[0; 4]];
        parts.concat()
    }

    fn run(seconds: f64, score: f64, time: u8) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("checkpoints")).unwrap();
        fs::write(dir.path().join("checkpoints/1"), b"weights").unwrap();
        fs::write(dir.path().join("log.txt"), [time]).unwrap();
        fs::write(dir.path().join("events.out.tfevents.x"), record(time, b"loss")).unwrap();
        let store = Connection::open(dir.path().join("run.sqlite")).unwrap();
        for table in TABLES {
            store
                .execute_batch(&format!(
                    "CREATE TABLE {table} (id INTEGER PRIMARY KEY, score REAL, seconds REAL)"
                ))
                .unwrap();
        }
        store.execute("INSERT INTO trials VALUES (1, ?1, ?2)", [score, seconds]).unwrap();
        dir
    }

    #[test]
    fn times_do_not_count_and_results_do() {
        let read = |dir: &tempfile::TempDir| Outcome::read(dir.path(), Subject::Search).unwrap();
        let first = run(1.0, 0.5, 1);
        let outcome = read(&first);
        assert_eq!(outcome.difference(&read(&run(2.0, 0.5, 2))), None);
        let other = outcome.difference(&read(&run(1.0, 0.5_f64.next_up(), 1)));
        assert_eq!(other.unwrap(), "run.sqlite differs");
        assert!(outcome.has("checkpoints/") && !outcome.has("samples/"));
        fs::write(first.path().join(".x.tmp"), b"").unwrap();
        assert_eq!(outcome.difference(&read(&first)).unwrap(), ".x.tmp should not be there");
        assert_eq!(read(&first).difference(&outcome).unwrap(), ".x.tmp is missing");
    }

    #[test]
    fn statistics_are_compared_without_their_note() {
        let file = |note: &str, mean: &str| {
            format!("PK\x03\x04{note}PK\x03\x04{mean}PK\x01\x02{note}").into_bytes()
        };
        let of = |note, mean| statistics(&file(note, mean)).unwrap();
        assert_eq!(of("at noon", "1 2"), of("at nine", "1 2"));
        assert_ne!(of("at noon", "1 2"), of("at noon", "1 3"));
        assert_ne!(of("at noon", "1 2"), of("at night", "1 2"));
        assert!(statistics(&file("at noon", "1 2")[..15]).is_err());
        assert!(statistics(b"older").is_err());
    }

    #[test]
    fn a_torn_file_is_damaged() {
        let whole = [record(1, b"loss"), record(2, b"more")].concat();
        assert_eq!(records(&whole).unwrap(), b"lossmore");
        assert!(records(&whole[..whole.len() - 1]).is_err());
        assert!(records(&whole[..3]).is_err());
    }
}
