//! Children that differ from each other, and shared training on even and fair draws.

use std::collections::BTreeSet;

use autogan_search::{Job, Phase, ScoredArch, Search, Silent};
use autogan_space::{Arch, derived_generator_cost};

use super::reward::{children, events};
use crate::tiny::{config, inputs};

fn different(archs: &[Arch]) -> usize {
    archs.iter().collect::<BTreeSet<_>>().len()
}

fn archs(iteration: &[ScoredArch]) -> Vec<Arch> {
    iteration.iter().map(|one| one.arch.clone()).collect()
}

#[test]
fn no_child_comes_twice_within_an_iteration_or_a_stage() {
    // Two iterations of stage 0 with 20 children each, of 36 cells.
    let settings = ["controller.steps=10", "search.grow_at=[2, 3]"];
    let run = |more: &[&str]| {
        let all = events(&config(7, &[&settings[..], more].concat()));
        children(&all).iter().map(|iteration| archs(iteration)).collect::<Vec<_>>()
    };
    let free = run(&[]);
    assert!(free.iter().any(|iteration| different(iteration) < 20), "nothing ever came twice");
    let within = run(&["controller.distinct_within=iteration"]);
    assert!(within.iter().all(|iteration| different(iteration) == 20));
    assert!(different(&within[..2].concat()) < 36, "another iteration may draw it again");
    for policy in ["controller.policy=reinforce", "controller.policy=uniform"] {
        let stage = run(&["controller.distinct_within=stage", policy]);
        assert!(stage.iter().all(|iteration| different(iteration) == 20));
        // Everything has come before anything comes again.
        let both = stage[..2].concat();
        assert_eq!(different(&both), 36);
        assert_eq!(different(&both[..36]), 36);
    }
    let single =
        run(&["controller.distinct_within=stage", "search.levels=single", "search.grow_at=[0, 0]"]);
    assert_eq!(different(&single.concat()), 80);
}

#[test]
fn where_few_are_allowed_each_child_comes_again_only_after_all_others() {
    let cheapest = "0 0 0 0 0 0 0 0 0 0 0 0 0 0".parse().unwrap();
    let least = derived_generator_cost(&cheapest, &config(4, &[]).model.shape()).params;
    let limit = format!("budget.max_params={least}");
    let settings =
        ["controller.steps=6", "controller.children=3", "controller.distinct_within=stage", &limit];
    let config = config(4, &settings);
    assert_eq!(config.allowed().unwrap().count(0), 8);
    let first = archs(&children(&events(&config))[0]);
    assert_eq!(first.len(), 18);
    assert_eq!([&first[..8], &first[8..16]].map(different), [8, 8]);
    assert_eq!(different(&first[16..]), 2);
}

#[test]
fn a_controller_that_draws_nothing_twice_learns() {
    let config = config(8, &["controller.distinct_within=iteration"]);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    while search.position().phase != Phase::Controller {
        search.advance(&mut Silent).unwrap();
    }
    let before = search.save().unwrap();
    search.advance(&mut Silent).unwrap();
    search.advance(&mut Silent).unwrap();
    let after = search.save().unwrap();
    let changed = |name: &str| before.tensor(name) != after.tensor(name);
    let names = before.tensors.iter().map(|t| t.name.clone());
    let controller: Vec<String> = names.filter(|name| name.starts_with("controller.")).collect();
    assert!(!controller.is_empty() && controller.iter().any(|name| changed(name)));
}

/// After how many G steps which parts of the first cell were trained, each with its number: post- and pre-activation, the
/// shortcut, batch norm, deconvolution. Adam counts the steps of each parameter.
fn trained(n_critic: usize, sampling: &str) -> Vec<(u64, [u64; 5])> {
    let n_critic = format!("train.n_critic={n_critic}");
    let sampling = format!("search.shared_sampling={sampling}");
    let config = config(9, &["search.shared_epochs=12", &n_critic, &sampling]);
    let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
    let mut all = Vec::new();
    for wanted in [6, 12, 18] {
        while search.position().stage_g_steps < wanted {
            search.advance(&mut Silent).unwrap();
        }
        let state = search.save().unwrap().metadata["state"].clone();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let of = |part: &str| {
            state["adam_steps"]["g_adam"][format!("cell1.{part}")].as_u64().unwrap_or_default()
        };
        let either = |part: &str| ["post", "pre"].map(|conv| of(&format!("{conv}_conv1.{part}")));
        let [post, pre] = either("conv.weight");
        let (norm, up): (u64, u64) =
            (either("bn.weight").iter().sum(), either("deconv.weight").iter().sum());
        all.push((wanted, [post, pre, of("c_sc.weight"), norm, up]));
    }
    all
}

#[test]
fn fair_draws_train_every_choice_equally_often() {
    // Also where a G step follows only every second D step: the generator's steps are what is counted.
    for n_critic in [1, 2] {
        for (n, counts) in trained(n_critic, "fair") {
            assert_eq!(counts, [n / 2, n / 2, n / 2, n / 3, n / 3], "after {n} G steps");
        }
        let unfair = |sampling: &str| {
            let all = trained(n_critic, sampling);
            all.iter().any(|(n, counts)| *counts != [n / 2, n / 2, n / 2, n / 3, n / 3])
        };
        assert!(unfair("policy") && unfair("uniform"));
    }
}

#[test]
fn even_draws_of_shared_training_are_those_of_a_random_search() {
    let weights = |settings: &[&str]| {
        let config = config(9, settings);
        let mut search = Search::new(config.clone(), inputs(&config)).unwrap();
        while search.position().phase != Phase::Controller {
            search.advance(&mut Silent).unwrap();
        }
        let saved = search.save().unwrap();
        saved.tensor("g.cell1.post_conv1.conv.weight").unwrap().clone()
    };
    let even = weights(&["search.shared_sampling=uniform"]);
    assert!(even == weights(&["controller.policy=uniform"]));
    assert!(even != weights(&[]));
}
