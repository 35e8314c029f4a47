//! [`Store`] writes: rows are gathered and committed together, at the latest at a checkpoint.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use autogan_files::plain;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params_from_iter};
use serde::{Deserialize, Serialize};

use super::reader::{BUSY, StoreReader, distrust};
use super::row::{Row, checksum};
use super::rows::{Event, Image, Scalar, Session, Trial};
use super::schema::{self, TABLES};
use crate::error::{Error, Result};

/// Rows become visible to readers at the latest after this time, if rows keep coming.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// … or when this many are gathered.
const COMMIT_ROWS: usize = 4096;
/// SQLite's smallest page: a kill while the store was made leaves nothing or at least this.
const SMALLEST: u64 = 512;
/// How long ending a run waits for readers before it leaves the database in WAL mode.
const END_WAIT: Duration = Duration::from_millis(200);

/// How far a store had come: what a checkpoint records, so that a resumed run can remove the rows
/// after it, and can tell that none before it are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The search's global tick.
    pub tick: u64,
    /// Rows of `trials`.
    pub trials: u64,
    /// Rows of `scalars`.
    pub scalars: u64,
    /// Rows of `images`.
    pub images: u64,
    /// Rows of `events`.
    pub events: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { tick: _, trials, scalars, images, events } = self;
        write!(f, "{trials} trials, {scalars} scalars, {images} images, {events} events")
    }
}

impl Position {
    /// Before the first row.
    pub const START: Position = Position { tick: 0, trials: 0, scalars: 0, images: 0, events: 0 };

    /// The tables that resuming cuts back, each with its rows.
    fn tables(&self) -> [(&'static str, u64); 4] {
        [
            (Trial::TABLE, self.trials),
            (Scalar::TABLE, self.scalars),
            (Image::TABLE, self.images),
            (Event::TABLE, self.events),
        ]
    }
}

/// The one writer of a store.
#[derive(Debug)]
pub struct Store {
    reader: StoreReader,
    pending: Vec<PendingRow>,
    /// Rows of each table of [`TABLES`], gathered ones included.
    rows: BTreeMap<&'static str, u64>,
    last_tick: u64,
    /// Largest `seconds` of the rows that were there when the store was opened or cut back.
    last_seconds: f64,
    committed: Instant,
}

#[derive(Debug)]
struct PendingRow {
    table: &'static str,
    columns: &'static [&'static str],
    id: i64,
    values: Vec<Value>,
    crc: i64,
}

impl Store {
    /// Opens the store at `path`, making it if it is absent or empty, and verifies all of it.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] if it is not intact or not a store.
    pub fn open(path: &Path) -> Result<Store> {
        Store::connect(path, false)
    }

    /// As [`Store::open`], for a store that must be there already.
    ///
    /// # Errors
    /// Also [`Error::Damaged`] if it is empty, and the file system's error if it is absent.
    pub fn open_existing(path: &Path) -> Result<Store> {
        // SQLite's own message for an absent file would not name it.
        plain::open(path).map_err(Error::io("read", path))?;
        Store::connect(path, true)
    }

    fn connect(path: &Path, must_exist: bool) -> Result<Store> {
        let sqlite = |error| Error::sqlite("open", path)(error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        conn.busy_timeout(BUSY).map_err(sqlite)?;
        distrust(&conn).map_err(sqlite)?;
        // Before anything is written: another program's database is left alone, and a stump of a
        // file, which SQLite takes for an empty database, stays to be seen.
        let version = schema::version(&conn, path, schema::MIGRATIONS.len())?;
        let length = std::fs::metadata(path).map_or(0, |found| found.len());
        let stump = (1..SMALLEST).contains(&length);
        if version == 0 && (must_exist || stump) {
            let what = format!("expected tables, found none in {length} bytes");
            let advice = "restore it from a copy, or start the run again in a new directory";
            return Err(Error::damaged(path, what, advice));
        }
        conn.pragma_update(None, "journal_mode", "WAL").map_err(sqlite)?;
        // A commit is on the disk when it returns: a checkpoint must not outlive its rows.
        conn.pragma_update(None, "synchronous", "FULL").map_err(sqlite)?;
        if version > 0 {
            schema::check_objects(&conn, path, version)?;
        }
        schema::migrate(&mut conn, path, schema::MIGRATIONS)?;
        let reader = StoreReader { conn, path: path.to_owned() };
        reader.verify()?;
        let mut store = Store {
            reader,
            pending: Vec::new(),
            rows: BTreeMap::new(),
            last_tick: 0,
            last_seconds: 0.0,
            committed: Instant::now(),
        };
        store.reload()?;
        Ok(store)
    }

    /// Removes the rows after `position`, which a checkpoint recorded.
    ///
    /// # Errors
    /// [`Error::StoreBehind`] if rows before it are missing; [`Error::Sqlite`]. Nothing is removed
    /// then.
    pub fn truncate_to(&mut self, position: Position) -> Result<()> {
        self.flush()?;
        let found = self.position(position.tick);
        let mut pairs = position.tables().into_iter().zip(found.tables());
        if pairs.any(|((_, expected), (_, found))| found < expected) {
            return Err(Error::StoreBehind {
                path: self.reader.path.clone(),
                tick: position.tick,
                expected: position.to_string(),
                found: found.to_string(),
            });
        }
        delete_after(&mut self.reader.conn, position)
            .map_err(Error::sqlite("remove rows from", &self.reader.path))?;
        self.reload()
    }

    /// Adds a row; returns its id. It is committed with others, see [`Store::flush`].
    ///
    /// # Errors
    /// [`Error::Invalid`] if its tick is below that of an earlier row or a count is too large;
    /// [`Error::Sqlite`] if gathered rows were committed and that failed.
    pub fn add<R: Row>(&mut self, row: &R) -> Result<i64> {
        let tick = row.tick();
        if R::ROLLED_BACK && tick < self.last_tick {
            return Err(Error::invalid(
                "tick of a row",
                format!("at least {}, the tick of the row before", self.last_tick),
                tick.to_string(),
            ));
        }
        if !TABLES.contains(&R::TABLE) {
            let expected = format!("one of {TABLES:?}");
            return Err(Error::invalid("table", expected, R::TABLE.to_owned()));
        }
        let values = row.values()?;
        let rows = self.rows.entry(R::TABLE).or_default();
        *rows += 1;
        let id = rows.cast_signed();
        if R::ROLLED_BACK {
            self.last_tick = tick;
        }
        let crc = checksum::<R>(id, &values);
        self.pending.push(PendingRow { table: R::TABLE, columns: R::COLUMNS, id, values, crc });
        if self.pending.len() >= COMMIT_ROWS || self.committed.elapsed() >= COMMIT_EVERY {
            self.flush()?;
        }
        Ok(id)
    }

    /// Commits what was added. After an error the rows are still gathered: with room on the disk
    /// again, a second try can succeed.
    ///
    /// # Errors
    /// [`Error::Sqlite`], for example with a full disk.
    pub fn flush(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            insert(&mut self.reader.conn, &self.pending)
                .map_err(Error::sqlite("write", &self.reader.path))?;
            self.pending.clear();
        }
        self.committed = Instant::now();
        Ok(())
    }

    /// Commits, and lets read what is there.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn read(&mut self) -> Result<&StoreReader> {
        self.flush()?;
        Ok(&self.reader)
    }

    /// Tick of the last row.
    pub fn last_tick(&self) -> u64 {
        self.last_tick
    }

    /// Largest `seconds` of the rows that were there when the store was opened or last cut back:
    /// how long the run had taken by then.
    pub fn seconds_before(&self) -> f64 {
        self.last_seconds
    }

    /// How far the store has come, for the checkpoint of `tick`. Call [`Store::flush`] before the
    /// checkpoint is written.
    pub fn position(&self, tick: u64) -> Position {
        let rows = |table: &str| self.rows.get(table).copied().unwrap_or_default();
        Position {
            tick,
            trials: rows(Trial::TABLE),
            scalars: rows(Scalar::TABLE),
            images: rows(Image::TABLE),
            events: rows(Event::TABLE),
        }
    }

    /// Commits and leaves a single file behind, which can be copied and read anywhere; if readers
    /// are at it just now, its companions `-wal` and `-shm` stay.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        let conn = &self.reader.conn;
        conn.busy_timeout(END_WAIT).map_err(Error::sqlite("write", &self.reader.path))?;
        // Refused while someone reads; the store is complete either way.
        let _ = conn.pragma_update(None, "journal_mode", "DELETE");
        Ok(())
    }

    /// Takes row counts, the last tick and the time taken from the database.
    fn reload(&mut self) -> Result<()> {
        let sqlite = |error| Error::sqlite("read", &self.reader.path)(error);
        (self.last_tick, self.last_seconds) = (0, 0.0);
        for table in TABLES {
            let sql = format!("SELECT count(*), max(tick), max(seconds) FROM {table}");
            let (rows, tick, seconds): (i64, Option<i64>, Option<f64>) = self
                .reader
                .conn
                .query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .map_err(sqlite)?;
            self.rows.insert(table, rows.unsigned_abs());
            if table != Session::TABLE {
                self.last_tick = self.last_tick.max(tick.unwrap_or(0).unsigned_abs());
            }
            self.last_seconds = self.last_seconds.max(seconds.unwrap_or(0.0));
        }
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A run that ends by an error still shows what it did; resuming removes it if need be.
        let _ = self.flush();
    }
}

fn insert(conn: &mut Connection, pending: &[PendingRow]) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in pending {
        let table = row.table;
        let columns = row.columns.join(", ");
        let places = ", ?".repeat(row.columns.len());
        let sql = format!("INSERT INTO {table} (id, {columns}) VALUES (?{places})");
        let id = Value::Integer(row.id);
        transaction
            .prepare_cached(&sql)?
            .execute(params_from_iter(std::iter::once(&id).chain(&row.values)))?;
        transaction
            .prepare_cached(&format!("INSERT INTO {table}_crc (id, crc) VALUES (?, ?)"))?
            .execute([row.id, row.crc])?;
    }
    transaction.commit()
}

fn delete_after(conn: &mut Connection, position: Position) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (table, rows) in position.tables() {
        for name in [table.to_owned(), format!("{table}_crc")] {
            let sql = format!("DELETE FROM {name} WHERE id > ?1");
            transaction.execute(&sql, [rows.cast_signed()])?;
        }
    }
    transaction.commit()
}
