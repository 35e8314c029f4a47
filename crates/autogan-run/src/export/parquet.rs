//! Trials as a parquet file: one row group, a column per value; what is missing is null.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::store::{Stored, Trial};

/// The columns, in the order of the CSV file's.
const SCHEMA: &str = "message trials {
    REQUIRED INT64 id;
    REQUIRED INT64 tick;
    REQUIRED BYTE_ARRAY kind (STRING);
    REQUIRED INT64 stage;
    REQUIRED INT64 iteration;
    REQUIRED INT64 step;
    REQUIRED BYTE_ARRAY arch (STRING);
    REQUIRED BYTE_ARRAY named (STRING);
    OPTIONAL DOUBLE reward;
    OPTIONAL DOUBLE spread;
    OPTIONAL DOUBLE entropy;
    OPTIONAL DOUBLE advantage;
    OPTIONAL DOUBLE baseline;
    REQUIRED INT64 params;
    REQUIRED INT64 macs;
    OPTIONAL DOUBLE seconds;
}";

/// Writes the whole file to `out`.
pub(super) fn write(out: &mut dyn Write, trials: &[Stored<Trial>]) -> std::io::Result<()> {
    let bytes = encode(trials).map_err(std::io::Error::other)?;
    out.write_all(&bytes)
}

fn encode(trials: &[Stored<Trial>]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut columns = Columns { group: &mut group, trials };
    columns.whole(|trial| trial.id)?;
    columns.whole(|trial| trial.row.tick.cast_signed())?;
    columns.text(|trial| trial.row.kind.name())?;
    columns.whole(|trial| trial.row.stage.into())?;
    columns.whole(|trial| trial.row.iteration.into())?;
    columns.whole(|trial| trial.row.step.into())?;
    columns.text(|trial| &trial.row.arch)?;
    columns.text(|trial| &trial.row.named)?;
    columns.real(|trial| Some(trial.row.reward))?;
    columns.real(|trial| Some(trial.row.spread))?;
    columns.real(|trial| trial.row.entropy)?;
    columns.real(|trial| trial.row.advantage)?;
    columns.real(|trial| trial.row.baseline)?;
    columns.whole(|trial| trial.row.params.cast_signed())?;
    columns.whole(|trial| trial.row.macs.cast_signed())?;
    columns.real(|trial| Some(trial.row.seconds))?;
    group.close()?;
    file.close()?;
    Ok(bytes)
}

/// Writes one column after the other.
struct Columns<'a, 'b, W: Write + Send> {
    group: &'a mut SerializedRowGroupWriter<'b, W>,
    trials: &'a [Stored<Trial>],
}

impl<W: Write + Send> Columns<'_, '_, W> {
    fn whole(&mut self, value: fn(&Stored<Trial>) -> i64) -> Result<()> {
        let values: Vec<i64> = self.trials.iter().map(value).collect();
        self.put::<Int64Type>(&values, None)
    }

    fn text(&mut self, value: fn(&Stored<Trial>) -> &str) -> Result<()> {
        let values: Vec<ByteArray> = self.trials.iter().map(|trial| value(trial).into()).collect();
        self.put::<ByteArrayType>(&values, None)
    }

    /// NaN is missing, as everywhere in the store.
    fn real(&mut self, value: fn(&Stored<Trial>) -> Option<f64>) -> Result<()> {
        let known = |trial| value(trial).filter(|number| !number.is_nan());
        let levels: Vec<i16> = self.trials.iter().map(|t| known(t).is_some().into()).collect();
        let values: Vec<f64> = self.trials.iter().filter_map(known).collect();
        self.put::<DoubleType>(&values, Some(&levels))
    }

    fn put<T: parquet::data_type::DataType>(
        &mut self,
        values: &[T::T],
        levels: Option<&[i16]>,
    ) -> Result<()> {
        let none = || ParquetError::General("the schema has fewer columns".into());
        let mut column = self.group.next_column()?.ok_or_else(none)?;
        column.typed::<T>().write_batch(values, levels, None)?;
        column.close()
    }
}
