//! Searches by trainings from scratch: what they spend, and that they go on with the same bits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autogan_config::Configuration;
use autogan_run::{Checkpoint, Host, RunDir, StoreReader, TrialFilter, TrialKind};
use autogan_search::{
    Evaluated, Job, Reporter, Resumption, RunOptions, RunPlace, Search, SearchConfig, Session,
    Silent, StrategyEvent, StrategySearch, TrainingInputs,
};

use crate::tiny::{self, Record};

/// Trainings of 10, 25 and 45 iterations: the longest goes on over several units of work.
fn config(strategy: &str, settings: &[&str]) -> SearchConfig {
    let own = [
        "strategy.lengths=[10,25,45]",
        "strategy.budget=260",
        "strategy.image_cost=0.05",
        "derive.random=3",
    ];
    let all: Vec<&str> = own.into_iter().chain(settings.iter().copied()).collect();
    let mut config = tiny::config(5, &all);
    strategy.clone_into(&mut config.strategy.name);
    config
}

fn inputs(config: &SearchConfig) -> TrainingInputs {
    tiny::inputs_of(&config.data, config.model.bottom * 8)
}

fn options(stop: &AtomicBool) -> RunOptions<'_> {
    RunOptions { checkpoint_every: Duration::from_secs(3600), stop }
}

/// A whole run in `path`.
fn run(config: &SearchConfig, path: &Path) -> (RunDir, Vec<StrategyEvent>) {
    let search = StrategySearch::new(config.clone(), inputs(config)).unwrap();
    let mut session = Session::start(search, RunPlace::At(path), &Host::detect("cpu")).unwrap();
    let (mut record, stop) = (Record::default(), AtomicBool::new(false));
    session.run(&mut record, &options(&stop)).unwrap();
    let dir = session.dir().clone();
    session.finish().unwrap();
    (dir, record.0)
}

fn evaluated(events: &[StrategyEvent]) -> Vec<&Evaluated> {
    let evaluated = events.iter().filter_map(|event| match event {
        StrategyEvent::Evaluated(evaluated) => Some(evaluated),
        _ => None,
    });
    evaluated.collect()
}

/// What a run leaves that must not depend on interruptions: the result, every trial, and the counts of images.
fn left(dir: &RunDir) -> (Vec<u8>, Vec<String>, Vec<f64>) {
    let store = StoreReader::open(&dir.store_path()).unwrap();
    let trials = store.trials(TrialFilter::ALL).unwrap();
    let rows = trials.iter().map(|trial| {
        let row = &trial.row;
        format!("{} {} {} {:?} {}", row.tick, row.kind, row.step, row.reward, row.arch)
    });
    let counts = ["images/real", "images/fake", "images/scored"]
        .map(|tag| store.series(tag).unwrap().last().unwrap().row.value);
    assert!(counts.iter().all(|count| *count > 0.0));
    (fs::read(dir.arch_path()).unwrap(), rows.collect(), counts.to_vec())
}

#[test]
fn a_search_spends_its_budget_and_tells_what_it_found() {
    let parent = tempfile::tempdir().unwrap();
    for strategy in ["random", "halving", "led_halving"] {
        let config = config(strategy, &[]);
        let (dir, events) = run(&config, &parent.path().join(strategy));
        let all = evaluated(&events);
        let trained: Vec<&&Evaluated> =
            all.iter().filter(|one| one.kind == TrialKind::Trained).collect();
        // A training that goes to the end at once is scored once.
        let image = config.reward.images as f64 * config.strategy.image_cost;
        let spent = events.iter().rev().find_map(|event| match event {
            StrategyEvent::Advanced { spent, .. } => Some(*spent),
            _ => None,
        });
        let spent = spent.unwrap();
        assert!(spent <= config.strategy.budget && spent > 0.6 * config.strategy.budget, "{spent}");
        if strategy == "random" {
            assert_eq!(trained.len(), (config.strategy.budget / (45.0 + image)) as usize);
            assert!(trained.iter().all(|one| one.length == 45));
        } else {
            assert!(trained.iter().any(|one| one.length == 10), "{strategy}");
            assert!(trained.iter().any(|one| one.length == 45), "{strategy}");
        }
        let found = dir.arch().unwrap().expect("arch.json");
        let score = found.score.unwrap();
        let values = [score.real, score.untrained, score.best, score.median_random];
        assert!(values.iter().all(|value| value.is_finite()) && score.real > score.best);
        assert!(trained.iter().any(|one| one.arch == found.top[0].arch), "{strategy}");
        let random = all.iter().filter(|one| one.kind == TrialKind::Random).count();
        assert_eq!((random, all.len()), (3, trained.len() + 4));
        // The winner's weights are in a file of their own and in the newest checkpoint, for whoever samples.
        let best = Checkpoint::read(&dir.best_path()).unwrap();
        let newest = dir.checkpoints().load_newest().unwrap().unwrap().checkpoint;
        assert!(best.tensors.len() > 5);
        assert!(best.tensors.iter().all(|tensor| newest.tensor(&tensor.name) == Some(tensor)));
        assert!(!dir.path().join("trainings").exists(), "paused trainings are removed");
    }
}

/// A reporter that asks to stop at the `n`-th work of a search.
struct StopAt<'a>(usize, &'a AtomicBool);

impl Reporter<StrategyEvent> for StopAt<'_> {
    fn event(&mut self, event: &StrategyEvent) {
        if matches!(event, StrategyEvent::Advanced { .. }) {
            self.0 = self.0.saturating_sub(1);
            self.1.store(self.0 == 0, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_stopped_search_leaves_what_an_uninterrupted_one_leaves() {
    let parent = tempfile::tempdir().unwrap();
    let warm: &[&str] = &["strategy.supernet_iterations=50"];
    let cases = [("halving", &[][..]), ("led_halving", &[]), ("led_halving", warm)];
    for (n, (strategy, settings)) in cases.into_iter().enumerate() {
        let config = config(strategy, settings);
        let (whole, _) = run(&config, &parent.path().join(format!("{n}-whole")));
        // It is stopped again and again, each time three units later.
        let path = parent.path().join(format!("{n}-stopped"));
        let stop = AtomicBool::new(false);
        let search = StrategySearch::new(config.clone(), inputs(&config)).unwrap();
        let host = Host::detect("cpu");
        let mut session = Session::start(search, RunPlace::At(&path), &host).unwrap();
        session.run(&mut StopAt(2, &stop), &options(&stop)).unwrap();
        session.finish().unwrap();
        let dir = RunDir::open(&path).unwrap();
        let mut stops = 1;
        while dir.arch().unwrap().is_none() {
            stop.store(false, Ordering::Relaxed);
            let resumption = Resumption::open(dir.clone(), &host).unwrap();
            let inputs = || Ok(inputs(&config));
            let mut session: Session<StrategySearch> =
                resumption.session(config.clone(), &[], inputs).unwrap();
            session.run(&mut StopAt(3, &stop), &options(&stop)).unwrap();
            session.finish().unwrap();
            stops += 1;
            assert!(stops < 200, "the search does not end");
        }
        assert!(stops > 4, "{stops} stops");
        assert_eq!(left(&dir), left(&whole), "{strategy} {settings:?}");
    }
}

#[test]
fn a_supernet_is_trained_first_and_its_scores_are_told() {
    let parent = tempfile::tempdir().unwrap();
    let settings = ["strategy.supernet_iterations=50", "strategy.at_once=1"];
    let config = config("led_halving", &settings);
    let (_, events) = run(&config, parent.path());
    let all = evaluated(&events);
    let of = |kind| all.iter().filter(move |one| one.kind == kind);
    // A tenth of what the supernet left of the budget, (260 − 50) · 0.1 = 21, at 16 · 0.05 = 0.8 a score.
    assert_eq!(config.reward.images, 16);
    let shared: Vec<_> = of(TrialKind::Shared).collect();
    assert_eq!(shared.len(), 26);
    assert!(shared.iter().zip(0..).all(|(one, n)| (one.step, one.length) == (n, 50)));
    let archs: BTreeSet<String> = shared.iter().map(|one| one.arch.to_string()).collect();
    assert_eq!(archs.len(), shared.len(), "no architecture is scored twice");
    let values: Vec<f64> = shared.iter().filter_map(|one| one.value).collect();
    assert!(values.len() == shared.len() && values.iter().any(|value| *value != values[0]));
    assert!(of(TrialKind::Trained).count() > 3);
    let first = all.iter().position(|one| one.kind == TrialKind::Trained).unwrap();
    assert!(all[..first].iter().all(|one| one.kind == TrialKind::Shared) && first == shared.len());
    // The supernet is part of the budget.
    let spent = events.iter().filter_map(|event| match event {
        StrategyEvent::Advanced { spent, .. } => Some(*spent),
        _ => None,
    });
    let spent: Vec<f64> = spent.collect();
    assert_eq!(spent[..3], [20.0, 40.0, 50.0]);
    assert!(spent.iter().all(|spent| *spent <= 260.0 + 1e-9), "{spent:?}");
}

#[test]
fn a_supernet_that_is_trained_longer_scores_otherwise() {
    let parent = tempfile::tempdir().unwrap();
    let scores = [5, 6].map(|iterations| {
        let setting = format!("strategy.supernet_iterations={iterations}");
        let config = config("led_halving", &[&setting, "strategy.at_once=1"]);
        let (_, events) = run(&config, &parent.path().join(iterations.to_string()));
        let shared = evaluated(&events).into_iter().filter(|one| one.kind == TrialKind::Shared);
        shared.map(|one| (one.arch.to_string(), one.value.unwrap())).collect::<BTreeMap<_, _>>()
    });
    // Both score the same architectures, which follow from the seed.
    assert!(scores[0].keys().eq(scores[1].keys()) && scores[0].len() > 10);
    assert!(scores[0].iter().all(|(arch, value)| scores[1][arch] != *value));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let settings = ["strategy.at_once=3", "strategy.supernet_iterations=30"];
    let config = config("led_halving", &settings);
    let parent = tempfile::tempdir().unwrap();
    let all = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let path = parent.path().join(threads.to_string());
        pool.install(|| left(&run(&config, &path).0))
    });
    assert!(all[0] == all[1] && all[1] == all[2]);
}

#[test]
fn an_unknown_strategy_is_an_error_that_names_those_that_are_known() {
    let config = config("magic", &[]);
    let error = StrategySearch::new(config.clone(), inputs(&config)).err().unwrap().to_string();
    assert!(error.contains("strategy.name") && error.contains("led_halving"), "{error}");
}

#[test]
fn a_budget_on_parameters_holds_for_what_is_trained() {
    let config = config(
        "random",
        &["budget.max_params=1300", "strategy.lengths=[2,3,4]", "strategy.budget=80"],
    );
    let allowed = config.allowed().unwrap();
    let mut search = StrategySearch::new(config.clone(), inputs(&config)).unwrap();
    let mut record = Record::default();
    while search.advance(&mut record).unwrap() {}
    let all = evaluated(&record.0);
    assert!(all.len() > 8 && all.iter().all(|one| allowed.allows(&one.arch)));
    assert!(!search.advance(&mut Silent).unwrap(), "the search is over");
}

/// A reporter that asks to stop when a training of 45 iterations ends.
struct StopAtMiddle<'a>(&'a AtomicBool);

impl Reporter<StrategyEvent> for StopAtMiddle<'_> {
    fn event(&mut self, event: &StrategyEvent) {
        if let StrategyEvent::Evaluated(Evaluated { length: 45, .. }) = event {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_search_goes_on_from_the_checkpoint_before_the_last() {
    let parent = tempfile::tempdir().unwrap();
    // From 10 to 45 iterations a training goes on over two units, and no checkpoint lies between them.
    let longer = ["strategy.lengths=[10,45,70]", "strategy.budget=400", "strategy.at_once=1"];
    let config = config("halving", &longer);
    let (whole, _) = run(&config, &parent.path().join("whole"));
    let path = parent.path().join("robbed");
    let (stop, host) = (AtomicBool::new(false), Host::detect("cpu"));
    let search = StrategySearch::new(config.clone(), inputs(&config)).unwrap();
    let mut session = Session::start(search, RunPlace::At(&path), &host).unwrap();
    let dir = session.dir().clone();
    let mut robbed = Vec::new();
    loop {
        session.run(&mut StopAtMiddle(&stop), &options(&stop)).unwrap();
        session.finish().unwrap();
        if dir.arch().unwrap().is_some() {
            break;
        }
        // The newest checkpoint is of the end of the training, which was then paused anew. The one before knows only that
        // it was paused at 10 iterations. Each is robbed once.
        let [_, newest] = dir.checkpoints().ticks().unwrap()[..] else { panic!("two checkpoints") };
        if !robbed.contains(&newest) {
            fs::remove_file(dir.checkpoints().path(newest)).unwrap();
            robbed.push(newest);
        }
        stop.store(false, Ordering::Relaxed);
        let resumption = Resumption::open(dir.clone(), &host).unwrap();
        session = resumption.session(config.clone(), &[], || Ok(inputs(&config))).unwrap();
    }
    assert!(robbed.len() > 2, "{robbed:?}");
    assert_eq!(left(&dir), left(&whole));
}

#[test]
fn what_a_training_cannot_change_on_its_way_the_search_cannot() {
    let config = config("halving", &[]);
    let mut search = StrategySearch::new(config.clone(), inputs(&config)).unwrap();
    for _ in 0..3 {
        search.advance(&mut Silent).unwrap();
    }
    let checkpoint = search.save().unwrap();
    for change in ["train.n_critic=7", "reward.images=20"] {
        let other = config.clone().with(&[change.to_owned()]).unwrap();
        let inputs = inputs(&other);
        let error = StrategySearch::restore(&checkpoint, other, inputs).err().unwrap();
        let (text, key) = (error.to_string(), change.split(['.', '=']).nth(1).unwrap());
        assert!(text.contains(key), "{text}");
    }
    assert!(StrategySearch::restore(&checkpoint, config.clone(), inputs(&config)).is_ok());
}

#[test]
fn a_configuration_that_no_search_can_have_is_explained() {
    let of = |settings: &[&str]| {
        let config = config("random", settings);
        let mut search = StrategySearch::new(config.clone(), inputs(&config))?;
        while search.advance(&mut Silent)? {}
        Ok::<_, autogan_search::SearchError>(())
    };
    let error = of(&["strategy.budget=20"]).unwrap_err().to_string();
    assert!(error.contains("strategy.budget") && error.contains("one training"), "{error}");
    let error = of(&["train.lr_decay=linear"]).unwrap_err().to_string();
    assert!(error.contains("train.lr_decay"), "{error}");
    let mut paper = config("random", &[]);
    let inputs = tiny::inputs(&paper);
    let error = Search::new(paper.clone(), inputs).err().unwrap().to_string();
    assert!(error.contains("strategy.name"), "{error}");
    "supernet".clone_into(&mut paper.strategy.name);
    let inputs = tiny::inputs_of(&paper.data, paper.model.bottom * 8);
    let error = StrategySearch::new(paper, inputs).err().unwrap().to_string();
    assert!(error.contains("strategy.name"), "{error}");
}

#[test]
fn weights_of_the_winner_that_are_lost_are_written_again() {
    let parent = tempfile::tempdir().unwrap();
    let config = config("random", &["strategy.lengths=[2,3,4]", "strategy.budget=20"]);
    let (dir, _) = run(&config, &parent.path().join("run"));
    let before = fs::read(dir.best_path()).unwrap();
    fs::write(dir.best_path(), &before[..before.len() / 2]).unwrap();
    let resumption = Resumption::open(dir.clone(), &Host::detect("cpu")).unwrap();
    let stop = AtomicBool::new(false);
    let mut session: Session<StrategySearch> =
        resumption.session(config.clone(), &[], || Ok(inputs(&config))).unwrap();
    session.run(&mut Silent, &options(&stop)).unwrap();
    let (old, new) = (Checkpoint::read(&dir.best_path()).unwrap(), parent.path().join("old"));
    fs::write(&new, before).unwrap();
    let whole = Checkpoint::read(&new).unwrap();
    assert_eq!(old.tensors, whole.tensors);
    let same = |key: &str| old.metadata.get(key) == whole.metadata.get(key);
    assert!(whole.metadata.keys().all(|key| same(key)), "{:?}", old.metadata.keys());
}
