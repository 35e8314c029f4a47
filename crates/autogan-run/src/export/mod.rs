//! [`write_trials`] writes trials as an aligned table, as CSV (quoted as in RFC 4180, lines end in `\n`), as JSON, and
//! in builds with the feature `parquet` as parquet.

#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::io::{self, Write};

use rusqlite::types::Value;

use crate::names::names;
use crate::store::{Record, Row, Trial};

pub use table::{Align, aligned};

/// How trials are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns, rounded numbers, for people; without tick, baseline and named form.
    Table,
    /// Comma-separated, all digits.
    Csv,
    /// An array of objects, all digits; a missing number is `null`.
    Json,
    /// A parquet file: all digits, a missing number is null.
    Parquet,
}

names!(Format, "format", 4: Table = "table", Csv = "csv", Json = "json", Parquet = "parquet");

/// Writes `trials` to `out` in `format`.
///
/// # Errors
/// The writer's error; `Unsupported` for parquet in a build without the feature.
pub fn write_trials(
    out: &mut dyn Write,
    trials: &[Record<Trial>],
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Table => out.write_all(table(trials).as_bytes()),
        #[cfg(feature = "parquet")]
        Format::Parquet => parquet::write(out, trials),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this build writes no parquet; build it with the feature `parquet`, or take csv or json",
        )),
        Format::Csv => {
            writeln!(out, "id,{}", Trial::COLUMNS.join(","))?;
            trials.iter().try_for_each(|trial| {
                let values = trial.row.values().map_err(io::Error::other)?;
                let cells: Vec<String> = values.into_iter().map(cell).collect();
                writeln!(out, "{},{}", trial.id, cells.join(","))
            })
        }
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, trials)?;
            writeln!(out)
        }
    }
}

/// The columns of the table: name, alignment, cell of a trial.
type Column = (&'static str, Align, fn(&Record<Trial>) -> String);

/// What a person looks for, the architecture last because it is the longest.
const COLUMNS: [Column; 14] = [
    ("id", Align::Right, |trial| trial.id.to_string()),
    ("kind", Align::Left, |trial| trial.row.kind.to_string()),
    ("stage", Align::Right, |trial| trial.row.stage.to_string()),
    ("iteration", Align::Right, |trial| trial.row.iteration.to_string()),
    ("step", Align::Right, |trial| trial.row.step.to_string()),
    ("score", Align::Right, |trial| number(Some(trial.row.score))),
    ("spread", Align::Right, |trial| number(Some(trial.row.spread))),
    ("reward", Align::Right, |trial| number(trial.row.reward)),
    ("entropy", Align::Right, |trial| number(trial.row.entropy)),
    ("advantage", Align::Right, |trial| number(trial.row.advantage)),
    ("params", Align::Right, |trial| millions(trial.row.params)),
    ("MACs", Align::Right, |trial| millions(trial.row.macs)),
    ("seconds", Align::Right, |trial| number(Some(trial.row.seconds))),
    ("arch", Align::Left, |trial| trial.row.arch.to_string()),
];

fn number(value: Option<f64>) -> String {
    value.filter(|value| !value.is_nan()).map_or_else(String::new, |value| format!("{value:.4}"))
}

fn millions(count: u64) -> String {
    format!("{:.2}M", count as f64 / 1e6)
}

fn table(trials: &[Record<Trial>]) -> String {
    let mut rows = vec![COLUMNS.map(|(name, ..)| name.to_owned()).to_vec()];
    rows.extend(trials.iter().map(|trial| COLUMNS.map(|(.., cell)| cell(trial)).to_vec()));
    aligned(&rows, &COLUMNS.map(|(_, align, _)| align))
}

/// A value in a line of CSV: all digits, so that reading it back gives the same number; nothing for a missing one.
fn cell(value: Value) -> String {
    match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => quoted(&text),
        // No row holds a blob.
        Value::Null | Value::Blob(_) => String::new(),
    }
}

/// A cell of a line of CSV, in quotes where it needs them.
pub fn quoted(text: &str) -> String {
    match text.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TrialKind;
    use autogan_space::Arch;

    fn trials() -> Vec<Record<Trial>> {
        let trial = Trial {
            tick: 12,
            kind: TrialKind::Controller,
            stage: 1,
            iteration: 2,
            step: 3,
            arch: Arch::AUTOGAN_A.prefix(2),
            named: "pre-none, \"odd\"".into(),
            score: 4.0625,
            spread: 0.1,
            entropy: Some(3.5),
            advantage: Some(-0.25),
            baseline: None,
            params: 1000,
            macs: 2_000_000,
            seconds: 60.5,
            reward: Some(3.5),
        };
        let random = Trial {
            kind: TrialKind::Random,
            score: f64::NAN,
            reward: None,
            named: "x".into(),
            ..trial.clone()
        };
        vec![Record { id: 1, row: trial }, Record { id: 2, row: random }]
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        write_trials(&mut out, &trials(), format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_keeps_digits_and_quotes() {
        assert_eq!(
            written(Format::Csv),
            "id,tick,kind,stage,iteration,step,arch,named,score,spread,entropy,advantage,baseline,params,macs,seconds,reward\n\
             1,12,controller,1,2,3,1 0 1 1 1 0 0 1 1,\"pre-none, \"\"odd\"\"\",4.0625,0.1,3.5,-0.25,,1000,2000000,60.5,3.5\n\
             2,12,random,1,2,3,1 0 1 1 1 0 0 1 1,x,,0.1,3.5,-0.25,,1000,2000000,60.5,\n"
        );
    }

    #[test]
    fn json_is_flat_and_has_null_for_missing() {
        let value: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(value[0]["id"], 1);
        assert_eq!((&value[0]["score"], &value[0]["reward"]), (&4.0625.into(), &3.5.into()));
        assert_eq!(value[0]["arch"], "1 0 1 1 1 0 0 1 1");
        assert_eq!(value[0]["kind"], "controller");
        assert!(value[1]["score"].is_null() && value[1]["baseline"].is_null());
        assert!(value[1]["reward"].is_null());
        let keys: Vec<_> = value[0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.len(), 1 + Trial::COLUMNS.len());
        assert!(Trial::COLUMNS.iter().all(|column| keys.iter().any(|key| key == column)));
    }

    #[test]
    fn table_is_aligned() {
        let text = written(Format::Table);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let at = lines[0].find("arch").unwrap();
        assert!(lines[1..].iter().all(|line| line[at..] == *"1 0 1 1 1 0 0 1 1"), "{text}");
        assert!(lines[1].contains("4.0625") && !lines[2].contains("NaN"));
        assert!(lines[1].contains(" 2.00M"), "{text}");
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn parquet_comes_back_with_its_nulls() {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};
        use ::parquet::record::Field;

        let written = |trials: &[Record<Trial>]| {
            let mut out = tempfile::tempfile().unwrap();
            write_trials(&mut out, trials, Format::Parquet).unwrap();
            SerializedFileReader::new(out).unwrap()
        };
        let file = written(&trials());
        let rows: Vec<Vec<(String, Field)>> =
            file.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns()).collect();
        assert_eq!(rows.len(), 2);
        let names: Vec<&str> = rows[0].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [&["id"], Trial::COLUMNS].concat());
        let column = |row: usize, name: &str| {
            rows[row].iter().find(|(column, _)| column == name).unwrap().1.clone()
        };
        assert_eq!(column(0, "score"), Field::Double(4.0625));
        assert_eq!(column(1, "score"), Field::Null);
        assert_eq!(column(0, "reward"), Field::Double(3.5));
        assert_eq!(column(1, "reward"), Field::Null);
        assert_eq!(column(0, "arch"), Field::Str("1 0 1 1 1 0 0 1 1".into()));
        assert_eq!(column(0, "baseline"), Field::Null);
        assert_eq!(column(0, "macs"), Field::Long(2_000_000));
        assert_eq!(column(0, "named"), Field::Str("pre-none, \"odd\"".into()));
        assert_eq!(column(1, "kind"), Field::Str("random".into()));
        assert_eq!(written(&[]).metadata().file_metadata().num_rows(), 0);
    }

    #[test]
    fn names_of_formats() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
        }
        let error = "xml".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("table, csv, json, parquet"), "{error}");
    }
}
