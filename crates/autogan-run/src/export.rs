//! Trials as text: an aligned table, CSV (quoted as in RFC 4180, lines end in `\n`), JSON.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::store::{Stored, Trial};

/// How trials are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns, rounded numbers, for people.
    Table,
    /// Comma-separated, all digits.
    Csv,
    /// An array of objects, all digits; a missing number is `null`.
    Json,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 3] = [Format::Table, Format::Csv, Format::Json];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Format::ALL.map(Format::name).join(", ");
            Error::invalid("format", format!("one of {names}"), format!("{text:?}"))
        })
    }
}

/// Column names, in the order of [`cells`].
const COLUMNS: [&str; 16] = [
    "id",
    "tick",
    "kind",
    "stage",
    "iteration",
    "step",
    "arch",
    "named",
    "reward",
    "spread",
    "entropy",
    "advantage",
    "baseline",
    "params",
    "macs",
    "seconds",
];

/// Writes `trials` to `out` in `format`.
///
/// # Errors
/// The writer's error.
pub fn write_trials(
    out: &mut dyn Write,
    trials: &[Stored<Trial>],
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Table => table(out, trials),
        Format::Csv => {
            let header = COLUMNS.map(str::to_owned);
            let rows = trials.iter().map(|trial| cells(trial, number));
            std::iter::once(header).chain(rows).try_for_each(|row| {
                let row: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
                writeln!(out, "{}", row.join(","))
            })
        }
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, trials)?;
            writeln!(out)
        }
    }
}

fn table(out: &mut dyn Write, trials: &[Stored<Trial>]) -> io::Result<()> {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(trials.iter().map(|trial| cells(trial, rounded)));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    for row in &rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(COLUMNS)
            .map(|((cell, &width), column)| match column {
                "kind" | "arch" | "named" => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

fn cells(trial: &Stored<Trial>, number: fn(f64) -> String) -> [String; 16] {
    let row = &trial.row;
    let optional = |value: Option<f64>| value.map_or_else(String::new, number);
    [
        trial.id.to_string(),
        row.tick.to_string(),
        row.kind.to_string(),
        row.stage.to_string(),
        row.iteration.to_string(),
        row.step.to_string(),
        row.arch.clone(),
        row.named.clone(),
        number(row.reward),
        number(row.spread),
        optional(row.entropy),
        optional(row.advantage),
        optional(row.baseline),
        row.params.to_string(),
        row.macs.to_string(),
        number(row.seconds),
    ]
}

/// All digits, so that reading it back gives the same number; nothing for NaN.
fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

fn rounded(value: f64) -> String {
    if value.is_nan() { String::new() } else { format!("{value:.4}") }
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TrialKind;

    fn trials() -> Vec<Stored<Trial>> {
        let trial = Trial {
            tick: 12,
            kind: TrialKind::Controller,
            stage: 1,
            iteration: 2,
            step: 3,
            arch: "1 0 1 1 1 0 0 1 1".into(),
            named: "pre-none, \"odd\"".into(),
            reward: 4.0625,
            spread: 0.1,
            entropy: Some(3.5),
            advantage: Some(-0.25),
            baseline: None,
            params: 1000,
            macs: 2_000_000,
            seconds: 60.5,
        };
        let random =
            Trial { kind: TrialKind::Random, reward: f64::NAN, named: "x".into(), ..trial.clone() };
        vec![Stored { id: 1, row: trial }, Stored { id: 2, row: random }]
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
            "id,tick,kind,stage,iteration,step,arch,named,reward,spread,entropy,advantage,baseline,params,macs,seconds\n\
             1,12,controller,1,2,3,1 0 1 1 1 0 0 1 1,\"pre-none, \"\"odd\"\"\",4.0625,0.1,3.5,-0.25,,1000,2000000,60.5\n\
             2,12,random,1,2,3,1 0 1 1 1 0 0 1 1,x,,0.1,3.5,-0.25,,1000,2000000,60.5\n"
        );
    }

    #[test]
    fn json_is_flat_and_has_null_for_missing() {
        let value: serde_json::Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(value[0]["id"], 1);
        assert_eq!(value[0]["reward"], 4.0625);
        assert_eq!(value[0]["kind"], "controller");
        assert!(value[1]["reward"].is_null() && value[1]["baseline"].is_null());
        let keys: Vec<_> = value[0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.len(), COLUMNS.len());
        assert!(COLUMNS.iter().all(|column| keys.iter().any(|key| key == column)));
    }

    #[test]
    fn table_is_aligned() {
        let text = written(Format::Table);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let at = lines[0].find("arch").unwrap();
        assert!(lines[1..].iter().all(|line| line[at..].starts_with("1 0 1 1")));
        assert!(lines[1].contains("4.0625") && !lines[2].contains("NaN"));
    }

    #[test]
    fn names_of_formats() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), format);
        }
        let error = "xml".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("table, csv, json"), "{error}");
    }
}
