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
        match (first.as_str(), read_failure(&first)) {
            ("ok", _) => Ok(()),
            (_, Some(failure)) => Err(Error::sqlite("verify", &self.path)(failure)),
            (_, None) => Err(self.damaged(first.replace('\n', " "))),
        }
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

/// The error of a page that could not be read, which SQLite reports among the damage: the device failed, the file may be
/// whole.
fn read_failure(found: &str) -> Option<rusqlite::Error> {
    let (_, number) = found.rsplit_once("unable to get the page. error code=")?;
    let error = rusqlite::ffi::Error::new(number.trim().parse().ok()?);
    let words = Some("disk I/O error".to_owned());
    (error.code == rusqlite::ErrorCode::SystemIoFailure)
        .then_some(rusqlite::Error::SqliteFailure(error, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_the_device_does_not_give_is_no_damage() {
        // SQLite's words when reading fails with EIO, and when the page is damaged.
        let failed =
            "*** in database main ***\nTree 9 page 9: unable to get the page. error code=266";
        let failure = read_failure(failed).unwrap();
        assert_eq!(failure.sqlite_extended_error_code(), Some(266));
        for damaged in [
            "*** in database main ***\nTree 9 page 9: btreeInitPage() returns error code 11",
            "*** in database main ***\nTree 9 page 9: unable to get the page. error code=11",
            "row 3 missing from index scalars_tag",
        ] {
            assert!(read_failure(damaged).is_none(), "{damaged}");
        }
    }
}
