//! This section draws the trainings that a search strategy asked for, of a search by trainings from scratch.

use std::collections::BTreeMap;

use autogan_run::TrialKind;
use autogan_run::clock::duration;

use super::format::{Numbers, count};
use super::page::Page;
use crate::chart::{Chart, Layout, range};
use crate::data::{RunData, StrategyPlan, TrialRow};
use crate::svg::Anchor;

/// The classes of the dots of short, middle and whole trainings.
const CLASSES: [&str; 3] = ["child", "candidate", "derive"];

pub(super) fn write(page: &mut Page, data: &RunData, plan: &StrategyPlan) {
    page.section("Trainings");
    let trained = of_kind(data, TrialKind::Trained);
    if trained.is_empty() {
        page.text("No training has ended yet.");
        return;
    }
    let names = plan.lengths.map(|length| format!("after {} iterations", count(length)));
    let entries = [
        ("dot k-child", names[0].as_str()),
        ("dot k-candidate", names[1].as_str()),
        ("dot k-derive", names[2].as_str()),
    ];
    page.legend("legend", entries);
    page.raw("\n");
    let wide = chart(data, plan, &trained, ((1000.0, 380.0), 150.0));
    let narrow = chart(data, plan, &trained, ((360.0, 320.0), 8.0));
    page.wide_and_narrow(&wide, &narrow);
    let mut rows = Vec::new();
    for (at, length) in plan.lengths.into_iter().enumerate() {
        let of_length = trained.iter().filter(|row| length_class(plan, row) == at);
        let values: Vec<f64> = of_length.map(|row| row.trial.row.score).collect();
        let best = values.iter().copied().filter(|v| v.is_finite()).fold(f64::NAN, f64::max);
        let diverged = values.iter().filter(|value| !value.is_finite()).count();
        rows.push(vec![
            count(length),
            count(values.len() as u64),
            count(diverged as u64),
            Numbers::of(&data.plan).score(best),
        ]);
    }
    page.table(&["iterations", "trainings", "diverged", "best value"], &rows);
    let shared = of_kind(data, TrialKind::Shared).len();
    if shared > 0 {
        page.text(&format!(
            "Before the trainings, {} architectures were scored on the shared weights of a supernet that was trained for {} \
             iterations. The strategy was told these scores, too.",
            count(shared as u64),
            count(plan.supernet_iterations)
        ));
    }
    page.note(&format!(
        "The strategy is {}. Each point is a training that it asked for, in the order in which they ended; a training \
         that goes on has a point at each length. The value is −ln of the Fréchet distance to the training images; \
         higher is better. The lines are of trainings at the end, with seeds that the strategy has not seen.",
        plan.name
    ));
}

/// How long the trainings took, by their lengths.
pub(super) fn timings(page: &mut Page, data: &RunData) {
    page.raw("<h3>Timings</h3>\n");
    let mut by_length: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for row in of_kind(data, TrialKind::Trained) {
        let trial = &row.trial.row;
        by_length.entry(trial.iteration).or_default().push(trial.seconds);
    }
    if by_length.is_empty() {
        page.text("No training has ended yet.");
        return;
    }
    let line = |(length, seconds): (&u32, &Vec<f64>)| {
        let mean = duration(autogan_stats::mean(seconds));
        vec![count(u64::from(*length)), count(seconds.len() as u64), mean]
    };
    let rows: Vec<Vec<String>> = by_length.iter().map(line).collect();
    page.table(&["iterations", "trainings", "mean time"], &rows);
    page.note("Of a training that went on, the time since its length before. A score is part of the time.");
}

fn of_kind(data: &RunData, kind: TrialKind) -> Vec<&TrialRow> {
    data.trials.iter().filter(|row| row.trial.row.kind == kind).collect()
}

/// Which of the three lengths a training ended at.
fn length_class(plan: &StrategyPlan, row: &TrialRow) -> usize {
    let length = u64::from(row.trial.row.iteration);
    plan.lengths.iter().position(|&known| known == length).unwrap_or(0)
}

fn chart(
    data: &RunData,
    plan: &StrategyPlan,
    trained: &[&TrialRow],
    (size, right): ((f64, f64), f64),
) -> String {
    let score = data.summary.score.into_iter();
    let lines: Vec<(&str, &str, f64)> = score
        .flat_map(|s| {
            [
                ("best", "the winner anew", s.best),
                ("random", "random, median", s.median_random),
                ("untrained", "untrained", s.untrained),
            ]
        })
        .collect();
    let values = trained.iter().map(|row| row.trial.row.score).filter(|v| v.is_finite());
    let y = range(values.chain(lines.iter().map(|line| line.2)), 0.04);
    let layout = Layout { size, margin: [24.0, right, 38.0, 52.0] };
    let mut chart = Chart::new(layout, (0.0, trained.len() as f64), y);
    chart.y_axis("value", 7);
    chart.x_axis("trainings", 10, 1.0);
    let numbers = Numbers::of(&data.plan);
    let (_, end) = chart.horizontal();
    for (class, name, value) in lines {
        let text = format!("{name} {}", numbers.score(value));
        chart.curve(class, &[(0.0, value), (trained.len() as f64, value)], &text);
        if right > 100.0 {
            let y = chart.y.at(value);
            chart.svg.text("label", (end + 8.0, y + 4.0), Anchor::Start, &text);
        }
    }
    for (at, row) in trained.iter().enumerate() {
        let trial = &row.trial.row;
        if !trial.score.is_finite() {
            continue;
        }
        let class = length_class(plan, row);
        let place = (chart.x.at(at as f64 + 0.5), chart.y.at(trial.score));
        let value = numbers.score(trial.score);
        let tip = format!("{value} after {} iterations · {}", trial.iteration, trial.named);
        chart.svg.circle(CLASSES[class], place, 2.4 + 0.4 * class as f64, &tip);
    }
    chart.finish("trainings", "Values of all trainings of the search, in their order")
}
