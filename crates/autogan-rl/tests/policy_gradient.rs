//! The policy-gradient step as a whole: hand-computed gradients through the controller, the entropy bonus, presets,
//! and continuing from saved state.
#![allow(clippy::unwrap_used)] // helpers of tests

use autogan_config::{Configuration, PolicyConfig, SearchConfig};
use autogan_ops::AdamConfig;
use autogan_rl::{
    Baseline, BaselineOrder, Controller, ControllerConfig, FirstInput, PolicyLoss, PolicyTrainer,
    Reinforce, RlError, Rollout,
};
use autogan_space::{TokenKind, TokenOrder, stage_tokens};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn controller(tokens: &[TokenKind], seed: u64) -> Controller {
    let config = ControllerConfig { hidden: 8, first_input: FirstInput::PreviousToken };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Controller::new(tokens, &config, DType::F64, &Device::Cpu, &mut rng).unwrap()
}

/// The section `controller` of a preset.
fn policy(preset: &str) -> PolicyConfig {
    SearchConfig::preset(preset, &[]).unwrap().controller
}

fn adam(lr: f64) -> AdamConfig {
    AdamConfig { lr, ..PolicyTrainer::adam(&policy("paper")) }
}

/// A controller of one decision among three choices, whose probabilities are exactly 1/2, 1/4, 1/4.
fn one_decision() -> Controller {
    let mut c = controller(&[TokenKind::Norm], 1);
    let bias = |name: &str, v: Tensor| match name {
        "decoders.0.weight" => v.zeros_like().unwrap(),
        "decoders.0.bias" => Tensor::new(&[2f64.ln(), 0.0, 0.0], &Device::Cpu).unwrap(),
        _ => v,
    };
    let state: Vec<_> =
        c.state().unwrap().into_iter().map(|(n, v)| (n.clone(), bias(&n, v))).collect();
    c.load_state(&state).unwrap();
    c
}

/// The value of a configured loss, its gradient with respect to the decoder's bias, and the baseline after it.
fn loss_and_bias_gradient(
    config: &PolicyConfig,
    earlier: f64,
    actions: &[usize],
    rewards: &[f64],
) -> (f64, Vec<f64>, f64) {
    let c = one_decision();
    let forced = |actions: &[usize]| -> Rollout {
        let rows: Vec<Vec<usize>> = actions.iter().map(|&a| vec![a]).collect();
        c.freely().evaluate(&c.zero_starts(rows.len()), &rows).unwrap()
    };
    let mut reinforce = Reinforce::new(config).unwrap();
    reinforce.loss(&forced(&[0]), &[earlier]).unwrap();
    let step = reinforce.loss(&forced(actions), rewards).unwrap();
    let grads = step.loss.backward().unwrap();
    let (_, bias) = c.named_vars().find(|(n, _)| *n == "decoders.0.bias").unwrap();
    let grad = grads.get(bias).unwrap().to_vec1().unwrap();
    (step.loss.to_scalar().unwrap(), grad, reinforce.baseline().value().unwrap())
}

fn close(found: &[f64], expected: &[f64]) {
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-10);
    assert!(fits, "expected {expected:?}, found {found:?}");
}

// p = (1/2, 1/4, 1/4): H = 1.5 ln 2; ∂log p_a/∂z_k = [a = k] − p_k; ∂H/∂z_k = −p_k (log p_k + H), that is
// −(ln 2)/4, (ln 2)/8, (ln 2)/8.
const LN2: f64 = std::f64::consts::LN_2;
const ENTROPY_SLOPE: [f64; 3] = [-LN2 / 4.0, LN2 / 8.0, LN2 / 8.0];

#[test]
fn default_loss_for_batch_one() {
    // b = 1 from the earlier reward; action 1, R = 3: A = 2.
    let config = PolicyConfig { entropy_weight: 0.1, ..policy("cifar10") };
    let (loss, grad, baseline) = loss_and_bias_gradient(&config, 1.0, &[1], &[3.0]);
    close(&[loss], &[2.0 * 2.0 * LN2 - 0.15 * LN2]);
    let policy = [1.0, -1.5, 0.5];
    let expected: Vec<f64> = (0..3).map(|k| policy[k] - 0.1 * ENTROPY_SLOPE[k]).collect();
    close(&grad, &expected);
    close(&[baseline], &[0.9 + 0.3]);
}

#[test]
fn default_loss_for_batch_three() {
    // b = 1; actions 0, 1, 2 with R = 2, 0, 4: A = 1, −1, 3.
    let config = PolicyConfig { entropy_weight: 0.1, ..policy("cifar10") };
    let (loss, grad, baseline) = loss_and_bias_gradient(&config, 1.0, &[0, 1, 2], &[2.0, 0.0, 4.0]);
    close(&[loss], &[(LN2 - 2.0 * LN2 + 6.0 * LN2) / 3.0 - 0.15 * LN2]);
    // −Σ A ([a = k] − p_k) / 3, with Σ A = 3: −(1 − 3/2)/3, −(−1 − 3/4)/3, −(3 − 3/4)/3.
    let policy = [0.5 / 3.0, 1.75 / 3.0, -2.25 / 3.0];
    let expected: Vec<f64> = (0..3).map(|k| policy[k] - 0.1 * ENTROPY_SLOPE[k]).collect();
    close(&grad, &expected);
    close(&[baseline], &[0.9 + 0.1 * 2.0]);
}

#[test]
fn paper_loss_for_batch_one_and_three() {
    // Both R + c·H and the baseline hold c·H = 0.15 ln 2, which is the same for every row here and cancels.
    let config = PolicyConfig { entropy_weight: 0.1, ..policy("paper") };
    let (loss, grad, baseline) = loss_and_bias_gradient(&config, 1.0, &[1], &[3.0]);
    close(&[loss], &[4.0 * LN2]);
    close(&grad, &[1.0, -1.5, 0.5]);
    close(&[baseline], &[1.2 + 0.15 * LN2]);
    let (loss, grad, _) = loss_and_bias_gradient(&config, 1.0, &[0, 1, 2], &[2.0, 0.0, 4.0]);
    close(&[loss], &[5.0 * LN2 / 3.0]);
    close(&grad, &[0.5 / 3.0, 1.75 / 3.0, -2.25 / 3.0]);
}

#[test]
fn released_loss_for_batch_one_only() {
    // adv = 0.9 · (R − 1) = 1.8; the entropy's gradient comes in as +2 ln 2 · 0.9 · c · ∂H/∂z.
    let config = PolicyConfig { entropy_weight: 0.1, ..policy("released") };
    let (loss, grad, baseline) = loss_and_bias_gradient(&config, 1.0, &[1], &[3.0]);
    close(&[loss], &[1.8 * 2.0 * LN2]);
    let policy = [0.9, -1.35, 0.45];
    let expected: Vec<f64> =
        (0..3).map(|k| policy[k] + 2.0 * LN2 * 0.09 * ENTROPY_SLOPE[k]).collect();
    close(&grad, &expected);
    close(&[baseline], &[1.2 + 0.15 * LN2]);

    let c = one_decision();
    let rollout = c.freely().sample(&c.zero_starts(3), &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
    let error = Reinforce::new(&config).unwrap().loss(&rollout, &[1.0; 3]).unwrap_err();
    assert!(matches!(error, RlError::ReleasedBatch(3)), "{error}");
}

#[test]
fn presets_differ_where_the_table_says() {
    let (default, paper, released) = (policy("cifar10"), policy("paper"), policy("released"));
    assert_eq!(default.loss, PolicyLoss::EntropyBonus);
    assert_eq!(paper.loss, PolicyLoss::EntropyInReward);
    assert_eq!(released.loss, PolicyLoss::Released);
    assert_eq!((default.entropy_weight, paper.entropy_weight), (1e-4, 1e-4));
    assert_eq!(released.entropy_weight, 1e-3);
    assert_eq!(released.baseline_order, BaselineOrder::UpdateThenSubtract);
    assert_eq!(default.baseline_order, BaselineOrder::SubtractThenUpdate);
    assert!(released.restart_baseline && default.restart_baseline && !paper.restart_baseline);
    for (config, kept) in [(paper, Some(2.0)), (default, None), (released, None)] {
        let c = one_decision();
        let rollout = c.freely().evaluate(&c.zero_starts(1), &[vec![0]]).unwrap();
        let mut reinforce =
            Reinforce::new(&PolicyConfig { entropy_weight: 0.0, ..config }).unwrap();
        reinforce.loss(&rollout, &[2.0]).unwrap();
        reinforce.begin_iteration();
        assert_eq!(reinforce.baseline().value(), kept);
    }
}

/// The mean entropy of a controller after training steps in which only the entropy weight acts.
fn entropy_after(config: &PolicyConfig, steps: usize) -> (f64, f64) {
    let mut c = controller(&stage_tokens(2, TokenOrder::SkipsFirst), 4);
    let sharper: Vec<_> = c
        .state()
        .unwrap()
        .into_iter()
        .map(|(n, v)| if n.starts_with("decoders") { (n, (v * 4.0).unwrap()) } else { (n, v) })
        .collect();
    c.load_state(&sharper).unwrap();
    let mut trainer = PolicyTrainer::new(config, adam(1e-2)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut entropies = Vec::new();
    for _ in 0..steps {
        let rollout = c.freely().sample(&c.zero_starts(1), &mut rng).unwrap();
        entropies.push(trainer.step(&mut c, &rollout, &[1.0]).unwrap().mean_entropy);
    }
    (entropies[0], entropies[steps - 1])
}

#[test]
fn the_entropy_bonus_raises_entropy_and_the_released_one_lowers_it() {
    let weight = |entropy_weight, config| PolicyConfig { entropy_weight, ..config };
    // Rewards are constant, so that nothing but the entropy acts.
    let (before, after) = entropy_after(&weight(0.5, policy("cifar10")), 60);
    assert!(after > before + 0.1, "entropy bonus: {before} to {after}");
    let (before, after) = entropy_after(&weight(0.0, policy("cifar10")), 60);
    assert!((after - before).abs() < 0.3 * before, "without bonus: {before} to {after}");
    let (before, after) = entropy_after(&weight(0.5, policy("released")), 60);
    assert!(after < before - 0.1, "released, gradient of the wrong sign: {before} to {after}");
}

#[test]
fn rewarded_actions_become_likelier() {
    let mut c = one_decision();
    let mut trainer = PolicyTrainer::new(&policy("cifar10"), adam(1e-2)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for _ in 0..80 {
        let rollout = c.freely().sample(&c.zero_starts(4), &mut rng).unwrap();
        let rewards: Vec<f64> =
            rollout.actions.iter().map(|a| f64::from(u8::from(a[0] == 2))).collect();
        trainer.step(&mut c, &rollout, &rewards).unwrap();
    }
    let p = c.freely().greedy(&c.zero_starts(1)).unwrap().probs[0].to_vec2::<f64>().unwrap()[0][2];
    assert!(p > 0.8, "the rewarded choice went from 0.25 to {p}");
}

#[test]
fn bad_rewards_change_nothing() {
    let mut c = one_decision();
    let mut trainer = PolicyTrainer::new(&policy("cifar10"), adam(1e-2)).unwrap();
    let rollout = c.freely().evaluate(&c.zero_starts(1), &[vec![1]]).unwrap();
    assert!(trainer.step(&mut c, &rollout, &[f64::NAN]).is_err());
    assert!(trainer.step(&mut c, &rollout, &[1.0, 2.0]).is_err());
    assert_eq!(trainer.reinforce.baseline().value(), None);
    assert!(trainer.optimizer.moments().is_empty());
    let negative = PolicyConfig { entropy_weight: -1.0, ..policy("cifar10") };
    assert!(PolicyTrainer::new(&negative, adam(1e-2)).is_err());
}

fn train(c: &mut Controller, trainer: &mut PolicyTrainer, rng: &mut ChaCha8Rng, steps: usize) {
    for _ in 0..steps {
        let rollout = c.freely().sample(&c.zero_starts(2), rng).unwrap();
        let rewards: Vec<f64> =
            rollout.actions.iter().map(|a| a.iter().sum::<usize>() as f64).collect();
        trainer.step(c, &rollout, &rewards).unwrap();
    }
}

#[test]
fn training_goes_on_from_saved_state_bit_for_bit() {
    let tokens = stage_tokens(1, TokenOrder::SkipsFirst);
    let config = policy("cifar10");
    let (mut c, mut trainer) =
        (controller(&tokens, 7), PolicyTrainer::new(&config, adam(1e-2)).unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    train(&mut c, &mut trainer, &mut rng, 5);

    let (state, mut later_rng) = (c.state().unwrap(), rng.clone());
    let baseline = serde_json::to_string(trainer.reinforce.baseline()).unwrap();
    // Moments are updated in place: a saved copy must be a copy.
    let moments = trainer.optimizer.moments().clone().into_iter();
    let copy = |t: &Tensor| t.copy().unwrap();
    let moments = moments
        .map(|(n, m)| (n, autogan_ops::Moments { step: m.step, m: copy(&m.m), v: copy(&m.v) }))
        .collect();
    train(&mut c, &mut trainer, &mut rng, 5);

    let mut resumed = controller(&tokens, 99);
    resumed.load_state(&state).unwrap();
    let mut again = PolicyTrainer::new(&config, adam(1e-2)).unwrap();
    let baseline: Baseline = serde_json::from_str(&baseline).unwrap();
    again.reinforce.set_baseline(baseline).unwrap();
    again.optimizer.set_moments(moments);
    train(&mut resumed, &mut again, &mut later_rng, 5);
    for ((name, a), (_, b)) in c.state().unwrap().iter().zip(&resumed.state().unwrap()) {
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert_eq!(flat(a), flat(b), "{name}");
    }
    assert_eq!(trainer.reinforce, again.reinforce);

    let other = Baseline::new(0.5, BaselineOrder::SubtractThenUpdate).unwrap();
    assert!(again.reinforce.set_baseline(other).is_err());
}
