//! [`Summary`] is the line that a list of runs shows of one run.

use autogan_run::{ArchFile, Record, RunDir, Score, ScoresFile, Trial, TrialKind};
use serde::Serialize;

use super::follow::Tables;
use super::plan::Plan;
use super::sensible::ITERATIONS;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Status {
    /// A process writes it now.
    Running {
        /// Which, as it describes itself.
        holder: String,
    },
    /// It is over.
    Finished,
    /// It was stopped before its end, and can be resumed.
    Unfinished,
    /// Nothing has been written yet beside the configuration.
    Empty,
}

impl Status {
    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Running { .. } => "running",
            Status::Finished => "finished",
            Status::Unfinished => "unfinished",
            Status::Empty => "empty",
        }
    }
}

/// The few facts about a run that a list shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the directory.
    pub name: String,
    /// Name of the preset.
    pub preset: Option<String>,
    /// What every random draw follows from.
    pub seed: Option<u64>,
    /// Name of the dataset.
    pub dataset: Option<String>,
    /// Name of the extractor that scores.
    pub scorer: Option<String>,
    /// How far it is.
    pub status: Status,
    /// When it was made, in milliseconds since 1970 (UTC); absent where `host.json` does not say.
    pub created_ms: Option<u64>,
    /// The run's wall clock, in seconds over all sessions.
    pub seconds: f64,
    /// The stage that was reached, from 0.
    pub stage: u32,
    /// Iterations that are done; trainings that have ended, in a search by trainings from scratch.
    pub iterations_done: u32,
    /// Iterations that are planned.
    pub iterations: Option<u32>,
    /// Architectures that were scored.
    pub trials: usize,
    /// The highest score while controller and candidates were scored, in the last stage reached; among the longest
    /// trainings so far, in a search by trainings from scratch.
    pub best: Option<Trial>,
    /// The scores of the final derivation.
    pub score: Option<Score>,
    /// What a training from scratch came to.
    pub trained: Option<ScoresFile>,
}

impl Summary {
    pub(super) fn of(
        run: &RunDir,
        plan: &Plan,
        tables: &Tables,
        found: Option<&ArchFile>,
        trained: Option<&ScoresFile>,
    ) -> Summary {
        let (done, stage) = progress(plan, tables);
        // A kill between the event and the file leaves a search that has to do its end again.
        let file = if plan.training.is_some() { run.scores_path() } else { run.arch_path() };
        let finished = tables.is_finished() && file.exists();
        // A lock that cannot be read is nobody's.
        let status = match run.holder().ok().flatten() {
            Some(holder) => Status::Running { holder },
            None if finished => Status::Finished,
            None if tables.is_empty() => Status::Empty,
            None => Status::Unfinished,
        };
        Summary {
            name: run.name(),
            preset: plan.preset.clone(),
            seed: plan.seed,
            dataset: plan.dataset.clone(),
            scorer: plan.scorer.clone(),
            status,
            created_ms: run.host().ok().map(|host| host.created_ms),
            seconds: tables.seconds(),
            stage,
            iterations_done: done,
            iterations: plan.iterations,
            trials: tables.trials.len(),
            best: best(tables, stage, plan),
            // An older end of a run that goes on is not its result.
            score: found.filter(|_| finished).and_then(|found| found.score),
            trained: trained.filter(|_| finished).cloned(),
        }
    }
}

impl Tables {
    /// The trainings that a search strategy asked for, in the order in which they ended.
    pub(super) fn trained(&self) -> impl Iterator<Item = &Trial> {
        let trials = self.trials.iter().map(|trial| &trial.row);
        trials.filter(|trial| trial.kind == TrialKind::Trained)
    }

    /// Whether the run has stored nothing yet.
    fn is_empty(&self) -> bool {
        self.trials.is_empty() && self.events.is_empty() && self.scalars.is_empty()
    }

    /// The last tick of anything but events.
    fn last_tick(&self) -> u64 {
        let trial = self.trials.last().map(|trial| trial.row.tick);
        let image = self.images.last().map(|image| image.row.tick);
        let scalar = self.scalars.last().map(|scalar| scalar.row.tick);
        [trial, image, scalar].into_iter().flatten().max().unwrap_or(0)
    }

    /// Whether nothing came after the result: a run can be continued beyond its end.
    fn is_finished(&self) -> bool {
        let mut ends = self.events.iter().rev().map(|event| &event.row);
        let end = ends.find(|event| matches!(event.kind.as_str(), "found" | "trained"));
        end.is_some_and(|end| end.tick >= self.last_tick())
    }

    fn seconds(&self) -> f64 {
        let event = self.events.iter().map(|event| event.row.seconds);
        let image = self.images.iter().map(|image| image.row.seconds);
        let scalar = self.scalars.last().map(|scalar| scalar.row.seconds);
        event.chain(image).chain(scalar).filter(|s| s.is_finite()).fold(0.0, f64::max)
    }
}

/// Iterations (or trainings) that are done, and the last stage that was reached.
fn progress(plan: &Plan, tables: &Tables) -> (u32, u32) {
    if let Some(training) = &plan.training {
        let grids = tables.images.iter().map(|image| image.row.iteration).max().unwrap_or(0);
        let steps = tables.scalars.last().map_or(0.0, |last| training.at(last.row.step));
        // `as` keeps within the type.
        return (grids.max((steps as u32).min(ITERATIONS)), training.stage());
    }
    let trial = tables.trials.iter().map(|trial| trial.row.stage).max();
    if plan.strategy.is_some() {
        return (tables.trained().count() as u32, trial.unwrap_or(0));
    }
    // Each iteration ends with one picture of its best child; the result's picture counts on.
    let ends = tables.images.iter().filter(|image| image.row.tag == "child");
    let done = ends.map(|image| image.row.iteration + 1).max().unwrap_or(0);
    let image = tables.images.iter().map(|image| image.row.stage).max();
    (done, trial.max(image).unwrap_or(0))
}

fn best(tables: &Tables, stage: u32, plan: &Plan) -> Option<Trial> {
    // Values after different lengths do not compare.
    let scored = tables.trained().filter(|trial| !trial.score.is_nan());
    let longest = scored.map(|trial| trial.iteration).max();
    let searched = |trial: &&Record<Trial>| {
        let row = &trial.row;
        let asked = match plan.strategy {
            Some(_) => row.kind == TrialKind::Trained && Some(row.iteration) == longest,
            None => matches!(row.kind, TrialKind::Controller | TrialKind::Candidate),
        };
        row.stage == stage && asked && !row.score.is_nan()
    };
    // The earlier of equals.
    let better = |a: &&Record<Trial>, b: &&Record<Trial>| {
        a.row.score.total_cmp(&b.row.score).then(b.id.cmp(&a.id))
    };
    tables.trials.iter().filter(searched).max_by(better).map(|best| best.row.clone())
}
