//! This part of "Which operations help" says what a model of the children of the last stage believes: a search on shared
//! weights gives each child one noisy score, of which a model makes effects and expectations.

use std::collections::BTreeSet;

use autogan_space::{Arch, CellArch};
use autogan_strategies::{Fitted, ScoreLevel, Space, StrategyError, Surrogate};

use super::architecture::beam_entries;
use super::believed::{FEWEST, effects};
use super::format::Numbers;
use super::page::Page;
use crate::data::RunData;
use crate::stats::relative_scores;

/// How many of the architectures of which the most is expected are listed.
const LISTED: usize = 5;

pub(super) fn write(page: &mut Page, data: &RunData) {
    let Some(stage) = data.stages.iter().map(|span| span.stage).max() else { return };
    let children = relative_scores(data, stage);
    page.raw(format_args!("<h3>By a model of the children of stage {}</h3>\n", stage + 1));
    if children.len() < FEWEST {
        page.text(&format!("A model needs {FEWEST} children with a score."));
        return;
    }
    match model(stage as usize + 1, &children) {
        Ok(model) => told(page, data, (&model, stage as usize), &children),
        Err(error) => page.text(&format!("The children could not be modelled: {error}.")),
    }
}

fn model(cells: usize, children: &[(Arch, f64)]) -> Result<Surrogate, StrategyError> {
    let space = Space::of_archs(cells);
    let points = children.iter().filter_map(|(arch, value)| Some((space.point(arch)?, *value)));
    let scores: Vec<_> = points.collect();
    let level = ScoreLevel { name: "children", shares_unit: false, scores: &scores };
    Surrogate::of_scores(space, &[level])
}

fn told(
    page: &mut Page,
    data: &RunData,
    (model, stage): (&Surrogate, usize),
    children: &[(Arch, f64)],
) {
    let Ok(fitted @ Fitted::Ridge(ridge)) = model.fitted() else { return };
    let space = &model.problem().space;
    let seen: Vec<_> = children.iter().filter_map(|(arch, _)| space.point(arch)).collect();
    let varies = |token: usize| seen.iter().any(|point| point.0[token] != seen[0].0[token]);
    effects(page, Numbers::of(&data.plan), (space, ridge), varies);
    page.note(
        "Effects of a ridge regression on choices and pairs of choices, fitted to all children of the stage, each relative to \
         the mean of its iteration; the best choice of each decision first. An effect says how much a choice adds to the \
         score on shared weights, on average over all others, with its 95 % interval. Where an interval holds 0, the children \
         do not tell whether the choice helps.",
    );
    best(page, data, (fitted, space), (stage, children));
}

/// All architectures that a stage can draw: with one level all that are allowed, else those that begin as children or beams
/// do.
fn drawable(data: &RunData, stage: usize, children: &BTreeSet<&Arch>) -> Vec<Arch> {
    let allowed = data.plan.allowed.as_ref();
    if data.plan.grow_at.iter().all(|&at| at == 0) {
        let all = Arch::enumerate(stage);
        return all.filter(|arch| allowed.is_none_or(|budget| budget.allows(arch))).collect();
    }
    let beam = beam_entries(data).into_iter().filter(|entry| entry.stage + 1 == stage as u64);
    let of_beam = beam.filter_map(|entry| entry.arch).map(|arch| arch.cells().to_vec());
    let of_children = children.iter().map(|arch| arch.cells()[..stage].to_vec());
    let begins: BTreeSet<Vec<CellArch>> = of_children.chain(of_beam).collect();
    let ends = begins.into_iter().flat_map(|begin| {
        let cells: Vec<CellArch> = match allowed {
            Some(budget) => budget.cells_after(&begin),
            None => CellArch::enumerate(stage).collect(),
        };
        cells.into_iter().map(move |cell| [&begin[..], &[cell]].concat())
    });
    ends.filter_map(|cells| Arch::new(cells).ok()).collect()
}

/// The architectures of which the most is expected, among those that the stage can draw.
fn best(
    page: &mut Page,
    data: &RunData,
    (fitted, space): (&Fitted, &Space),
    (stage, children): (usize, &[(Arch, f64)]),
) {
    let numbers = Numbers::of(&data.plan);
    let known: BTreeSet<&Arch> = children.iter().map(|(arch, _)| arch).collect();
    let mut valued: Vec<(f64, Arch)> = drawable(data, stage, &known)
        .into_iter()
        .filter_map(|arch| Some((fitted.mean(&space.point(&arch)?), arch)))
        .collect();
    valued.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let rows = valued.iter().take(LISTED).filter_map(|(_, arch)| {
        let belief = fitted.belief(&space.point(arch)?);
        let scored = if known.contains(arch) { "yes" } else { "no" };
        let value = format!("{} ± {}", numbers.signed(belief.mean), numbers.score(belief.sd));
        Some(vec![arch.named(), value, scored.to_owned()])
    });
    page.table(&["architecture", "expected score", "was a child"], &rows.collect::<Vec<_>>());
    let child = valued.iter().find(|(_, arch)| known.contains(arch));
    let gain = match valued.first().zip(child) {
        Some((best, child)) if best.1 != child.1 => format!(
            " The first was never a child. It is expected to score {} more than the best child. If the model is right, going \
             on could gain this much.",
            numbers.score(best.0 - child.0)
        ),
        _ => " The first was a child: the model expects no gain from going on.".to_owned(),
    };
    page.note(&format!(
        "Of all architectures that the stage can draw, the model expects the most of these. Expected scores are relative to the \
         mean of an iteration; ± is the standard deviation of the expectation.{gain}"
    ));
}

#[cfg(test)]
mod tests {
    use autogan_config::{Configuration, SearchConfig};
    use autogan_run::{Host, RunDir, RunWriter, TrialKind};
    use autogan_space::Upsample;

    use super::super::believed::tests::trial;
    use super::*;

    /// A run whose children of stage 1 score by their upsampling alone: bilinear 2, the others 1.
    fn run(children: usize) -> RunData {
        let parent = tempfile::tempdir().unwrap();
        let toml = SearchConfig::preset("quick", &[]).unwrap().to_toml().unwrap();
        let path = parent.path().join("run");
        let (dir, lock) = RunDir::create_at(&path, &toml, &Host::detect("cpu")).unwrap();
        let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
        for (tick, arch) in Arch::enumerate(0).step_by(2).take(children).enumerate() {
            let score = if arch.cells()[0].upsample == Upsample::Bilinear { 2.0 } else { 1.0 };
            let trial = trial(TrialKind::Controller, (tick as u32, 0), &arch, score);
            writer.trial(&trial).unwrap();
        }
        writer.finish().unwrap();
        RunData::read(&dir)
    }

    fn text(data: &RunData) -> String {
        let mut page = Page::default();
        write(&mut page, data);
        page.finish("page")
    }

    #[test]
    fn effects_and_expectations_follow_from_the_children() {
        let text = text(&run(18));
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(
            place("cell 1: upsampling</td><td>bilinear")
                < place("cell 1: upsampling</td><td>nearest")
        );
        // The shortcut never changed, so it has no effect to show.
        assert!(!text.contains("cell 1: shortcut"));
        let best = place("was a child");
        let first = &text[best..best + 400];
        assert!(first.contains("bilinear"), "{first}");
    }

    #[test]
    fn few_children_are_not_modelled() {
        assert!(text(&run(FEWEST - 1)).contains("A model needs 8 children"));
        assert_eq!(text(&run(0)).matches("By a model").count(), 0);
    }
}
