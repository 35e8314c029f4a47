//! This module writes trials as a parquet file: one row group, a column for each value, null for a missing one.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use rusqlite::types::Value;

use crate::store::{Kind, Record, Row, Trial};

/// Writes the whole file to `out`.
pub(super) fn write(out: &mut dyn Write, trials: &[Record<Trial>]) -> std::io::Result<()> {
    let bytes = encode(trials).map_err(std::io::Error::other)?;
    out.write_all(&bytes)
}

/// The columns of the CSV file, in its order.
fn schema() -> String {
    let columns = Trial::COLUMNS.iter().zip(Trial::kinds()).map(|(name, kind)| match kind {
        Kind::Integer => format!("REQUIRED INT64 {name}; "),
        Kind::Text => format!("REQUIRED BYTE_ARRAY {name} (STRING); "),
        Kind::Real => format!("OPTIONAL DOUBLE {name}; "),
    });
    format!("message trials {{ REQUIRED INT64 id; {}}}", columns.collect::<String>())
}

fn encode(trials: &[Record<Trial>]) -> Result<Vec<u8>> {
    let external = |error| ParquetError::External(Box::new(error));
    let rows: Vec<Vec<Value>> =
        trials.iter().map(|trial| trial.row.values().map_err(external)).collect::<Result<_>>()?;
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(&schema())?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    put::<Int64Type>(&mut group, &trials.iter().map(|trial| trial.id).collect::<Vec<_>>(), None)?;
    for (at, kind) in Trial::kinds().into_iter().enumerate() {
        let column = || rows.iter().map(|row| &row[at]);
        match kind {
            Kind::Integer => {
                let of =
                    |value: &Value| if let Value::Integer(n) = value { Some(*n) } else { None };
                put::<Int64Type>(&mut group, &column().filter_map(of).collect::<Vec<_>>(), None)?;
            }
            Kind::Text => {
                let of = |value: &Value| match value {
                    Value::Text(text) => Some(ByteArray::from(text.as_str())),
                    _ => None,
                };
                let texts: Vec<_> = column().filter_map(of).collect();
                put::<ByteArrayType>(&mut group, &texts, None)?;
            }
            Kind::Real => {
                let of = |value: &Value| if let Value::Real(x) = value { Some(*x) } else { None };
                let known: Vec<i16> = column().map(|value| of(value).is_some().into()).collect();
                let numbers: Vec<f64> = column().filter_map(of).collect();
                put::<DoubleType>(&mut group, &numbers, Some(&known))?;
            }
        }
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

/// Writes the next column; `known` is 1 for each row that has a value, where some have none.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: &[T::T],
    known: Option<&[i16]>,
) -> Result<()> {
    let none = || ParquetError::General("the schema has fewer columns".into());
    let mut column = group.next_column()?.ok_or_else(none)?;
    column.typed::<T>().write_batch(values, known, None)?;
    column.close()
}
