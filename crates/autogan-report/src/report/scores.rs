//! This section draws all scores over the search, with the scores to compare them with.

use autogan_run::TrialKind;
use autogan_stats::mean;

use super::format::Numbers;
use super::page::Page;
use crate::chart::{Chart, Layout, range};
use crate::data::{RunData, TrialRow};
use crate::svg::{Anchor, Px};

/// Above so many children they are drawn without tooltips, as one element.
const TIPS: usize = 1500;

pub(super) fn write(page: &mut Page, data: &RunData) {
    page.section("Score over the search");
    if data.trials.is_empty() {
        page.text("No architecture has been scored yet.");
        return;
    }
    let entries = [
        ("dot k-child", "children of the controller"),
        ("dot k-candidate", "candidates at the end of a stage"),
        ("dot k-derive", "candidates of the derivation"),
        ("line k-best", "running best of the stage"),
        ("line k-mean", "mean of the iteration"),
    ];
    page.legend("legend", entries);
    page.raw("\n");
    let (wide, narrow) = (chart(data, (1000.0, 380.0), true), chart(data, (360.0, 320.0), false));
    page.wide_and_narrow(&wide, &narrow);
    let plan = &data.plan;
    let images = plan.reward_images.map_or(String::new(), |n| format!(" on {n} images"));
    let scorer = plan.scorer.as_ref().map_or(String::new(), |scorer| format!(" by {scorer}"));
    let metric = match plan.metric.as_deref() {
        Some("is") => ", with the formula of the Inception Score",
        Some("inverse_fid") => ", with the formula of 1 / FID",
        Some("log_frechet") => ", with the formula of −ln FID",
        _ => "",
    };
    let resets = match resets(data).len() {
        0 => "The shared weights were not reset.".to_owned(),
        1 => "▼ marks where the shared weights were reset.".to_owned(),
        n => format!("▼ marks where the shared weights were reset, {n} times."),
    };
    let mut note = format!(
        "Each point is one architecture, scored{images}{scorer}{metric}; scores of different stages \
         are of different image sizes and cannot be compared. "
    );
    if data.stages.iter().any(|span| span.real.is_some()) {
        note += "Real images are scored as the children are, once for each stage. ";
    }
    if data.summary.score.is_some() {
        note += "The lines for random architectures (median) and an untrained generator are of the \
                 final derivation. ";
    }
    let costs = |row: &TrialRow| row.trial.row.reward.is_some_and(|r| r != row.trial.row.score);
    if data.trials.iter().any(costs) {
        note += "The controller learnt from the reward, which is the score less what the cost of the \
                 architecture takes from it. ";
    }
    page.note(&(note + &resets));
}

/// The iterations in which shared weights were reset, from 0.
pub(super) fn resets(data: &RunData) -> Vec<u32> {
    let resets = data.events.iter().filter(|event| event.kind == "reset");
    resets.map(|event| event.iteration).collect()
}

/// The axis of iterations, as far as the run is planned or got.
pub(super) fn iterations(data: &RunData) -> (f64, f64) {
    let planned = data.plan.iterations.unwrap_or(0).min(100_000);
    let reached = data.stages.iter().map(|span| span.end).max().unwrap_or(1);
    let open = data.summary.status != crate::data::Status::Finished;
    (0.0, f64::from(if open { planned.max(reached) } else { reached }.max(1)))
}

/// Lines where stages begin, and marks where weights were reset.
pub(super) fn marks(chart: &mut Chart, data: &RunData, named: bool) {
    let (top, bottom) = chart.vertical();
    for span in &data.stages {
        let x = chart.x.at(f64::from(span.first));
        if span.first > 0 {
            chart.svg.line("stage", (x, top - if named { 14.0 } else { 0.0 }), (x, bottom));
        }
        if named {
            let side = span.side.map_or(String::new(), |side| format!(" · {side}×{side}"));
            let room = chart.x.at(f64::from(span.end)) - x;
            let text = format!("stage {}{side}", span.stage + 1);
            let text = if room < 80.0 { format!("{}", span.stage + 1) } else { text };
            chart.svg.text("tick", (x + 4.0, top - 5.0), Anchor::Start, &text);
        }
    }
    for iteration in resets(data) {
        let x = chart.x.at(f64::from(iteration) + 1.0);
        let d = format!("M{} {}h8l-4 7z", Px(x - 4.0), Px(top));
        chart.svg.path("reset", &d, &format!("weights reset after iteration {}", iteration + 1));
    }
}

fn chart(data: &RunData, size: (f64, f64), wide: bool) -> String {
    let score = data.summary.score;
    let scores = data.trials.iter().map(|row| row.trial.row.score);
    let references = score.map(|s| [s.real, s.untrained, s.median_random]).into_iter().flatten();
    let reals = data.stages.iter().filter_map(|span| span.real);
    let y = range(scores.chain(references).chain(reals), 0.04);
    let right = if wide { 150.0 } else { 8.0 };
    let layout = Layout { size, margin: [24.0, right, 38.0, if wide { 52.0 } else { 44.0 }] };
    let mut chart = Chart::new(layout, iterations(data), y);
    chart.y_axis("score", if wide { 7 } else { 6 });
    chart.x_axis("iterations completed", if wide { 12 } else { 6 }, 1.0);
    marks(&mut chart, data, true);
    children(&mut chart, data, wide);
    for (kind, class) in [(TrialKind::Candidate, "candidate"), (TrialKind::Derive, "derive")] {
        for row in data.trials.iter().filter(|row| row.trial.row.kind == kind) {
            dot(&mut chart, row, class, Numbers::of(&data.plan));
        }
    }
    means(&mut chart, data);
    running_best(&mut chart, data);
    references_at(&mut chart, data, wide);
    chart.finish("score", "Scores of all architectures over the iterations of the search")
}

fn children(chart: &mut Chart, data: &RunData, wide: bool) {
    let children = data.trials.iter().filter(|row| row.trial.row.kind == TrialKind::Controller);
    if wide && children.clone().count() <= TIPS {
        children.for_each(|row| dot(chart, row, "child", Numbers::of(&data.plan)));
    } else {
        let points: Vec<_> = children.map(|row| (row.at, row.trial.row.score)).collect();
        chart.dots("children", &points);
    }
}

fn dot(chart: &mut Chart, row: &TrialRow, class: &str, numbers: Numbers) {
    let trial = &row.trial.row;
    if !trial.score.is_finite() {
        return;
    }
    let place = (chart.x.at(row.at), chart.y.at(trial.score));
    let tip = format!(
        "{} ± {} · {}, iteration {} · {}",
        numbers.score(trial.score),
        numbers.score(trial.spread),
        trial.kind,
        trial.iteration + 1,
        trial.named
    );
    chart.svg.circle(class, place, if class == "child" { 2.2 } else { 2.8 }, &tip);
}

/// The children of the controller and the candidates: what a stage's best is the best of.
fn searched(data: &RunData, stage: u32) -> impl Iterator<Item = &TrialRow> {
    data.trials.iter().filter(move |row| {
        let trial = &row.trial.row;
        trial.stage == stage
            && matches!(trial.kind, TrialKind::Controller | TrialKind::Candidate)
            && trial.score.is_finite()
    })
}

fn means(chart: &mut Chart, data: &RunData) {
    for span in &data.stages {
        let rows: Vec<&TrialRow> = searched(data, span.stage)
            .filter(|row| row.trial.row.kind == TrialKind::Controller)
            .collect();
        let groups = rows.chunk_by(|a, b| a.trial.row.iteration == b.trial.row.iteration);
        let points: Vec<(f64, f64)> = groups
            .map(|group| {
                let values: Vec<f64> = group.iter().map(|row| row.trial.row.score).collect();
                (f64::from(group[0].trial.row.iteration) + 0.5, mean(&values))
            })
            .collect();
        chart.curve("mean", &points, "mean score of each iteration");
    }
}

fn running_best(chart: &mut Chart, data: &RunData) {
    let n = Numbers::of(&data.plan);
    for span in &data.stages {
        let mut best = f64::NEG_INFINITY;
        let mut points = Vec::new();
        for row in searched(data, span.stage) {
            let score = row.trial.row.score;
            if score > best {
                if best.is_finite() {
                    points.push((row.at, best));
                }
                best = score;
                points.push((row.at, best));
            }
        }
        if best.is_finite() {
            points.push((f64::from(span.end), best));
        }
        let tip = format!("best of stage {}: {}", span.stage + 1, n.score(best));
        chart.curve("best", &points, &tip);
    }
}

/// Lines for real images, random architectures and an untrained generator, labelled on the right.
fn references_at(chart: &mut Chart, data: &RunData, wide: bool) {
    let n = Numbers::of(&data.plan);
    let mut labels: Vec<(f64, String)> = Vec::new();
    for span in &data.stages {
        let Some(real) = span.real.filter(|real| real.is_finite()) else { continue };
        let ends = [(f64::from(span.first), real), (f64::from(span.end), real)];
        let tip = format!("real images, stage {}: {}", span.stage + 1, n.score(real));
        chart.curve("real", &ends, &tip);
        labels.retain(|(_, text)| !text.starts_with("real"));
        labels.push((real, format!("real images {}", n.score(real))));
    }
    let (low, high) = iterations(data);
    if let Some(s) = data.summary.score {
        for (class, value, name) in
            [("random", s.median_random, "random, median"), ("untrained", s.untrained, "untrained")]
        {
            let tip = format!("{name}: {}", n.score(value));
            chart.curve(class, &[(low, value), (high, value)], &tip);
            labels.push((value, format!("{name} {}", n.score(value))));
        }
    }
    if let Some(best) = &data.summary.best {
        labels.push((best.score, format!("best {}", n.score(best.score))));
    }
    labels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (_, right) = chart.horizontal();
    let mut free = f64::NEG_INFINITY;
    for (value, text) in labels {
        let line = chart.y.at(value);
        if wide {
            // One below the other where they would overlap.
            let y = line.max(free);
            free = y + 14.0;
            chart.svg.text("label", (right + 8.0, y + 4.0), Anchor::Start, &text);
        } else if !text.starts_with("best") {
            chart.svg.text("label", (right, line - 4.0), Anchor::End, &text);
        }
    }
}
