//! This module verifies a whole store: SQLite's structure, every row's checksum, no row missing.

use super::reader::StoreReader;
use super::row::Row;
use super::rows::{Event, Image, Scalar, Session, Trial};
use crate::error::{Error, Result};

impl StoreReader {
    /// Verifies everything: the file's structure and indexes, each row's checksum, that ids count
    /// 1, 2, … without a gap, and ticks never fall. Reads the whole file.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Sqlite`] with the first thing that is wrong.
    pub fn verify(&self) -> Result<()> {
        self.snapshot(|reader| {
            reader.verify_structure()?;
            reader.verify_table::<Trial>()?;
            reader.verify_table::<Scalar>()?;
            reader.verify_table::<Image>()?;
            reader.verify_table::<Event>()?;
            reader.verify_table::<Session>()
        })
    }

    fn verify_structure(&self) -> Result<()> {
        let first: String = self
            .conn
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(Error::sqlite("verify", &self.path))?;
        if first == "ok" { Ok(()) } else { Err(self.damaged(first.replace('\n', " "))) }
    }

    fn verify_table<R: Row>(&self) -> Result<()> {
        let mut last = (0, 0);
        self.for_each::<R>("ORDER BY t.id", [], |stored| {
            let (id, tick) = (stored.id, stored.row.tick());
            if id != last.0 + 1 || (R::ROLLED_BACK && tick < last.1) {
                return Err(self.damaged(format!(
                    "row {id} (tick {tick}) of {} follows row {} (tick {})",
                    R::TABLE,
                    last.0,
                    last.1
                )));
            }
            last = (id, tick);
            Ok(())
        })?;
        let sums: i64 = self
            .conn
            .query_row(&format!("SELECT count(*) FROM {}_crc", R::TABLE), [], |row| row.get(0))
            .map_err(Error::sqlite("verify", &self.path))?;
        if sums != last.0 {
            return Err(self.damaged(format!(
                "{} rows of {} are there, checksums of {sums}",
                last.0,
                R::TABLE
            )));
        }
        Ok(())
    }
}
