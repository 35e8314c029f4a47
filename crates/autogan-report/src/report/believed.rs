//! This section says what a model of all trainings believes, of a search by trainings from scratch: which choices help,
//! and which architecture is the best.

use std::collections::BTreeMap;

use autogan_run::TrialKind;
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{
    Fidelity, Fitted, ModelKind, Normal, Observation, Problem, Query, RidgeFit, Space,
    StrategyError, Surrogate,
};

use super::format::Numbers;
use super::page::Page;
use crate::data::{Plan, RunData, StrategyPlan};

/// Half of a 95 % interval in standard deviations.
const HALF: f64 = 1.96;
/// The fewest finite values that are modelled.
pub(super) const FEWEST: usize = 8;

pub(super) fn write(page: &mut Page, data: &RunData, plan: &StrategyPlan) {
    page.section("Which operations help");
    let seen = observations(data, plan);
    let trained = seen.iter().filter(|one| one.query.fidelity >= shared(plan));
    if trained.filter(|one| one.value.is_some()).count() < FEWEST {
        page.text(&format!("A model needs {FEWEST} trainings that ended with a value."));
        return;
    }
    match model(&data.plan, plan, &seen) {
        Ok(model) => told(page, data, plan, &model),
        Err(error) => page.text(&format!("The trainings could not be modelled: {error}.")),
    }
}

/// The number of fidelities before the lengths of trainings: scores on shared weights, where there was a supernet.
fn shared(plan: &StrategyPlan) -> usize {
    usize::from(plan.supernet_iterations > 0)
}

/// What the strategy was told, in its order.
fn observations(data: &RunData, plan: &StrategyPlan) -> Vec<Observation> {
    let space = Space::of_archs(MAX_CELLS);
    let repeats = repeats(data);
    let one = |row: &crate::data::TrialRow| {
        let trial = &row.trial.row;
        let length = u64::from(trial.iteration);
        let (fidelity, repeat) = match trial.kind {
            TrialKind::Shared => (0, 0),
            TrialKind::Trained => {
                let at = plan.lengths.iter().position(|&known| known == length)?;
                (shared(plan) + at, repeats.get(&trial.step.into()).copied().unwrap_or(0))
            }
            _ => return None,
        };
        let point = space.point(&trial.arch)?;
        let query = Query { point, fidelity, repeat: repeat as usize };
        let value = Some(trial.score).filter(|score| score.is_finite());
        Some(Observation { query, value, cost: 1.0 })
    };
    data.trials.iter().filter_map(one).collect()
}

/// Which training of its architecture a row stands for, by the row's step; the rows that are absent are of the first. Two
/// trainings of one architecture have seeds of their own, and one never goes on as the other.
fn repeats(data: &RunData) -> BTreeMap<u64, u64> {
    let events = data.events.iter().filter(|event| event.kind == "repeat");
    let pair = |event: &crate::data::EventRow| {
        let number = |key: &str| event.detail.get(key).and_then(serde_json::Value::as_u64);
        number("step").zip(number("repeat"))
    };
    events.filter_map(pair).collect()
}

/// The architectures that the configuration allows.
fn allowed(plan: &Plan) -> Result<Space, StrategyError> {
    match &plan.allowed {
        None => Ok(Space::of_archs(MAX_CELLS)),
        Some(budget) => Space::allowed(MAX_CELLS, budget),
    }
}

fn model(of: &Plan, plan: &StrategyPlan, seen: &[Observation]) -> Result<Surrogate, StrategyError> {
    let lengths = plan.lengths.map(|length| Fidelity {
        name: format!("{length} iterations"),
        cost: length as f64,
        continues: true,
    });
    let of_shared = Fidelity { name: "shared weights".into(), cost: 1.0, continues: false };
    let fidelities = std::iter::repeat_n(of_shared, shared(plan)).chain(lengths).collect();
    let problem = Problem { space: allowed(of)?, fidelities, budget: f64::MAX };
    let mut model = Surrogate::new(problem, ModelKind::Ridge)?;
    seen.iter().try_for_each(|one| model.tell(one))?;
    model.fitted()?;
    Ok(model)
}

fn told(page: &mut Page, data: &RunData, plan: &StrategyPlan, model: &Surrogate) {
    let Ok(fitted @ Fitted::Ridge(ridge)) = model.fitted() else { return };
    let space = &model.problem().space;
    effects(page, Numbers::of(&data.plan), (space, ridge), |_| true);
    let told = match shared(plan) {
        0 => "all trainings",
        _ => "all trainings and all scores on shared weights",
    };
    page.note(&format!(
        "Effects of a ridge regression on {told}, the best choice of each decision first: how much a choice adds to the \
         value, on average over all others, with its 95 % interval. Where an interval holds 0, they do not tell whether the \
         choice helps."
    ));
    best(page, (fitted, space), data);
}

/// A table of the effects of each choice of the decisions that are `shown`, the best choice of each first.
pub(super) fn effects(
    page: &mut Page,
    numbers: Numbers,
    (space, ridge): (&Space, &RidgeFit),
    shown: impl Fn(usize) -> bool,
) {
    let interval = |effect: &Normal| {
        let [low, high] = [-HALF, HALF].map(|by| numbers.signed(effect.mean + by * effect.sd));
        format!("{} [{low}, {high}]", numbers.signed(effect.mean))
    };
    let mut rows = Vec::new();
    let tokens = space.tokens().iter().zip(ridge.main_effects()).enumerate();
    for (_, (token, effects)) in tokens.filter(|(at, _)| shown(*at)) {
        let mut choices: Vec<(&String, &Normal)> = token.choices.iter().zip(&effects).collect();
        choices.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
        for (choice, effect) in choices {
            rows.push(vec![token.name.clone(), choice.clone(), interval(effect)]);
        }
    }
    page.table(&["decision", "choice", "effect"], &rows);
}

/// The best architecture of all that are allowed beside the winner.
fn best(page: &mut Page, (fitted, space): (&Fitted, &Space), data: &RunData) {
    let numbers = Numbers::of(&data.plan);
    let all = match data.plan.allowed {
        Some(_) => "the best that the budget allows",
        None => "the best of the whole space",
    };
    let winner = data.found.as_ref().and_then(|found| found.top.first());
    let winner = winner.and_then(|found| space.point(&found.arch));
    let rows = [(all, fitted.best(space)), ("the winner", winner)];
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
        "± is the standard deviation of the expected value. The first architecture was perhaps never trained; it says what \
         going on could find.",
    );
}

#[cfg(test)]
pub(super) mod tests {
    use autogan_config::{Configuration, SearchConfig};
    use autogan_run::{Event, Host, RunDir, RunWriter, Trial};

    use super::*;

    /// An architecture that was scored: its kind, its step and iteration, its score.
    pub fn trial(kind: TrialKind, (step, iteration): (u32, u32), arch: &Arch, score: f64) -> Trial {
        Trial {
            tick: step.into(),
            kind,
            stage: arch.stage() as u32,
            iteration,
            step,
            arch: arch.clone(),
            named: arch.named(),
            score,
            spread: 0.0,
            entropy: None,
            advantage: None,
            baseline: None,
            params: 1,
            macs: 1,
            seconds: 1.0,
            reward: Some(score),
        }
    }

    #[test]
    fn two_trainings_of_one_architecture_are_two_observations() {
        let settings = ["strategy.name=led_halving".to_owned()];
        let config = SearchConfig::preset("quick", &settings).unwrap();
        let [short, _, whole] = config.strategy.lengths.map(|length| length as u32);
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let toml = config.to_toml().unwrap();
        let (dir, lock) = RunDir::create_at(&path, &toml, &Host::detect("cpu")).unwrap();
        let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
        let arch = Arch::nth(2, 5).unwrap();
        // The first training stays short; a second one, with a seed of its own, goes to the end at once.
        writer.trial(&trial(TrialKind::Trained, (0, short), &arch, -5.0)).unwrap();
        let json = r#"{"step":1,"repeat":1}"#.to_owned();
        writer.event(&Event { tick: 1, kind: "repeat".into(), json, seconds: 1.0 }).unwrap();
        writer.trial(&trial(TrialKind::Trained, (1, whole), &arch, -3.0)).unwrap();
        // The first goes on.
        writer.trial(&trial(TrialKind::Trained, (2, whole), &arch, -3.5)).unwrap();
        writer.finish().unwrap();
        let data = RunData::read(&dir);
        assert!(data.problems.is_empty(), "{:?}", data.problems);
        let seen = observations(&data, data.plan.strategy.as_ref().unwrap());
        let told = seen.iter().map(|one| (one.query.fidelity, one.query.repeat, one.value));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [(0, 0, Some(-5.0)), (2, 1, Some(-3.0)), (2, 0, Some(-3.5))]);
    }
}
