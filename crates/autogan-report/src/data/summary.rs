//! [`Summary`] is the line that a list of runs shows of one run.

use autogan_run::{
    ArchFile, Event, Image, ModelScore, RealScore, RunDir, Score, ScoresFile, ScoresProtocol,
    Session, Stored, Trial, TrialKind,
};
use autogan_space::Arch;
use serde::Serialize;

use super::plan::Plan;
use super::source::{LastScalar, Source, holder, kept};

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

/// The highest score of the last stage that was reached.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BestChild {
    /// The score.
    pub score: f64,
    /// The architecture; as its released vector, numbers separated by spaces.
    #[serde(serialize_with = "autogan_space::as_text")]
    pub arch: Arch,
    /// The named form.
    pub named: String,
    /// Stage, from 0: scores of different stages cannot be compared.
    pub stage: u32,
    /// Iteration, from 0.
    pub iteration: u32,
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
    /// Iterations that are done.
    pub iterations_done: u32,
    /// Iterations that are planned.
    pub iterations: Option<u32>,
    /// Architectures that were scored.
    pub trials: usize,
    /// The highest score while controller and candidates were scored, in the last stage reached.
    pub best: Option<BestChild>,
    /// The scores of the final derivation.
    pub score: Option<Score>,
    /// What a training from scratch came to.
    pub trained: Option<TrainingScores>,
}

/// What a training from scratch came to, in a few numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingScores {
    /// The best weights on the way.
    pub best: ModelScore,
    /// The weights of the end.
    pub last: ModelScore,
    /// Training images.
    pub real: RealScore,
    /// Names of the scores.
    pub protocol: ScoresProtocol,
}

impl TrainingScores {
    fn of(file: &ScoresFile) -> TrainingScores {
        let (best, last, real) = (file.best, file.last, file.real);
        TrainingScores { best, last, real, protocol: file.protocol.clone() }
    }
}

impl Summary {
    /// Reads what a list of runs needs; what is damaged is left out.
    pub fn read(run: &RunDir) -> Summary {
        let mut problems = Vec::new();
        let source = Source::open(run, &mut problems);
        let trials: Vec<Stored<Trial>> = source.rows(&mut problems);
        let images: Vec<Stored<Image>> = source.rows(&mut problems);
        let events: Vec<Stored<Event>> = source.rows(&mut problems);
        let sessions: Vec<Stored<Session>> = source.rows(&mut problems);
        let config = kept(run.checked_config(&sessions), &mut problems);
        let plan = Plan::read(config.as_deref(), &mut problems);
        let found = kept(run.arch(), &mut problems).flatten();
        let trained = kept(run.scores(), &mut problems).flatten();
        let last = source.last_scalar();
        Summary::of(
            run,
            &plan,
            &Rows {
                trials: &trials,
                images: &images,
                events: &events,
                last,
                found: found.as_ref(),
                trained: trained.as_ref(),
            },
        )
    }

    pub(super) fn of(run: &RunDir, plan: &Plan, rows: &Rows<'_>) -> Summary {
        let (done, stage) = progress(plan, rows);
        // A kill between the event and the file leaves a search that has to do its end again.
        let file = if plan.training.is_some() { run.scores_path() } else { run.arch_path() };
        let finished = rows.is_finished() && file.exists();
        let status = match holder(run) {
            Some(holder) => Status::Running { holder },
            None if finished => Status::Finished,
            None if rows.is_empty() => Status::Empty,
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
            seconds: rows.seconds(),
            stage,
            iterations_done: done,
            iterations: plan.iterations,
            trials: rows.trials.len(),
            best: best(rows.trials, stage),
            // An older end of a run that goes on is not its result.
            score: rows.found.filter(|_| finished).and_then(|found| found.score),
            trained: rows.trained.filter(|_| finished).map(TrainingScores::of),
        }
    }
}

/// The rows that a summary is made of.
pub(super) struct Rows<'a> {
    pub trials: &'a [Stored<Trial>],
    pub images: &'a [Stored<Image>],
    pub events: &'a [Stored<Event>],
    pub last: Option<LastScalar>,
    pub found: Option<&'a ArchFile>,
    pub trained: Option<&'a ScoresFile>,
}

impl Rows<'_> {
    fn is_empty(&self) -> bool {
        self.trials.is_empty() && self.events.is_empty() && self.last.is_none()
    }

    /// The last tick of anything but events.
    fn last_tick(&self) -> u64 {
        let trial = self.trials.last().map(|trial| trial.row.tick);
        let image = self.images.last().map(|image| image.row.tick);
        let scalar = self.last.map(|last| last.tick);
        [trial, image, scalar].into_iter().flatten().max().unwrap_or(0)
    }

    /// Whether nothing came after the result: a run can be continued beyond its end.
    fn is_finished(&self) -> bool {
        let found = self.events.iter().rev().find(|event| self.is_end(&event.row));
        found.is_some_and(|found| found.row.tick >= self.last_tick())
    }

    fn is_end(&self, event: &Event) -> bool {
        matches!(event.kind.as_str(), "found" | "trained")
    }

    fn seconds(&self) -> f64 {
        let event = self.events.iter().map(|event| event.row.seconds);
        let image = self.images.iter().map(|image| image.row.seconds);
        let scalar = self.last.map(|last| last.seconds);
        event.chain(image).chain(scalar).filter(|s| s.is_finite()).fold(0.0, f64::max)
    }
}

/// Iterations that are done, and the last stage that was reached.
fn progress(plan: &Plan, rows: &Rows<'_>) -> (u32, u32) {
    if let Some(training) = &plan.training {
        let grids = rows.images.iter().map(|image| image.row.iteration).max().unwrap_or(0);
        let steps = rows.last.map_or(0.0, |last| training.at(last.step));
        // `as` keeps within the type.
        return (grids.max(steps as u32), training.stage());
    }
    // Each iteration ends with one picture of its best child; the result's picture counts on.
    let ends = rows.images.iter().filter(|image| image.row.tag == "child");
    let done = ends.map(|image| image.row.iteration + 1).max().unwrap_or(0);
    let trial = rows.trials.iter().map(|trial| trial.row.stage).max();
    let image = rows.images.iter().map(|image| image.row.stage).max();
    (done, trial.max(image).unwrap_or(0))
}

fn best(trials: &[Stored<Trial>], stage: u32) -> Option<BestChild> {
    let searched = |trial: &&Stored<Trial>| {
        let kind = trial.row.kind;
        trial.row.stage == stage
            && matches!(kind, TrialKind::Controller | TrialKind::Candidate)
            && !trial.row.score.is_nan()
    };
    let best = trials
        .iter()
        .filter(searched)
        .max_by(|a, b| a.row.score.total_cmp(&b.row.score).then(b.id.cmp(&a.id)))?;
    Some(BestChild {
        score: best.row.score,
        arch: best.row.arch.clone(),
        named: best.row.named.clone(),
        stage,
        iteration: best.row.iteration,
    })
}
