//! How a row type meets its table: columns, values, checksum.

use rusqlite::types::Value;
use serde::Serialize;

use crate::crc32c::Crc32c;
use crate::error::{Error, Result};

/// A row with its number in its table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stored<R> {
    /// Number of the row, from 1.
    pub id: i64,
    /// The row.
    #[serde(flatten)]
    pub row: R,
}

/// A type whose values are the rows of one table.
pub trait Row: Sized {
    /// Name of the table.
    const TABLE: &'static str;
    /// Columns after `id`, in the order of [`Row::values`]; the first is `tick`.
    const COLUMNS: &'static [&'static str];
    /// Whether ticks never fall from row to row, and resuming removes rows.
    const ROLLED_BACK: bool = true;

    /// The search's global tick at which the row was made.
    fn tick(&self) -> u64;

    /// A value per column.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a count beyond SQLite's integers (63 bits).
    fn values(&self) -> Result<Vec<Value>>;

    /// The row of these values; the error says which column holds what instead of what.
    ///
    /// # Errors
    /// A text with expected and found.
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, String>;
}

/// The values of a row that was read, taken column by column.
pub struct Fields<'a> {
    columns: &'static [&'static str],
    values: &'a [Value],
    next: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(columns: &'static [&'static str], values: &'a [Value]) -> Self {
        Fields { columns, values, next: 0 }
    }

    fn take(&mut self) -> (&'static str, &'a Value) {
        let at = self.next;
        self.next += 1;
        let column = self.columns.get(at).copied().unwrap_or("beyond the last");
        (column, self.values.get(at).unwrap_or(&Value::Null))
    }

    /// The next column as a count.
    pub(crate) fn count<T: TryFrom<i64>>(&mut self) -> Result<T, String> {
        let (column, value) = self.take();
        match value {
            Value::Integer(number) => T::try_from(*number)
                .map_err(|_| format!("column {column}: {number} is out of range")),
            other => Err(unexpected(column, "an integer", other)),
        }
    }

    /// The next column as a text.
    pub(crate) fn text(&mut self) -> Result<String, String> {
        let (column, value) = self.take();
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(unexpected(column, "text", other)),
        }
    }

    /// The next column as a number, `None` if NULL.
    pub(crate) fn optional(&mut self) -> Result<Option<f64>, String> {
        let (column, value) = self.take();
        match value {
            Value::Real(number) => Ok(Some(*number)),
            Value::Null => Ok(None),
            other => Err(unexpected(column, "a number", other)),
        }
    }

    /// The next column as a number, NaN if NULL.
    pub(crate) fn real(&mut self) -> Result<f64, String> {
        Ok(self.optional()?.unwrap_or(f64::NAN))
    }
}

fn unexpected(column: &str, expected: &str, found: &Value) -> String {
    format!("column {column}: expected {expected}, found {found:?}")
}

/// A count as SQLite stores it.
pub(crate) fn count(what: &'static str, number: u64) -> Result<Value> {
    i64::try_from(number)
        .map(Value::Integer)
        .map_err(|_| Error::invalid(what, format!("at most {}", i64::MAX), number.to_string()))
}

/// A number as SQLite gives it back: NaN becomes NULL, and the zero has no sign.
pub(crate) fn real(number: f64) -> Value {
    if number.is_nan() { Value::Null } else { Value::Real(number + 0.0) }
}

/// The row's checksum: over table, id and each value with its type.
pub(crate) fn checksum(table: &str, id: i64, values: &[Value]) -> i64 {
    let mut crc = Crc32c::new();
    crc.update(table.as_bytes());
    crc.update(&id.to_le_bytes());
    for value in values {
        match value {
            Value::Null => crc.update(&[0]),
            Value::Integer(number) => {
                crc.update(&[1]);
                crc.update(&number.to_le_bytes());
            }
            Value::Real(number) => {
                crc.update(&[2]);
                crc.update(&number.to_bits().to_le_bytes());
            }
            Value::Text(text) => {
                crc.update(&[3]);
                crc.update(&(text.len() as u64).to_le_bytes());
                crc.update(text.as_bytes());
            }
            Value::Blob(bytes) => {
                crc.update(&[4]);
                crc.update(&(bytes.len() as u64).to_le_bytes());
                crc.update(bytes);
            }
        }
    }
    i64::from(crc.finish())
}
