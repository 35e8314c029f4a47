//! The tests of the controller as a strategy.

use autogan_config::{FirstInput, PolicyLoss};
use autogan_strategies::{Fidelity, Space};

use super::*;

fn problem(space: Space, evaluations: f64) -> Problem {
    let fidelity = Fidelity { name: "whole".into(), cost: 2.0, continues: true };
    Problem { space, fidelities: vec![fidelity], budget: 2.0 * evaluations }
}

/// The better, the more tokens take their last choice.
fn value(point: &Point) -> f64 {
    point.0.iter().map(|&choice| f64::from(choice)).sum()
}

fn tell(strategy: &mut dyn Strategy, query: &Query, value: Option<f64>) {
    strategy.tell(&Observation { query: query.clone(), value, cost: 2.0 }).unwrap();
}

#[test]
fn the_settings_are_those_of_the_presets_scaled_to_the_evaluations() {
    let of = |variant: &Variant, evaluations| variant.config(evaluations).unwrap();
    // 90 iterations · 30 steps · 5 children = 13,500 children; half as many are learnt from by steps of twice the size.
    let paper = of(&PAPER, 6_750.0);
    assert!((paper.lr - 7e-4).abs() < 1e-12 && paper.children == 5);
    assert!((of(&PAPER, 13_500.0).lr - 3.5e-4).abs() < 1e-12);
    // 65 · 30 · 1 = 1,950.
    assert_eq!((paper.loss, paper.hidden), (PolicyLoss::EntropyInReward, 100));
    let released = of(&RELEASED, 975.0);
    assert!((released.lr - 7e-4).abs() < 1e-12);
    assert_eq!((released.loss, released.first_input), (PolicyLoss::Released, FirstInput::Zeros));
    assert!(released.restart_baseline && released.children == 1);
    assert_eq!((of(&RELEASED, 1e9).lr, of(&RELEASED, 1.0).lr), (3.5e-4, MOST_LR));
}

#[test]
fn it_does_what_controller_and_trainer_do_by_hand() {
    let problem = problem(Space::of_archs(2), 40.0);
    for variant in [&PAPER, &RELEASED] {
        let mut strategy = LstmStrategy::new(variant, problem.clone(), 3).unwrap();
        let config = strategy.config.clone();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let tokens = strategy.actions.tokens().unwrap();
        let shape = ControllerConfig::from(&config);
        let mut controller =
            Controller::new(&tokens, &shape, DType::F32, &Device::Cpu, &mut rng).unwrap();
        let mut trainer = PolicyTrainer::new(&config, PolicyTrainer::adam(&config)).unwrap();
        for step in 0..6 {
            if step == 0 {
                trainer.reinforce.begin_iteration();
            }
            let starts = controller.zero_starts(config.children);
            let rollout = controller.freely().sample(&starts, &mut rng).unwrap();
            let queries = strategy.ask(99).unwrap();
            assert!(strategy.ask(1).unwrap().is_empty(), "the step waits for its children");
            let mut rewards = Vec::new();
            for (query, actions) in queries.iter().zip(&rollout.actions) {
                let arch = strategy.actions.decode(None, actions).unwrap();
                assert_eq!(problem.space.point(&arch).as_ref(), Some(&query.point));
                // The second step diverges, which counts as the worst so far.
                let diverged = step == 1;
                let value = value(&query.point);
                rewards.push(if diverged { strategy.progress.worst.unwrap() } else { value });
                tell(&mut strategy, query, (!diverged).then_some(value));
            }
            trainer.step(&mut controller, &rollout, &rewards).unwrap();
        }
        for (a, b) in strategy.controller.state().unwrap().iter().zip(controller.state().unwrap()) {
            let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(values(&a.1) == values(&b.1), "{}: {} differs", variant.name, a.0);
        }
    }
}

#[test]
fn it_goes_on_from_any_step_with_the_same_bits() {
    let some = (0..200).map(|at| Space::of_archs(3).at(at * 1_801)).collect();
    let listed = Space::of_archs(3).only(some).unwrap();
    for (kind, space) in STRATEGIES.iter().zip([Space::of_archs(2), listed]) {
        let problem = problem(space.clone(), 20.0);
        let run = |interrupted: bool| {
            let mut strategy = kind.build(problem.clone(), 5).unwrap();
            let mut asked = Vec::new();
            for step in 0..8 {
                for part in 0..2 {
                    if interrupted {
                        let text = strategy.save().unwrap().to_string();
                        let state = serde_json::from_str(&text).unwrap();
                        strategy = kind.restore(problem.clone(), state).unwrap();
                    }
                    if part == 0 {
                        asked.push(strategy.ask(1).unwrap().remove(0));
                        assert!(space.contains(&asked[step].point));
                    } else {
                        let value = (step != 3).then(|| value(&asked[step].point));
                        tell(&mut *strategy, &asked[step], value);
                    }
                }
            }
            (asked, strategy.save().unwrap())
        };
        assert!(run(false) == run(true), "{}", kind.name);
    }
}

#[test]
fn the_policy_moves_to_what_is_rewarded() {
    let problem = problem(Space::of_archs(2), 300.0);
    for kind in STRATEGIES {
        let mut strategy = kind.build(problem.clone(), 1).unwrap();
        let mut values = Vec::new();
        for _ in 0..300 {
            let query = strategy.ask(1).unwrap().remove(0);
            values.push(value(&query.point));
            tell(&mut *strategy, &query, values.last().copied());
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (first, last) = (mean(&values[..60]), mean(&values[240..]));
        assert!(last > first + 1.0, "{}: {first} at first, {last} at last", kind.name);
    }
}

#[test]
fn a_point_that_comes_again_is_trained_again() {
    let one = vec![Space::of_archs(1).at(7)];
    let problem = problem(Space::of_archs(1).only(one).unwrap(), 20.0);
    let mut strategy = STRATEGIES[0].build(problem, 1).unwrap();
    for repeat in 0..3 {
        let query = strategy.ask(1).unwrap().remove(0);
        assert_eq!(query.repeat, repeat);
        tell(&mut *strategy, &query, Some(repeat as f64));
    }
    assert_eq!(strategy.best().unwrap().unwrap().mean, 1.0);
}

#[test]
fn another_space_and_another_state_are_errors() {
    let token = autogan_strategies::Token {
        name: "t".into(),
        choices: vec!["a".into(), "b".into()],
        kind: None,
    };
    let other = problem(Space::of_tokens(vec![token]), 9.0);
    let small = problem(Space::of_archs(1), 9.0);
    for kind in STRATEGIES {
        let error = kind.build(other.clone(), 0).err().unwrap().to_string();
        assert!(error.contains("AutoGAN's architectures"), "{error}");
        let large = kind.build(problem(Space::of_archs(2), 9.0), 0).unwrap();
        assert!(kind.restore(small.clone(), large.save().unwrap()).is_err());
        assert!(kind.restore(small.clone(), serde_json::json!({ "other": 1 })).is_err());
    }
}
