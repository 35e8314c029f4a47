//! The section "Which operations help" shows differences of mean score between choices in this run, beside what the
//! paper observes in section 4.1.

use autogan_stats::{Difference, difference, pooled};

use super::choices;
use super::format::Numbers;
use super::page::Page;
use crate::chart::{Chart, Layout, range};
use crate::data::{RunData, choices_of};
use crate::stats::{TokenStats, by_choice};
use crate::svg::{Anchor, Px, escape};

/// Token, the choice that the paper's architectures have where they agree, the other choice.
const CONTRASTS: [(&str, &str, &str); 11] = [
    ("conv", "pre", "post"),
    ("norm", "none", "batch"),
    ("norm", "none", "instance"),
    ("norm", "batch", "instance"),
    ("upsampling", "nearest", "bilinear"),
    ("upsampling", "nearest", "deconv"),
    ("upsampling", "bilinear", "deconv"),
    ("shortcut", "yes", "no"),
    ("skip from cell 1", "yes", "no"),
    ("skip from cell 2", "yes", "no"),
    SKIPS,
];

/// All skips together, as the paper's "denser connections".
const SKIPS: (&str, &str, &str) = ("any skip", "yes", "no");

/// One comparison: in each cell, and over cells.
struct Contrast {
    token: &'static str,
    /// The choices, of which the second is subtracted from the first.
    sides: [&'static str; 2],
    /// Cell (from 0) and difference, where there is enough to estimate one.
    cells: Vec<(usize, Difference)>,
    all: Option<Difference>,
}

impl Contrast {
    fn name(&self) -> String {
        let ([a, b], token) = (self.sides, self.token);
        format!("{token}: {a} − {b}")
    }
}

pub(super) fn write(page: &mut Page, data: &RunData) {
    page.section("Which operations help");
    let stats = by_choice(data);
    if stats.is_empty() {
        page.text("No child of the controller has been scored yet.");
        return;
    }
    page.text(
        "Scores by choice, among the children of the stage that searched the cell. Scores rise \
         while the shared weights learn, so each counts relative to the mean of its iteration, and \
         each architecture counts once, with its mean. This is an association within one run: the \
         policy does not draw the other choices independently of these.",
    );
    let numbers = Numbers::of(&data.plan);
    let contrasts = contrasts(&stats);
    if contrasts.is_empty() {
        page.text("There are not enough architectures for differences with intervals yet.");
    } else {
        page.raw("<h3>Differences of mean score</h3>\n");
        let cells = 0..data.stages.len();
        let mut entries: Vec<(String, String)> =
            cells.map(|cell| (format!("dot k-cell{cell}"), format!("cell {}", cell + 1))).collect();
        entries.push(("dot k-all".into(), "cells pooled".into()));
        page.legend("legend", entries);
        page.raw("\n");
        let [wide, narrow] = [(1000.0, true), (360.0, false)]
            .map(|(width, beside)| forest(&contrasts, width, beside, numbers));
        page.wide_and_narrow(&wide, &narrow);
        table(page, &contrasts, numbers);
        observations(page, data, &contrasts);
    }
    page.raw("<h3>Distribution of scores by choice</h3>\n");
    choices::panels(page, &stats, numbers);
}

fn contrasts(stats: &[TokenStats]) -> Vec<Contrast> {
    let mut found: Vec<Contrast> = Vec::new();
    let mut skips: Vec<Difference> = Vec::new();
    for (token, a, b) in CONTRASTS {
        let mut cells = Vec::new();
        for stats in stats.iter().filter(|stats| stats.token == token) {
            let of = |name: &str| stats.choices.iter().find(|choice| choice.choice == name);
            let Some((a, b)) = of(a).zip(of(b)) else { continue };
            cells.extend(difference(&a.relative, &b.relative).map(|d| (stats.cell, d)));
        }
        let differences: Vec<Difference> = cells.iter().map(|(_, d)| *d).collect();
        if token.starts_with("skip") {
            skips.extend(&differences);
        }
        let together = token == SKIPS.0;
        let all = pooled(if together { &skips } else { &differences });
        if !cells.is_empty() || (together && skips.len() > 1) {
            found.push(Contrast { token, sides: [a, b], cells, all });
        }
    }
    found
}

/// The differences as points with intervals, a row per comparison.
///
/// Names stand left of the rows, or above them where it is narrow.
fn forest(contrasts: &[Contrast], width: f64, beside: bool, numbers: Numbers) -> String {
    const TOP: f64 = 8.0;
    let (left, row_height, name_height) =
        if beside { (210.0, 36.0, 0.0) } else { (8.0, 52.0, 18.0) };
    let ends = contrasts.iter().flat_map(|contrast| {
        let cells = contrast.cells.iter().map(|(_, d)| *d);
        cells.chain(contrast.all).flat_map(|d| [d.low, d.high])
    });
    // A few wide intervals of rare choices must not squeeze all others.
    let widest = contrasts.iter().filter_map(|c| c.all).map(|d| d.high.abs().max(d.low.abs()));
    let cap = 2.5 * widest.fold(0.0, f64::max);
    let (low, high) = range(ends.chain([0.0]), 0.05);
    let x = if cap > 0.0 { (low.max(-cap), high.min(cap)) } else { (low, high) };
    let height = TOP + row_height * contrasts.len() as f64 + 42.0;
    let layout = Layout { size: (width, height), margin: [TOP, 8.0, 42.0, left] };
    let mut chart = Chart::new(layout, x, (0.0, 1.0));
    chart.x_axis("difference of mean score, 95 % intervals", 6, 0.0);
    chart.zero();
    for (row, contrast) in contrasts.iter().enumerate() {
        let top = TOP + row_height * row as f64;
        let middle = top + name_height + (row_height - name_height) / 2.0;
        chart.svg.line("grid", (0.0, top + row_height), (width, top + row_height));
        let name = contrast.name();
        if beside {
            chart.svg.text("row", (left - 10.0, middle + 4.0), Anchor::End, &name);
        } else {
            chart.svg.text("row", (0.0, top + 15.0), Anchor::Start, &name);
        }
        let mut marks: Vec<(String, Difference)> =
            contrast.cells.iter().map(|(cell, d)| (format!("cell{cell}"), *d)).collect();
        marks.extend(contrast.all.map(|d| ("all".to_owned(), d)));
        let first = middle - 4.0 * (marks.len() as f64 - 1.0);
        for (i, (class, d)) in marks.iter().enumerate() {
            let tip = format!("{name}, {class}: {}", numbers.interval(d));
            mark(&mut chart, class, d, first + 8.0 * i as f64, &tip);
        }
    }
    chart.finish("forest", "Differences of mean score between choices, with 95 % intervals")
}

/// A point with its interval, cut off where the chart ends.
fn mark(chart: &mut Chart, class: &str, d: &Difference, y: f64, tip: &str) {
    let (left, right) = chart.horizontal();
    let inside = |value: f64| chart.x.at(value).clamp(left, right);
    let (from, to, at) = (inside(d.low), inside(d.high), chart.x.at(d.estimate));
    chart.svg.line(&format!("ci {class}"), (from, y), (to, y));
    if !(left..=right).contains(&at) {
        return;
    }
    if class == "all" {
        let d = format!("M{} {}l5 4l-5 4l-5 -4z", Px(at), Px(y - 4.0));
        chart.svg.path("point all", &d, tip);
    } else {
        chart.svg.circle(&format!("point {class}"), (at, y), 3.2, tip);
    }
}

fn table(page: &mut Page, contrasts: &[Contrast], numbers: Numbers) {
    page.raw("<details><summary>The differences as numbers</summary>");
    let cells: Vec<usize> = (0..autogan_space::MAX_CELLS)
        .filter(|cell| contrasts.iter().any(|c| c.cells.iter().any(|(at, _)| at == cell)))
        .collect();
    let mut head = vec!["comparison".to_owned()];
    head.extend(cells.iter().map(|cell| format!("cell {}", cell + 1)));
    head.push("pooled".to_owned());
    let rows: Vec<Vec<String>> = contrasts
        .iter()
        .map(|contrast| {
            let of = |cell: &usize| contrast.cells.iter().find(|(at, _)| at == cell);
            let text =
                |d: Option<&Difference>| d.map_or_else(|| "–".to_owned(), |d| numbers.interval(d));
            let mut row = vec![contrast.name()];
            row.extend(cells.iter().map(|cell| text(of(cell).map(|(_, d)| d))));
            row.push(text(contrast.all.as_ref()));
            row
        })
        .collect();
    page.table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
    page.raw("</details>\n");
    page.note(
        "Welch's intervals at 95 %, in units of score; pooled: weighted by the inverse variance, so \
         mostly the cell whose scores spread least. Eleven comparisons are made: now and then one \
         looks clear by chance.",
    );
}

/// What section 4.1 says, and what this run says to it.
fn observations(page: &mut Page, data: &RunData, contrasts: &[Contrast]) {
    let numbers = Numbers::of(&data.plan);
    page.raw(
        "<h3>Beside the paper’s observations</h3>\n<div class=\"scroll\"><table class=\"words\">",
    );
    page.raw("<thead><tr><th scope=\"col\">observation (section 4.1)</th><th scope=\"col\">this run</th>");
    page.raw("<th scope=\"col\">cells of the architectures found</th></tr></thead><tbody>");
    let claims: [(&str, &[&str], &str, &[&str]); 5] = [
        (
            "Pre-activation is preferred to post-activation",
            &["conv: pre − post"],
            "conv",
            &["pre", "post"],
        ),
        (
            "No normalisation is preferred",
            &["norm: none − batch", "norm: none − instance"],
            "norm",
            &["none", "batch", "instance"],
        ),
        (
            "Nearest (and bilinear) upsampling is preferred to deconvolution",
            &["upsampling: nearest − deconv", "upsampling: bilinear − deconv"],
            "upsampling",
            &["nearest", "bilinear", "deconv"],
        ),
        (
            "Dense skips between cells are preferred",
            &["any skip: yes − no"],
            "skip",
            &["yes", "no"],
        ),
        (
            "In-cell shortcuts (not discussed there)",
            &["shortcut: yes − no"],
            "shortcut",
            &["yes", "no"],
        ),
    ];
    for (claim, names, token, choices) in claims {
        let of = |name: &&str| contrasts.iter().find(|contrast| contrast.name() == **name);
        let mut lines: Vec<String> =
            names.iter().filter_map(of).map(|c| verdict(c, numbers)).collect();
        if lines.is_empty() {
            lines.push("too few architectures to compare".to_owned());
        }
        page.raw(format_args!(
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(claim),
            lines.join("<br/>"),
            escape(&shares(data, token, choices))
        ));
    }
    page.raw("</tbody></table></div>\n");
}

/// A comparison in a sentence, escaped.
fn verdict(contrast: &Contrast, numbers: Numbers) -> String {
    let Some(d) = &contrast.all else {
        return format!("{}: no spread to estimate from", escape(&contrast.name()));
    };
    let [a, b] = match contrast.token {
        "shortcut" => ["with a shortcut", "without"],
        "any skip" => ["with a skip", "without"],
        _ => contrast.sides,
    };
    let word = match d.is_clear() {
        true if d.estimate > 0.0 => format!("<b>{a}</b> above {b}"),
        true => format!("<b>{a}</b> below {b}"),
        false => format!("{a} and {b}: no clear difference"),
    };
    format!("{word} <small>{}</small>", numbers.interval(d))
}

/// How often each choice is made in the cells of the architectures found.
fn shares(data: &RunData, token: &str, choices: &[&str]) -> String {
    let top = data.found.as_ref().map(|file| file.top.as_slice()).unwrap_or_default();
    if top.is_empty() {
        return "–".to_owned();
    }
    let chosen: Vec<&str> = top
        .iter()
        .flat_map(|found| choices_of(&found.arch).into_iter().enumerate())
        .filter(|(at, _)| data.tokens[*at].name.starts_with(token))
        .map(|(at, choice)| data.tokens[at].choices[choice].as_str())
        .collect();
    let count = |name: &str| chosen.iter().filter(|choice| **choice == name).count();
    let parts: Vec<String> = choices.iter().map(|name| format!("{name} {}", count(name))).collect();
    format!("{} of {}", parts.join(", "), chosen.len())
}
