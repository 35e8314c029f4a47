//! A [`StoreReader`] reads a store, also while its run goes on.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use autogan_files::plain;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Params};

use super::row::{Record, Row, checksum};
use super::rows::{Event, Image, Scalar, Trial, TrialKind};
use super::schema;
use crate::error::{Error, Result};

/// How long a statement waits for another connection.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// The longest text or statement in bytes. SQLite reads none that is longer.
const LONGEST: i32 = 4 << 20;
/// All text of a table in bytes, as far as it is held in memory.
const TEXT: usize = 64 << 20;

/// Which trials to list, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialFilter {
    /// Only of this stage.
    pub stage: Option<u32>,
    /// Only of this kind.
    pub kind: Option<TrialKind>,
    /// Only the best `n` of each stage, by stage and falling reward; without it all, in the
    /// order in which they were made.
    pub top: Option<usize>,
    /// Each architecture once per stage, with its best reward.
    pub distinct: bool,
}

impl TrialFilter {
    /// Every trial.
    pub const ALL: TrialFilter =
        TrialFilter { stage: None, kind: None, top: None, distinct: false };
}

/// A store that is only read. Each row is checked against its checksum as it is read.
#[derive(Debug)]
pub struct StoreReader {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

impl StoreReader {
    /// Opens a store and verifies all of it.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if it is not intact or not a store.
    pub fn open(path: &Path) -> Result<StoreReader> {
        let reader = StoreReader::open_live(path)?;
        reader.verify()?;
        Ok(reader)
    }

    /// Opens a store without verifying all of it at once: for a reader that follows a large run.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if it is no store.
    pub fn open_live(path: &Path) -> Result<StoreReader> {
        StoreReader::open_within(path, None)
    }

    /// As [`StoreReader::open_live`]; with a folder, only a store that lies inside of it.
    pub(crate) fn open_within(path: &Path, within: Option<&Path>) -> Result<StoreReader> {
        // SQLite's own message for an absent file would not name it, and it would wait for a pipe.
        let file = within.map_or_else(|| plain::open(path), |base| plain::open_within(base, path));
        let in_wal_mode = file.map(is_in_wal_mode).map_err(Error::io("read", path))?;
        let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut resolved = path.to_owned();
        if let Some(base) = within {
            resolved = resolve(path, base).map_err(Error::io("read", path))?;
            flags |= OpenFlags::SQLITE_OPEN_NOFOLLOW;
        }
        let conn = connect(&resolved, flags, in_wal_mode).map_err(Error::sqlite("open", path))?;
        conn.busy_timeout(BUSY).map_err(Error::sqlite("open", path))?;
        distrust(&conn).map_err(Error::sqlite("open", path))?;
        let reader = StoreReader { conn, path: path.to_owned() };
        let version = schema::version(&reader.conn, path, schema::MIGRATIONS.len())?;
        if version == 0 {
            let advice = "resume the run once to complete it, or restore it from a copy";
            return Err(Error::damaged(path, "expected tables, found none", advice));
        }
        schema::check_objects(&reader.conn, path, version)?;
        schema::show_as_newest(&reader.conn, version).map_err(Error::sqlite("read", path))?;
        Ok(reader)
    }

    /// The trials that the filter lets through.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if the store is not intact.
    pub fn trials(&self, filter: TrialFilter) -> Result<Vec<Record<Trial>>> {
        // Filtered here and not in SQL: a damaged row must be noticed, not filtered away.
        let mut trials: Vec<Record<Trial>> = self.rows_after(0)?;
        trials.retain(|trial| {
            filter.stage.is_none_or(|stage| stage == trial.row.stage)
                && filter.kind.is_none_or(|kind| kind == trial.row.kind)
        });
        if filter.top.is_some() || filter.distinct {
            trials.sort_by(best_first);
        }
        if filter.distinct {
            let mut seen = HashSet::new();
            trials.retain(|trial| seen.insert((trial.row.stage, trial.row.arch.clone())));
        }
        if let Some(top) = filter.top {
            let mut places: HashMap<u32, usize> = HashMap::new();
            trials.retain(|trial| {
                let place = places.entry(trial.row.stage).or_default();
                *place += 1;
                *place <= top
            });
        } else if filter.distinct {
            trials.sort_by_key(|trial| trial.id);
        }
        Ok(trials)
    }

    /// The series `tag`, in the order in which it was made.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if the store is not intact.
    pub fn series(&self, tag: &str) -> Result<Vec<Record<Scalar>>> {
        self.select("WHERE t.tag = ?1 ORDER BY t.id", [tag])
    }

    /// All pictures, in the order in which they were made.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if the store is not intact.
    pub fn images(&self) -> Result<Vec<Record<Image>>> {
        self.rows_after(0)
    }

    /// All events of a kind, or all events.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if the store is not intact.
    pub fn events(&self, kind: Option<&str>) -> Result<Vec<Record<Event>>> {
        let mut events: Vec<Record<Event>> = self.rows_after(0)?;
        events.retain(|event| kind.is_none_or(|kind| kind == event.row.kind));
        Ok(events)
    }

    /// Rows with an id above `id`, in order: what is new since the last look; 0 for all.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if the store is not intact.
    pub fn rows_after<R: Row>(&self, id: i64) -> Result<Vec<Record<R>>> {
        self.select("WHERE t.id > ?1 ORDER BY t.id", [id])
    }

    /// Runs `read` on one state of the store: what is written meanwhile does not show.
    ///
    /// # Errors
    /// The error of `read`, or [`Error::Sqlite`].
    pub fn snapshot<T>(&self, read: impl FnOnce(&StoreReader) -> Result<T>) -> Result<T> {
        let transaction =
            self.conn.unchecked_transaction().map_err(Error::sqlite("read", &self.path))?;
        let result = read(self);
        // Nothing was changed, so there is nothing that ending the transaction could lose.
        let _ = transaction.rollback();
        result
    }

    fn select<R: Row>(&self, clause: &str, params: impl Params) -> Result<Vec<Record<R>>> {
        let mut rows = Vec::new();
        let mut text = 0;
        self.for_each(clause, params, |row: Record<R>| {
            text += row.row.text();
            if rows.len() == R::MOST || text > TEXT {
                let most = (R::MOST, TEXT >> 20);
                let what = format!("expected at most {} rows and {} MiB of text", most.0, most.1);
                return Err(self.damaged(format!("{what} in {}, found more", R::TABLE)));
            }
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Hands each selected row to `take`, checked against its checksum.
    pub(super) fn for_each<R: Row>(
        &self,
        clause: &str,
        params: impl Params,
        mut take: impl FnMut(Record<R>) -> Result<()>,
    ) -> Result<()> {
        let sqlite = |error| Error::sqlite("read", &self.path)(error);
        let table = R::TABLE;
        let columns = R::COLUMNS.join(", t.");
        let sql = format!(
            "SELECT t.id, c.crc, t.{columns} FROM {table} t LEFT JOIN {table}_crc c ON c.id = t.id {clause}"
        );
        let mut statement = self.conn.prepare_cached(&sql).map_err(sqlite)?;
        let mut rows = statement.query(params).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let id: i64 = row.get(0).map_err(sqlite)?;
            let stored: Option<i64> = row.get(1).map_err(sqlite)?;
            let values: Vec<Value> = (2..2 + R::COLUMNS.len())
                .map(|column| row.get(column))
                .collect::<rusqlite::Result<_>>()
                .map_err(sqlite)?;
            if stored != Some(checksum::<R>(id, &values)) {
                let what = format!("row {id} of {table} does not match its checksum");
                return Err(self.damaged(what));
            }
            let row = R::from_values(&values)
                .map_err(|what| self.damaged(format!("row {id} of {table}, {what}")))?;
            take(Record { id, row })?;
        }
        Ok(())
    }

    pub(super) fn damaged(&self, what: String) -> Error {
        Error::damaged(&self.path, what, "restore it from a copy")
    }
}

/// Opens a database to read it, without making files beside it.
///
/// In WAL mode SQLite keeps an index `-shm` beside the database and makes it where it is absent,
/// which a reader should not do, and cannot in a directory that is not its own. A run that is
/// being written has one. Without it nobody writes, and the database is read without locks: with
/// the log `-wal` of a run that did not end, indexed in memory, or as it is.
fn connect(path: &Path, flags: OpenFlags, in_wal_mode: bool) -> rusqlite::Result<Connection> {
    let absent = |suffix: &str| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        std::fs::symlink_metadata(Path::new(&beside)).is_err()
    };
    if !in_wal_mode || !absent("-shm") {
        return Connection::open_with_flags(path, flags);
    }
    let with_uri = flags | OpenFlags::SQLITE_OPEN_URI;
    if absent("-wal") {
        return Connection::open_with_flags(uri(path, "immutable=1"), with_uri);
    }
    if cfg!(unix) {
        let conn = Connection::open_with_flags(uri(path, "vfs=unix-none"), with_uri)?;
        // SQLite's documentation of WAL, section 8: the index is then held in memory.
        conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        return Ok(conn);
    }
    Connection::open_with_flags(path, flags)
}

/// As bytes 18 and 19 of the header say (SQLite's file format, section 1.3.3).
fn is_in_wal_mode(mut file: std::fs::File) -> bool {
    let mut header = [0; 20];
    file.read_exact(&mut header).is_ok() && header[18..] == [2, 2]
}

/// The path without links, if it lies inside of the folder.
fn resolve(path: &Path, base: &Path) -> io::Result<PathBuf> {
    let found = path.canonicalize()?;
    let outside = || io::Error::other(format!("it lies outside of {}", base.display()));
    found.starts_with(base).then_some(found).ok_or_else(outside)
}

/// Reads the file as one that anybody may have written: SQLite calls no function that a schema names, looks at the cells
/// of each page, and reads no value that is longer than any of ours.
pub(super) fn distrust(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
    Ok(())
}

/// The path as SQLite's URI with an option.
fn uri(path: &Path, option: &str) -> String {
    // Without the slashes, a path that begins with two would name a host.
    let mut uri = String::from(if path.is_absolute() { "file://" } else { "file:" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri + "?" + option
}

/// By stage, then falling reward; without a reward last; the earlier of two equals first.
fn best_first(a: &Record<Trial>, b: &Record<Trial>) -> std::cmp::Ordering {
    let (first, second) = (a.row.rank_value(), b.row.rank_value());
    let nan = first.is_nan().cmp(&second.is_nan());
    a.row.stage.cmp(&b.row.stage).then(nan).then(second.total_cmp(&first)).then(a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::super::row::{Field, Kind, kind_of, next, row};
    use super::*;

    /// Events, of which a store may have few.
    #[derive(Debug)]
    struct FewEvents {
        tick: u64,
        kind: String,
        json: String,
        seconds: f64,
    }

    row!(FewEvents in "events": tick kind json seconds; const MOST: usize = 3;);

    #[test]
    fn a_table_with_more_rows_than_a_run_has_is_not_held_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.sqlite");
        let mut store = Store::open(&path).unwrap();
        for rows in 1..=4 {
            let (kind, json) = ("reset".to_owned(), "{}".to_owned());
            store.add(&Event { tick: rows, kind, json, seconds: 0.0 }).unwrap();
            let read = store.read().unwrap().rows_after::<FewEvents>(0);
            match read {
                Ok(read) => assert_eq!(read.len() as u64, rows.min(3), "row {rows}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(rows == 4 && error.contains("expected at most 3 rows"), "{error}");
                }
            }
        }
        assert!(store.read().unwrap().rows_after::<FewEvents>(0).is_err());
        assert_eq!(store.read().unwrap().rows_after::<FewEvents>(1).unwrap().len(), 3);
    }

    #[test]
    fn a_table_with_more_text_than_a_run_has_is_not_held_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("run.sqlite")).unwrap();
        let (most, length) = (TEXT / (LONGEST as usize / 2), LONGEST as usize / 2);
        for tick in 0..=most as u64 {
            let (kind, json) = ("reset".to_owned(), "x".repeat(length));
            store.add(&Event { tick, kind, json, seconds: 0.0 }).unwrap();
        }
        let error = store.read().unwrap().events(None).unwrap_err().to_string();
        assert!(error.contains("64 MiB of text"), "{error}");
        assert_eq!(store.read().unwrap().rows_after::<Event>(2).unwrap().len(), most - 1);
    }
}
