//! The same seed gives the same bits: for any number of threads, and however often a search is interrupted.

use autogan_config::Configuration;
use autogan_run::{Checkpoint, TrialKind};
use autogan_search::{Job, Phase, Reporter, ScoredArch, Search, SearchConfig, SearchEvent, Silent};
use autogan_space::Arch;

use crate::tiny::{Record, config, inputs};

/// Advances the search to its end, and saves it there.
pub fn finish(search: &mut Search, reporter: &mut dyn Reporter<SearchEvent>) -> Checkpoint {
    while search.advance(reporter).unwrap() {}
    search.save().unwrap()
}

/// The end of a search that is saved and restored after every unit.
pub fn interrupted(config: &SearchConfig) -> Checkpoint {
    let mut search = Search::new(config.clone(), inputs(config)).unwrap();
    while search.advance(&mut Silent).unwrap() {
        let saved = search.save().unwrap();
        search = Search::restore(&saved, config.clone(), inputs(config)).unwrap();
    }
    search.save().unwrap()
}

/// The end of a search on this number of threads.
fn with_threads(threads: usize, seed: u64) -> Checkpoint {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let config = config(seed, &[]);
        finish(&mut Search::new(config.clone(), inputs(&config)).unwrap(), &mut Silent)
    })
}

#[test]
fn one_and_two_threads_end_in_the_same_bits_and_another_seed_does_not() {
    let one = with_threads(1, 7);
    assert!(one == with_threads(2, 7), "two threads end elsewhere than one");
    assert!(one.tensors != with_threads(1, 8).tensors, "the seed makes no difference");
}

#[test]
fn a_search_that_is_saved_and_restored_at_every_unit_ends_in_the_same_bits() {
    let config = config(3, &[]);
    let whole = finish(&mut Search::new(config.clone(), inputs(&config)).unwrap(), &mut Silent);
    assert!(interrupted(&config) == whole, "restoring changed something");
}

#[test]
fn a_run_can_go_on_for_longer_but_not_as_another_search() {
    let short = config(4, &[]);
    let longer = config(4, &["search.iterations=6", "derive.random=2"]);
    let mut search = Search::new(short.clone(), inputs(&short)).unwrap();
    while search.position().iteration < 3 {
        search.advance(&mut Silent).unwrap();
    }
    short.check_continues(&longer, &[]).unwrap();
    let saved = search.save().unwrap();
    let mut search = Search::restore(&saved, longer.clone(), inputs(&longer)).unwrap();
    let end = finish(&mut search, &mut Silent);
    let whole = finish(&mut Search::new(longer.clone(), inputs(&longer)).unwrap(), &mut Silent);
    assert!(end == whole, "the longer run differs from one that was so long from the start");
    let behind = Search::restore(&end, short.clone(), inputs(&short)).err().unwrap().to_string();
    assert!(behind.contains("search.iterations") && behind.contains("found 4"), "{behind}");
    // A finished search can go on, too.
    let over = finish(&mut Search::new(short.clone(), inputs(&short)).unwrap(), &mut Silent);
    let mut search = Search::restore(&over, longer.clone(), inputs(&longer)).unwrap();
    finish(&mut search, &mut Silent);
    assert_eq!((search.position().iteration, search.position().phase), (6, Phase::Done));
}

#[test]
fn other_keys_change_only_where_that_was_said() {
    let old = config(4, &[]);
    let changed = config(4, &["train.d_batch=4", "controller.steps=1", "reset.window=20"]);
    let error = old.check_continues(&changed, &[]).unwrap_err().to_string();
    for text in ["controller.steps (was 2, is 1)", "train.d_batch (was 8, is 4)", "--may-change"] {
        assert!(error.contains(text), "no {text:?} in {error}");
    }
    let some = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
    let error = old.check_continues(&changed, &some(&["train"])).unwrap_err().to_string();
    assert!(!error.contains("train.d_batch (") && error.contains("controller.steps ("), "{error}");
    old.check_continues(&changed, &some(&["train.d_batch", "controller.steps", "reset"])).unwrap();
    for key in ["model.gf", "model", "seed", "search.grow_at", "train.taste"] {
        assert!(old.check_continues(&old, &some(&[key])).is_err(), "{key}");
    }
    let other = config(5, &["search.grow_at=[1, 3]"]);
    let error = old.check_continues(&other, &some(&["search"])).unwrap_err().to_string();
    assert!(error.contains("seed (was 4, is 5)") && error.contains("search.grow_at ("), "{error}");

    // In the middle of a phase that is shorter now, and with a window that is smaller.
    let mut search = Search::new(old.clone(), inputs(&old)).unwrap();
    while search.position().step < 4 {
        search.advance(&mut Silent).unwrap();
    }
    let saved = search.save().unwrap();
    let mut search = Search::restore(&saved, changed.clone(), inputs(&changed)).unwrap();
    finish(&mut search, &mut Silent);
    assert_eq!(search.position().phase, Phase::Done);
}

#[test]
fn rankings_go_one_by_one_and_the_result_stays_with_the_search() {
    struct Scores(usize);
    impl Reporter<SearchEvent> for Scores {
        fn event(&mut self, event: &SearchEvent) {
            let ranked = |scored: &ScoredArch| scored.kind != TrialKind::Controller;
            self.0 += usize::from(matches!(event, SearchEvent::Scored(one) if ranked(one)));
        }
    }
    let config = config(6, &[]);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    let mut all = 0;
    loop {
        let mut scores = Scores(0);
        let more = search.advance(&mut scores).unwrap();
        assert!(scores.0 <= 1, "{} architectures in one unit of work", scores.0);
        all += scores.0;
        if !more {
            break;
        }
        assert!(search.found().is_some() || search.position().phase != Phase::Done);
    }
    assert_eq!(all, 4 + 4 + 4 + 3, "two growths, the derivation, the random ones");
    let again = Search::restore(&search.save().unwrap(), config.clone(), inputs(&config)).unwrap();
    assert!(search.found().is_some());
    assert_eq!(search.found(), again.found());
}

#[test]
fn stages_grow_and_the_result_is_scored_against_four_things() {
    let config = config(1, &[]);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    let mut record = Record::<SearchEvent>::default();
    finish(&mut search, &mut record);
    assert_eq!(search.position().phase, Phase::Done);
    let stages: Vec<_> = record
        .0
        .iter()
        .filter_map(|e| match e {
            SearchEvent::Stage { stage, side, iterations, .. } => {
                Some((*stage, *side, *iterations))
            }
            _ => None,
        })
        .collect();
    assert_eq!(stages, [(0, 4, (0, 1)), (1, 8, (1, 2)), (2, 16, (2, 4))]);
    let g_steps = record
        .0
        .iter()
        .filter(|e| matches!(e, SearchEvent::Step(losses) if losses.g_loss.is_some()))
        .count();
    let d_steps = record.0.iter().filter(|e| matches!(e, SearchEvent::Step(_))).count();
    assert_eq!(
        (d_steps, g_steps),
        (20, 10),
        "4 iterations of 5 batches, a G step for every second"
    );
    for event in &record.0 {
        if let SearchEvent::Beam { stage, entries } = event {
            assert_eq!(entries.len(), 2);
            assert!(entries.iter().all(|(arch, _)| arch.stage() == *stage));
            assert!(entries[0].1 >= entries[1].1 && entries[0].0 != entries[1].0);
        }
    }
    let Some(SearchEvent::Found(found)) = record.0.last() else { panic!("no result") };
    let (top, score) = (&found.top, found.score.unwrap());
    assert_eq!(top.len(), 2);
    assert_eq!(top[0].arch.stage(), 2);
    assert_eq!(top[0].reward, score.best);
    let mut random: Vec<f64> = record
        .0
        .iter()
        .filter_map(|e| match e {
            SearchEvent::Scored(one) if one.kind == TrialKind::Random => Some(one.score),
            _ => None,
        })
        .collect();
    random.sort_by(f64::total_cmp);
    assert_eq!(score.median_random, random[1]);
    assert!(score.real > 1.0 && score.untrained >= 1.0);
}

#[test]
fn a_reset_ends_shared_training_and_starts_the_weights_over() {
    // D steps 1 and 3 have a G step. The second one fills the window, and its event comes after step 4.
    reset_ends_shared_training(2, (3, 4));
    // All of these D steps have a G step. The event of the last one comes after the reset.
    reset_ends_shared_training(1, (2, 3));
}

/// Panics unless the reset comes at D step `full` and shared training ends after D step `last`. Every spread lies below
/// the threshold, so the reset comes when the window of two is full: at the second G step.
fn reset_ends_shared_training(n_critic: usize, (full, last): (u64, usize)) {
    let n_critic = format!("train.n_critic={n_critic}");
    let config = config(5, &["reset.window=2", "reset.threshold=1e9", &n_critic]);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    let mut record = Record::<SearchEvent>::default();
    while search.position().phase != Phase::End {
        search.advance(&mut record).unwrap();
    }
    let steps = record.0.iter().filter(|e| matches!(e, SearchEvent::Step(_))).count();
    assert_eq!(steps, last);
    let resets = record.0.iter().filter_map(|e| match e {
        SearchEvent::Reset { step, .. } => Some(*step),
        _ => None,
    });
    assert_eq!(resets.collect::<Vec<_>>(), [full]);
    assert!(search.position().reset_due);
    let before = search.save().unwrap();
    // The stage ends here, too: its candidates are ranked first, on the trained weights.
    while search.position().phase == Phase::End {
        search.advance(&mut Silent).unwrap();
    }
    let after = search.save().unwrap();
    assert_eq!((search.position().resets, search.position().reset_due), (1, false));
    assert_ne!(before.tensor("g.l1.weight"), after.tensor("g.l1.weight"));
    assert!(after.tensors.iter().all(|t| !t.name.starts_with("g_adam")), "moments start over");
    // The controller, and the beam that it had ranked before, are kept.
    assert!(after.metadata["state"].contains("\"beam\":[{"));
}

#[test]
fn the_released_preset_walks_through_with_its_quirks() {
    let released = autogan_search::SearchConfig::preset("released", &[]).unwrap();
    let mut small = config(2, &[]);
    small.model.skip_tap = released.model.skip_tap;
    small.model.discriminator_init = released.model.discriminator_init;
    small.model.spectral_warm_up = released.model.spectral_warm_up;
    small.train.adam = released.train.adam;
    small.train.ema_buffers = released.train.ema_buffers;
    small.search.restart_steps = released.search.restart_steps;
    small.search.distinct = released.search.distinct;
    small.reset = released.reset.clone();
    small.reward.weights = released.reward.weights;
    small.reward.recalibrate_batches = released.reward.recalibrate_batches;
    small.controller =
        autogan_search::config::PolicyConfig { hidden: 8, steps: 2, ..released.controller };
    let mut search = Search::new(small.clone(), inputs(&small)).unwrap();
    let mut record = Record::<SearchEvent>::default();
    finish(&mut search, &mut record);
    assert!(matches!(record.0.last(), Some(SearchEvent::Found(_))));
}

#[test]
fn the_inverse_of_the_frechet_distance_can_be_the_reward() {
    let settings = |metric: &str| vec![format!("reward.metric={metric:?}")];
    let finished = |metric: &str| {
        let settings = settings(metric);
        let config = config(6, &settings.iter().map(String::as_str).collect::<Vec<_>>());
        let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
        let mut record = Record::<SearchEvent>::default();
        finish(&mut search, &mut record);
        record.0
    };
    let events = finished("inverse_fid");
    let rewards: Vec<f64> = events
        .iter()
        .filter_map(|e| match e {
            SearchEvent::Scored(one) => Some(one.reward),
            _ => None,
        })
        .collect();
    assert!(rewards.len() > 10 && rewards.iter().all(|r| r.is_finite() && *r > 0.0), "{rewards:?}");
    let Some(SearchEvent::Found(found)) = events.last() else { panic!("no result") };
    let (top, score) = (&found.top, found.score.unwrap());
    assert_eq!(top[0].reward, score.best);
    // Half of the real images are far nearer to all of them than anything that this search makes.
    assert!(score.real > score.best && score.real > score.untrained, "{score:?}");
    let Some(SearchEvent::Found(by_is)) = finished("is").pop() else { panic!("no result") };
    let by_is = by_is.score.unwrap();
    assert!(by_is.real != score.real && by_is.real >= 1.0, "{by_is:?}");
}

#[test]
fn children_of_the_course_are_scored_anew_beside_the_random_ones() {
    let of = |drawn: usize| {
        let drawn = format!("derive.drawn={drawn}");
        let config = config(3, &["search.iterations=6", &drawn]);
        let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
        let mut record = Record::<SearchEvent>::default();
        finish(&mut search, &mut record);
        record.0
    };
    let scored = |events: &[SearchEvent], kind: TrialKind| -> Vec<ScoredArch> {
        let all = events.iter().filter_map(|event| match event {
            SearchEvent::Scored(one) if one.kind == kind => Some(one.clone()),
            _ => None,
        });
        all.collect()
    };
    let (with, without) = (of(3), of(0));
    let mut course: Vec<Arch> = Vec::new();
    for child in scored(&with, TrialKind::Controller) {
        if child.arch.stage() == 2 && !course.contains(&child.arch) {
            course.push(child.arch);
        }
    }
    let n = course.len();
    assert!(n > 3, "{n} children");
    let drawn = scored(&with, TrialKind::Drawn);
    let archs: Vec<&Arch> = drawn.iter().map(|one| &one.arch).collect();
    assert_eq!(archs, [0, n / 3, 2 * n / 3].map(|at| &course[at]), "evenly, in their order");
    // The same latents and images as of the result: the best has the same score there.
    let Some(SearchEvent::Found(found)) = with.last() else { panic!("no result") };
    let again = drawn.iter().find_map(|one| {
        let kept = found.top.iter().find(|kept| kept.arch == one.arch)?;
        Some((one.score, kept.reward))
    });
    assert!(again.is_none_or(|(drawn, kept)| drawn == kept), "{again:?}");
    // Nothing else changes, and there may be more wanted than there are.
    assert!(scored(&without, TrialKind::Drawn).is_empty());
    assert_eq!(scored(&with, TrialKind::Random).len(), 3);
    let Some(SearchEvent::Found(other)) = without.last() else { panic!("no result") };
    assert_eq!(other, found);
    assert_eq!(scored(&of(100), TrialKind::Drawn).len(), n);
}
