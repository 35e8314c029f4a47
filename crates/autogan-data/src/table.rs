//! This module reads tables of encoded pictures: the parquet files that the hub's datasets consist of.
//!
//! A row holds a struct with the picture's file in `bytes` (column `img` or `image`) and,
//! where there are labels, an integer (`label`). Reading needs the feature `hub`.

use std::path::PathBuf;

use crate::error::{DataError, Result};
use crate::picture::{decode, fit_all};

/// The advice for a table whose rows are not those that were expected.
const FOREIGN: &str = "the table is not of this dataset";

/// Some rows of a table.
pub(crate) struct Rows {
    path: PathBuf,
    /// Number of the first of these rows in the file.
    first: usize,
    pictures: Vec<Vec<u8>>,
    labels: Vec<Option<i64>>,
}

impl Rows {
    /// Decodes the pictures, each of which must be `native` by `native` pixels, and resizes them
    /// to `side`; `[rows, 3, side, side]`, u8.
    pub(crate) fn decode(&self, native: usize, side: usize) -> Result<Vec<u8>> {
        fit_all(&self.pictures, side, |row, bytes| {
            let source = self.source(row);
            let picture = decode(bytes, &source, false)?;
            if (picture.width, picture.height) != (native, native) {
                let expected = format!("a picture of {native}x{native}");
                let found = format!("{}x{}", picture.width, picture.height);
                return Err(DataError::content(&source, expected, found, FOREIGN));
            }
            Ok(picture)
        })
    }

    /// The labels, each of which must be there and below `classes`.
    pub(crate) fn labels(&self, classes: usize) -> Result<Vec<u8>> {
        let pick = |(row, label): (usize, &Option<i64>)| {
            let fits = label.and_then(|label| u8::try_from(label).ok());
            fits.filter(|&label| usize::from(label) < classes).ok_or_else(|| {
                let expected = format!("a label from 0 to {}", classes.saturating_sub(1));
                let found = label.map_or("none".into(), |label| label.to_string());
                DataError::content(&self.source(row), expected, found, FOREIGN)
            })
        };
        self.labels.iter().enumerate().map(pick).collect()
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.pictures.len()
    }

    fn source(&self, row: usize) -> PathBuf {
        PathBuf::from(format!("{} row {}", self.path.display(), self.first + row))
    }
}

#[cfg(feature = "hub")]
pub(crate) use parquet_rows::for_each_chunk;

/// The error that parquet files need the feature `hub`.
#[cfg(not(feature = "hub"))]
pub(crate) fn for_each_chunk(
    path: &std::path::Path,
    _take: &mut dyn FnMut(&Rows) -> Result<bool>,
) -> Result<()> {
    let help = "build with the feature `hub` of autogan-data";
    Err(DataError::content(path, "a format that this build reads", "a parquet file", help))
}

#[cfg(feature = "hub")]
mod parquet_rows {
    //! Rows of a parquet file by the `parquet` crate, without arrow.

    use std::fs::File;
    use std::path::Path;
    use std::sync::Arc;

    use parquet::errors::ParquetError;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, Row};
    use parquet::schema::types::Type;

    use super::Rows;
    use crate::error::{DataError, Result};

    /// Rows decoded at a time, so that a large table is never in memory as a whole.
    const CHUNK: usize = 1024;

    /// Names under which the hub's datasets keep pictures.
    const PICTURE_COLUMNS: [&str; 2] = ["img", "image"];

    /// Reads the table's rows in order, some at a time, while `take` answers true.
    pub(crate) fn for_each_chunk(
        path: &Path,
        take: &mut dyn FnMut(&Rows) -> Result<bool>,
    ) -> Result<()> {
        let file = File::open(path).map_err(autogan_files::Error::io("open", path))?;
        let len = file.metadata().map_or(0, |metadata| metadata.len());
        let reader =
            SerializedFileReader::new(file).map_err(|error| footer_error(path, len, &error))?;
        let schema = projection(path, len, reader.metadata().file_metadata().schema())?;
        let mut rows = empty(path, 0);
        for index in 0..reader.num_row_groups() {
            let start = reader.metadata().row_group(index).file_offset().unwrap_or(0);
            let failed = |error: ParquetError| row_error(path, start.max(0) as u64, &error);
            let group = reader.get_row_group(index).map_err(failed)?;
            for row in group.get_row_iter(Some(schema.clone())).map_err(failed)? {
                push(&mut rows, &row.map_err(failed)?)?;
                if rows.len() == CHUNK {
                    if !take(&rows)? {
                        return Ok(());
                    }
                    rows = empty(path, rows.first + rows.len());
                }
            }
        }
        if rows.len() > 0 {
            take(&rows)?;
        }
        Ok(())
    }

    fn empty(path: &Path, first: usize) -> Rows {
        Rows { path: path.to_path_buf(), first, pictures: Vec::new(), labels: Vec::new() }
    }

    /// The part of the schema that is read: the picture, and the label if there is one.
    fn projection(path: &Path, len: u64, schema: &Type) -> Result<Type> {
        let fields = schema.get_fields();
        let is_picture = |field: &&Arc<Type>| {
            PICTURE_COLUMNS.contains(&field.name())
                && field.is_group()
                && field.get_fields().iter().any(|part| part.name() == "bytes")
        };
        let picture = fields.iter().find(is_picture).ok_or_else(|| {
            let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
            DataError::format(
                path,
                len.saturating_sub(8),
                "a table with pictures: a column img or image of {bytes, path}",
                format!("the columns {}", names.join(", ")),
                "give a table of CIFAR-10 or STL-10 as the hub has them",
            )
        })?;
        let label = fields.iter().find(|field| field.name() == "label");
        let kept = std::iter::once(picture).chain(label).cloned().collect();
        Type::group_type_builder(schema.name())
            .with_fields(kept)
            .build()
            .map_err(|error| footer_error(path, len, &error))
    }

    fn push(rows: &mut Rows, row: &Row) -> Result<()> {
        let (mut picture, mut label) = (None, None);
        for (_, field) in row.get_column_iter() {
            match field {
                Field::Group(parts) => {
                    picture = parts.get_column_iter().find_map(|(name, part)| match part {
                        Field::Bytes(bytes) if name == "bytes" => Some(bytes.data().to_vec()),
                        _ => None,
                    });
                }
                Field::Long(value) => label = Some(*value),
                Field::Int(value) => label = Some(i64::from(*value)),
                _ => {}
            }
        }
        let picture = picture.ok_or_else(|| {
            let help = "the table refers to files that it does not hold; give one that does";
            let source = rows.source(rows.len());
            DataError::content(&source, "the bytes of a picture", "none", help)
        })?;
        rows.pictures.push(picture);
        rows.labels.push(label);
        Ok(())
    }

    /// What is wrong with the end of the file, where a parquet file keeps its table of contents.
    fn footer_error(path: &Path, len: u64, error: &ParquetError) -> DataError {
        DataError::format(
            path,
            len.saturating_sub(8),
            "the footer of a parquet file: a length and PAR1 as the last 8 bytes",
            format!("{len} bytes that do not end so ({error})"),
            "the file is cut off or no parquet file; fetch it again",
        )
    }

    fn row_error(path: &Path, offset: u64, error: &ParquetError) -> DataError {
        DataError::format(
            path,
            offset,
            "readable rows, uncompressed or with snappy, from here on",
            error.to_string(),
            "the file is damaged or compressed in another way; fetch it again",
        )
    }
}
