//! This section shows architectures: the best as a figure, the top of the list, the beams of each stage.

use autogan_run::{ArchFile, Expectation};
use autogan_space::{Arch, MAX_CELLS};
use serde_json::Value;

use super::format::{Numbers, count, large};
use super::page::Page;
use crate::arch::{ArchView, arch_glyph, arch_svg};
use crate::data::{RunData, Status};
use crate::svg::escape;

/// The most architectures of the list that are shown.
const CARDS: usize = 50;

pub(super) fn write(page: &mut Page, data: &RunData) {
    page.section("Architecture");
    let found = data.found.as_ref().and_then(|file| Some((file, file.top.first()?)));
    match (found, &data.summary.best) {
        (Some((file, best)), _) => {
            if data.summary.status != Status::Finished {
                page.text(
                    "The run went on after this result; what follows is of its last derivation.",
                );
            }
            figure(page, data, &best.arch);
            top(page, file, data);
        }
        (None, Some(best)) => {
            let none = match data.summary.status {
                Status::Finished => "The result cannot be read.",
                _ => "Nothing has been derived yet.",
            };
            let score = Numbers::of(&data.plan).score(best.score);
            page.text(&match data.plan.strategy {
                Some(_) => format!(
                    "{none} This architecture got the highest score of the longest trainings so far: {score} after {} \
                     iterations.",
                    best.iteration
                ),
                None => format!(
                    "{none} This child got the highest score so far, {score}, in iteration {} of stage {}.",
                    best.iteration + 1,
                    best.stage + 1
                ),
            });
            figure(page, data, &best.arch);
        }
        (None, None) => page.text("No architecture has been scored yet."),
    }
    beams(page, data);
}

/// The figure with its caption and costs.
pub(super) fn figure(page: &mut Page, data: &RunData, arch: &Arch) {
    let drawing = data.plan.drawing();
    let view = ArchView::new(arch, &drawing);
    page.raw("<figure><div class=\"scroll figure-arch\">");
    page.raw(arch_svg(arch, &drawing));
    page.raw("</div><figcaption>");
    page.raw(format_args!("<code>{}</code> · <code>{}</code>", escape(&view.named), view.vector));
    if let Some(name) = view.known_name {
        page.raw(format_args!(" · published as <b>{name}</b>"));
    }
    page.raw(format_args!(
        " · {} parameters, {} multiply-accumulates per image. <span class=\"k-shortcut\">Green: \
         in-cell shortcuts</span>; <span class=\"k-skip\">orange: skips between cells</span>; both \
         show what they pass. Cells double the side.</figcaption></figure>\n",
        count(view.params),
        large(view.macs)
    ));
}

/// The top of the list, side by side.
fn top(page: &mut Page, file: &ArchFile, data: &RunData) {
    let numbers = Numbers::of(&data.plan);
    let shown = file.top.len().min(CARDS);
    page.raw(format_args!("<h3>The top {shown}</h3>\n<div class=\"cards\">"));
    for found in &file.top[..shown] {
        page.raw("<article class=\"card\">");
        // Of those that a strategy did not choose, one value is known.
        let spread = match data.plan.strategy.is_some() && found.spread == 0.0 {
            true => String::new(),
            false => format!(" <small>± {}</small>", numbers.score(found.spread)),
        };
        page.raw(format_args!(
            "<p class=\"rank\"><b>{}</b><span>{}{spread}</span></p>",
            found.rank,
            numbers.score(found.reward),
        ));
        if let Some(Expectation { mean, sd }) = found.expected {
            let (mean, sd) = (numbers.score(mean), numbers.score(sd));
            page.raw(format_args!("<p class=\"fine\">expected: {mean} ± {sd}</p>"));
        }
        page.raw(arch_glyph(&found.arch));
        page.raw(format_args!(
            "<p class=\"fine\"><code>{}</code><br/>{} parameters · {} MACs</p></article>",
            found.arch,
            large(found.params),
            large(found.macs)
        ));
    }
    page.raw("</div>\n");
    if data.plan.strategy.is_some() {
        page.note(&format!(
            "The first is the winner, with the value that the strategy expects of it ± its standard deviation. The others \
             follow by what was seen of them at their greatest length: {}. Higher is better.",
            file.protocol.reward
        ));
        return;
    }
    page.note(&format!(
        "Scored anew at the end, on common latents: {}; ± is the standard deviation over splits. \
         Higher is better.{}",
        file.protocol.score,
        match file.top.iter().any(|found| found.expected.is_some()) {
            true =>
                " Their order is that of what a model of all scores of the stage expects of each, ± the \
                 standard deviation of that expectation.",
            false => "",
        }
    ));
}

/// What went from stage to stage.
fn beams(page: &mut Page, data: &RunData) {
    let entries = beam_entries(data);
    if entries.is_empty() {
        return;
    }
    page.raw("<details><summary>Beams: what went on to the next stage</summary>");
    let row = |BeamEntry { stage, arch, reward }: BeamEntry| {
        vec![
            format!("after stage {}", stage + 1),
            arch.map_or_else(|| "–".to_owned(), |arch| arch.named()),
            Numbers::of(&data.plan).score(reward),
        ]
    };
    let rows: Vec<_> = entries.into_iter().map(row).collect();
    let expected = data.found.iter().flat_map(|found| &found.top).any(|one| one.expected.is_some());
    let value = if expected { "expected reward" } else { "reward" };
    page.table(&["", "architecture", value], &rows);
    page.raw("</details>\n");
}

/// What went on from a stage (from 0) to the next.
pub(super) struct BeamEntry {
    pub stage: u64,
    pub arch: Option<Arch>,
    pub reward: f64,
}

/// All entries of all beams.
pub(super) fn beam_entries(data: &RunData) -> Vec<BeamEntry> {
    let mut all = Vec::new();
    for beam in data.events.iter().filter(|event| event.kind == "beam") {
        let stage = beam.detail.get("stage").and_then(Value::as_u64).unwrap_or_default();
        let entries = beam.detail.get("entries").and_then(Value::as_array);
        if stage >= MAX_CELLS as u64 {
            continue;
        }
        all.extend(entries.into_iter().flatten().map(|entry| BeamEntry {
            stage,
            arch: entry.get("arch").and_then(|arch| serde_json::from_value(arch.clone()).ok()),
            reward: entry.get("reward").and_then(Value::as_f64).unwrap_or(f64::NAN),
        }));
    }
    all
}
