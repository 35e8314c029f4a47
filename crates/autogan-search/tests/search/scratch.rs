//! Training from scratch: it is reproducible to the bit, scores come when they are due, and weights describe
//! themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use autogan_config::Configuration;
use autogan_metrics::{Extraction, FeatureExtractor};
use autogan_run::{Checkpoint, ModelScore};
use autogan_search::{
    Job, KnownReals, Reporter, SampleGrid, Search, SearchEvent, Silent, Training, TrainingConfig,
    TrainingEvent, TrainingInputs,
};
use candle_core::Tensor;

use crate::tiny::{Colours, Record, inputs_of, training_config};

/// The configuration of a small training.
pub fn config(seed: u64, settings: &[&str]) -> TrainingConfig {
    let longer = ["schedule.g_iterations=5", "schedule.samples_every=3"];
    training_config(seed, &[&longer[..], settings].concat())
}

/// The images, the scorer and the device of a small training.
pub fn inputs(config: &TrainingConfig) -> TrainingInputs {
    inputs_of(&config.data, config.side())
}

/// A small training at its beginning.
pub fn new(config: &TrainingConfig) -> Training {
    Training::new(config.clone(), inputs(config)).unwrap()
}

/// Advances the training to its end, and saves it there.
pub fn finish(training: &mut Training, reporter: &mut dyn Reporter<TrainingEvent>) -> Checkpoint {
    while training.advance(reporter).unwrap() {}
    training.save().unwrap()
}

/// The end of a training on this number of threads.
fn with_threads(threads: usize, config: &TrainingConfig) -> Checkpoint {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| finish(&mut new(config), &mut Silent))
}

/// Panics unless the training ends in the same bits on one and two threads, and when it is saved and restored after every
/// unit. Returns its end.
pub fn assert_reproducible(config: &TrainingConfig) -> Checkpoint {
    let whole = with_threads(1, config);
    assert!(whole == with_threads(2, config), "two threads end elsewhere than one");
    let mut training = new(config);
    while training.advance(&mut Silent).unwrap() {
        let saved = training.save().unwrap();
        assert_eq!(Training::config_of(&saved).unwrap(), *config);
        training = Training::restore(&saved, config.clone(), inputs(config)).unwrap();
    }
    assert!(training.save().unwrap() == whole, "restoring changed something");
    whole
}

impl Record<TrainingEvent> {
    /// The scores of the training, each with whether it is the best so far.
    pub fn measured(&self) -> Vec<(ModelScore, bool)> {
        let scores = self.0.iter().filter_map(|event| match event {
            TrainingEvent::Measured { score, best, .. } => Some((*score, *best)),
            _ => None,
        });
        scores.collect()
    }
}

#[test]
fn threads_and_interruptions_change_no_bit_and_the_seed_does() {
    let whole = assert_reproducible(&config(7, &[]));
    let other = with_threads(1, &config(8, &[]));
    assert!(whole.tensors != other.tensors, "the seed makes no difference");
}

#[test]
fn scores_and_grids_come_when_they_are_due_and_how_often_changes_no_weight() {
    let config = config(3, &[]);
    let mut record = Record::default();
    let mut training = new(&config);
    let end = finish(&mut training, &mut record);
    let measured = record.measured();
    let at: Vec<u64> = measured.iter().map(|(score, _)| score.g_iteration).collect();
    assert_eq!(at, [2, 4, 5]);
    // Five batches of eight in an epoch of forty images: none is short.
    assert_eq!(measured[0].0.images_seen, 2 * 2 * 8);
    let mut best = f64::INFINITY;
    for (score, is_best) in &measured {
        let distance = score.frechet.unwrap();
        assert!(score.is >= 1.0 && distance > 0.0);
        assert_eq!(*is_best, distance < best);
        best = best.min(distance);
    }
    let count =
        |what: fn(&TrainingEvent) -> bool| record.0.iter().filter(|event| what(event)).count();
    assert_eq!(
        count(|e| matches!(e, TrainingEvent::Samples(SampleGrid { n: 64, side: 16, .. }))),
        2,
        "at 3 and 5"
    );
    assert_eq!(count(|e| matches!(e, TrainingEvent::Step(_))), 10);
    assert_eq!(count(|e| matches!(e, TrainingEvent::Step(l) if l.g_loss.is_some())), 5);
    assert_eq!(count(|e| matches!(e, TrainingEvent::Real { .. })), 1);
    let Some(TrainingEvent::Trained(scores)) = record.0.last() else { panic!("no result") };
    assert_eq!(training.result().as_ref(), Some(&**scores));
    assert_eq!((scores.best.frechet, scores.last), (Some(best), measured[2].0));
    assert_eq!(scores.protocol.is, "is_compact-shapes_16_2splits");
    let frechet = scores.protocol.frechet.as_deref();
    assert_eq!(frechet, Some("frechet_compact-shapes_16_40train"));
    assert!(scores.real.frechet.unwrap() < best, "real images are nearer to real images");

    let rarely = self::config(3, &["schedule.score_every=0", "schedule.samples_every=1"]);
    let mut record = Record::default();
    let other = finish(&mut new(&rarely), &mut record);
    assert_eq!(record.measured().len(), 1);
    assert_eq!(record.measured()[0].0, measured[2].0);
    assert!(end.tensors == other.tensors, "a score has changed the training");
}

#[test]
fn without_the_distance_the_inception_score_decides() {
    let config = config(3, &["score.fid=false"]);
    let mut record = Record::default();
    let mut training = new(&config);
    finish(&mut training, &mut record);
    let scores = training.result().unwrap();
    assert_eq!((scores.protocol.frechet, scores.real.frechet), (None, None));
    let highest = record.measured().iter().map(|(score, _)| score.is).fold(0.0, f64::max);
    assert_eq!(scores.best.is, highest);
    assert!(record.measured().iter().all(|(score, _)| score.frechet.is_none()));
}

#[test]
fn the_network_holds_only_its_own_parts_and_its_files_say_what_it_is() {
    let config = config(1, &["arch='1 0 1 1'"]);
    let mut training = new(&config);
    let end = finish(&mut training, &mut Silent);
    let names: Vec<&str> = end.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert!(names.contains(&"ema.cell1.pre_conv1.conv.weight"), "{names:?}");
    let other = |name: &&&str| name.contains("post_") || name.contains("cell2");
    assert_eq!(names.iter().filter(|name| name.starts_with("ema.")).find(other), None);
    let averaged = training.averaged().unwrap();
    assert!(averaged.tensors.iter().all(|tensor| tensor.name.starts_with("ema.")));
    for checkpoint in [&averaged, &end] {
        assert_eq!(checkpoint.text("autogan.arch").unwrap(), "1 0 1 1");
        assert_eq!(checkpoint.text("autogan.skip_tap").unwrap(), "before_add");
        assert_eq!(checkpoint.text("autogan.pre_order").unwrap(), "norm_first");
    }
}

#[test]
fn the_last_step_of_a_linear_decay_has_no_size() {
    let weights = |settings: &[&str]| {
        let config = config(2, settings);
        let mut training = new(&config);
        while training.position().g_iterations + 1 < config.schedule.g_iterations {
            training.advance(&mut Silent).unwrap();
        }
        let before = training.save().unwrap();
        let after = finish(&mut training, &mut Silent);
        let all = |c: &Checkpoint, prefix: &str| -> Vec<Vec<u8>> {
            let of = c.tensors.iter().filter(|t| t.name.starts_with(prefix));
            of.filter(|t| t.name.ends_with("conv.weight")).map(|t| t.bytes.clone()).collect()
        };
        (
            all(&before, "g.cell") == all(&after, "g.cell"),
            all(&before, "ema.") != all(&after, "ema."),
        )
    };
    assert_eq!(weights(&["train.lr_decay=linear"]), (true, true));
    assert_eq!(weights(&[]), (false, true));
}

#[test]
fn a_training_can_go_on_for_longer_but_not_as_another() {
    let (short, longer) = (config(4, &[]), config(4, &["schedule.g_iterations=8"]));
    short.check_continues(&longer, &[]).unwrap();
    let over = finish(&mut new(&short), &mut Silent);
    let mut training = Training::restore(&over, longer.clone(), inputs(&longer)).unwrap();
    assert!(training.result().is_none());
    let end = finish(&mut training, &mut Silent);
    assert!(end.tensors == finish(&mut new(&longer), &mut Silent).tensors);
    let behind = Training::restore(&end, short.clone(), inputs(&short)).err().unwrap().to_string();
    assert!(behind.contains("schedule.g_iterations") && behind.contains("found 5"), "{behind}");
    let other = config(4, &["train.g_lr=1", "arch=autogan-b"]);
    let error = short.check_continues(&other, &["train".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("arch (was") && !error.contains("g_lr (was"), "{error}");
    assert!(short.check_continues(&other, &["arch".to_owned()]).is_err());
    // Scores of two protocols must not have the same name.
    let other = config(4, &["score.scorer=compact-cifar10"]);
    assert!(short.check_continues(&other, &["score".to_owned()]).is_err());
    let fewer = config(4, &["data.count=32"]);
    let error = Training::restore(&over, short, inputs(&fewer)).err().unwrap().to_string();
    assert!(error.contains("40 training images") && error.contains("--data"), "{error}");
}

#[test]
fn images_of_48_pixels_are_searched_and_trained_from_a_bottom_width_of_6() {
    let searched = crate::tiny::config(5, &["model.bottom=6", "controller.steps=1"]);
    let mut search = Search::new(searched.clone(), crate::tiny::inputs(&searched)).unwrap();
    let mut record = Record::default();
    while search.advance(&mut record).unwrap() {}
    let sides = record.0.iter().filter_map(|event| match event {
        SearchEvent::Stage { side, .. } => Some(*side),
        _ => None,
    });
    assert_eq!(sides.collect::<Vec<_>>(), [12, 24, 48]);
    let top = search.found().expect("a result").top;
    assert_eq!(top[0].arch.stage(), 2);

    let config = config(5, &["model.bottom=6", "schedule.g_iterations=1", "score.images=8"]);
    let mut record = Record::default();
    let mut training = new(&config);
    finish(&mut training, &mut record);
    assert!(
        record.0.iter().any(|e| matches!(e, TrainingEvent::Samples(SampleGrid { side: 48, .. })))
    );
    assert!(training.result().unwrap().last.is >= 1.0);
}

#[test]
fn too_few_images_for_the_scores_are_found_before_the_first_step() {
    for (settings, expected) in [
        (["data.count=9", "score.splits=10"], "score.splits: expected at most 9"),
        (["data.count=3", "score.fid=true"], "score.fid: expected false with fewer than 4"),
    ] {
        let config = config(8, &settings);
        let error = Training::new(config.clone(), inputs(&config)).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// A scorer like [`Colours`] that counts the images.
struct CountingScorer(AtomicUsize);

impl FeatureExtractor for CountingScorer {
    fn name(&self) -> &str {
        Colours.name()
    }

    fn dims(&self) -> usize {
        Colours.dims()
    }

    fn classes(&self) -> usize {
        Colours.classes()
    }

    fn extract(&self, images: &Tensor) -> autogan_metrics::Result<Extraction> {
        self.0.fetch_add(images.dim(0)?, Ordering::Relaxed);
        Colours.extract(images)
    }
}

#[test]
fn trainings_on_the_same_images_look_at_them_once() {
    let known = KnownReals::default();
    let train = |config: &TrainingConfig, known: Option<&KnownReals>| {
        let extractor = Arc::new(CountingScorer(AtomicUsize::new(0)));
        let known = known.cloned().unwrap_or_default();
        let own = TrainingInputs { extractor: extractor.clone(), known, ..inputs(config) };
        let mut training = Training::new(config.clone(), own).unwrap();
        let mut record = Record::default();
        finish(&mut training, &mut record);
        let reals =
            record.0.iter().filter(|event| matches!(event, TrainingEvent::Real { .. })).count();
        assert_eq!(reals, 1, "the curve has its point");
        (extractor.0.load(Ordering::Relaxed), training.result().unwrap())
    };
    let (first, second) = (config(3, &[]), config(3, &["arch=autogan-b"]));
    // Three scores of 16 images, and the 40 training images.
    assert_eq!(train(&first, Some(&known)).0, 3 * 16 + 40);
    let (seen, scores) = train(&second, Some(&known));
    let (alone, expected) = train(&second, None);
    assert_eq!((seen, alone), (3 * 16, 3 * 16 + 40));
    assert_eq!(scores, expected);
    // Another seed splits them otherwise.
    assert_eq!(train(&config(4, &[]), Some(&known)).0, 3 * 16 + 40);
}
