//! A training in its run directory: what is in it after a stop, a crash, a lost file, a divergence.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autogan_config::Configuration;
use autogan_run::{Host, RunDir, RunWriter, ScoresFile, Session, StoreReader, Stored};
use autogan_search::{
    Event, Outcome, Ran, Reporter, RunOptions, SearchError, Silent, Training, TrainingConfig,
    best_is_intact, run_training,
};

use crate::scratch::{Record, config, finish, inputs, new};

/// Dies in the first D step after a score.
#[derive(Default)]
struct DiesAfterScore(bool);

impl Reporter for DiesAfterScore {
    fn event(&mut self, event: &Event) {
        self.0 |= matches!(event, Event::Measured { .. });
        assert!(!(self.0 && matches!(event, Event::Shared { .. })), "on purpose");
    }
}

#[test]
fn a_score_is_in_a_checkpoint_before_training_goes_on() {
    let config = config(9, &[]);
    let parent = tempfile::tempdir().unwrap();
    let text = config.to_toml().unwrap();
    let path = parent.path().join("run");
    let (dir, lock) = RunDir::create_at(&path, &text, &Host::detect("cpu")).unwrap();
    let stop = AtomicBool::new(false);
    let options = RunOptions { checkpoint_every: Duration::from_secs(3600), stop: &stop };
    let died = std::panic::catch_unwind(|| {
        let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
        let mut reporter = DiesAfterScore::default();
        run_training(&mut new(&config), &mut writer, &mut reporter, &options).map(drop)
    });
    assert!(died.is_err());
    let newest = dir.checkpoints().load_newest().unwrap().expect("a checkpoint").checkpoint;
    let mut training = Training::restore(&newest, config.clone(), inputs(&config)).unwrap();
    assert_eq!(training.position().g_iterations, 2);
    let mut rest = Record::default();
    finish(&mut training, &mut rest);
    // Two more scores, and not the first again.
    assert_eq!(rest.measured().len(), 2);
}

/// Asks to stop when so many D steps have been heard of, which is one step later.
struct StopAt<'a>(u64, &'a AtomicBool);

impl Reporter for StopAt<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Shared { step, .. } if *step == self.0) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_that_was_stopped_leaves_the_same_files_as_one_that_was_not() {
    // Scores after G iterations 2, 4 and 5; the stop comes within the fourth, behind a step that is not heard of.
    let config = config(6, &["schedule.score_every=2", "schedule.samples_every=2"]);
    let text = config.to_toml().unwrap();
    let parent = tempfile::tempdir().unwrap();
    let host = Host::detect("cpu");
    let stop = AtomicBool::new(false);
    let options = RunOptions { checkpoint_every: Duration::from_secs(3600), stop: &stop };
    let create = |name: &str| {
        let (dir, lock) = RunDir::create_at(&parent.path().join(name), &text, &host).unwrap();
        RunWriter::start(dir, lock).unwrap()
    };
    let mut writer = create("whole");
    let ran = run_training(&mut new(&config), &mut writer, &mut Silent, &options).unwrap();
    assert_eq!(ran.outcome, Outcome::Finished);
    let whole = writer.dir().clone();
    writer.finish().unwrap();

    let mut writer = create("stopped");
    let ran = run_training(&mut new(&config), &mut writer, &mut StopAt(6, &stop), &options);
    assert_eq!(ran.unwrap().outcome, Outcome::Stopped);
    let stopped = writer.dir().clone();
    assert!(stopped.scores().unwrap().is_none());
    drop(writer);
    stop.store(false, Ordering::Relaxed);
    let resumed = RunWriter::resume(stopped.clone(), &host).unwrap();
    let (checkpoint, mut writer) = (resumed.checkpoint.unwrap(), resumed.writer);
    let mut training = Training::restore(&checkpoint, config.clone(), inputs(&config)).unwrap();
    assert_eq!(training.position().d_steps, 7);
    let ran = run_training(&mut training, &mut writer, &mut Silent, &options).unwrap();
    assert_eq!(ran.outcome, Outcome::Finished);
    writer.finish().unwrap();

    let same = |path: fn(&RunDir) -> std::path::PathBuf| {
        assert_eq!(std::fs::read(path(&whole)).unwrap(), std::fs::read(path(&stopped)).unwrap());
    };
    same(RunDir::scores_path);
    same(RunDir::best_path);
    let last = |dir: &RunDir| dir.checkpoints().load_newest().unwrap().unwrap().checkpoint;
    assert!(last(&whole).tensors == last(&stopped).tensors);
    let scores: ScoresFile = whole.scores().unwrap().unwrap();
    assert_eq!(scores.g_iterations, 5);
    // The loss that was not heard of when the run stopped is in the curve, too.
    let losses = |dir: &RunDir| -> Vec<(u64, u64)> {
        let series = StoreReader::open(&dir.store_path()).unwrap().series("loss/d").unwrap();
        series.iter().map(|stored| (stored.row.step, stored.row.value.to_bits())).collect()
    };
    assert_eq!(losses(&whole).len(), 10);
    assert_eq!(losses(&whole), losses(&stopped));

    // A finished run whose scores are gone writes them anew.
    std::fs::remove_file(stopped.scores_path()).unwrap();
    let resumed = RunWriter::resume(stopped.clone(), &host).unwrap();
    let mut writer = resumed.writer;
    let checkpoint = resumed.checkpoint.unwrap();
    let mut training = Training::restore(&checkpoint, config.clone(), inputs(&config)).unwrap();
    run_training(&mut training, &mut writer, &mut Silent, &options).unwrap();
    same(RunDir::scores_path);
}

/// A run that was begun in a directory for temporary files.
struct Kept {
    _parent: tempfile::TempDir,
    dir: RunDir,
    config: TrainingConfig,
    stop: AtomicBool,
}

impl Kept {
    /// Trains until the D step `stop_at`, or to the end.
    fn begin(config: &TrainingConfig, stop_at: u64) -> (Kept, Result<Ran, SearchError>) {
        let parent = tempfile::tempdir().unwrap();
        let (path, text) = (parent.path().join("run"), config.to_toml().unwrap());
        let (dir, lock) = RunDir::create_at(&path, &text, &Host::detect("cpu")).unwrap();
        let stop = AtomicBool::new(false);
        let mut writer = RunWriter::start(dir.clone(), lock).unwrap();
        let options = RunOptions { checkpoint_every: Duration::from_secs(3600), stop: &stop };
        let ran =
            run_training(&mut new(config), &mut writer, &mut StopAt(stop_at, &stop), &options);
        writer.finish().unwrap();
        (Kept { _parent: parent, dir, config: config.clone(), stop: AtomicBool::new(false) }, ran)
    }

    /// Goes on to the end.
    fn resume(&self) -> (Training, Vec<Event>) {
        let resumed = RunWriter::resume(self.dir.clone(), &Host::detect("cpu")).unwrap();
        let (mut writer, checkpoint) = (resumed.writer, resumed.checkpoint.unwrap());
        let mut training =
            Training::restore(&checkpoint, self.config.clone(), inputs(&self.config)).unwrap();
        let options = RunOptions { checkpoint_every: Duration::from_secs(3600), stop: &self.stop };
        let mut record = Record::default();
        let ran = run_training(&mut training, &mut writer, &mut record, &options).unwrap();
        assert_eq!(ran.outcome, Outcome::Finished);
        writer.finish().unwrap();
        (training, record.0)
    }

    fn scores(&self) -> ScoresFile {
        self.dir.scores().unwrap().unwrap()
    }
}

fn lost(events: &[Event]) -> Vec<(u64, Option<u64>)> {
    let lost = events.iter().filter_map(|event| match event {
        Event::BestLost { lost, instead } => Some((*lost, *instead)),
        _ => None,
    });
    lost.collect()
}

#[test]
fn best_weights_that_are_lost_after_the_end_give_way_to_the_last_ones() {
    // A seed whose best score is not its last.
    let of = |seed| config(seed, &["schedule.score_every=1", "train.g_lr=0.5"]);
    let mut runs = (0..20).map(|seed| Kept::begin(&of(seed), u64::MAX).0);
    let kept = runs
        .find(|kept| kept.scores().best != kept.scores().last)
        .expect("twenty trainings that only get better");
    let before = kept.scores();
    let path = kept.dir.best_path();
    fs::remove_file(&path).unwrap();
    let (training, events) = kept.resume();
    assert_eq!(lost(&events), [(before.best.g_iteration, Some(5))]);
    assert_eq!(kept.scores(), ScoresFile { best: before.last, ..before.clone() });
    let bytes = fs::read(&path).unwrap();
    let last = kept.dir.path().join("last.safetensors");
    training.averaged().unwrap().write(&last).unwrap();
    assert!(bytes == fs::read(&last).unwrap());

    // From now on the last weights are the best; of those nothing is lost.
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!best_is_intact(&kept.dir).unwrap());
    assert_eq!(lost(&kept.resume().1), [(5, Some(5))]);
    assert!(fs::read(&path).unwrap() == bytes);
    assert_eq!(lost(&kept.resume().1), []);
}

#[test]
fn best_weights_that_are_lost_on_the_way_are_found_again() {
    // Scored after D step 4, stopped after the next: the average is a step further by then.
    let (kept, ran) = Kept::begin(&config(6, &[]), 5);
    assert_eq!(ran.unwrap().outcome, Outcome::Stopped);
    fs::remove_file(kept.dir.best_path()).unwrap();
    let (_, events) = kept.resume();
    assert_eq!(lost(&events), [(2, None)]);
    let Some(Event::Measured { score, best: true, .. }) =
        events.iter().find(|event| matches!(event, Event::Measured { .. }))
    else {
        panic!("the next score is not the best: {events:?}")
    };
    assert_eq!(score.g_iteration, 4);
    assert!(best_is_intact(&kept.dir).unwrap());
    assert!(kept.scores().best.g_iteration >= 4);
}

#[test]
fn a_divergence_is_noted_in_the_run_directory() {
    let (kept, _) = Kept::begin(&config(6, &[]), 5);
    let resumed = RunWriter::resume(kept.dir.clone(), &Host::detect("cpu")).unwrap();
    let (mut writer, mut checkpoint) = (resumed.writer, resumed.checkpoint.unwrap());
    for tensor in checkpoint.tensors.iter_mut().filter(|tensor| tensor.name.starts_with("g.")) {
        let nan = f32::NAN.to_le_bytes();
        tensor.bytes.chunks_exact_mut(4).for_each(|number| number.copy_from_slice(&nan));
    }
    let mut training =
        Training::restore(&checkpoint, kept.config.clone(), inputs(&kept.config)).unwrap();
    let options = RunOptions { checkpoint_every: Duration::from_secs(3600), stop: &kept.stop };
    let ran = run_training(&mut training, &mut writer, &mut Silent, &options);
    let error = ran.unwrap_err().to_string();
    writer.finish().unwrap();
    assert!(error.contains("diverged") && error.contains("at stage 3, iteration"), "{error}");
    let reader = StoreReader::open(&kept.dir.store_path()).unwrap();
    let sessions: Vec<Stored<Session>> = reader.rows_after(0).unwrap();
    let end = &sessions.last().unwrap().row;
    let json: serde_json::Value = serde_json::from_str(&end.json).unwrap();
    assert_eq!((end.kind.as_str(), json["outcome"].as_str()), ("end", Some("diverged")));
    assert_eq!(json["reason"], error);
}
