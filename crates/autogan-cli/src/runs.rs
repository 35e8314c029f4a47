//! `autogan runs` prints a line for each run.

use std::path::PathBuf;

use autogan_report::{RunData, Status, Summary};
use autogan_run::export::{Align, aligned};
use autogan_run::{RunDir, clock};
use clap::ValueEnum;

use crate::terminal::{Terminal, print};
use crate::words::time;

/// List the runs of a directory.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of all runs
    #[arg(value_name = "DIR", default_value = "runs")]
    dir: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Form::Table)]
    format: Form,
}

/// How a list or a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Aligned columns.
    Table,
    /// All that is known of each run.
    Json,
}

/// Carries the command out. A damaged run is listed with what can still be read, after a warning. It fails when the
/// directory cannot be read or stdout cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    let runs = RunDir::list(&args.dir)?;
    if runs.is_empty() {
        terminal.note(&format!("no runs in {}; start one with autogan search", args.dir.display()));
    }
    let mut summaries = Vec::new();
    for run in &runs {
        let data = RunData::verified(run);
        for problem in &data.problems {
            terminal.warn(&format!("{}: {problem}", run.name()));
        }
        summaries.push((data.summary, data.problems));
    }
    match args.format {
        Form::Json => {
            let all: Vec<_> = summaries
                .iter()
                .map(|(summary, problems)| {
                    serde_json::json!({ "summary": summary, "problems": problems })
                })
                .collect();
            print(format!("{}\n", serde_json::to_string_pretty(&all)?).as_bytes())
        }
        Form::Table => print(table(&summaries).as_bytes()),
    }
}

fn table(summaries: &[(Summary, Vec<String>)]) -> String {
    if summaries.is_empty() {
        return String::new();
    }
    let header =
        ["run", "made", "state", "stage", "iteration", "trials", "best", "real", "scorer", "time"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(summaries.iter().map(|(summary, problems)| line(summary, problems)));
    let left = [0, 1, 2, 8];
    let align: Vec<Align> = (0..header.len())
        .map(|column| if left.contains(&column) { Align::Left } else { Align::Right })
        .collect();
    aligned(&rows, &align)
}

fn line(summary: &Summary, problems: &[String]) -> Vec<String> {
    let score = |number: Option<f64>| number.map_or_else(|| "-".into(), |n| format!("{n:.3}"));
    let trained = summary.trained.as_ref();
    let best = match (&summary.score, &summary.best) {
        (Some(score), _) => Some(score.best),
        (None, best) => best.as_ref().map(|best| best.score),
    };
    let real = summary.score.map(|score| score.real);
    let planned = summary.iterations.map_or_else(|| "?".into(), |n| n.to_string());
    let state = match summary.status {
        _ if !problems.is_empty() => "damaged",
        Status::Running { .. } => "running",
        ref other => other.word(),
    };
    vec![
        summary.name.clone(),
        summary.created_ms.map_or_else(|| "-".into(), clock::date),
        state.to_owned(),
        format!("{}/3", summary.stage + 1),
        format!("{}/{planned}", summary.iterations_done),
        summary.trials.to_string(),
        score(best.or_else(|| trained.map(|trained| trained.best.is))),
        score(real.or_else(|| trained.map(|trained| trained.real.is))),
        summary.scorer.clone().unwrap_or_else(|| "-".into()),
        time(summary.seconds),
    ]
}
