//! A training in its run directory, after a stop, a crash, a lost file or a divergence.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autogan_run::{Host, RunDir, RunWriter, ScoresFile, Session as SessionRow, StoreReader};
use autogan_search::{
    Job, Outcome, Reporter, Resumption, RunOptions, RunPlace, RunReport, SearchError, Session,
    Silent, Training, TrainingConfig, TrainingEvent, best_is_intact,
};

use super::scratch::{config, finish, inputs, new};
use crate::tiny::Record;

/// Starts a run of a training in `path`.
fn create(config: &TrainingConfig, path: &Path) -> Session<Training> {
    Session::start(new(config), RunPlace::At(path), &Host::detect("cpu")).unwrap()
}

/// Opens the run to continue it.
fn resume(config: &TrainingConfig, dir: &RunDir) -> Session<Training> {
    let resumption = Resumption::open(dir.clone(), &Host::detect("cpu")).unwrap();
    resumption.session(config.clone(), &[], || Ok(inputs(config))).unwrap()
}

/// Options with which a checkpoint is written only when the job asks for one.
fn options(stop: &AtomicBool) -> RunOptions<'_> {
    RunOptions { checkpoint_every: Duration::from_secs(3600), stop }
}

/// A reporter that panics in the first D step after a score.
#[derive(Default)]
struct PanicAfterScore(bool);

impl Reporter<TrainingEvent> for PanicAfterScore {
    fn event(&mut self, event: &TrainingEvent) {
        self.0 |= matches!(event, TrainingEvent::Measured { .. });
        assert!(!(self.0 && matches!(event, TrainingEvent::Step(_))), "on purpose");
    }
}

#[test]
fn a_score_is_in_a_checkpoint_before_training_goes_on() {
    let config = config(9, &[]);
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("run");
    let stop = AtomicBool::new(false);
    let died = std::panic::catch_unwind(|| {
        let mut reporter = PanicAfterScore::default();
        create(&config, &path).run(&mut reporter, &options(&stop)).map(drop)
    });
    assert!(died.is_err());
    let dir = RunDir::open(&path).unwrap();
    let newest = dir.checkpoints().load_newest().unwrap().expect("a checkpoint").checkpoint;
    let mut training = Training::restore(&newest, config.clone(), inputs(&config)).unwrap();
    assert_eq!(training.position().g_iterations, 2);
    let mut rest = Record::default();
    finish(&mut training, &mut rest);
    // There are two more scores, and the first does not come again.
    assert_eq!(rest.measured().len(), 2);
}

/// A reporter that asks to stop at the event of this D step, which comes one step later.
struct StopRequest<'a>(u64, &'a AtomicBool);

impl Reporter<TrainingEvent> for StopRequest<'_> {
    fn event(&mut self, event: &TrainingEvent) {
        if matches!(event, TrainingEvent::Step(losses) if losses.step == self.0) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_that_was_stopped_leaves_the_same_files_as_one_that_was_not() {
    // Scores come after G iterations 2, 4 and 5. The stop comes within the fourth, after a step whose event is not out
    // yet.
    let config = config(6, &["schedule.score_every=2", "schedule.samples_every=2"]);
    let parent = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut session = create(&config, &parent.path().join("whole"));
    let report = session.run(&mut Silent, &options(&stop)).unwrap();
    assert_eq!(report.outcome, Outcome::Finished);
    let whole = session.dir().clone();
    session.finish().unwrap();

    let mut session = create(&config, &parent.path().join("stopped"));
    let report = session.run(&mut StopRequest(6, &stop), &options(&stop));
    assert_eq!(report.unwrap().outcome, Outcome::Stopped);
    let stopped = session.dir().clone();
    assert!(stopped.scores().unwrap().is_none());
    drop(session);
    stop.store(false, Ordering::Relaxed);
    let mut session = resume(&config, &stopped);
    assert_eq!(session.job().position().d_steps, 7);
    let report = session.run(&mut Silent, &options(&stop)).unwrap();
    assert_eq!(report.outcome, Outcome::Finished);
    session.finish().unwrap();

    let same = |path: fn(&RunDir) -> std::path::PathBuf| {
        assert_eq!(std::fs::read(path(&whole)).unwrap(), std::fs::read(path(&stopped)).unwrap());
    };
    same(RunDir::scores_path);
    same(RunDir::best_path);
    let last = |dir: &RunDir| dir.checkpoints().load_newest().unwrap().unwrap().checkpoint;
    assert!(last(&whole).tensors == last(&stopped).tensors);
    let scores: ScoresFile = whole.scores().unwrap().unwrap();
    assert_eq!(scores.g_iterations, 5);
    // The loss whose event was not out when the run stopped is in the curve, too.
    let losses = |dir: &RunDir| -> Vec<(u64, u64)> {
        let series = StoreReader::open(&dir.store_path()).unwrap().series("loss/d").unwrap();
        series.iter().map(|stored| (stored.row.step, stored.row.value.to_bits())).collect()
    };
    assert_eq!(losses(&whole).len(), 10);
    assert_eq!(losses(&whole), losses(&stopped));

    // A finished run whose scores are gone writes them anew.
    std::fs::remove_file(stopped.scores_path()).unwrap();
    resume(&config, &stopped).run(&mut Silent, &options(&stop)).unwrap();
    same(RunDir::scores_path);
}

/// A run in a temporary directory.
struct TemporaryRun {
    _parent: tempfile::TempDir,
    dir: RunDir,
    config: TrainingConfig,
    stop: AtomicBool,
}

impl TemporaryRun {
    /// Trains until the D step `stop_at`, or to the end.
    fn begin(config: &TrainingConfig, stop_at: u64) -> (Self, Result<RunReport, SearchError>) {
        let parent = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let mut session = create(config, &parent.path().join("run"));
        let report = session.run(&mut StopRequest(stop_at, &stop), &options(&stop));
        let dir = session.dir().clone();
        session.finish().unwrap();
        (
            Self { _parent: parent, dir, config: config.clone(), stop: AtomicBool::new(false) },
            report,
        )
    }

    /// Continues to the end, and returns the bytes of the last weights' file and the events.
    fn resume(&self) -> (Vec<u8>, Vec<TrainingEvent>) {
        let mut session = resume(&self.config, &self.dir);
        let mut record = Record::default();
        let report = session.run(&mut record, &options(&self.stop)).unwrap();
        assert_eq!(report.outcome, Outcome::Finished);
        let last = self.dir.path().join("last.safetensors");
        session.job().averaged().unwrap().write(&last).unwrap();
        session.finish().unwrap();
        (fs::read(&last).unwrap(), record.0)
    }

    fn scores(&self) -> ScoresFile {
        self.dir.scores().unwrap().unwrap()
    }
}

fn lost(events: &[TrainingEvent]) -> Vec<(u64, Option<u64>)> {
    let lost = events.iter().filter_map(|event| match event {
        TrainingEvent::BestLost { lost, instead } => Some((*lost, *instead)),
        _ => None,
    });
    lost.collect()
}

#[test]
fn best_weights_that_are_lost_after_the_end_give_way_to_the_last_ones() {
    // A seed whose best score is not its last.
    let of = |seed| config(seed, &["schedule.score_every=1", "train.g_lr=0.5"]);
    let mut runs = (0..20).map(|seed| TemporaryRun::begin(&of(seed), u64::MAX).0);
    let kept = runs
        .find(|kept| kept.scores().best != kept.scores().last)
        .expect("twenty trainings that only get better");
    let before = kept.scores();
    let path = kept.dir.best_path();
    fs::remove_file(&path).unwrap();
    let (last, events) = kept.resume();
    assert_eq!(lost(&events), [(before.best.g_iteration, Some(5))]);
    assert_eq!(kept.scores(), ScoresFile { best: before.last, ..before.clone() });
    let bytes = fs::read(&path).unwrap();
    assert!(bytes == last);

    // From now on the last weights are the best, and nothing of them is lost.
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!best_is_intact(&kept.dir).unwrap());
    assert_eq!(lost(&kept.resume().1), [(5, Some(5))]);
    assert!(fs::read(&path).unwrap() == bytes);
    assert_eq!(lost(&kept.resume().1), []);
}

#[test]
fn best_weights_that_are_lost_on_the_way_are_found_again() {
    // Scored after D step 4, stopped after the next: the average is a step further by then.
    let (kept, ran) = TemporaryRun::begin(&config(6, &[]), 5);
    assert_eq!(ran.unwrap().outcome, Outcome::Stopped);
    fs::remove_file(kept.dir.best_path()).unwrap();
    let (_, events) = kept.resume();
    assert_eq!(lost(&events), [(2, None)]);
    let Some(TrainingEvent::Measured { score, best: true, .. }) =
        events.iter().find(|event| matches!(event, TrainingEvent::Measured { .. }))
    else {
        panic!("the next score is not the best: {events:?}")
    };
    assert_eq!(score.g_iteration, 4);
    assert!(best_is_intact(&kept.dir).unwrap());
    assert!(kept.scores().best.g_iteration >= 4);
}

#[test]
fn a_divergence_is_noted_in_the_run_directory() {
    let (kept, _) = TemporaryRun::begin(&config(6, &[]), 5);
    let resumed = RunWriter::resume(kept.dir.clone(), &Host::detect("cpu")).unwrap();
    let (mut writer, mut checkpoint) = (resumed.writer, resumed.checkpoint.unwrap());
    for tensor in checkpoint.tensors.iter_mut().filter(|tensor| tensor.name.starts_with("g.")) {
        let nan = f32::NAN.to_le_bytes();
        tensor.bytes.chunks_exact_mut(4).for_each(|number| number.copy_from_slice(&nan));
    }
    writer.save(checkpoint).unwrap();
    writer.finish().unwrap();
    let mut session = resume(&kept.config, &kept.dir);
    let report = session.run(&mut Silent, &options(&kept.stop));
    let error = report.unwrap_err().to_string();
    session.finish().unwrap();
    assert!(error.contains("diverged") && error.contains("at stage 3, iteration"), "{error}");
    let reader = StoreReader::open(&kept.dir.store_path()).unwrap();
    let sessions = reader.rows_after::<SessionRow>(0).unwrap();
    let end = &sessions.last().unwrap().row;
    let json: serde_json::Value = serde_json::from_str(&end.json).unwrap();
    assert_eq!((end.kind.as_str(), json["outcome"].as_str()), ("end", Some("diverged")));
    assert_eq!(json["reason"], error);
}
