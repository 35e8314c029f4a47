//! This module draws the distribution of scores by choice, a small chart for each token.

use autogan_stats::{mean_interval, quantile};

use super::format::Numbers;
use super::page::Page;
use crate::chart::{Chart, Layout, range};
use crate::stats::{ChoiceStats, TokenStats};
use crate::svg::{Anchor, escape};

const WIDTH: f64 = 330.0;
const ROW: f64 = 30.0;
const LEFT: f64 = 62.0;
/// Room on the right for mean and count.
const RIGHT: f64 = 84.0;
const TOP: f64 = 16.0;
/// Up to so many architectures are also drawn as points.
const POINTS: usize = 150;

/// A panel per token, by cell; the panels of a cell share their axis.
pub(super) fn panels(page: &mut Page, stats: &[TokenStats], numbers: Numbers) {
    for cell in stats.chunk_by(|a, b| a.cell == b.cell) {
        page.raw(format_args!("<h4>Cell {}</h4>\n<div class=\"panels\">", cell[0].cell + 1));
        let all = cell.iter().flat_map(|token| &token.choices);
        // The farthest percent at either end must not squeeze the rest.
        let ends = all.flat_map(|choice| {
            [quantile(&choice.relative, 0.01), quantile(&choice.relative, 0.99)]
        });
        let x = range(ends, 0.05);
        for token in cell {
            page.raw(format_args!("<figure><h5>{}</h5>", escape(&token.token)));
            page.raw(panel(token, x, numbers));
            page.raw("</figure>");
        }
        page.raw("</div>\n");
    }
    page.note(
        "Score relative to the mean of its iteration. Box: middle half of the architectures; line \
         in it: median; whiskers: 5 % to 95 %; dot with bar: mean with its 95 % interval. On the \
         right: mean score as it is, and the number of children.",
    );
}

fn panel(token: &TokenStats, x: (f64, f64), numbers: Numbers) -> String {
    let rows = token.choices.len() as f64;
    let size = (WIDTH, TOP + ROW * rows + 24.0);
    let layout = Layout { size, margin: [TOP, RIGHT, 24.0, LEFT] };
    let mut chart = Chart::new(layout, x, (0.0, 1.0));
    chart.x_axis("", 4, 0.0);
    chart.svg.text("tick", (WIDTH, TOP - 5.0), Anchor::End, "mean (n)");
    let (left, right) = chart.horizontal();
    if (left..=right).contains(&chart.x.at(0.0)) {
        chart.zero();
    }
    for (row, choice) in token.choices.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        chart.svg.text("row", (LEFT - 8.0, y + 4.0), Anchor::End, &choice.choice);
        let mean = format!("{} ({})", numbers.score(choice.mean_score), choice.trials);
        chart.svg.text("value", (WIDTH, y + 4.0), Anchor::End, &mean);
        distribution(&mut chart, choice, y, numbers);
    }
    chart.finish("choices", &format!("Scores by choice of {}", token.token))
}

fn distribution(chart: &mut Chart, choice: &ChoiceStats, y: f64, numbers: Numbers) {
    let values = &choice.relative;
    if values.is_empty() {
        return;
    }
    let (left, right) = chart.horizontal();
    let at = |share: f64| chart.x.at(quantile(values, share)).clamp(left, right);
    let [low, first, median, third, high] = [0.05, 0.25, 0.5, 0.75, 0.95].map(at);
    chart.svg.line("whisker", (low, y), (high, y));
    chart.svg.rect("quartiles", [first, y - 7.0, (third - first).max(1.0), 14.0], 2.0);
    chart.svg.line("median", (median, y - 7.0), (median, y + 7.0));
    if values.len() <= POINTS {
        for &value in values {
            let x = chart.x.at(value);
            if (left..=right).contains(&x) {
                chart.svg.circle("arch-dot", (x, y), 1.6, "");
            }
        }
    }
    // Of two or three architectures the interval says nothing and covers everything.
    let interval = mean_interval(values).filter(|_| values.len() > 3);
    let Some(mean) = interval else { return };
    let inside = |value: f64| chart.x.at(value).clamp(left, right);
    let (low, high, middle) = (inside(mean.low), inside(mean.high), inside(mean.estimate));
    chart.svg.line("ci all", (low, y), (high, y));
    let tip = format!(
        "{}: mean {} relative to the iteration, {} architectures; mean score {}",
        choice.choice,
        numbers.interval(&mean),
        values.len(),
        numbers.score(choice.mean_score)
    );
    chart.svg.circle("point all", (middle, y), 3.4, &tip);
}
