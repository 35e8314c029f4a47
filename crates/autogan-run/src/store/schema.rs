//! This module makes the store's tables, and brings stores of older versions to the newest.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, Result};

/// Marks a SQLite file as a run's store: "AGAN" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x4147_414E;

/// The tables with rows; each has a companion `<name>_crc`.
pub(super) const TABLES: [&str; 5] = ["trials", "scalars", "images", "events", "sessions"];

/// Version `n` of the schema is what the first `n` scripts make.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE trials (
        id INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        kind TEXT NOT NULL,
        stage INTEGER NOT NULL,
        iteration INTEGER NOT NULL,
        step INTEGER NOT NULL,
        arch TEXT NOT NULL,
        named TEXT NOT NULL,
        reward REAL,
        spread REAL,
        entropy REAL,
        advantage REAL,
        baseline REAL,
        params INTEGER NOT NULL,
        macs INTEGER NOT NULL,
        seconds REAL
    ) STRICT;
    CREATE TABLE scalars (
        id INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        step INTEGER NOT NULL,
        tag TEXT NOT NULL,
        value REAL,
        seconds REAL
    ) STRICT;
    CREATE INDEX scalars_tag ON scalars (tag);
    CREATE TABLE images (
        id INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        path TEXT NOT NULL,
        stage INTEGER NOT NULL,
        iteration INTEGER NOT NULL,
        tag TEXT NOT NULL,
        seconds REAL
    ) STRICT;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        kind TEXT NOT NULL,
        json TEXT NOT NULL,
        seconds REAL
    ) STRICT;
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        tick INTEGER NOT NULL,
        kind TEXT NOT NULL,
        json TEXT NOT NULL,
        seconds REAL
    ) STRICT;
    CREATE TABLE trials_crc (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE scalars_crc (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE images_crc (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE events_crc (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT;
    CREATE TABLE sessions_crc (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL) STRICT;
",
    "
    ALTER TABLE trials RENAME COLUMN reward TO score;
    ALTER TABLE trials ADD COLUMN reward REAL;
",
];

/// The views through which a store of version `n` looks like one of the newest: `VIEWS[n - 1]`. A reader changes no file,
/// so they are temporary; they stand before tables of the same name.
const VIEWS: [&str; MIGRATIONS.len() - 1] = ["
    CREATE TEMP VIEW trials AS
        SELECT id, tick, kind, stage, iteration, step, arch, named, reward AS score, spread, entropy,
            advantage, baseline, params, macs, seconds, NULL AS reward
        FROM main.trials;
"];

/// Lets a connection that only reads see the newest tables; 0, an empty file, has none.
pub(super) fn show_as_newest(conn: &Connection, version: usize) -> rusqlite::Result<()> {
    match version.checked_sub(1).and_then(|at| VIEWS.get(at)) {
        Some(views) => conn.execute_batch(&format!("PRAGMA temp_store = MEMORY; {views}")),
        None => Ok(()),
    }
}

/// A pragma with a number as its value.
pub(super) fn pragma(conn: &Connection, path: &Path, name: &str) -> Result<i64> {
    conn.pragma_query_value(None, name, |row| row.get(0)).map_err(Error::sqlite("read", path))
}

/// Checks that the file is a store of a version that this program knows; returns the version,
/// 0 for an empty file.
pub(super) fn version(conn: &Connection, path: &Path, newest: usize) -> Result<usize> {
    let objects: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(Error::sqlite("read", path))?;
    let application = pragma(conn, path, "application_id")?;
    let version = pragma(conn, path, "user_version")?;
    if (objects, application, version) == (0, 0, 0) {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        let what = format!("expected application id {APPLICATION_ID}, found {application}");
        return Err(Error::damaged(path, what, "restore it from a copy"));
    }
    usize::try_from(version).ok().filter(|version| (1..=newest).contains(version)).ok_or_else(
        || {
            let what = format!("expected a schema version from 1 to {newest}, found {version}");
            let advice = "use a newer autogan if one wrote it, or restore it from a copy";
            Error::damaged(path, what, advice)
        },
    )
}

/// Refuses a file with anything but what the first `version` scripts make: a view in place of a table need not end, and a
/// generated column or a check runs an expression of whoever wrote the file.
pub(super) fn check_objects(conn: &Connection, path: &Path, version: usize) -> Result<()> {
    let sqlite = |error| Error::sqlite("read", path)(error);
    let found = objects(conn).map_err(sqlite)?;
    let expected = made_by(&MIGRATIONS[..version]).map_err(sqlite)?;
    let both = found.iter().chain(&expected);
    let different = both.filter(|object| !(found.contains(object) && expected.contains(object)));
    let Some(Object { kind, name, .. }) = different.min() else { return Ok(()) };
    let name = autogan_files::quote(name);
    let what = format!("the {kind} {name} is missing, or not as autogan makes it");
    Err(Error::damaged(path, what, "restore it from a copy"))
}

/// A table, an index, a view or a trigger.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: String,
    name: String,
    /// How it is made, with one space between words: how this file is indented does not count.
    sql: String,
}

/// What the scripts make in an empty database.
fn made_by(scripts: &[&str]) -> rusqlite::Result<Vec<Object>> {
    let conn = Connection::open_in_memory()?;
    scripts.iter().try_for_each(|script| conn.execute_batch(script))?;
    objects(&conn)
}

/// The objects of a database, as far as they are needed: one more than ours is one too many. SQLite itself makes the
/// tables of `ANALYZE`.
fn objects(conn: &Connection) -> rusqlite::Result<Vec<Object>> {
    let mut statement = conn.prepare(
        "SELECT type, name, ifnull(sql, '') FROM sqlite_schema
         WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4')) LIMIT 100",
    )?;
    let object = |row: &rusqlite::Row| {
        let sql: String = row.get(2)?;
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Object { kind: row.get(0)?, name: row.get(1)?, sql })
    };
    statement.query_map([], object)?.collect()
}

/// Brings the file to the newest version, in one transaction.
pub(super) fn migrate(conn: &mut Connection, path: &Path, scripts: &[&str]) -> Result<()> {
    let sqlite = |error| Error::sqlite("prepare the tables of", path)(error);
    let from = version(conn, path, scripts.len())?;
    if from == scripts.len() {
        return Ok(());
    }
    let transaction =
        conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    for script in &scripts[from..] {
        transaction.execute_batch(script).map_err(sqlite)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", scripts.len() as i64).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x INTEGER) STRICT;";
    const SECOND: &str = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;";

    fn memory() -> (Connection, &'static Path) {
        (Connection::open_in_memory().unwrap(), Path::new("memory"))
    }

    #[test]
    fn older_files_are_brought_up_and_rows_survive() {
        let (mut conn, path) = memory();
        migrate(&mut conn, path, &[FIRST]).unwrap();
        conn.execute("INSERT INTO a (x) VALUES (1)", []).unwrap();
        migrate(&mut conn, path, &[FIRST, SECOND]).unwrap();
        migrate(&mut conn, path, &[FIRST, SECOND]).unwrap();
        assert_eq!(version(&conn, path, 2).unwrap(), 2);
        let row: (i64, i64) =
            conn.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(row, (1, 7));
        let newer = version(&conn, path, 1).unwrap_err().to_string();
        assert!(newer.contains("from 1 to 1, found 2"), "{newer}");
    }

    #[test]
    fn a_failing_script_changes_nothing() {
        let (mut conn, path) = memory();
        assert!(migrate(&mut conn, path, &[FIRST, "nonsense"]).is_err());
        assert_eq!(version(&conn, path, 2).unwrap(), 0);
        migrate(&mut conn, path, &[FIRST]).unwrap();
    }

    #[test]
    fn another_programs_database_is_refused() {
        let (mut conn, path) = memory();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(migrate(&mut conn, path, &[FIRST]).is_err());
    }

    #[test]
    fn the_schema_has_each_table_with_its_companion() {
        let (mut conn, path) = memory();
        migrate(&mut conn, path, MIGRATIONS).unwrap();
        for table in TABLES {
            for name in [table.to_owned(), format!("{table}_crc")] {
                let rows: i64 = conn
                    .query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))
                    .unwrap();
                assert_eq!(rows, 0);
            }
        }
    }
}
