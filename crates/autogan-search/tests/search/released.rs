//! What the preset `released` promises is compared with what the released code does, step by step.

use autogan_config::Configuration;
use autogan_search::config::{AdamRule, EmaBuffers, ResetCheck};
use autogan_search::{Job, Phase, Search, SearchConfig, SearchEvent, TrainingConfig};

use crate::tiny::{Record, config, inputs};

/// A step of shared training: the D step's place in its iteration, and whether a G step followed.
type Taken = (u64, bool);

/// The steps of shared training and the places of resets, iteration by iteration, of the first `iterations` ones.
fn iterations(settings: &[&str], iterations: usize) -> Vec<(Vec<Taken>, Vec<u64>)> {
    let config = config(5, settings);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    let mut record = Record::<SearchEvent>::default();
    while search.position().iteration < iterations && search.advance(&mut record).unwrap() {}
    let mut all = Vec::new();
    for event in record.0 {
        match (event, all.last_mut()) {
            (SearchEvent::Iteration { .. }, _) => all.push((Vec::new(), Vec::new())),
            (SearchEvent::Step(losses), Some((steps, _))) => {
                steps.push((losses.step, losses.g_loss.is_some()));
            }
            (SearchEvent::Reset { step, .. }, Some((_, resets))) => resets.push(step),
            _ => {}
        }
    }
    all
}

/// The steps up to `last` of which every `n_critic`-th has a G step, from the first one on.
fn groups(last: u64, n_critic: u64) -> Vec<Taken> {
    (1..=last).map(|step| (step, (step - 1).is_multiple_of(n_critic))).collect()
}

/// Five D steps are an iteration here, of 40 images in batches of 8.
#[test]
fn each_shared_training_begins_with_a_g_step() {
    let n_critic = "train.n_critic=3";
    let anew = iterations(&["search.restart_steps=true", n_critic], 3);
    assert_eq!(anew, vec![(groups(5, 3), vec![]); 3]);
    let carried = iterations(&["search.restart_steps=false", n_critic], 3);
    assert_eq!(carried[0], anew[0]);
    let g_steps = |(steps, _): &(Vec<Taken>, Vec<u64>)| -> Vec<u64> {
        steps.iter().filter(|(_, g)| *g).map(|(step, _)| *step).collect()
    };
    // D steps 7 and 10 of the search.
    assert_eq!(g_steps(&carried[1]), [2, 5]);
}

/// The released code tests the windows at the end of every pass of its loop, and returns from it at once.
#[test]
fn the_loss_windows_are_looked_at_after_every_d_step() {
    let window = ["reset.window=2", "reset.threshold=0.0", "train.n_critic=3"];
    let with = |more: &[&str]| iterations(&[&window[..], more].concat(), 1).remove(0);
    // G steps follow D steps 1 and 4, so the window of the generator is full from D step 4 on.
    let wide = "reset.threshold=1e9";
    assert_eq!(with(&["reset.check=d_step", wide]), (groups(4, 3), vec![4]));
    assert_eq!(with(&["reset.check=g_step", wide]), (groups(5, 3), vec![4]), "read one step late");
    assert_eq!(with(&["reset.check=d_step"]).1, [0; 0], "no spread is below 0");
}

/// A window whose spread falls below the threshold in a D step that no G step follows ends shared training there.
#[test]
fn a_d_step_without_a_g_step_can_end_shared_training() {
    let settings = |check: &str, threshold: f64| -> Vec<String> {
        [
            "search.shared_epochs=4".to_owned(),
            "reset.window=2".to_owned(),
            "train.n_critic=5".to_owned(),
            format!("reset.check={check}"),
            format!("reset.threshold={threshold}"),
        ]
        .into()
    };
    let run = |check: &str, threshold: f64| {
        let settings = settings(check, threshold);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let config = config(5, &settings);
        let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
        let mut record = Record::<SearchEvent>::default();
        while search.position().phase != Phase::Controller {
            search.advance(&mut record).unwrap();
        }
        record.0
    };
    // The variances of the windows of two, of which that of the generator changes at G steps alone.
    let losses: Vec<(f64, Option<f64>)> = run("d_step", 0.0)
        .into_iter()
        .filter_map(|event| match event {
            SearchEvent::Step(losses) => Some((losses.d_loss, losses.g_loss)),
            _ => None,
        })
        .collect();
    let variance = |a: f64, b: f64| (a - b) * (a - b) / 4.0;
    let spread = |step: usize| {
        let g: Vec<f64> = losses[..step].iter().filter_map(|(_, g)| *g).collect();
        let [.., a, b] = g[..] else { return f64::INFINITY };
        variance(losses[step - 2].0, losses[step - 1].0).min(variance(a, b))
    };
    // The smallest spread after a D step alone that is below all spreads before it.
    let is_first = |step: &usize| {
        losses[step - 1].1.is_none() && (2..*step).all(|before| spread(before) > spread(*step))
    };
    let first = (7..=losses.len()).find(is_first).expect("a spread that falls between G steps");
    let threshold = spread(first) * 1.000_001;
    let reset = |check: &str| {
        run(check, threshold).into_iter().find_map(|event| match event {
            SearchEvent::Reset { step, .. } => Some(step as usize),
            _ => None,
        })
    };
    assert_eq!(reset("d_step"), Some(first));
    assert_ne!(reset("g_step"), Some(first));
}

/// What ends early does not shift the next epoch: the released code makes a new iterator over all images.
#[test]
fn an_iteration_after_a_reset_begins_a_new_epoch() {
    let steps = |restart: &str| {
        let restart = format!("search.restart_steps={restart}");
        let reset = ["reset.window=2", "reset.threshold=1e9", "reset.check=d_step", &restart];
        let config = config(5, &[&reset[..], &["search.grow_at=[2, 3]"]].concat());
        let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
        let mut record = Record::<SearchEvent>::default();
        while search.position().iteration < 1 {
            search.advance(&mut record).unwrap();
        }
        search.advance(&mut record).unwrap();
        search.position().stage_steps
    };
    // The reset comes at D step 3 of 5: G steps follow 1 and 3.
    assert_eq!((steps("false"), steps("true")), (3, 5));
}

#[test]
fn the_presets_named_released_hold_what_the_code_does() {
    let search = SearchConfig::preset("released", &[]).unwrap();
    let training = TrainingConfig::preset("released", &[]).unwrap();
    for (model, train) in [(&search.model, &search.train), (&training.model, &training.train)] {
        assert_eq!(model.spectral_warm_up, 0);
        assert_eq!((train.adam, train.ema_buffers), (AdamRule::Torch11, EmaBuffers::Live));
    }
    assert!(search.search.restart_steps);
    assert_eq!(search.reset.check, ResetCheck::DStep);
}
