//! The controller: sizes, initial values, distributions, start states, saved state.
#![allow(clippy::unwrap_used)] // helpers of tests

use autogan_rl::{
    ActionSpace, Controller, ControllerConfig, FirstInput, PreviousToken, RlError, StartState,
};
use autogan_space::{TokenKind, TokenOrder, controller_params, stage_tokens};
use candle_core::{DType, Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn make(tokens: &[TokenKind], hidden: usize, first_input: FirstInput, seed: u64) -> Controller {
    let config = ControllerConfig { hidden, first_input };
    Controller::new(tokens, &config, DType::F64, &Device::Cpu, &mut rng(seed)).unwrap()
}

fn small(stage: usize, seed: u64) -> Controller {
    make(&stage_tokens(stage, TokenOrder::SkipsFirst), 8, FirstInput::PreviousToken, seed)
}

/// A start state that an earlier stage could hand over.
fn start(hidden: usize, previous: Option<(TokenKind, usize)>, seed: u64) -> StartState {
    let mut rng = rng(seed);
    let mut draw = || (0..hidden).map(|_| rng.random::<f32>() - 0.5).collect();
    let previous = previous.map(|(kind, choice)| PreviousToken { kind, choice });
    StartState { h: draw(), c: draw(), previous }
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn sizes_and_names_are_those_of_the_released_controllers() {
    for (stage, expected) in [(0, 82_810), (1, 83_212), (2, 83_614)] {
        let tokens = stage_tokens(stage, TokenOrder::Released);
        let controller = make(&tokens, 100, FirstInput::Zeros, 0);
        let count: usize = controller.named_vars().map(|(_, v)| v.elem_count()).sum();
        assert_eq!(count, expected);
        assert_eq!(count as u64, controller_params(&tokens, 100));
    }
    let names: Vec<String> = small(0, 0).named_vars().map(|(n, _)| n.to_owned()).take(7).collect();
    let expected = [
        "lstm.weight_ih",
        "lstm.weight_hh",
        "lstm.bias_ih",
        "lstm.bias_hh",
        "encoder.weight",
        "decoders.0.weight",
        "decoders.0.bias",
    ];
    assert_eq!(names, expected);
}

#[test]
fn initial_values_follow_pytorch() {
    let tokens = ActionSpace::Joint { stage: 2, order: TokenOrder::SkipsFirst }.tokens().unwrap();
    for (name, var) in make(&tokens, 100, FirstInput::PreviousToken, 3).named_vars() {
        let v = values(var.as_tensor());
        let n = v.len() as f64;
        let (largest, square) =
            v.iter().fold((0f64, 0f64), |(m, s), x| (m.max(x.abs()), s + x * x / n));
        // Standard deviation of U(±0.1) is 0.1/√3; five standard errors of its estimate are allowed.
        let deviation = if name == "encoder.weight" { 1.0 } else { 0.1 / 3f64.sqrt() };
        let error = 5.0 * deviation / (2.0 * n).sqrt();
        assert!((square.sqrt() - deviation).abs() < error.min(0.9 * deviation), "{name}: {square}");
        assert!(name == "encoder.weight" || largest <= 0.1, "{name}: {largest}");
    }
}

#[test]
fn sampling_reports_what_evaluating_the_same_actions_reports() {
    let controller = small(2, 1);
    let starts: Vec<StartState> =
        (0..5).map(|i| start(8, Some((TokenKind::Shortcut, i % 2)), i as u64)).collect();
    let drawn = controller.freely().sample(&starts, &mut rng(7)).unwrap();
    let forced = controller.freely().evaluate(&starts, &drawn.actions).unwrap();
    assert_eq!(drawn.log_probs.dims(), [5, 6]);
    assert_eq!(drawn.entropies.dims(), [5, 6]);
    for (a, b) in [
        (&drawn.log_probs, &forced.log_probs),
        (&drawn.entropies, &forced.entropies),
        (&drawn.end_h, &forced.end_h),
        (&drawn.end_c, &forced.end_c),
    ] {
        assert_eq!(values(a), values(b));
    }
    for (i, probs) in drawn.probs.iter().enumerate() {
        let (probs, chosen) =
            (probs.to_vec2::<f64>().unwrap(), drawn.log_probs.to_vec2::<f64>().unwrap());
        let entropies = drawn.entropies.to_vec2::<f64>().unwrap();
        for (row, p) in probs.iter().enumerate() {
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!((p[drawn.actions[row][i]].ln() - chosen[row][i]).abs() < 1e-12);
            let entropy: f64 = p.iter().map(|p| -p * p.ln()).sum();
            assert!((entropy - entropies[row][i]).abs() < 1e-12);
        }
    }
    let sums: Vec<f64> =
        drawn.log_probs.to_vec2::<f64>().unwrap().iter().map(|r| r.iter().sum()).collect();
    for (a, b) in sums.iter().zip(drawn.sequence_log_probs().unwrap()) {
        assert!((a - b).abs() < 1e-12);
    }
}

#[test]
fn a_batch_draws_what_single_rows_draw() {
    let controller = small(1, 2);
    let starts: Vec<StartState> = (0..4).map(|i| start(8, None, i)).collect();
    let together = controller.freely().sample(&starts, &mut rng(11)).unwrap();
    let mut stream = rng(11);
    for (i, start) in starts.iter().enumerate() {
        let alone = controller.freely().sample(std::slice::from_ref(start), &mut stream).unwrap();
        assert_eq!(alone.actions[0], together.actions[i]);
    }
}

#[test]
fn frequencies_follow_the_probabilities() {
    let controller = small(0, 5);
    let n = 4000;
    let rollout = controller.freely().sample(&controller.zero_starts(n), &mut rng(13)).unwrap();
    for k in 0..2 {
        let p = rollout.probs[0].to_vec2::<f64>().unwrap()[0][k];
        let found = rollout.actions.iter().filter(|a| a[0] == k).count() as f64 / n as f64;
        let error = (p * (1.0 - p) / n as f64).sqrt();
        assert!((found - p).abs() < 4.0 * error, "choice {k}: {found} against {p} ± {error}");
    }
    // All 36 sequences: their probabilities add up to 1 and are met by the counts (chi-squared, 35 degrees).
    let all: Vec<Vec<usize>> = (0..36).map(|i| vec![i / 18, i / 6 % 3, i / 2 % 3, i % 2]).collect();
    let probs = sequence_probs(&controller, &all);
    assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let statistic: f64 = all
        .iter()
        .zip(&probs)
        .map(|(a, p)| {
            let found = rollout.actions.iter().filter(|b| *b == a).count() as f64;
            (found - n as f64 * p).powi(2) / (n as f64 * p)
        })
        .sum();
    assert!(statistic < 74.9, "chi-squared {statistic}, 99.99 % lie below 74.9");
}

fn sequence_probs(controller: &Controller, all: &[Vec<usize>]) -> Vec<f64> {
    let rollout = controller.freely().evaluate(&controller.zero_starts(all.len()), all).unwrap();
    rollout.sequence_log_probs().unwrap().into_iter().map(f64::exp).collect()
}

#[test]
fn greedy_takes_the_most_probable_choice() {
    let controller = small(2, 6);
    let rollout = controller.freely().greedy(&[start(8, None, 4)]).unwrap();
    for (i, probs) in rollout.probs.iter().enumerate() {
        let p = &probs.to_vec2::<f64>().unwrap()[0];
        assert!(p.iter().all(|q| *q <= p[rollout.actions[0][i]]));
    }
}

/// Sets one row of the embedding table to zeros.
fn blank_row(controller: &mut Controller, row: usize) {
    let mut state = controller.state().unwrap();
    let (_, table) = state.iter_mut().find(|(n, _)| n == "encoder.weight").unwrap();
    let mut rows = table.to_vec2::<f64>().unwrap();
    rows[row].fill(0.0);
    *table = Tensor::new(rows, &Device::Cpu).unwrap();
    controller.load_state(&state).unwrap();
}

#[test]
fn the_previous_token_is_read_from_its_own_segment() {
    // Tokens 2 2 3 3 2: the shortcut's rows are 10 and 11; a row of zeros is the same as no previous token.
    let mut controller = small(1, 8);
    let with = |choice| vec![start(8, Some((TokenKind::Shortcut, choice)), 9)];
    let logits =
        |c: &Controller, s: &[StartState]| values(&c.freely().greedy(s).unwrap().logits[0]);
    let none = logits(&controller, &[start(8, None, 9)]);
    let (no, yes) = (logits(&controller, &with(0)), logits(&controller, &with(1)));
    assert!(none != no && none != yes && no != yes);
    blank_row(&mut controller, 11);
    assert_eq!(logits(&controller, &with(1)), none);
    assert_eq!(logits(&controller, &with(0)), no);
    // A batch may mix rows with and without one.
    let mixed = [start(8, None, 9), with(0).remove(0)];
    let both = controller.freely().greedy(&mixed).unwrap().logits[0].to_vec2::<f64>().unwrap();
    for (k, (a, b)) in none.iter().zip(&no).enumerate() {
        assert!((both[0][k] - a).abs() < 1e-12 && (both[1][k] - b).abs() < 1e-12);
    }
}

#[test]
fn zeros_as_first_input_ignore_the_previous_token() {
    let tokens = stage_tokens(1, TokenOrder::Released);
    let controller = make(&tokens, 8, FirstInput::Zeros, 8);
    let logits = |s: StartState| values(&controller.freely().greedy(&[s]).unwrap().logits[0]);
    let with = start(8, Some((TokenKind::Shortcut, 1)), 9);
    assert_eq!(logits(with), logits(start(8, None, 9)));
}

#[test]
fn a_skip_mask_keeps_its_meaning_in_a_wider_mask() {
    // Released order at stage 2: the mask's rows are 10 to 13; "from cell 1" is 1 in the narrow mask, 2 in the wide.
    let tokens = stage_tokens(2, TokenOrder::Released);
    let mut controller = make(&tokens, 8, FirstInput::PreviousToken, 8);
    let logits = |c: &Controller, s| values(&c.freely().greedy(&[s]).unwrap().logits[0]);
    let mask = start(8, Some((TokenKind::SkipMask { cells: 1 }, 1)), 9);
    blank_row(&mut controller, 12);
    assert_eq!(logits(&controller, mask), logits(&controller, start(8, None, 9)));
}

#[test]
fn end_states_carry_into_the_next_stage() {
    let first = small(0, 1);
    let rollout = first.freely().sample(&first.zero_starts(3), &mut rng(2)).unwrap();
    let states = rollout.end_states().unwrap();
    for (state, actions) in states.iter().zip(&rollout.actions) {
        let last = PreviousToken { kind: TokenKind::Shortcut, choice: actions[3] };
        assert_eq!(state.previous, Some(last));
    }
    let json = serde_json::to_string(&states).unwrap();
    assert_eq!(serde_json::from_str::<Vec<StartState>>(&json).unwrap(), states);
    let next = small(1, 3).freely().sample(&states, &mut rng(4)).unwrap();
    assert_eq!(next.batch(), 3);
    let first_rows = next.logits[0].to_vec2::<f64>().unwrap();
    assert!(first_rows[0] != first_rows[1], "rows with different histories start alike");
}

#[test]
fn state_survives_a_round_trip_and_misfits_change_nothing() {
    let (from, mut to) = (small(1, 1), small(1, 2));
    let state = from.state().unwrap();
    let before = values(&to.state().unwrap()[0].1);

    let without = &state[1..];
    assert!(matches!(to.load_state(without), Err(RlError::State { .. })));
    let mut extra = state.clone();
    extra.push(("decoders.9.bias".to_owned(), state[0].1.clone()));
    assert!(matches!(to.load_state(&extra), Err(RlError::State { .. })));
    let other_stage = small(2, 1).state().unwrap();
    assert!(to.load_state(&other_stage).is_err());
    assert_eq!(values(&to.state().unwrap()[0].1), before);

    to.load_state(&state).unwrap();
    let starts = from.zero_starts(2);
    let (a, b) = (from.freely().greedy(&starts).unwrap(), to.freely().greedy(&starts).unwrap());
    assert_eq!(values(&a.end_h), values(&b.end_h));
}

#[test]
fn misuse_is_an_error_that_names_the_place() {
    let controller = small(1, 1);
    let starts = controller.zero_starts(1);
    let error =
        |actions: &[Vec<usize>]| controller.freely().evaluate(&starts, actions).unwrap_err();
    let e = error(&[vec![0, 0, 3, 0, 0]]);
    assert!(matches!(e, RlError::Action { row: 0, index: 2, choices: 3, found: 3, .. }), "{e}");
    assert!(matches!(error(&[vec![0; 4]]), RlError::Length { expected: 5, found: 4, .. }));
    assert!(matches!(error(&[]), RlError::Length { expected: 1, found: 0, .. }));
    assert!(matches!(controller.freely().greedy(&[]), Err(RlError::Empty(_))));
    let short = StartState::zeros(7);
    assert!(matches!(
        controller.freely().greedy(&[short]),
        Err(RlError::Length { expected: 8, .. })
    ));
    for (kind, choice) in [(TokenKind::SkipMask { cells: 1 }, 0), (TokenKind::Shortcut, 2)] {
        let foreign = start(8, Some((kind, choice)), 1);
        assert!(matches!(
            controller.freely().greedy(&[foreign]),
            Err(RlError::PreviousToken { .. })
        ));
    }
    let bad = ControllerConfig { hidden: 0, first_input: FirstInput::Zeros };
    let tokens = stage_tokens(0, TokenOrder::Released);
    assert!(Controller::new(&tokens, &bad, DType::F32, &Device::Cpu, &mut rng(0)).is_err());
    let config = ControllerConfig { hidden: 100, first_input: FirstInput::PreviousToken };
    assert!(Controller::new(&[], &config, DType::F32, &Device::Cpu, &mut rng(0)).is_err());
    assert!(Controller::new(&tokens, &config, DType::U8, &Device::Cpu, &mut rng(0)).is_err());
}
