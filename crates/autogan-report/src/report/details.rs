//! These sections show configuration, machine and timings, and the commands to go on with.

use autogan_run::clock::{date, duration};

use super::curves::ends;
use super::format::count;
use super::page::Page;
use crate::data::{RunData, Status};
use crate::shell::{program, quoted};
use crate::svg::escape;

pub(super) fn write(page: &mut Page, data: &RunData, path: &str) {
    page.section("Commands");
    commands(page, data, path);
    page.section("Details");
    page.raw("<div class=\"columns\"><div>");
    match data.plan.training {
        Some(_) => super::training::timings(page, data),
        None if data.plan.strategy.is_some() => super::trainings::timings(page, data),
        None => timings(page, data),
    }
    page.raw("</div><div>");
    host(page, data);
    page.raw("</div></div>\n");
    if !data.config.is_empty() {
        page.raw("<h3>Configuration</h3>\n<pre class=\"config\">");
        page.raw(escape(data.config.trim_end()));
        page.raw("</pre>\n");
    }
}

/// The commands that make sense for this run.
fn commands(page: &mut Page, data: &RunData, path: &str) {
    let run = quoted(path);
    let (command, key, longer) = match data.plan.training {
        Some(_) => ("train", "schedule.g_iterations", "train on, for longer"),
        None => ("search", "search.iterations", "search on, for longer"),
    };
    let mut lines = Vec::new();
    match data.summary.status {
        // What a finished search by trainings from scratch had to spend is spent.
        Status::Finished if data.plan.strategy.is_some() => {}
        Status::Finished => {
            let iterations = data.summary.iterations_done.saturating_mul(2).max(1);
            lines.push((format!("{command} --resume {run} --set {key}={iterations}"), longer));
        }
        Status::Running { .. } => {}
        Status::Unfinished | Status::Empty => {
            lines.push((format!("{command} --resume {run}"), "go on where it stopped"));
        }
    }
    if let Some(found) = &data.found {
        let top = found.top.len();
        lines.push((format!("sample {run} -n 64 --out grid.png"), "more images of the best"));
        lines.push((format!("arch show {run}"), "what the best costs; RUN:2 is the second best"));
        lines.push((format!("arch show {run} --svg arch.svg"), "its figure as a file"));
        lines.push((
            format!("train --from-run {run} --top {top}"),
            "train the best from scratch, and name the winner",
        ));
    }
    if data.trained.is_some() {
        let best = quoted(&format!("{path}/best.safetensors"));
        lines.push((format!("sample {best} -n 64 --out grid.png"), "images of the best weights"));
        lines.push((format!("sample {run} -n 64 --out grid.png"), "images of the last weights"));
    }
    lines.push((format!("report {run}"), "this page anew"));
    let program = escape(&program());
    page.raw("<dl class=\"commands\">");
    for (line, what) in lines {
        let (line, what) = (escape(&line), escape(what));
        page.raw(format_args!("<dt><code>{program} {line}</code></dt><dd>{what}</dd>"));
    }
    page.raw("</dl>\n");
}

fn timings(page: &mut Page, data: &RunData) {
    page.raw("<h3>Timings</h3>\n");
    let ends = ends(data);
    let mut start = 0.0;
    let mut rows = Vec::new();
    for span in &data.stages {
        let end = ends.iter().rev().find(|(i, _)| (span.first..span.end).contains(i));
        let Some(&(last, end)) = end else { continue };
        let iterations = last + 1 - span.first;
        let trials = data.trials.iter().filter(|row| {
            let trial = &row.trial.row;
            trial.stage == span.stage && (span.first..=last).contains(&trial.iteration)
        });
        rows.push(vec![
            format!("stage {}", span.stage + 1),
            iterations.to_string(),
            count(trials.count() as u64),
            duration(end - start),
            duration((end - start) / f64::from(iterations)),
        ]);
        start = end;
    }
    if data.summary.seconds > start && !rows.is_empty() {
        let rest = duration(data.summary.seconds - start);
        rows.push(vec!["after that".into(), "".into(), "".into(), rest, "".into()]);
    }
    if rows.is_empty() {
        page.text("No iteration has ended yet.");
    } else {
        page.table(&["", "iterations", "scored", "time", "per iteration"], &rows);
        page.note("Wall clock over all sessions of the run; time between sessions does not count.");
    }
}

fn host(page: &mut Page, data: &RunData) {
    page.raw("<h3>Machine</h3>\n");
    let Some(host) = &data.host else {
        page.text("The run directory does not say.");
        return;
    };
    let cores = host.cores.map_or(String::new(), |cores| format!("{cores} cores, "));
    let unknown = || "unknown".to_owned();
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1_u64 << 30) as f64);
    let rows: Vec<Vec<String>> = [
        ("processor", format!("{} ({}), {cores}{} threads", host.cpu, host.arch, host.threads)),
        ("memory", host.memory_bytes.map_or_else(unknown, gib)),
        ("computes on", host.device.clone()),
        ("system", host.os.clone()),
        ("name", host.hostname.clone()),
        ("autogan", host.version.clone()),
        ("commit", host.commit.clone().unwrap_or_else(unknown)),
        ("compiler", host.rustc.clone()),
        ("started", date(host.created_ms)),
    ]
    .into_iter()
    .map(|(name, value)| vec![name.to_owned(), value])
    .collect();
    page.raw("<div class=\"facts\">");
    page.table(&["", ""], &rows);
    page.raw("</div>");
}
