//! [`Results`] keeps one row for each fault in a CSV file, so that a sweep that was stopped goes on where it was.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::plan::{Fault, Way};

/// The first line of the file.
const HEADER: &str = "subject,kind,fault,n,verdict,seconds,call,words";

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The run made fewer calls of the kind, so that nothing happened.
    NotReached,
    /// The run went on and ended with the same bits.
    Unharmed,
    /// The run ended with one sentence, or was killed; continued, it ended with the same bits.
    Continued,
    /// As `Continued` or `Unharmed`, with a warning that says what was lost and mended.
    Warned,
    /// Anything else.
    Loss,
}

impl Verdict {
    const ALL: [(Self, &'static str); 5] = [
        (Self::NotReached, "not-reached"),
        (Self::Unharmed, "unharmed"),
        (Self::Continued, "continued"),
        (Self::Warned, "warned"),
        (Self::Loss, "LOSS"),
    ];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(verdict, _)| *verdict)
    }
}

/// The result of one fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was run.
    pub subject: String,
    /// The fault as `kind,name,n`.
    pub fault: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub seconds: f64,
    /// The call that met the fault, with its path.
    pub struck: String,
    /// What the run said, or what was lost.
    pub words: String,
}

impl Row {
    fn line(&self) -> String {
        let Row { subject, fault, verdict, seconds, struck, words } = self;
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\"").replace('\n', " "));
        let (verdict, struck, words) = (verdict.name(), quoted(struck), quoted(words));
        format!("{subject},{fault},{verdict},{seconds:.1},{struck},{words}\n")
    }

    fn of(line: &str) -> Option<Self> {
        let mut fields = line.splitn(7, ',');
        let mut next = || fields.next();
        let subject = next()?.to_owned();
        let fault = [next()?, next()?, next()?].join(",");
        let (verdict, seconds) = (Verdict::of(next()?)?, next()?.parse().ok()?);
        let (struck, words) = next()?.strip_prefix('"')?.strip_suffix('"')?.split_once("\",\"")?;
        let plain = |text: &str| text.replace("\"\"", "\"");
        let (struck, words) = (plain(struck), plain(words));
        Some(Self { subject, fault, verdict, seconds, struck, words })
    }
}

/// The rows so far, and the file that they are in.
#[derive(Debug)]
pub struct Results {
    rows: Vec<Row>,
    file: File,
}

impl Results {
    /// Opens the file, or makes it. A last line that is torn is taken away.
    ///
    /// # Errors
    /// When it cannot be opened, or holds something else.
    pub fn open(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        let mut lines = whole.lines();
        let header = lines.next().unwrap_or(HEADER);
        ensure!(header == HEADER, "{} is no table of faults; name another --out", path.display());
        let mut rows = Vec::new();
        for (at, line) in lines.enumerate() {
            let row = Row::of(line);
            rows.push(row.with_context(|| format!("{}, line {}: {line}", path.display(), at + 2))?);
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole.len() as u64)?;
        if whole.is_empty() {
            writeln!(file, "{HEADER}")?;
        }
        Ok(Self { rows, file })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, row: Row) -> Result<()> {
        self.file.write_all(row.line().as_bytes())?;
        self.rows.push(row);
        Ok(())
    }

    /// The faults that are not tried yet.
    pub fn left(&self, subject: &str, faults: Vec<Fault>) -> Vec<Fault> {
        let done: BTreeSet<&str> = self.of(subject).map(|row| row.fault.as_str()).collect();
        faults.into_iter().filter(|fault| !done.contains(fault.to_string().as_str())).collect()
    }

    /// How many rows of a subject have the verdict.
    pub fn count(&self, subject: &str, verdict: Verdict) -> usize {
        self.of(subject).filter(|row| row.verdict == verdict).count()
    }

    fn of<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.subject == subject)
    }

    /// A Markdown table of a subject's rows: a line for each kind of fault.
    pub fn table(&self, subject: &str) -> String {
        let mut table = "| calls | fault | what it is | injected | unharmed | continued | with a warning | losses |\n\
                         |---|---|---|---|---|---|---|---|\n"
            .to_owned();
        let shown = [Verdict::Unharmed, Verdict::Continued, Verdict::Warned, Verdict::Loss];
        let line = |rows: &[&Row]| {
            let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
            let counts = shown.map(count);
            let all: usize = counts.iter().sum();
            let fields: Vec<String> = [all].iter().chain(&counts).map(usize::to_string).collect();
            fields.join(" | ")
        };
        for way in Way::all() {
            let start = format!("{},{},", way.kind, way.name);
            let rows: Vec<&Row> =
                self.of(subject).filter(|row| row.fault.starts_with(&start)).collect();
            if !rows.is_empty() {
                let (kind, name, meaning) = (way.kind, way.name, way.meaning());
                let _ = writeln!(table, "| {kind} | {name} | {meaning} | {} |", line(&rows));
            }
        }
        let rows: Vec<&Row> = self.of(subject).collect();
        let _ = writeln!(table, "| all | | | {} |", line(&rows));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u64, verdict: Verdict) -> Row {
        Row {
            subject: "search".into(),
            fault: format!("write,EIO,{n}"),
            verdict,
            seconds: 1.5,
            struck: "write runs/run/arch.json".into(),
            words: "cannot write \"x\", a disk".into(),
        }
    }

    #[test]
    fn a_sweep_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.csv");
        let mut results = Results::open(&path).unwrap();
        results.add(row(1, Verdict::Continued)).unwrap();
        results.add(row(2, Verdict::Loss)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}search,write,EI")).unwrap();
        let mut results = Results::open(&path).unwrap();
        assert_eq!(results.rows, [row(1, Verdict::Continued), row(2, Verdict::Loss)]);
        let way = Way::all().into_iter().find(|way| (way.kind, way.name) == ("write", "EIO"));
        let faults: Vec<Fault> = (1..=3).map(|n| Fault { way: way.unwrap(), n }).collect();
        let numbers = |left: Vec<Fault>| left.iter().map(|fault| fault.n).collect::<Vec<_>>();
        assert_eq!(numbers(results.left("search", faults.clone())), [3]);
        assert_eq!(numbers(results.left("train", faults)), [1, 2, 3]);
        results.add(row(3, Verdict::NotReached)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole + &row(3, Verdict::NotReached).line());
        let table = results.table("search");
        assert!(
            table.contains("| write | EIO | write, writev, pwrite | 2 | 0 | 1 | 0 | 1 |"),
            "{table}"
        );
        assert!(table.contains("| all | | | 2 | 0 | 1 | 0 | 1 |"), "{table}");
        fs::write(&path, "a,b\n").unwrap();
        assert!(Results::open(&path).is_err());
    }

    #[test]
    fn names_of_verdicts_are_read_back() {
        for (verdict, name) in Verdict::ALL {
            assert_eq!((verdict.name(), Verdict::of(name)), (name, Some(verdict)));
        }
    }
}
