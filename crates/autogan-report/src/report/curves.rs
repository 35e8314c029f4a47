//! This section draws losses, entropy and the time of each iteration.

use autogan_run::clock::duration;

use super::page::Page;
use super::scores::{iterations, marks};
use crate::chart::{Chart, Layout, range, thinned};
use crate::data::{RunData, Series};
use crate::svg::{Anchor, escape};

/// Points of a curve; more become means.
const MOST: usize = 500;
const LAYOUT: Layout = Layout { size: (330.0, 190.0), margin: [8.0, 8.0, 38.0, 46.0] };

/// Title and axis of a chart.
pub(super) type Titles = (&'static str, &'static str);

/// Tag, name and class of a series.
type Line = (&'static str, &'static str, &'static str);

const CHARTS: [(Titles, &[Line]); 4] = [
    (
        ("Losses", "hinge loss"),
        &[("loss/d", "discriminator", "line0"), ("loss/g", "generator", "line1")],
    ),
    (("Entropy of the policy", "nats per token"), &[("controller/entropy", "entropy", "line0")]),
    (
        ("Reward of the controller’s steps", "reward"),
        &[
            ("controller/reward", "mean of a step", "line1"),
            ("controller/baseline", "baseline", "line0"),
        ],
    ),
    (("Loss of the policy gradient", "loss"), &[("controller/loss", "loss", "line0")]),
];

pub(super) fn write(page: &mut Page, data: &RunData) {
    page.section(if data.plan.training.is_some() { "Losses" } else { "Training" });
    let mut drawn = false;
    page.raw("<div class=\"panels\">");
    for (titles, series) in CHARTS {
        let found = series
            .iter()
            .filter_map(|&(tag, name, class)| Some((data.scalars.get(tag)?, name, class)));
        let found: Vec<(&Series, &str, &str)> = found.collect();
        if !found.is_empty() {
            drawn = true;
            panel(page, data, titles, &found);
        }
    }
    let ends = ends(data);
    if !ends.is_empty() {
        drawn = true;
        times(page, data, &ends);
    }
    page.raw("</div>\n");
    if !drawn {
        page.text("No curve has been stored yet.");
    }
}

/// Draws these series in a figure.
pub(super) fn panel(
    page: &mut Page,
    data: &RunData,
    (title, axis): Titles,
    found: &[(&Series, &str, &str)],
) {
    let thin: Vec<_> = found.iter().map(|(s, ..)| thinned(&s.at, &s.value, MOST)).collect();
    let size = thin.iter().map(|(_, size)| *size).max().unwrap_or(1);
    let means =
        if size > 1 { format!("<small> · means of {size}</small>") } else { String::new() };
    page.raw(format_args!("<figure><h5>{title}{means}</h5>"));
    let entries = found.iter().map(|(_, name, class)| (format!("line k-{class}"), (*name).into()));
    page.legend("legend small", entries);
    let values = thin.iter().flat_map(|(points, _)| points.iter().map(|(_, y)| *y));
    let mut chart = Chart::new(LAYOUT, iterations(data), range(values, 0.05));
    chart.y_axis(axis, 5);
    chart.x_axis("iterations completed", 6, 1.0);
    marks(&mut chart, data, false);
    for ((_, name, class), (points, _)) in found.iter().zip(&thin) {
        chart.curve(class, points, name);
    }
    page.raw(chart.finish("curves", title));
    page.raw("</figure>");
}

/// For each iteration that is over: its number from 0, and the run's wall clock at its end.
pub(super) fn ends(data: &RunData) -> Vec<(u32, f64)> {
    let pictures = data.images.iter().filter(|image| image.row.tag == "child");
    let ends = pictures.map(|image| (image.row.iteration, image.row.seconds));
    ends.filter(|(_, seconds)| seconds.is_finite()).collect()
}

/// Bars with the time that each iteration took.
fn times(page: &mut Page, data: &RunData, ends: &[(u32, f64)]) {
    let starts = [0.0].into_iter().chain(ends.iter().map(|(_, seconds)| *seconds));
    let spans = starts.zip(ends);
    let spans = spans.map(|(start, &(iteration, end))| (iteration, (end - start).max(0.0)));
    let spans: Vec<(u32, f64)> = spans.collect();
    let longest = spans.iter().map(|(_, span)| *span).fold(0.0, f64::max);
    let (unit, name) = if longest > 300.0 { (60.0, "minutes") } else { (1.0, "seconds") };
    let mut chart = Chart::new(LAYOUT, iterations(data), (0.0, longest / unit * 1.05));
    chart.y_axis(name, 5);
    for (iteration, span) in spans {
        let x = chart.x.at(f64::from(iteration));
        let width = chart.x.at(f64::from(iteration) + 1.0) - x;
        let (top, bottom) = (chart.y.at(span / unit), chart.y.at(0.0));
        chart.svg.raw("<g>");
        chart.svg.rect("bar", [x + 0.1 * width, top, 0.8 * width, bottom - top], 0.0);
        let tip = format!("iteration {}: {}", iteration + 1, duration(span));
        chart.svg.raw(format_args!("<title>{}</title></g>", escape(&tip)));
    }
    chart.x_axis("iterations completed", 6, 1.0);
    marks(&mut chart, data, false);
    if longest == 0.0 {
        chart.svg.text("tick", (60.0, 30.0), Anchor::Start, "no time was measured");
    }
    page.raw("<figure><h5>Time of each iteration</h5>");
    page.raw(chart.finish("times", "Time of each iteration"));
    page.raw("</figure>");
}
