//! Drawing without repetition.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet};

use autogan_rl::{Controller, ControllerConfig, Draw, FirstInput};
use autogan_space::{TokenOrder, stage_tokens};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn controller(stage: usize) -> Controller {
    let config = ControllerConfig { hidden: 8, first_input: FirstInput::PreviousToken };
    let tokens = stage_tokens(stage, TokenOrder::SkipsFirst);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    Controller::new(&tokens, &config, DType::F64, &Device::Cpu, &mut rng).unwrap()
}

/// The same controller with sharper distributions.
fn sharpened(stage: usize, factor: f64) -> Controller {
    let mut controller = controller(stage);
    let sharpen = |(name, value): (String, Tensor)| {
        let factor = if name.starts_with("decoders") { factor } else { 1.0 };
        (name, (value * factor).unwrap())
    };
    let state: Vec<_> = controller.state().unwrap().into_iter().map(sharpen).collect();
    controller.load_state(&state).unwrap();
    controller
}

#[test]
fn draws_differ_and_end_with_the_whole_space() {
    let controller = controller(1);
    let starts = controller.zero_starts(2);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (m, expected) in [(1, 1), (10, 10), (143, 143), (144, 144), (500, 144)] {
        let draws = controller.freely().sample_distinct(&starts, m, &mut rng).unwrap();
        let different: BTreeSet<&Draw> = draws.iter().collect();
        assert_eq!((draws.len(), different.len()), (expected, expected), "m = {m}");
    }
    assert!(controller.freely().sample_distinct(&starts, 0, &mut rng).is_err());
    assert!(controller.freely().sample_distinct(&[], 3, &mut rng).is_err());
}

#[test]
fn a_nearly_certain_policy_still_gives_different_draws() {
    let controller = sharpened(0, 3000.0);
    let starts = controller.zero_starts(1);
    let likeliest = controller.freely().greedy(&starts).unwrap();
    assert!(likeliest.sequence_log_probs().unwrap()[0] > -1e-3, "not nearly certain");
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let draws = controller.freely().sample_distinct(&starts, 10, &mut rng).unwrap();
    assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(draws[0].actions, likeliest.actions[0]);
}

/// The number of times, in `n` drawings, that each sequence is among the first two.
fn inclusion(n: usize, mut draw: impl FnMut() -> [Vec<usize>; 2]) -> BTreeMap<Vec<usize>, f64> {
    let mut counts = BTreeMap::new();
    for _ in 0..n {
        for sequence in draw() {
            *counts.entry(sequence).or_insert(0.0) += 1.0 / n as f64;
        }
    }
    counts
}

#[test]
fn the_distribution_is_that_of_rejecting_repeats() {
    let controller = sharpened(0, 3.0);
    let starts = controller.zero_starts(1);
    let all: Vec<Vec<usize>> = (0..36).map(|i| vec![i / 18, i / 6 % 3, i / 2 % 3, i % 2]).collect();
    let rollout = controller.freely().evaluate(&controller.zero_starts(36), &all).unwrap();
    let p: Vec<f64> = rollout.sequence_log_probs().unwrap().into_iter().map(f64::exp).collect();

    let n = 1500;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut firsts = BTreeMap::new();
    let found = inclusion(n, || {
        let draws = controller.freely().sample_distinct(&starts, 2, &mut rng).unwrap();
        *firsts.entry(draws[0].actions.clone()).or_insert(0.0) += 1.0 / n as f64;
        [draws[0].actions.clone(), draws[1].actions.clone()]
    });
    for (i, sequence) in all.iter().enumerate() {
        // The second is i when the first was some other j and then i among the rest.
        let second: f64 = (0..36).filter(|&j| j != i).map(|j| p[j] * p[i] / (1.0 - p[j])).sum();
        for (name, expected, counts) in
            [("first", p[i], &firsts), ("first two", p[i] + second, &found)]
        {
            let share = counts.get(sequence).copied().unwrap_or_default();
            // 72 comparisons at four and a half standard errors
            let error = (expected * (1.0 - expected) / n as f64).sqrt();
            let bound = 4.5 * error + 1.0 / n as f64;
            assert!(
                (share - expected).abs() < bound,
                "{name} {sequence:?}: {share}, not {expected}"
            );
        }
    }
}

#[test]
fn start_states_are_equally_likely() {
    let controller = controller(1);
    let mut starts = controller.zero_starts(3);
    starts[1].h.fill(0.5);
    starts[2].c.fill(-0.5);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut counts = [0; 3];
    let n = 900;
    for _ in 0..n {
        counts[controller.freely().sample_distinct(&starts, 1, &mut rng).unwrap()[0].start] += 1;
    }
    // 300 expected, standard deviation 14
    assert!(counts.iter().all(|c| (240..360).contains(c)), "{counts:?}");
}
