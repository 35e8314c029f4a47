//! This section draws the policy's probabilities over time: a small chart for each token, its choices stacked to one.

use super::page::Page;
use crate::chart::{Chart, Layout};
use crate::data::{PolicyToken, RunData};
use crate::svg::escape;

const LAYOUT: Layout = Layout { size: (330.0, 132.0), margin: [6.0, 10.0, 24.0, 30.0] };

pub(super) fn write(page: &mut Page, data: &RunData) {
    page.section("Policy");
    if data.policy.is_empty() {
        page.text("No iteration has ended yet.");
        return;
    }
    page.text(
        "The controller’s probabilities for each token at the end of each iteration, averaged over \
         the beam, with the most probable choice fed on. Each stage has its own controller.",
    );
    for stage in data.policy.chunk_by(|a, b| a.stage == b.stage) {
        page.raw(format_args!("<h4>Cell {}</h4>\n<div class=\"panels\">", stage[0].stage + 1));
        for token in stage {
            page.raw("<figure><h5>");
            page.raw(escape(&token.token));
            page.raw("</h5>");
            let shares = token.choices.iter().zip(&token.probability).enumerate();
            let entries = shares.map(|(i, (choice, p))| {
                let last = p.last().copied().unwrap_or(f64::NAN);
                (format!("box k-share{i}"), format!("{choice} {last:.2}"))
            });
            page.legend("legend small", entries);
            page.raw(chart(token));
            page.raw("</figure>");
        }
        page.raw("</div>\n");
    }
    page.note("Beside each choice its last probability. The dashed lines are even shares.");
}

fn chart(token: &PolicyToken) -> String {
    let first = token.iteration.first().copied().unwrap_or(0);
    let end = token.iteration.last().map_or(first, |last| last.saturating_add(1));
    let mut chart = Chart::new(LAYOUT, (f64::from(first), f64::from(end)), (0.0, 1.0));
    for (step, iteration) in token.iteration.iter().enumerate() {
        let x = chart.x.at(f64::from(*iteration));
        let width = chart.x.at(f64::from(*iteration) + 1.0) - x;
        let mut below = 0.0;
        for (i, probability) in token.probability.iter().enumerate() {
            let p = probability.get(step).copied().unwrap_or(f64::NAN);
            if !p.is_finite() {
                continue;
            }
            let (top, bottom) = (chart.y.at(below + p), chart.y.at(below));
            below += p;
            let name = &token.choices[i];
            chart.svg.raw("<g>");
            // A little wider than the step, so that no light shows between steps.
            chart.svg.rect(&format!("share{i}"), [x, top, width + 0.3, bottom - top], 0.0);
            let tip = format!("iteration {}: {name} {p:.3}", iteration + 1);
            chart.svg.raw(format_args!("<title>{}</title></g>", escape(&tip)));
        }
    }
    let (left, right) = chart.horizontal();
    for i in 1..token.choices.len() {
        let y = chart.y.at(i as f64 / token.choices.len() as f64);
        chart.svg.line("even", (left, y), (right, y));
    }
    chart.y_axis("", 2);
    chart.x_axis("", 6, 1.0);
    chart.finish("policy", &format!("Probabilities of {} over iterations", token.token))
}
