//! Drawing under a rule: the sequences that are drawn, their probabilities, and the gradient of the same policy.
#![allow(clippy::unwrap_used)] // helpers of tests

use std::collections::{BTreeMap, BTreeSet};

use autogan_rl::{
    ActionSpace, BudgetRule, ChoiceRule, Controller, ControllerConfig, FirstInput, Result, RlError,
};
use autogan_space::{Arch, Budget, GeneratorShape, TokenOrder, derived_generator_cost};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const SPACE: ActionSpace = ActionSpace::Stage { stage: 0, order: TokenOrder::SkipsFirst };
const SHAPE: GeneratorShape = GeneratorShape { latent: 8, width: 6, bottom: 4 };

fn controller(space: ActionSpace, dtype: DType) -> Controller {
    let config = ControllerConfig { hidden: 8, first_input: FirstInput::PreviousToken };
    let tokens = space.tokens().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    Controller::new(&tokens, &config, dtype, &Device::Cpu, &mut rng).unwrap()
}

/// A budget that AutoGAN's top architecture just fits.
fn budget() -> Budget {
    let cost = derived_generator_cost(&Arch::AUTOGAN_A, &SHAPE);
    Budget::new(SHAPE, Some(cost.params), Some(cost.macs)).unwrap()
}

fn affordable<'a>(space: ActionSpace, budget: &'a Budget, starts: usize) -> BudgetRule<'a> {
    BudgetRule { space, budget, prefixes: vec![None; starts] }
}

/// All sequences of the first stage that the budget allows.
fn sequences(budget: &Budget) -> Vec<Vec<usize>> {
    let archs = (0..budget.count(0)).map(|n| budget.nth(0, n).unwrap());
    archs.map(|arch| SPACE.encode(&arch).unwrap()).collect()
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn probabilities_are_renormalised_over_what_is_allowed() {
    let budget = budget();
    let all = sequences(&budget);
    assert!(all.len() > 3 && all.len() < 36, "{} sequences are no test", all.len());
    for dtype in [DType::F64, DType::F32] {
        let controller = controller(SPACE, dtype);
        let rule = affordable(SPACE, &budget, all.len());
        let starts = controller.zero_starts(all.len());
        let rollout = controller.within(&rule).evaluate(&starts, &all).unwrap();
        let total: f64 = rollout.sequence_log_probs().unwrap().iter().map(|l| l.exp()).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        let free = controller.freely().evaluate(&starts, &all).unwrap();
        // In each row and token, a forbidden choice has probability 0, and the others keep their proportions.
        for token in 0..rollout.probs.len() {
            let (p, q) = (values(&rollout.probs[token]), values(&free.probs[token]));
            let choices = p.len() / all.len();
            for (row, begun) in all.iter().enumerate() {
                let allowed = rule.next(row, &begun[..token]).unwrap().unwrap();
                let cells = row * choices..(row + 1) * choices;
                let left: f64 = cells.clone().filter(|i| allowed[i % choices]).map(|i| q[i]).sum();
                for i in cells {
                    let expected = if allowed[i % choices] { q[i] / left } else { 0.0 };
                    assert!((p[i] - expected).abs() < 1e-6, "{} is not {expected}", p[i]);
                }
            }
        }
        assert!(values(&rollout.entropies).iter().all(|h| h.is_finite() && *h >= 0.0));
    }
}

#[test]
fn the_gradient_is_that_of_the_policy_that_draws() {
    let (budget, controller) = (budget(), controller(SPACE, DType::F64));
    let all = sequences(&budget);
    let rule = affordable(SPACE, &budget, all.len());
    let starts = controller.zero_starts(all.len());
    // A reward for each sequence. Its expectation under the policy is differentiated directly and by the score
    // function.
    let worth: Vec<f64> = (0..all.len()).map(|i| (i as f64 * 1.7).sin()).collect();
    let worth = Tensor::from_vec(worth, all.len(), &Device::Cpu).unwrap();
    let log_probs = || {
        let rollout = controller.within(&rule).evaluate(&starts, &all).unwrap();
        rollout.log_probs.sum(1).unwrap()
    };
    let direct = (log_probs().exp().unwrap() * &worth).unwrap().sum_all().unwrap();
    let weight = (log_probs().exp().unwrap().detach() * &worth).unwrap();
    let score = (log_probs() * weight).unwrap().sum_all().unwrap();
    // The score function has mean zero: a baseline changes nothing.
    let constant = (log_probs() * log_probs().exp().unwrap().detach()).unwrap().sum_all().unwrap();
    let [direct, score, constant] = [direct, score, constant].map(|t| t.backward().unwrap());
    let mut largest = 0f64;
    for (name, var) in controller.named_vars() {
        let of = |grads: &candle_core::backprop::GradStore| grads.get(var).map(values);
        let (Some(d), Some(s), Some(c)) = (of(&direct), of(&score), of(&constant)) else {
            continue;
        };
        for ((d, s), c) in d.iter().zip(&s).zip(&c) {
            assert!((d - s).abs() < 1e-12 && c.abs() < 1e-12, "{name}: {d}, {s}, {c}");
            largest = largest.max(d.abs());
        }
    }
    assert!(largest > 1e-3, "no gradient at all");
}

#[test]
fn draws_follow_these_probabilities() {
    let (budget, controller) = (budget(), controller(SPACE, DType::F64));
    let all = sequences(&budget);
    let n = 6000;
    let rule = affordable(SPACE, &budget, n);
    let probabilities = {
        let starts = controller.zero_starts(all.len());
        let rollout = controller.within(&rule).evaluate(&starts, &all).unwrap();
        rollout.sequence_log_probs().unwrap()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let starts = controller.zero_starts(n);
    let drawn = controller.within(&rule).sample(&starts, &mut rng).unwrap().actions;
    let mut counts: BTreeMap<&[usize], f64> = BTreeMap::new();
    for row in &drawn {
        *counts.entry(row).or_insert(0.0) += 1.0 / n as f64;
    }
    assert!(counts.keys().all(|row| all.iter().any(|a| a == row)), "something else was drawn");
    for (row, p) in all.iter().zip(probabilities.iter().map(|l| l.exp())) {
        let share = counts.get(row.as_slice()).copied().unwrap_or_default();
        let error = (p * (1.0 - p) / n as f64).sqrt();
        assert!((share - p).abs() < 4.5 * error + 1.0 / n as f64, "{row:?}: {share}, not {p}");
    }
    let greedy = controller.within(&rule).greedy(&controller.zero_starts(1)).unwrap();
    assert!(all.contains(&greedy.actions[0]));
}

#[test]
fn distinct_draws_end_with_all_that_is_allowed() {
    let budget = budget();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let own = controller(SPACE, DType::F32);
    let rule = affordable(SPACE, &budget, 1);
    let draws = own.within(&rule).sample_distinct(&own.zero_starts(1), 100, &mut rng).unwrap();
    let found: BTreeSet<Vec<usize>> = draws.into_iter().map(|d| d.actions).collect();
    assert_eq!(found, sequences(&budget).into_iter().collect());

    let joint = ActionSpace::Joint { stage: 2, order: TokenOrder::Released };
    let own = controller(joint, DType::F32);
    let rule = affordable(joint, &budget, 1);
    let draws = own.within(&rule).sample_distinct(&own.zero_starts(1), 50, &mut rng).unwrap();
    assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), 50);
    assert!(draws.iter().all(|d| budget.allows(&joint.decode(None, &d.actions).unwrap())));
}

#[test]
fn a_rule_that_allows_everything_changes_nothing_and_what_a_rule_forbids_is_an_error() {
    let controller = controller(SPACE, DType::F32);
    let starts = controller.zero_starts(5);
    let rng = || ChaCha8Rng::seed_from_u64(6);
    struct Every;
    impl ChoiceRule for Every {
        fn next(&self, _start: usize, actions: &[usize]) -> Result<Option<Vec<bool>>> {
            Ok(Some(vec![true; SPACE.tokens()?[actions.len()].choices()]))
        }
    }
    let free = controller.freely().sample(&starts, &mut rng()).unwrap();
    let within = controller.within(&Every).sample(&starts, &mut rng()).unwrap();
    assert_eq!(free.actions, within.actions);
    assert_eq!(values(&free.log_probs), values(&within.log_probs));

    struct FirstChoiceRule;
    impl ChoiceRule for FirstChoiceRule {
        fn next(&self, _start: usize, actions: &[usize]) -> Result<Option<Vec<bool>>> {
            Ok((actions.len() == 3).then(|| vec![true, false]))
        }
    }
    let drawn = controller.within(&FirstChoiceRule).sample(&starts, &mut rng()).unwrap();
    assert!(drawn.actions.iter().all(|row| row[3] == 0));
    let one = controller.zero_starts(1);
    let error =
        controller.within(&FirstChoiceRule).evaluate(&one, &[vec![0, 0, 0, 1]]).unwrap_err();
    assert!(matches!(error, RlError::Forbidden { row: 0, index: 3, found: 1, .. }), "{error}");
}
