//! [`Hours`] is the file that tells how long each target was fuzzed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::session::Row;

const COLUMNS: &str = "target,hours,inputs";

/// Hours of processor time and inputs, by target.
#[derive(Debug)]
pub(super) struct Hours {
    path: PathBuf,
    rows: BTreeMap<String, (f64, u64)>,
}

impl Hours {
    /// Reads the file; nothing was fuzzed where there is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = match path.exists() {
            true => fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?,
            false => String::new(),
        };
        let row = |line: &str| {
            let mut fields = line.split(',');
            let name = fields.next()?.to_owned();
            Some((name, (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)))
        };
        let rows = text.lines().skip(1).map(|line| {
            row(line)
                .with_context(|| format!("{}: expected {COLUMNS}, found {line}", path.display()))
        });
        Ok(Self { path: path.to_owned(), rows: rows.collect::<Result<_>>()? })
    }

    /// Adds a run.
    pub(super) fn add(&mut self, target: &str, row: &Row) {
        let (hours, inputs) = self.rows.entry(target.to_owned()).or_default();
        *hours += row.seconds / 3600.0;
        *inputs += row.inputs;
    }

    /// Writes the file anew.
    pub(super) fn write(&self) -> Result<()> {
        let mut text = format!("{COLUMNS}\n");
        for (name, (hours, inputs)) in &self.rows {
            text.push_str(&format!("{name},{hours:.4},{inputs}\n"));
        }
        let aside = self.path.with_extension("new");
        fs::write(&aside, text)
            .and_then(|()| fs::rename(&aside, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hours.csv");
        for _ in 0..2 {
            let mut hours = Hours::read(&path).unwrap();
            hours.add("npz", &Row { seconds: 1800.0, inputs: 7, crashes: 0 });
            hours.add("arch", &Row { seconds: 36.0, inputs: 1, crashes: 0 });
            hours.write().unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "target,hours,inputs\narch,0.0200,2\nnpz,1.0000,14\n");
        fs::write(&path, "target,hours,inputs\nx,1\n").unwrap();
        let text = format!("{:#}", Hours::read(&path).unwrap_err());
        assert!(text.contains("found x,1"), "{text}");
    }
}
