//! A single level, random search with weight sharing, budgets, and a reward with a cost term.

use std::collections::BTreeSet;

use autogan_run::TrialKind;
use autogan_search::{Job, ScoredArch, Search, SearchConfig, SearchEvent, Silent};
use autogan_space::{Arch, derived_generator_cost};

use super::runs::{finish, interrupted};
use crate::tiny::{Record, config, inputs};

const SINGLE: [&str; 2] = ["search.levels=single", "search.grow_at=[0, 0]"];
const UNIFORM: &str = "controller.policy=uniform";

/// All events of a search.
fn events(config: &SearchConfig) -> Vec<SearchEvent> {
    let mut record = Record::default();
    finish(&mut Search::new(config.clone(), inputs(config)).unwrap(), &mut record);
    record.0
}

/// The baseline and the mean reward after the first controller step of each iteration.
fn first_steps(settings: &[&str]) -> Vec<(f64, f64)> {
    let firsts = events(&config(3, settings)).into_iter().filter_map(|event| match event {
        SearchEvent::Controller { step: 1, report } => Some((report.baseline, report.mean_reward)),
        _ => None,
    });
    firsts.collect()
}

#[test]
fn a_baseline_starts_anew_in_each_iteration_where_that_is_set() {
    let anew = first_steps(&["controller.restart_baseline=true"]);
    assert_eq!(anew.len(), 4);
    assert!(anew.iter().all(|(baseline, reward)| baseline == reward), "{anew:?}");
    let carried = first_steps(&["controller.restart_baseline=false"]);
    let (baseline, reward) = carried[3];
    assert_ne!(baseline, reward, "the last iteration follows one of its own stage");
}

/// The kind, iteration, architecture and score of every score.
fn scored(events: &[SearchEvent]) -> Vec<(TrialKind, usize, Arch, f64)> {
    let mut at = 0;
    let mut all = Vec::new();
    for event in events {
        match event {
            SearchEvent::Iteration { iteration, .. } => at = *iteration,
            SearchEvent::Scored(one) => all.push((one.kind, at, one.arch.clone(), one.score)),
            _ => {}
        }
    }
    all
}

/// The architectures in the last event.
fn found(events: &[SearchEvent]) -> Vec<(Arch, f64)> {
    let Some(SearchEvent::Found(found)) = events.last() else { panic!("no result") };
    found.top.iter().map(|f| (f.arch.clone(), f.reward)).collect()
}

/// The ranked beams.
fn beams(events: &[SearchEvent]) -> Vec<&[(Arch, f64)]> {
    let entries = events.iter().filter_map(|e| match e {
        SearchEvent::Beam { entries, .. } => Some(entries.as_slice()),
        _ => None,
    });
    entries.collect()
}

/// Panics unless every architecture is within the budget, or can be completed within it.
fn assert_affordable(config: &SearchConfig, events: &[SearchEvent]) {
    let budget = config.allowed().unwrap();
    let beams = beams(events).concat();
    let archs = scored(events).into_iter().map(|s| s.2);
    let archs = archs.chain(found(events).into_iter().chain(beams).map(|f| f.0));
    for arch in archs {
        assert!(budget.allows(&arch), "{arch} is beyond the budget");
    }
}

#[test]
fn a_single_level_decides_all_cells_from_the_beginning() {
    let config = config(1, &SINGLE);
    let events = events(&config);
    let stages = events.iter().filter_map(|e| match e {
        SearchEvent::Stage { stage, side, iterations, .. } => Some((*stage, *side, *iterations)),
        _ => None,
    });
    assert_eq!(stages.collect::<Vec<_>>(), [(2, 16, (0, 4))]);
    assert!(beams(&events).is_empty(), "nothing grows");
    let scored = scored(&events);
    assert!(scored.iter().all(|(_, _, arch, _)| arch.stage() == 2));
    let cells: BTreeSet<_> = scored.iter().map(|(_, _, arch, _)| arch.cells()[0]).collect();
    assert!(cells.len() > 2, "the first cell is decided, too: {cells:?}");
    let Some(SearchEvent::Policy { probabilities }) =
        events.iter().find(|e| matches!(e, SearchEvent::Policy { .. }))
    else {
        panic!("no policy")
    };
    let tokens: BTreeSet<&str> = probabilities.iter().map(|(t, _, _)| t.as_str()).collect();
    assert_eq!(tokens.len(), 4 + 5 + 6, "each token of each cell by a name of its own");
    assert!(tokens.contains("cell 3: skip from cell 1") && tokens.contains("cell 1: conv"));
}

/// The best children of the last stage are among the candidates that are ranked at the end. The rest is drawn from the
/// policy, and no candidate comes twice.
#[test]
fn half_of_the_candidates_are_the_best_children() {
    let of = |from: &str| {
        let settings = [&format!("search.candidates_from={from}"), "controller.steps=4"];
        let all = scored(&events(&config(3, &settings)));
        let part = |wanted: TrialKind| -> Vec<(Arch, f64)> {
            let own = all.iter().filter(|(kind, _, arch, _)| *kind == wanted && arch.stage() == 2);
            own.map(|(_, _, arch, reward)| (arch.clone(), *reward)).collect()
        };
        (part(TrialKind::Controller), part(TrialKind::Derive))
    };
    let (children, ranked) = of("policy_and_children");
    // The last value of a child that came again counts.
    let mut last: Vec<(Arch, f64)> = Vec::new();
    for (arch, reward) in children {
        last.retain(|(known, _)| *known != arch);
        last.push((arch, reward));
    }
    last.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first: Vec<&Arch> = ranked.iter().take(2).map(|(arch, _)| arch).collect();
    assert_eq!(first, last.iter().take(2).map(|(arch, _)| arch).collect::<Vec<_>>());
    let different: BTreeSet<String> = ranked.iter().map(|(arch, _)| arch.to_string()).collect();
    assert_eq!(different.len(), 4, "four candidates, and nothing twice");
    let (_, drawn) = of("policy");
    assert_ne!(first, drawn.iter().take(2).map(|(arch, _)| arch).collect::<Vec<_>>());
}

#[test]
fn a_random_search_draws_as_many_children_and_learns_nothing() {
    for settings in [&[UNIFORM, "controller.steps=5"][..], &[UNIFORM, SINGLE[0], SINGLE[1]]] {
        let config = config(2, settings);
        let learning: Vec<&str> = settings.iter().copied().filter(|s| *s != UNIFORM).collect();
        let (random, learnt) = (events(&config), events(&crate::tiny::config(2, &learning)));
        let kinds = |events: &[SearchEvent]| -> Vec<TrialKind> {
            scored(events).into_iter().map(|s| s.0).collect()
        };
        assert_eq!(
            kinds(&random),
            kinds(&learnt),
            "another number of scores than a controller has"
        );
        let learns = |events: &[SearchEvent]| {
            events
                .iter()
                .any(|e| matches!(e, SearchEvent::Controller { .. } | SearchEvent::Policy { .. }))
        };
        assert!(!learns(&random) && learns(&learnt));
        let drawn = random.iter().filter(|e| matches!(e, SearchEvent::Drawn { .. })).count();
        assert_eq!(drawn, 4 * config.controller.steps);
        for iteration in 0..4 {
            let own: Vec<Arch> = scored(&random)
                .into_iter()
                .filter(|s| s.0 == TrialKind::Controller && s.1 == iteration)
                .map(|s| s.2)
                .collect();
            let different: BTreeSet<&Arch> = own.iter().collect();
            assert_eq!((own.len(), different.len()), (config.controller.steps * 2, own.len()));
        }
    }
}

#[test]
fn a_random_search_ranks_the_best_that_it_has_seen() {
    let config = config(3, &[UNIFORM, "controller.steps=6"]);
    let events = events(&config);
    let all = scored(&events);
    // The last stage has iterations 2 and 3; what came again counts with its last score.
    let mut seen: Vec<(Arch, f64)> = Vec::new();
    for (kind, iteration, arch, score) in &all {
        if *kind == TrialKind::Controller && *iteration >= 2 {
            seen.retain(|(known, _)| known != arch);
            seen.push((arch.clone(), *score));
        }
    }
    seen.sort_by(|a, b| b.1.total_cmp(&a.1));
    let best: BTreeSet<Arch> = seen[..4].iter().map(|(arch, _)| arch.clone()).collect();
    let ranked = all.iter().filter(|s| s.0 == TrialKind::Derive).map(|s| s.2.clone());
    assert_eq!(ranked.collect::<BTreeSet<Arch>>(), best);
    for (arch, _) in found(&events) {
        assert!(best.contains(&arch));
    }
    let beams = beams(&events);
    assert_eq!(beams.len(), 2);
    assert!(
        all.iter()
            .filter(|s| s.2.stage() == 2 && s.0 != TrialKind::Random)
            .all(|s| { beams[1].iter().any(|(entry, _)| *entry == s.2.prefix(2)) })
    );
}

#[test]
fn where_few_are_allowed_children_come_again_and_rankings_are_shorter() {
    let free = config(4, &[UNIFORM]);
    let cheapest = "0 0 0 0 0 0 0 0 0 0 0 0 0 0".parse().unwrap();
    let least = derived_generator_cost(&cheapest, &free.model.shape()).params;
    let limit = format!("budget.max_params={least}");
    for settings in
        [&[limit.as_str()][..], &[&limit, UNIFORM], &[&limit, UNIFORM, SINGLE[0], SINGLE[1]]]
    {
        let config = config(4, settings);
        // Two orders, with norm none or instance, two upsamplings without weights: 8 cells for each place.
        assert_eq!(config.allowed().unwrap().count(2), 512);
        let events = events(&config);
        assert_affordable(&config, &events);
        let exact = |arch: &Arch| derived_generator_cost(arch, &config.model.shape()).params;
        assert!(found(&events).iter().all(|(arch, _)| exact(arch) == least));
    }
    // 12 children of the first iteration out of 8 cells.
    let config = config(4, &[&limit, UNIFORM, "controller.steps=6"]);
    let first: Vec<Arch> = scored(&events(&config)).into_iter().take(12).map(|s| s.2).collect();
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(first[..4], first[8..], "each again only after all others");
}

#[test]
fn nothing_beyond_the_budget_is_drawn() {
    let free = config(5, &[]);
    let cost = derived_generator_cost(&Arch::AUTOGAN_A, &free.model.shape());
    let limits =
        [format!("budget.max_params={}", cost.params), format!("budget.max_macs={}", cost.macs)];
    let [params, macs] = limits.each_ref().map(String::as_str);
    for settings in [
        &[params, macs][..],
        &[params, "search.distinct=false"],
        &[macs, "controller.tokens=released", SINGLE[0], SINGLE[1]],
        &[params, macs, UNIFORM],
    ] {
        let config = config(5, settings);
        assert_affordable(&config, &events(&config));
    }
    let beyond = scored(&events(&free)).into_iter().filter(|s| {
        let cost = derived_generator_cost(&s.2, &free.model.shape());
        s.2.stage() == 2
            && cost.params > derived_generator_cost(&Arch::AUTOGAN_A, &free.model.shape()).params
    });
    assert!(beyond.count() > 0, "the budget would change nothing");
}

#[test]
fn a_cost_term_orders_by_score_less_cost_and_leaves_the_scores_as_they_are() {
    // The weight outweighs any difference of scores.
    let config = config(6, &["reward.cost=params", "reward.cost_weight=1000"]);
    let (dear, plain) = (events(&config), events(&crate::tiny::config(6, &[])));
    // Before the first step of the controller nothing differs.
    assert_eq!(scored(&dear)[..2], scored(&plain)[..2]);
    assert!(scored(&dear).iter().all(|s| s.3 >= 1.0), "an Inception Score is 1 or more");
    let params = |arch: &Arch| derived_generator_cost(arch, &config.model.shape()).params;
    for entries in beams(&dear).into_iter().chain([found(&dear).as_slice()]) {
        assert!(entries.windows(2).all(|pair| params(&pair[0].0) <= params(&pair[1].0)));
    }
    let dearest = "1 1 2 1 1 1 2 1 1 1 1 2 1 3".parse().unwrap();
    assert_eq!(config.penalty(&dearest), 1000.0);
    let share = config.penalty(&Arch::AUTOGAN_A) / 1000.0;
    let expected = params(&Arch::AUTOGAN_A) as f64 / params(&dearest) as f64;
    assert!((share - expected).abs() < 1e-12 && share < 1.0);
    for (arch, reward) in beams(&dear).concat() {
        let score = scored(&dear).into_iter().find(|s| s.0 == TrialKind::Candidate && s.2 == arch);
        assert_eq!(reward, score.unwrap().3 - config.penalty(&arch));
    }
}

/// A child of the controller: score, reward, entropy, advantage, baseline.
type Child = (Arch, [f64; 5]);

/// The children of each step of the controller.
fn steps(events: &[SearchEvent]) -> Vec<Vec<Child>> {
    let (mut steps, mut children) = (Vec::new(), Vec::new());
    for event in events {
        match event {
            SearchEvent::Scored(ScoredArch {
                arch,
                score,
                reward,
                entropy: Some(entropy),
                advantage: Some(advantage),
                baseline: Some(baseline),
                ..
            }) => children.push((arch.clone(), [*score, *reward, *entropy, *advantage, *baseline])),
            SearchEvent::Controller { .. } => steps.push(std::mem::take(&mut children)),
            _ => {}
        }
    }
    steps
}

#[test]
fn what_a_child_tells_is_what_the_controller_learnt_from() {
    // With two children, a cost and the entropy in the reward, nothing can be worked out from the means of a step.
    let config = config(
        4,
        &[
            "controller.children=2",
            "controller.loss=entropy_in_reward",
            "controller.entropy_weight=0.1",
            "controller.baseline_decay=0.5",
            "controller.restart_baseline=false",
            "reward.cost=macs",
            "reward.cost_weight=0.5",
        ],
    );
    let steps = steps(&events(&config));
    assert_eq!(steps.len(), 4 * 2);
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "expected {b}, found {a}");
    let mut average: Option<(usize, f64)> = None;
    for step in steps {
        assert_eq!(step.len(), 2);
        let stage = step[0].0.stage();
        // A stage has a controller of its own, which draws 4 tokens and one for each cell before.
        let learnt =
            |[_, reward, entropy, ..]: [f64; 5]| reward + 0.1 * (4 + stage) as f64 * entropy;
        let mean = (learnt(step[0].1) + learnt(step[1].1)) / 2.0;
        let before = average.filter(|(known, _)| *known == stage).map_or(mean, |(_, value)| value);
        for (arch, child) in &step {
            let [score, reward, _, advantage, baseline] = *child;
            assert_eq!(reward, score - config.penalty(arch));
            assert!(reward < score);
            near(baseline, before);
            near(advantage, learnt(*child) - before);
        }
        average = Some((stage, 0.5 * before + 0.5 * mean));
    }
}

#[test]
fn images_are_counted_by_what_they_were_for() {
    for settings in [&[][..], &[UNIFORM]] {
        let events = events(&config(7, settings));
        let counts: Vec<_> = events
            .iter()
            .filter_map(|e| match e {
                SearchEvent::Images { so_far } => Some(*so_far),
                _ => None,
            })
            .collect();
        assert_eq!(counts.len(), 5, "after each iteration and at the end");
        let last = counts[4];
        // Real images: 4 epochs of 40. Fakes: as many, and 10 G steps of 8.
        assert_eq!((last.real, last.fake), (160, 240));
        // 16 images for each score, and for the two architectures that are kept once more.
        assert_eq!(last.scored, 16 * (scored(&events).len() as u64 + 2));
        assert!(counts.windows(2).all(|pair| pair[0].scored < pair[1].scored));
    }
}

#[test]
fn all_of_them_can_be_saved_and_restored_at_every_unit() {
    let weighted = ["reward.cost=macs", "reward.cost_weight=0.5"];
    for settings in [
        &SINGLE[..],
        &[UNIFORM],
        &["controller.entropy_unit=spread", "controller.entropy_weight=0.1", "derive.drawn=2"],
        &["reset.check=d_step", "search.restart_steps=true", "train.adam=torch_1_1"],
        &[UNIFORM, SINGLE[0], SINGLE[1], "budget.max_macs=130000"],
        &[weighted[0], weighted[1], "budget.max_params=1300"],
    ] {
        let config = config(8, settings);
        let whole = finish(&mut Search::new(config.clone(), inputs(&config)).unwrap(), &mut Silent);
        assert!(interrupted(&config) == whole, "restoring changed something with {settings:?}");
    }
}
