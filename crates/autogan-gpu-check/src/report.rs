//! [`Report`] holds what the check found: a row for each step. It is printed as a table and written as a file.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::redact::Redaction;

/// Version of the file's layout.
const SCHEMA: u32 = 1;

/// How a step ended: with what it measured, or not passed.
pub type Outcome = Result<Map<String, Value>, Obstacle>;

/// Why a step has not passed.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    Failed {
        reason: String,
        /// The end of the output.
        tail: String,
    },
    Skipped(String),
}

impl Obstacle {
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), tail: String::new() }
    }
}

/// A step that passed with one measurement.
pub fn measured(name: &str, value: impl Into<Value>) -> Outcome {
    Ok(Map::from_iter([(name.to_owned(), value.into())]))
}

/// A step that was taken.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub seconds: f64,
    pub outcome: Outcome,
}

/// Everything that is known so far.
pub struct Report {
    /// What the machine is and what was asked for.
    pub facts: Map<String, Value>,
    pub rows: Vec<Row>,
    pub redaction: Redaction,
}

impl Report {
    pub fn passed(&self) -> bool {
        !self.rows.iter().any(|row| matches!(row.outcome, Err(Obstacle::Failed { .. })))
    }

    pub fn exit_code(&self) -> ExitCode {
        if self.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// The report as it is sent; `complete` says that no step is still to come.
    pub fn json(&self, complete: bool) -> Value {
        let mut whole = Map::new();
        whole.insert("schema".into(), SCHEMA.into());
        whole.insert("passed".into(), (complete && self.passed()).into());
        whole.insert("complete".into(), complete.into());
        whole.extend(self.facts.clone());
        whole.insert("steps".into(), self.rows.iter().map(Row::json).collect());
        let mut whole = Value::Object(whole);
        self.redaction.value(&mut whole);
        whole
    }

    /// Writes the report aside and renames it.
    ///
    /// # Errors
    /// When the file cannot be written; the error names it.
    pub fn write(&self, path: &Path, complete: bool) -> Result<()> {
        let name = path.file_name().with_context(|| {
            format!("--json: expected the name of a file, found {}", path.display())
        })?;
        let mut aside = name.to_owned();
        aside.push(format!(".{}.part", std::process::id()));
        let aside = path.with_file_name(aside);
        let text = serde_json::to_string_pretty(&self.json(complete))? + "\n";
        let place = || format!("--json: cannot write {}", path.display());
        std::fs::write(&aside, text).with_context(place)?;
        std::fs::rename(&aside, path).with_context(place)
    }

    /// A line for each step.
    pub fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        self.rows.iter().map(|row| self.redaction.text(&row.line(width)) + "\n").collect()
    }
}

impl Row {
    fn status(&self) -> &'static str {
        match self.outcome {
            Ok(_) => "passed",
            Err(Obstacle::Failed { .. }) => "failed",
            Err(Obstacle::Skipped(_)) => "skipped",
        }
    }

    fn json(&self) -> Value {
        let seconds = (self.seconds * 100.0).round() / 100.0;
        let mut row = json!({"name": self.name, "status": self.status(), "seconds": seconds});
        match &self.outcome {
            Ok(found) if found.is_empty() => {}
            Ok(found) => row["found"] = Value::Object(found.clone()),
            Err(Obstacle::Skipped(reason)) => row["reason"] = reason.as_str().into(),
            Err(Obstacle::Failed { reason, tail }) => {
                row["reason"] = reason.as_str().into();
                row["tail"] = tail.as_str().into();
            }
        }
        row
    }

    fn line(&self, width: usize) -> String {
        let note = match &self.outcome {
            Ok(found) => note(found),
            Err(Obstacle::Failed { reason, .. } | Obstacle::Skipped(reason)) => {
                reason.lines().next().unwrap_or_default().to_owned()
            }
        };
        let (name, seconds, status) = (self.name, self.seconds, self.status());
        format!("{name:width$}  {status:7}  {seconds:8.1} s  {note}").trim_end().to_owned()
    }
}

/// What a step found, in a few words.
fn note(found: &Map<String, Value>) -> String {
    let number = |key: &str| found.get(key).and_then(Value::as_f64);
    if let Some(tests) = number("tests") {
        return format!("{tests} tests");
    }
    let Some(ours) = number("images_per_s") else {
        let text = found.values().find_map(Value::as_str).unwrap_or_default();
        return text.to_owned();
    };
    let peer = match number("ratio") {
        Some(ratio) => format!(", {ratio:.2} times PyTorch's"),
        None => found.get("pytorch").and_then(Value::as_str).map_or(String::new(), |why| {
            format!(", beside no PyTorch: {}", why.lines().next().unwrap_or_default())
        }),
    };
    format!("{ours:.1} images/s{peer}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap is how a test fails
mod tests {
    use super::*;

    fn report() -> Report {
        let map = |value: Value| value.as_object().cloned().unwrap();
        let failed =
            Obstacle::Failed { reason: "`x` ended\nmore".into(), tail: "/r/src broke".into() };
        let speed = json!({"images_per_s": 812.34, "ratio": 1.5});
        let alone = json!({"images_per_s": 10.0, "pytorch": "no torch in /r/venv"});
        let rows = [
            ("driver", 0.01, measured("why", "no nvidia-smi")),
            ("operators", 12.345, measured("tests", 17)),
            ("search", 3.0, Err(failed)),
            ("memcheck", 0.0, Err(Obstacle::Skipped("no compute-sanitizer".into()))),
            ("stage 0", 2.0, Ok(map(speed))),
            ("stage 1", 2.0, Ok(map(alone))),
        ];
        Report {
            facts: map(json!({"autogan": "0.1.0"})),
            rows: rows.map(|(name, seconds, outcome)| Row { name, seconds, outcome }).to_vec(),
            redaction: Redaction::new(Path::new("/r"), None, None, None),
        }
    }

    #[test]
    fn one_failure_fails_the_whole_and_a_skip_does_not() {
        let mut report = report();
        assert_eq!(report.exit_code(), ExitCode::FAILURE);
        assert_eq!(report.json(true)["passed"], json!(false));
        report.rows.remove(2);
        assert_eq!(report.exit_code(), ExitCode::SUCCESS);
        assert_eq!(report.json(true)["passed"], json!(true));
        assert_eq!(report.json(false)["passed"], json!(false), "what is not over has not passed");
    }

    #[test]
    fn the_file_holds_every_step_without_paths_of_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("check.json");
        report().write(&path, true).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&found["schema"], &found["autogan"]), (&json!(1), &json!("0.1.0")));
        let steps = found["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 6);
        assert_eq!(
            steps[1],
            json!({"name": "operators", "status": "passed", "seconds": 12.35, "found": {"tests": 17}})
        );
        assert_eq!(steps[2]["tail"], json!("<repository>/src broke"));
        assert_eq!(steps[3]["reason"], json!("no compute-sanitizer"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something was left aside");
        let error = report().write(&dir.path().join("none/x.json"), true).unwrap_err().to_string();
        assert!(error.contains("--json: cannot write"), "{error}");
    }

    #[test]
    fn the_table_has_a_line_for_each_step() {
        let table = report().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "driver     passed        0.0 s  no nvidia-smi");
        assert_eq!(lines[1], "operators  passed       12.3 s  17 tests");
        assert_eq!(lines[2], "search     failed        3.0 s  `x` ended");
        assert_eq!(lines[3], "memcheck   skipped       0.0 s  no compute-sanitizer");
        assert_eq!(
            lines[4],
            "stage 0    passed        2.0 s  812.3 images/s, 1.50 times PyTorch's"
        );
        let alone = "10.0 images/s, beside no PyTorch: no torch in <repository>/venv";
        assert!(lines[5].ends_with(alone), "{}", lines[5]);
    }
}
