//! The table as a parquet file: one row group, a column for each value; a score of a training that diverged is null.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use autogan_files::atomic;
use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;

use crate::error::{Result, TableError};
use crate::origin::Origin;
use crate::row::{Row, Scores};

/// The types of [`COLUMNS`](crate::COLUMNS).
const SCHEMA: &str = "message table {
    REQUIRED BYTE_ARRAY arch (STRING);
    REQUIRED INT32 cells;
    REQUIRED INT64 seed;
    REQUIRED INT64 iterations;
    OPTIONAL DOUBLE is;
    OPTIONAL DOUBLE frechet;
    REQUIRED INT64 params;
    REQUIRED INT64 macs;
    REQUIRED DOUBLE seconds;
    REQUIRED BOOLEAN diverged;
}";

/// The name under which the file's metadata hold the [`Origin`].
const ORIGIN: &str = "origin";

/// Writes the file as a whole.
pub(crate) fn write(path: &Path, rows: &[Row], origin: Option<&Origin>) -> Result<()> {
    let bytes = encode(rows, origin).map_err(|error| damaged(path, &error))?;
    Ok(atomic::write(path, &bytes)?)
}

fn encode(rows: &[Row], origin: Option<&Origin>) -> std::result::Result<Vec<u8>, ParquetError> {
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let metadata = origin.map(|origin| vec![KeyValue::new(ORIGIN.to_owned(), origin.to_json())]);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let properties = properties.set_key_value_metadata(metadata).build();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let known: Vec<i16> = rows.iter().map(|row| row.scores.is_some().into()).collect();
    let scores = |of: fn(Scores) -> f64| -> Vec<f64> {
        rows.iter().filter_map(|row| row.scores.map(of)).collect()
    };
    let arch = |row: &Row| ByteArray::from(row.arch.to_string().as_str());
    put::<ByteArrayType>(&mut group, &column(rows, arch), None)?;
    put::<Int32Type>(&mut group, &column(rows, |row| row.arch.cells().len() as i32), None)?;
    put::<Int64Type>(&mut group, &column(rows, |row| row.seed as i64), None)?;
    put::<Int64Type>(&mut group, &column(rows, |row| row.iterations as i64), None)?;
    put::<DoubleType>(&mut group, &scores(|scores| scores.is), Some(&known))?;
    put::<DoubleType>(&mut group, &scores(|scores| scores.frechet), Some(&known))?;
    put::<Int64Type>(&mut group, &column(rows, |row| row.params as i64), None)?;
    put::<Int64Type>(&mut group, &column(rows, |row| row.macs as i64), None)?;
    put::<DoubleType>(&mut group, &column(rows, |row| row.seconds), None)?;
    put::<BoolType>(&mut group, &column(rows, |row| row.scores.is_none()), None)?;
    group.close()?;
    file.close()?;
    Ok(bytes)
}

fn column<T>(rows: &[Row], of: impl Fn(&Row) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Writes the next column; `known` is 1 for each row that has a value, where some have none.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl std::io::Write + Send>,
    values: &[T::T],
    known: Option<&[i16]>,
) -> std::result::Result<(), ParquetError> {
    let none = || ParquetError::General("the schema has fewer columns".into());
    let mut column = group.next_column()?.ok_or_else(none)?;
    column.typed::<T>().write_batch(values, known, None)?;
    column.close()
}

/// The rows of a file, and what its trainings were made on.
pub(crate) fn read(path: &Path) -> Result<(Vec<Row>, Option<Origin>)> {
    let open = |source| TableError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let wrong = |error: ParquetError| damaged(path, &error);
    let reader = SerializedFileReader::new(file).map_err(wrong)?;
    let wanted = Some(parse_message_type(SCHEMA).map_err(wrong)?);
    let mut rows = Vec::new();
    for row in reader.get_row_iter(wanted).map_err(wrong)? {
        rows.push(decode(&row.map_err(wrong)?).map_err(wrong)?);
    }
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let origin = metadata.into_iter().flatten().find(|pair| pair.key == ORIGIN);
    let origin = origin.and_then(|pair| pair.value.as_deref()).map(Origin::from_json).transpose();
    let unreadable = |found| TableError::Parquet { path: path.to_owned(), found };
    Ok((rows, origin.map_err(unreadable)?))
}

fn decode(row: &parquet::record::Row) -> std::result::Result<Row, ParquetError> {
    let other = |what: &str, text: String| ParquetError::General(format!("{what}: {text}"));
    let whole = |at: usize, name: &str| {
        let number = row.get_long(at)?;
        u64::try_from(number).map_err(|_| other(name, number.to_string()))
    };
    let scores = match row.get_bool(9)? {
        true => None,
        false => Some(scores(row)?),
    };
    let text = row.get_string(0)?;
    Ok(Row {
        arch: text.parse().map_err(|error| other(text, format!("{error}")))?,
        seed: whole(2, "seed")?,
        iterations: whole(3, "iterations")?,
        scores,
        params: whole(6, "params")?,
        macs: whole(7, "macs")?,
        seconds: Some(row.get_double(8)?)
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
            .ok_or_else(|| other("seconds", "not a number of 0 or more".to_owned()))?,
    })
}

fn scores(row: &parquet::record::Row) -> std::result::Result<Scores, ParquetError> {
    let (is, frechet) = (row.get_double(4)?, row.get_double(5)?);
    if !is.is_finite() || !frechet.is_finite() || frechet <= 0.0 {
        return Err(ParquetError::General(format!("the scores is {is} and frechet {frechet}")));
    }
    Ok(Scores { is, frechet })
}

fn damaged(path: &Path, error: &ParquetError) -> TableError {
    TableError::Parquet { path: path.to_owned(), found: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn rows() -> Vec<Row> {
        let row = |arch: &str, seed, iterations, scores| Row {
            arch: arch.parse().unwrap(),
            seed,
            iterations,
            scores,
            params: 1_000_000,
            macs: 3_000_000_000,
            seconds: 1.0 / 3.0,
        };
        let scores = |is| Some(Scores { is, frechet: 10.0 / is });
        vec![
            row("0 0 0 0", 0, 75, scores(2.5)),
            row("0 0 0 0", 0, 150, None),
            row("0 0 0 0", 1, 75, scores(1.0 / 3.0)),
            row("0 0 0 0 1 0 1 1 1", 4, 300, scores(3.25)),
        ]
    }

    #[test]
    fn a_file_gives_its_rows_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.parquet");
        let mut reversed = rows();
        reversed.reverse();
        let origin = crate::origin::tests::origin();
        Table::new(reversed).with_origin(Some(origin.clone())).write(&path).unwrap();
        let table = Table::open(&path).unwrap();
        assert_eq!(table.origin(), Some(&origin));
        assert_eq!(table.rows(), rows());
        let arch = "0 0 0 0".parse().unwrap();
        assert_eq!(table.seeds(&arch), [0, 1]);
        assert!(table.row(&arch, 0, 150).is_some() && table.scores(&arch, 0, 150).is_none());
        assert_eq!(table.archs(2).count(), 1);
        let first = std::fs::read(&path).unwrap();
        table.write(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn damaged_files_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.parquet");
        assert!(Table::open(&path).unwrap_err().to_string().contains("cannot read"));
        Table::new(rows()).write(&path).unwrap();
        assert_eq!(Table::open(&path).unwrap().origin(), None);
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 4, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let error = Table::open(&path).unwrap_err().to_string();
            assert!(error.contains("table.parquet"), "{error}");
        }
    }
}
