//! [`Row`] connects a row type with its table: columns, values, checksum.

use autogan_space::Arch;
use rusqlite::types::Value;
use serde::Serialize;

use crate::CRC;
use crate::error::{Error, Result};

/// A row with its number in its table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record<R> {
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
    /// How many of the columns, the last ones, came later than the table. Where they are NULL they do not count in the
    /// checksum: the rows from before them keep theirs.
    const ADDED: usize = 0;
    /// Whether ticks never fall from row to row, and resuming removes rows.
    const ROLLED_BACK: bool = true;
    /// The most rows of the table that are held in memory; a store with more is not one of ours.
    const MOST: usize = 250_000;

    /// What each column holds.
    fn kinds() -> Vec<Kind>;

    /// The search's global tick at which the row was made.
    fn tick(&self) -> u64;

    /// A value per column.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a count beyond SQLite's integers (63 bits).
    fn values(&self) -> Result<Vec<Value>>;

    /// Bytes of text in the row.
    fn text(&self) -> usize;

    /// The row of these values; the error says which column holds what instead of what.
    ///
    /// # Errors
    /// A text with expected and found.
    fn from_values(values: &[Value]) -> Result<Self, String>;
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A count.
    Integer,
    /// A number, or NULL.
    Real,
    /// A text.
    Text,
}

/// A type that a column can hold.
pub(super) trait Field: Sized {
    /// How SQLite keeps it.
    const KIND: Kind;

    /// Bytes of text in it.
    fn text(&self) -> usize {
        0
    }

    /// The value to be stored.
    fn value(&self, column: &'static str) -> Result<Value>;

    /// From a stored value; `Err` says what was expected instead.
    fn read(value: &Value) -> Result<Self, String>;
}

/// Implements [`Row`] for a struct whose fields are the columns, in their order.
macro_rules! row {
    ($row:ident in $table:literal: $($column:ident)+ $(; $($more:item)*)?) => {
        impl Row for $row {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($column)),+];
            $($($more)*)?

            fn kinds() -> Vec<Kind> {
                vec![$(kind_of(|row: &Self| &row.$column)),+]
            }

            fn tick(&self) -> u64 {
                self.tick
            }

            fn values(&self) -> Result<Vec<Value>> {
                Ok(vec![$(self.$column.value(stringify!($column))?),+])
            }

            fn text(&self) -> usize {
                0 $(+ self.$column.text())+
            }

            fn from_values(values: &[Value]) -> Result<Self, String> {
                let mut values = Self::COLUMNS.iter().copied().zip(values);
                Ok(Self { $($column: next(&mut values)?),+ })
            }
        }
    };
}
pub(super) use row;

/// What the column of a field holds.
pub(super) fn kind_of<R, F: Field>(_: fn(&R) -> &F) -> Kind {
    F::KIND
}

/// The field of the next column.
pub(super) fn next<'a, F: Field>(
    values: &mut impl Iterator<Item = (&'static str, &'a Value)>,
) -> Result<F, String> {
    let (column, value) = values.next().ok_or("a column is missing")?;
    F::read(value).map_err(|what| format!("column {column}: {what}"))
}

fn unexpected(expected: &str, found: &Value) -> String {
    format!("expected {expected}, found {found:?}")
}

impl Field for u64 {
    const KIND: Kind = Kind::Integer;

    fn value(&self, column: &'static str) -> Result<Value> {
        i64::try_from(*self)
            .map(Value::Integer)
            .map_err(|_| Error::invalid(column, format!("at most {}", i64::MAX), self.to_string()))
    }

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Integer(number) => {
                u64::try_from(*number).map_err(|_| format!("{number} is out of range"))
            }
            other => Err(unexpected("an integer", other)),
        }
    }
}

impl Field for u32 {
    const KIND: Kind = Kind::Integer;

    fn value(&self, _: &'static str) -> Result<Value> {
        Ok(Value::Integer((*self).into()))
    }

    fn read(value: &Value) -> Result<Self, String> {
        let number = u64::read(value)?;
        u32::try_from(number).map_err(|_| format!("{number} is out of range"))
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;

    fn text(&self) -> usize {
        self.len()
    }

    fn value(&self, _: &'static str) -> Result<Value> {
        Ok(Value::Text(self.clone()))
    }

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(unexpected("text", other)),
        }
    }
}

/// As its released vector.
impl Field for Arch {
    const KIND: Kind = Kind::Text;

    fn value(&self, _: &'static str) -> Result<Value> {
        Ok(Value::Text(self.to_string()))
    }

    fn read(value: &Value) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map_err(|error| format!("{text:?} is no architecture: {error}"))
    }
}

/// None is NULL.
impl Field for Option<f64> {
    const KIND: Kind = Kind::Real;

    fn value(&self, _: &'static str) -> Result<Value> {
        // As SQLite gives it back: NaN becomes NULL, and the zero has no sign.
        Ok(self.filter(|number| !number.is_nan()).map_or(Value::Null, |n| Value::Real(n + 0.0)))
    }

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Real(number) => Ok(Some(*number)),
            Value::Null => Ok(None),
            other => Err(unexpected("a number", other)),
        }
    }
}

/// NaN is NULL.
impl Field for f64 {
    const KIND: Kind = Kind::Real;

    fn value(&self, column: &'static str) -> Result<Value> {
        Some(*self).value(column)
    }

    fn read(value: &Value) -> Result<Self, String> {
        Ok(Option::read(value)?.unwrap_or(f64::NAN))
    }
}

/// A row's checksum: over table, id and each value with its type, but for added columns that are NULL.
pub(crate) fn checksum<R: Row>(id: i64, values: &[Value]) -> i64 {
    let mut crc = CRC.digest();
    crc.update(R::TABLE.as_bytes());
    crc.update(&id.to_le_bytes());
    let first = R::COLUMNS.len() - R::ADDED;
    for (at, value) in values.iter().enumerate() {
        match value {
            Value::Null if at >= first => {}
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
    i64::from(crc.finalize())
}
