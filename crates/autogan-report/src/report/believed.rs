//! This section says what a model of all trainings believes, of a search by trainings from scratch: which choices help,
//! and which architecture is the best.

use std::collections::BTreeMap;

use autogan_run::TrialKind;
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{
    Fidelity, Fitted, ModelKind, Normal, Observation, Point, Problem, Query, Space, Surrogate,
};

use super::format::Numbers;
use super::page::Page;
use crate::data::{RunData, StrategyPlan};

/// Half of a 95 % interval in standard deviations.
const HALF: f64 = 1.96;
/// The fewest finite values that are modelled.
const FEWEST: usize = 8;

pub(super) fn write(page: &mut Page, data: &RunData, plan: &StrategyPlan) {
    page.section("Which operations help");
    let seen = observations(data, plan);
    if seen.iter().filter(|one| one.value.is_some()).count() < FEWEST {
        page.text(&format!("A model needs {FEWEST} trainings that ended with a value."));
        return;
    }
    match model(plan, &seen) {
        Ok(model) => told(page, data, &model),
        Err(error) => page.text(&format!("The trainings could not be modelled: {error}.")),
    }
}

/// What the strategy was told, in its order. The n-th training of an architecture at a length is its n-th repeat.
fn observations(data: &RunData, plan: &StrategyPlan) -> Vec<Observation> {
    let space = Space::of_archs(MAX_CELLS);
    let mut repeats: BTreeMap<(Point, usize), usize> = BTreeMap::new();
    let trained = data.trials.iter().filter(|row| row.trial.row.kind == TrialKind::Trained);
    let one = |row: &crate::data::TrialRow| {
        let trial = &row.trial.row;
        let length = u64::from(trial.iteration);
        let fidelity = plan.lengths.iter().position(|&known| known == length)?;
        let point = space.point(&trial.arch)?;
        let repeat = repeats.entry((point.clone(), fidelity)).or_default();
        let query = Query { point, fidelity, repeat: *repeat };
        *repeat += 1;
        let value = Some(trial.score).filter(|score| score.is_finite());
        Some(Observation { query, value, cost: 1.0 })
    };
    trained.filter_map(one).collect()
}

fn model(
    plan: &StrategyPlan,
    seen: &[Observation],
) -> Result<Surrogate, autogan_strategies::StrategyError> {
    let fidelities = plan.lengths.map(|length| Fidelity {
        name: format!("{length} iterations"),
        cost: length as f64,
        continues: true,
    });
    let space = Space::of_archs(MAX_CELLS);
    let problem = Problem { space, fidelities: fidelities.to_vec(), budget: f64::MAX };
    let mut model = Surrogate::new(problem, ModelKind::Ridge)?;
    seen.iter().try_for_each(|one| model.tell(one))?;
    model.fitted()?;
    Ok(model)
}

fn told(page: &mut Page, data: &RunData, model: &Surrogate) {
    let Ok(fitted @ Fitted::Ridge(ridge)) = model.fitted() else { return };
    let numbers = Numbers::of(&data.plan);
    let interval = |effect: &Normal| {
        let [low, high] = [-HALF, HALF].map(|by| numbers.signed(effect.mean + by * effect.sd));
        format!("{} [{low}, {high}]", numbers.signed(effect.mean))
    };
    let space = &model.problem().space;
    let mut rows = Vec::new();
    for (token, effects) in space.tokens().iter().zip(ridge.main_effects()) {
        let mut choices: Vec<(&String, &Normal)> = token.choices.iter().zip(&effects).collect();
        choices.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
        for (choice, effect) in choices {
            rows.push(vec![token.name.clone(), choice.clone(), interval(effect)]);
        }
    }
    page.table(&["decision", "choice", "effect"], &rows);
    page.note(
        "Effects of a ridge regression on all trainings, the best choice of each decision first: how much a choice adds to \
         the value, on average over all others, with its 95 % interval. Where an interval holds 0, the trainings do not \
         tell whether the choice helps.",
    );
    best(page, (fitted, space), data, numbers);
}

/// The best architecture of the whole space beside the winner.
fn best(page: &mut Page, (fitted, space): (&Fitted, &Space), data: &RunData, numbers: Numbers) {
    let winner = data.found.as_ref().and_then(|found| found.top.first());
    let winner = winner.and_then(|found| space.point(&found.arch));
    let rows = [("the best of the whole space", fitted.best(space)), ("the winner", winner)];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .filter_map(|(name, point)| {
            let point = point?;
            let arch: Arch = space.arch(&point)?;
            let belief = fitted.belief(&point);
            let value = format!("{} ± {}", numbers.score(belief.mean), numbers.score(belief.sd));
            Some(vec![name.to_owned(), arch.named(), value])
        })
        .collect();
    page.table(&["by the model", "architecture", "expected value"], &rows);
    page.note(
        "± is the standard deviation of the expected value. The best of the whole space was perhaps never trained; it says \
         what going on could find.",
    );
}
