//! `autogan compare` shows the results of runs side by side, and where their configurations differ.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::bail;
use autogan_config::{Flat, RunConfig};
use autogan_report::RunData;
use autogan_run::export::{Align, aligned};
use autogan_run::{RunDir, ScoresFile};
use serde_json::{Map, Value, json};

use crate::runs::Form;
use crate::terminal::{Terminal, print};
use crate::words::time;

/// Compare runs: scores, the best architectures, time, and how their configurations differ.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The runs: paths, names or numbers
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<String>,
    /// Directory of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
    /// For people, or for programs
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Form::Table)]
    format: Form,
}

/// A line of the comparison: its label, and its value in each run.
type Line = (String, Vec<Value>);

/// Carries the command out. It fails when a run is not there or damaged: a comparison with parts missing would mislead.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for wanted in &args.runs {
        let dir = RunDir::find(&args.runs_dir, wanted)?;
        let data = RunData::verified(&dir);
        if !data.problems.is_empty() {
            bail!("{} cannot be compared: {}", dir.path().display(), data.problems.join("; "));
        }
        let origin = dir.config_path().display().to_string();
        let config = RunConfig::read(&data.config, &origin)?.flat()?;
        runs.push((data, config));
    }
    let protocols: BTreeSet<_> = runs.iter().filter_map(|(data, _)| protocol(data)).collect();
    if protocols.len() > 1 {
        terminal
            .warn("these runs were scored in different ways: compare only scores of one protocol");
    }
    let (results, differences) = (results(&runs), differences(&runs));
    let names: Vec<&str> = runs.iter().map(|(data, _)| data.summary.name.as_str()).collect();
    match args.format {
        Form::Json => {
            let object = |lines: Vec<Line>| -> Map<String, Value> {
                lines.into_iter().map(|(name, values)| (name, Value::Array(values))).collect()
            };
            let all = json!({
                "runs": names, "results": object(results), "configuration": object(differences),
            });
            print(format!("{}\n", serde_json::to_string_pretty(&all)?).as_bytes())
        }
        Form::Table => {
            let mut text = table("", &names, &results);
            text.push('\n');
            match differences.is_empty() {
                true => text.push_str("The configurations are the same.\n"),
                false => text.push_str(&table("configuration", &names, &differences)),
            }
            print(text.as_bytes())
        }
    }
}

/// The lines that show the results of the runs.
fn results(runs: &[(RunData, Flat)]) -> Vec<Line> {
    let line = |name: &str, value: fn(&RunData) -> Value| -> Line {
        (name.to_owned(), runs.iter().map(|(data, _)| value(data)).collect())
    };
    let mut lines = vec![
        line("state", |data| data.summary.status.word().into()),
        line("protocol", |data| json!(protocol(data))),
        line("best", |data| json!(data.summary.score.map(|score| score.best))),
        line("real images", |data| json!(data.summary.score.map(|score| score.real))),
        line("median of random", |data| json!(data.summary.score.map(|s| s.median_random))),
        line("untrained", |data| json!(data.summary.score.map(|score| score.untrained))),
        line("parameters", |data| json!(network(data).map(|(_, params, _)| params))),
        line("multiply-accumulates", |data| json!(network(data).map(|(.., macs)| macs))),
        line("trials", |data| data.summary.trials.into()),
        line("iterations", |data| data.summary.iterations_done.into()),
        line("seconds", |data| json!(data.summary.seconds)),
        line("processor", |data| json!(data.host.as_ref().map(|host| &host.cpu))),
        line("version", |data| json!(data.host.as_ref().map(|host| &host.version))),
    ];
    if runs.iter().any(|(data, _)| data.plan.training.is_some()) {
        lines.extend([
            line("trained: is", |data| json!(trained(data).map(|t| t.best.is))),
            line("trained: frechet", |data| json!(trained(data).and_then(|t| t.best.frechet))),
            line("trained: is of real images", |data| json!(trained(data).map(|t| t.real.is))),
        ]);
    }
    for cell in 0..3 {
        let of = |data: &RunData| {
            let (named, ..) = network(data)?;
            Some(named.split('/').nth(cell)?.trim().to_owned())
        };
        let values = runs.iter().map(|(data, _)| json!(of(data))).collect();
        lines.push((format!("cell {}", cell + 1), values));
    }
    lines
}

/// The name of the score that a run tells.
fn protocol(data: &RunData) -> Option<&String> {
    let trained = trained(data).map(|trained| &trained.protocol.is);
    trained.or_else(|| Some(&data.found.as_ref()?.protocol.score))
}

/// The scores of a training from scratch, where the run has any.
fn trained(data: &RunData) -> Option<&ScoresFile> {
    data.summary.trained.as_ref()
}

/// Named form, parameters and multiply-accumulates of what a finished run found or trained.
fn network(data: &RunData) -> Option<(&String, u64, u64)> {
    if trained(data).is_some() {
        let file = data.trained.as_ref()?;
        return Some((&file.named, file.params, file.macs));
    }
    data.summary.score?;
    let best = data.found.as_ref()?.top.first()?;
    Some((&best.named, best.params, best.macs))
}

/// The keys whose values are not the same in all runs.
fn differences(runs: &[(RunData, Flat)]) -> Vec<Line> {
    let all: Vec<Flat> = runs.iter().map(|(_, flat)| flat.clone()).collect();
    let line = |(key, values): (String, Vec<_>)| (key, values.iter().map(|v| json!(v)).collect());
    autogan_config::differences(&all).into_iter().map(line).collect()
}

fn table(title: &str, names: &[&str], lines: &[Line]) -> String {
    let mut rows = vec![[&[title], names].concat().iter().map(|s| (*s).to_owned()).collect()];
    rows.extend(lines.iter().map(|(name, values)| {
        let cells = values.iter().map(|value| cell(name, value));
        std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()
    }));
    aligned(&rows, &vec![Align::Left; names.len() + 1])
}

fn cell(name: &str, value: &Value) -> String {
    match (name, value) {
        (_, Value::Null) => "-".to_owned(),
        (_, Value::String(text)) => text.clone(),
        ("seconds", value) => time(value.as_f64().unwrap_or(0.0)),
        ("parameters" | "multiply-accumulates", value) => {
            format!("{:.2} M", value.as_f64().unwrap_or(0.0) / 1e6)
        }
        ("best" | "real images" | "median of random" | "untrained", value) => fixed(value),
        (name, value) if name.starts_with("trained: ") => fixed(value),
        (_, value) => value.to_string(),
    }
}

fn fixed(value: &Value) -> String {
    format!("{:.3}", value.as_f64().unwrap_or(f64::NAN))
}
