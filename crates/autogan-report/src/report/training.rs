//! These sections show a training from scratch: its architecture, its scores on the way and at the end.

use autogan_run::clock::duration;

use super::architecture::figure;
use super::curves::{Titles, panel};
use super::format::count;
use super::page::Page;
use super::scores::iterations;
use crate::chart::label;
use crate::data::{RunData, Series, TrainingPlan};

/// The curves of the scores: tag, that of training images, and how they are titled.
const SCORES: [(&str, &str, Titles); 2] = [
    ("score/is", "score/real/is", ("Inception Score, its formula", "higher is better")),
    (
        "score/frechet",
        "score/real/frechet",
        ("Fréchet distance to the training images", "lower is better"),
    ),
];

pub(super) fn write(page: &mut Page, data: &RunData, plan: &TrainingPlan) {
    page.section("Architecture");
    figure(page, data, &plan.arch);
    page.section("Scores");
    scores(page, data);
}

/// Name, value and small print of what a training came to.
pub(super) fn numbers(data: &RunData) -> Vec<(&'static str, String, String)> {
    let mut out = Vec::new();
    let Some(trained) = &data.summary.trained else { return out };
    let against = |end: f64, real: f64| {
        format!("{} at the end, training images {}", label(end, 3), label(real, 3))
    };
    let (best, last, real) = (trained.best, trained.last, trained.real);
    out.push(("Inception Score’s formula", label(best.is, 3), against(last.is, real.is)));
    if let (Some(best), Some(last), Some(real)) = (best.frechet, last.frechet, real.frechet) {
        out.push(("Fréchet distance", label(best, 3), against(last, real)));
    }
    out
}

fn scores(page: &mut Page, data: &RunData) {
    let mut drawn = false;
    page.raw("<div class=\"panels\">");
    for (tag, real, titles) in SCORES {
        let Some(found) = data.scalars.get(tag) else { continue };
        let level = data.scalars.get(real).and_then(|series| series.value.last().copied());
        let (low, high) = iterations(data);
        let real = level.map(|value| Series {
            at: vec![low, high],
            value: vec![value; 2],
            ..Series::default()
        });
        let mut drawn_series = vec![(found, "averaged generator", "line0")];
        drawn_series.extend(real.as_ref().map(|series| (series, "training images", "line1")));
        panel(page, data, titles, &drawn_series);
        drawn = true;
    }
    page.raw("</div>\n");
    if !drawn {
        page.text("Nothing has been scored yet.");
    }
    if let Some(file) = &data.trained {
        let frechet = file.protocol.frechet.as_ref();
        let name = frechet.map_or(String::new(), |name| format!(" and {name}"));
        page.note(&format!(
            "Scores are {}{name}, of the averaged generator on the same latents throughout. The best weights are those \
             of iteration {}; {} real images were seen in all.",
            file.protocol.is,
            count(file.best.g_iteration),
            count(file.images_seen)
        ));
    }
}

pub(super) fn timings(page: &mut Page, data: &RunData) {
    page.raw("<h3>Timings</h3>\n");
    let done = data.summary.iterations_done;
    if done == 0 {
        page.text("No iteration has ended yet.");
        return;
    }
    let seconds = data.summary.seconds;
    let per_thousand = duration(1000.0 * seconds / f64::from(done));
    let row = vec![count(done.into()), duration(seconds), per_thousand];
    page.table(&["iterations", "time", "per thousand"], &[row]);
    page.note("Wall clock over all sessions of the run, scoring included.");
}
