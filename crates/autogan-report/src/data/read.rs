//! This module reads a run directory part by part; each part that cannot be read becomes a sentence.

use std::collections::BTreeMap;

use autogan_run::{Record, RunDir, Scalar, Trial, TrialKind};

use super::axis::{Axis, spread};
use super::follow::{Tables, kept};
use super::plan::{Plan, TrainingPlan};
use super::sensible::{ITERATIONS, shorten};
use super::summary::Summary;
use super::token::{choices, tokens};
use super::{EventRow, PolicyToken, RunData, Series, StageSpan, TrialRow};

/// Before the names of the policy's series.
const POLICY: &str = "policy/";
/// Before the names of the scores of real images, one per stage.
const REAL: &str = "score/real/stage";
/// The policy has fewer tokens over all stages, and fewer choices of each.
const POLICY_TOKENS: usize = 64;
const POLICY_CHOICES: usize = 64;

impl RunData {
    /// Reads all of it; each row is checked against its checksum.
    pub fn read(run: &RunDir) -> RunData {
        RunData::read_all(run, false)
    }

    /// As [`RunData::read`], and verifies the store as a whole (no row missing, SQLite's own
    /// structure), which takes as long again.
    pub fn verified(run: &RunDir) -> RunData {
        RunData::read_all(run, true)
    }

    fn read_all(run: &RunDir, verify: bool) -> RunData {
        let mut tables = Tables::default();
        let problems = tables.read(run, verify);
        RunData::of(run, tables, problems)
    }

    /// From rows that were read already.
    pub(super) fn of(run: &RunDir, mut tables: Tables, mut problems: Vec<String>) -> RunData {
        let note = &mut problems;
        tables.keep_sensible(note);
        let config = kept(run.checked_config(&tables.sessions), note);
        let plan = Plan::read(config.as_deref(), note);
        let host = kept(run.host(), note);
        let found = kept(run.arch(), note).flatten();
        let trained = kept(run.scores(), note).flatten();
        let summary = Summary::of(run, &plan, &tables, found.as_ref(), trained.as_ref());
        let axis = axis(&tables, &plan);
        let events = tables.events.iter().map(|event| &event.row);
        let sessions = tables.sessions.iter().map(|session| &session.row);
        let data = RunData {
            stages: stages(&tables, &plan, summary.iterations_done),
            tokens: tokens(),
            policy: policy(&tables, &axis, note),
            scalars: series(&tables.scalars, &axis, &plan),
            events: events
                .map(|e| event(&axis, note, e.tick, &e.kind, &e.json, e.seconds))
                .collect(),
            sessions: sessions
                .map(|s| event(&axis, note, s.tick, &s.kind, &s.json, s.seconds))
                .collect(),
            trials: trials(tables.trials, &plan),
            images: tables.images,
            summary,
            plan,
            config: config.unwrap_or_default(),
            host,
            found,
            trained,
            problems: Vec::new(),
        };
        shorten(&mut problems);
        RunData { problems, ..data }
    }
}

/// Iterations by the rows that know theirs; a training's scalars do. A search by trainings from scratch has trainings in
/// their place, in the order in which they ended.
fn axis(tables: &Tables, plan: &Plan) -> Axis {
    if let Some(training) = &plan.training {
        let rows = tables.scalars.iter().map(|scalar| &scalar.row);
        return Axis::new(
            rows.map(|row| (row.tick, (training.at(row.step) as u32).min(ITERATIONS))),
        );
    }
    if plan.strategy.is_some() {
        return Axis::new((0..).zip(tables.trained()).map(|(at, trial)| (trial.tick, at)));
    }
    Axis::new(iterations(tables).map(|(tick, iteration, _)| (tick, iteration)))
}

/// Tick, iteration and stage of the rows that know them: children of the controller, and the pictures of the best.
fn iterations(tables: &Tables) -> impl Iterator<Item = (u64, u32, u32)> {
    let children = tables.trials.iter().map(|trial| &trial.row);
    let children = children.filter(|trial| trial.kind == TrialKind::Controller);
    let pictures =
        tables.images.iter().map(|image| &image.row).filter(|image| image.tag == "child");
    let pictures = pictures.map(|image| (image.tick, image.iteration, image.stage));
    children.map(|trial| (trial.tick, trial.iteration, trial.stage)).chain(pictures)
}

fn trials(stored: Vec<Record<Trial>>, plan: &Plan) -> Vec<TrialRow> {
    let children = stored.iter().filter(|trial| trial.row.kind == TrialKind::Controller);
    let mut places =
        spread(&children.map(|trial| trial.row.iteration).collect::<Vec<_>>()).into_iter();
    let mut trained: u32 = 0;
    stored
        .into_iter()
        .map(|trial| {
            let iteration = f64::from(trial.row.iteration);
            let at = match trial.row.kind {
                TrialKind::Controller => places.next().unwrap_or(iteration),
                // Candidates are ranked when their iteration is over.
                TrialKind::Candidate => iteration + 1.0,
                TrialKind::Trained => {
                    trained += 1;
                    f64::from(trained) - 0.5
                }
                TrialKind::Shared => f64::from(trained),
                // These are of the end: after the last training, or of the iteration after the last one.
                TrialKind::Derive | TrialKind::Random | TrialKind::Drawn => match plan.strategy {
                    Some(_) => f64::from(trained),
                    None => iteration,
                },
            };
            let choice = choices(&trial.row.arch);
            TrialRow { trial, at, choice }
        })
        .collect()
}

fn series(scalars: &[Record<Scalar>], axis: &Axis, plan: &Plan) -> BTreeMap<String, Series> {
    let mut by_tag: BTreeMap<&str, Vec<&Scalar>> = BTreeMap::new();
    for scalar in scalars.iter().filter(|scalar| !scalar.row.tag.starts_with(POLICY)) {
        by_tag.entry(&scalar.row.tag).or_default().push(&scalar.row);
    }
    let column = |tag: &str, rows: Vec<&Scalar>| {
        let tick: Vec<u64> = rows.iter().map(|row| row.tick).collect();
        let at = match &plan.training {
            Some(training) => rows.iter().map(|row| training.at(row.step)).collect(),
            None => axis.spread(&tick),
        };
        let value = rows.iter().map(|row| row.value).collect();
        let seconds = rows.iter().map(|row| row.seconds).collect();
        (tag.to_owned(), Series { tick, at, value, seconds })
    };
    by_tag.into_iter().map(|(tag, rows)| column(tag, rows)).collect()
}

/// The stage of each iteration that trials or pictures know.
fn stage_by_iteration(tables: &Tables) -> BTreeMap<u32, u32> {
    iterations(tables).map(|(_, iteration, stage)| (iteration, stage)).collect()
}

fn stages(tables: &Tables, plan: &Plan, done: u32) -> Vec<StageSpan> {
    // A training is in one stage throughout, that of its last cell.
    if let Some(stage) = plan.training.as_ref().map(TrainingPlan::stage).filter(|_| done > 0) {
        return vec![StageSpan { stage, side: plan.side(stage), first: 0, end: done, real: None }];
    }
    let mut spans: BTreeMap<u32, StageSpan> = BTreeMap::new();
    let new =
        |stage, first| StageSpan { stage, side: plan.side(stage), first, end: first, real: None };
    if let Some(trial) = tables.trained().next().filter(|_| plan.strategy.is_some()) {
        spans.insert(trial.stage, StageSpan { end: done, ..new(trial.stage, 0) });
    }
    for (iteration, stage) in stage_by_iteration(tables) {
        let span = spans.entry(stage).or_insert_with(|| new(stage, iteration));
        span.first = span.first.min(iteration);
        span.end = span.end.max(iteration + 1);
    }
    for scalar in &tables.scalars {
        let stage = scalar.row.tag.strip_prefix(REAL).and_then(|stage| stage.parse::<u32>().ok());
        if let Some(span) = stage.and_then(|stage| spans.get_mut(&stage)) {
            span.real = Some(scalar.row.value);
        }
    }
    spans.into_values().collect()
}

/// `policy/TOKEN/CHOICE` by stage and token, choices in the order in which they were written.
fn policy(tables: &Tables, axis: &Axis, problems: &mut Vec<String>) -> Vec<PolicyToken> {
    let stage_of = stage_by_iteration(tables);
    let mut found: Vec<PolicyToken> = Vec::new();
    let mut left_out = false;
    for scalar in &tables.scalars {
        let name = scalar.row.tag.strip_prefix(POLICY).and_then(|name| name.rsplit_once('/'));
        let Some((token, choice)) = name else { continue };
        let iteration = axis.iteration(scalar.row.tick);
        let Some(&stage) = stage_of.get(&iteration) else { continue };
        let at = found.iter().position(|p| p.stage == stage && p.token == token);
        if at.is_none() && found.len() == POLICY_TOKENS {
            left_out = true;
            continue;
        }
        let at = at.unwrap_or_else(|| {
            found.push(PolicyToken { stage, token: token.to_owned(), ..PolicyToken::default() });
            found.len() - 1
        });
        left_out |= !found[at].put(choice, iteration, scalar.row.value);
    }
    if left_out {
        problems.push(format!(
            "expected at most {POLICY_TOKENS} tokens of the policy with at most {POLICY_CHOICES} choices, found more; \
             the others are left out"
        ));
    }
    found
}

impl PolicyToken {
    /// `false` if it is a choice too many.
    fn put(&mut self, choice: &str, iteration: u32, value: f64) -> bool {
        let known = self.choices.iter().position(|known| known == choice);
        if known.is_none() && self.choices.len() == POLICY_CHOICES {
            return false;
        }
        if self.iteration.last() != Some(&iteration) {
            self.iteration.push(iteration);
            self.probability.iter_mut().for_each(|column| column.push(f64::NAN));
        }
        let at = known.unwrap_or_else(|| {
            self.choices.push(choice.to_owned());
            self.probability.push(vec![f64::NAN; self.iteration.len()]);
            self.choices.len() - 1
        });
        if let Some(last) = self.probability[at].last_mut() {
            *last = value;
        }
        true
    }
}

fn event(
    axis: &Axis,
    problems: &mut Vec<String>,
    tick: u64,
    kind: &str,
    json: &str,
    seconds: f64,
) -> EventRow {
    let detail = serde_json::from_str(json).unwrap_or_else(|error| {
        problems.push(format!("an event of the store holds no JSON: {error}"));
        serde_json::Value::Null
    });
    EventRow { tick, iteration: axis.iteration(tick), kind: kind.to_owned(), detail, seconds }
}
