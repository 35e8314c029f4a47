//! A reward that carries signal: latents in common, rewards that are standardised, and real images that are not
//! compared with themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use autogan_run::TrialKind;
use autogan_search::{
    ImageScore, Inputs, Job, Result, RewardValue, ScoredArch, Search, SearchConfig, SearchEvent,
    Silent,
};
use autogan_space::{Arch, CellArch};
use autogan_strategies::{Fidelity, ModelKind, Observation, Problem, Query, Space, Surrogate};
use candle_core::{DType, Tensor};

use super::runs::{finish, interrupted};
use crate::tiny::{Record, config, inputs};

const LATENTS: &str = "reward.latents=iteration";
const STANDARDISE: &str = "reward.standardise=iteration";

/// All events of a search.
pub fn events(config: &SearchConfig) -> Vec<SearchEvent> {
    let mut record = Record::default();
    finish(&mut Search::new(config.clone(), inputs(config)).unwrap(), &mut record);
    record.0
}

/// The children of the controller, iteration by iteration.
pub fn children(events: &[SearchEvent]) -> Vec<Vec<ScoredArch>> {
    let mut iterations = Vec::new();
    for event in events {
        match event {
            SearchEvent::Iteration { .. } => iterations.push(Vec::new()),
            SearchEvent::Scored(one) if one.kind == TrialKind::Controller => {
                iterations.last_mut().unwrap().push(one.clone());
            }
            _ => {}
        }
    }
    iterations
}

/// The different scores of each architecture of an iteration that came more than once.
fn scores_of_repeats(iteration: &[ScoredArch]) -> Vec<BTreeSet<u64>> {
    let mut scores: BTreeMap<&Arch, Vec<u64>> = BTreeMap::new();
    for one in iteration {
        scores.entry(&one.arch).or_default().push(one.score.to_bits());
    }
    let repeated = scores.into_values().filter(|scores| scores.len() > 1);
    repeated.map(|scores| scores.into_iter().collect()).collect()
}

#[test]
fn a_child_that_comes_again_has_the_same_score_where_latents_are_in_common() {
    // 40 children of 36 cells: in the first iteration some come again.
    let many = "controller.steps=20";
    for metric in ["is", "log_frechet"] {
        let metric = format!("reward.metric={metric}");
        let common = children(&events(&config(3, &[many, &metric, LATENTS])));
        let repeats = scores_of_repeats(&common[0]);
        assert!(repeats.len() > 3 && repeats.iter().all(|scores| scores.len() == 1), "{repeats:?}");
        let own = children(&events(&config(3, &[many, &metric])));
        assert!(scores_of_repeats(&own[0]).iter().any(|scores| scores.len() > 1));
    }
    // Another iteration has others: without training in between, the same child has another score.
    let still =
        ["train.d_lr=1e-30", "train.g_lr=1e-30", "controller.steps=18", "train.ema_decay=0.0"];
    let uniform = ["controller.policy=uniform", "search.grow_at=[2, 3]", LATENTS];
    let twice = children(&events(&config(3, &[&still[..], &uniform].concat())));
    let first: BTreeMap<&Arch, f64> = twice[0].iter().map(|one| (&one.arch, one.score)).collect();
    assert_eq!(first.len(), 36);
    assert!(twice[1].iter().all(|one| first[&one.arch] != one.score));
}

/// A score by the mean colour, changed by a scale and a shift.
struct Drifting(f64, f64);

impl ImageScore for Drifting {
    fn name(&self) -> &str {
        "drifting"
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        let mean = images.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?;
        Ok(RewardValue::exact(self.0 * mean + self.1))
    }
}

/// The events of a search with such a score.
fn drifting(config: &SearchConfig, scale: f64, shift: f64) -> Vec<SearchEvent> {
    let mut record = Record::default();
    let inputs = Inputs { score: Box::new(Drifting(scale, shift)), ..inputs(config) };
    finish(&mut Search::new(config.clone(), inputs).unwrap(), &mut record);
    record.0
}

#[test]
fn standardised_rewards_do_not_change_with_the_scale_or_the_shift_of_the_score() {
    let settings = [
        STANDARDISE,
        "controller.restart_baseline=false",
        "controller.loss=entropy_in_reward",
        "controller.entropy_weight=0.5",
        "search.candidates_from=policy_and_children",
        "controller.steps=4",
    ];
    let config = config(5, &settings);
    let (plain, moved) = (drifting(&config, 1.0, 0.0), drifting(&config, 1024.0, 4096.0));
    let (plain, moved) = (children(&plain).concat(), children(&moved).concat());
    assert_eq!(plain.len(), 4 * 4 * 2);
    for (a, b) in plain.iter().zip(&moved) {
        assert_eq!(a.arch, b.arch);
        let (a, b) = (a.advantage.unwrap(), b.advantage.unwrap());
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert!(plain.iter().any(|one| one.advantage.unwrap().abs() > 0.5));
}

#[test]
fn the_controller_learns_from_rewards_standardised_among_those_so_far() {
    let settings =
        [STANDARDISE, "controller.baseline_decay=0.5", "controller.restart_baseline=true"];
    for iteration in children(&events(&config(6, &settings))) {
        let mut so_far: Vec<f64> = Vec::new();
        let mut average: Option<f64> = None;
        for step in iteration.chunks(2) {
            so_far.extend(step.iter().map(|one| one.reward));
            let n = so_far.len() as f64;
            let mean = so_far.iter().sum::<f64>() / n;
            let deviation = (so_far.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
            let standard = |one: &ScoredArch| match deviation > 1e-12 * mean.abs() {
                true => (one.reward - mean) / deviation,
                false => 0.0,
            };
            let of_step = (standard(&step[0]) + standard(&step[1])) / 2.0;
            let before = average.unwrap_or(of_step);
            for one in step {
                let expected = standard(one) - before;
                let found = one.advantage.unwrap();
                assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
                let told = one.baseline.unwrap();
                assert!((told - (mean + deviation * before)).abs() < 1e-9, "{told}");
            }
            average = Some(average.map_or(of_step, |old| 0.5 * old + 0.5 * of_step));
        }
    }
}

/// The score rises by 1000 with each child that is scored, whatever it is.
struct Rising(Mutex<f64>);

impl ImageScore for Rising {
    fn name(&self) -> &str {
        "rising"
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        let mean = images.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?;
        let mut risen = self.0.lock().unwrap();
        *risen += 1000.0;
        Ok(RewardValue::exact(mean + *risen))
    }
}

/// The first half of the candidates of the last ranking, and the rewards of the last stage's children, by iteration.
fn best_of_two_iterations(settings: &[&str]) -> (Vec<Arch>, Vec<Vec<(Arch, f64)>>) {
    let config = config(3, settings);
    let score = Box::new(Rising(Mutex::new(0.0)));
    let inputs = Inputs { score, ..inputs(&config) };
    let mut record = Record::default();
    finish(&mut Search::new(config.clone(), inputs).unwrap(), &mut record);
    let ranked = record.0.iter().filter_map(|e| match e {
        SearchEvent::Scored(one) if one.kind == TrialKind::Derive => Some(one.arch.clone()),
        _ => None,
    });
    let last = &children(&record.0)[2..];
    let rewards = |own: &Vec<ScoredArch>| own.iter().map(|s| (s.arch.clone(), s.reward)).collect();
    (ranked.take(2).collect(), last.iter().map(rewards).collect())
}

#[test]
fn the_best_children_are_not_just_those_of_the_last_iteration() {
    let children = "search.candidates_from=policy_and_children";
    let uniform = "controller.policy=uniform";
    for policy in [uniform, "controller.policy=reinforce"] {
        let (best, plain) = best_of_two_iterations(&[children, policy, "controller.steps=4"]);
        let last: Vec<&Arch> = plain[1].iter().map(|(arch, _)| arch).collect();
        assert!(best.iter().all(|arch| last.contains(&arch)), "the last were the highest");
        let settings = [children, policy, "controller.steps=4", STANDARDISE];
        let (best, all) = best_of_two_iterations(&settings);
        // Within each iteration the last child is the best, and both lie as high above their own iteration's mean.
        let mut expected: Vec<(Arch, f64)> = Vec::new();
        for iteration in &all {
            let n = iteration.len() as f64;
            let mean = iteration.iter().map(|(_, r)| r).sum::<f64>() / n;
            let squares = iteration.iter().map(|(_, r)| (r - mean).powi(2)).sum::<f64>();
            for (arch, reward) in iteration {
                expected.retain(|(known, _)| known != arch);
                expected.push((arch.clone(), (reward - mean) / (squares / n).sqrt()));
            }
        }
        expected.sort_by(|a, b| b.1.total_cmp(&a.1));
        let expected: BTreeSet<&Arch> = expected[..2].iter().map(|(arch, _)| arch).collect();
        assert_eq!(best.iter().collect::<BTreeSet<_>>(), expected);
        let first: Vec<&Arch> = all[0].iter().map(|(arch, _)| arch).collect();
        assert!(best.iter().any(|arch| first.contains(&arch)), "one of the iteration before");
    }
}

/// The parts that a search showed its score, as sums of their images.
#[derive(Clone, Default)]
struct Parts(Arc<Mutex<Vec<[Vec<u64>; 3]>>>);

struct Keeping {
    parts: Parts,
    all: Vec<u64>,
}

fn sums(images: &Tensor) -> Vec<u64> {
    let pixels = images.flatten_from(1).unwrap().to_vec2::<u8>().unwrap();
    let hash = |row: &Vec<u8>| row.iter().fold(7u64, |h, &b| h.wrapping_mul(31) + u64::from(b));
    let mut sums: Vec<u64> = pixels.iter().map(hash).collect();
    sums.sort();
    sums
}

impl ImageScore for Keeping {
    fn name(&self) -> &str {
        "keeping"
    }

    fn begin_stage(&mut self, reals: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        self.all = sums(&reals()?);
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Result<RewardValue> {
        let mean = images.to_dtype(DType::F64)?.mean_all()?.to_scalar::<f64>()?;
        Ok(RewardValue::exact(mean))
    }

    fn score_real(
        &self,
        images: &Tensor,
        others: &dyn Fn() -> Result<Tensor>,
    ) -> Result<RewardValue> {
        let part = [sums(images), sums(&others()?), self.all.clone()];
        self.parts.0.lock().unwrap().push(part);
        Ok(RewardValue::exact(1234.5))
    }
}

#[test]
fn real_images_and_those_they_are_compared_with_are_all_images_each_once() {
    let config = config(2, &["derive.images=20"]);
    let parts = Parts::default();
    let score = Box::new(Keeping { parts: parts.clone(), all: Vec::new() });
    let inputs = Inputs { score, ..inputs(&config) };
    let mut search = Search::new(config, inputs).unwrap();
    finish(&mut search, &mut Silent);
    assert_eq!(search.found().unwrap().score.unwrap().real, 1234.5);
    let parts = parts.0.lock().unwrap();
    let sizes: Vec<(usize, usize)> = parts.iter().map(|[a, b, _]| (a.len(), b.len())).collect();
    assert_eq!(sizes, [(16, 24), (16, 24), (16, 24), (20, 20)]);
    for [held, others, all] in parts.iter() {
        let mut both = [held.as_slice(), others].concat();
        both.sort();
        assert_eq!(both, *all);
    }
}

#[test]
fn scores_by_the_logarithm_are_finite_and_comparable() {
    let config = config(6, &["reward.metric=log_frechet"]);
    let events = events(&config);
    let Some(SearchEvent::Found(found)) = events.last() else { panic!("no result") };
    let score = found.score.unwrap();
    assert_eq!(found.protocol.score, "minus_log_frechet_compact-shapes_16");
    let all = [score.real, score.best, score.median_random, score.untrained];
    assert!(all.iter().all(|value| value.is_finite()), "{score:?}");
    assert!(score.real > score.best && score.real > score.untrained, "{score:?}");
    let other = self::config(6, &["reward.metric=log_frechet", "reward.images=21"]);
    let error = Search::new(other.clone(), inputs(&other)).err().unwrap().to_string();
    assert!(error.contains("log_frechet") && error.contains("at most 20"), "{error}");
}

/// The architectures of which a model of the children of the last stage expects the most, of all that it can draw.
fn most_expected(events: &[SearchEvent], m: usize) -> Vec<Arch> {
    let space = Space::of_archs(3);
    let score = Fidelity { name: "score".into(), cost: 1.0, continues: false };
    let problem = Problem { space: space.clone(), fidelities: vec![score], budget: 1.0 };
    let mut model = Surrogate::new(problem, ModelKind::Ridge).unwrap();
    let mut repeat = 0;
    for iteration in &children(events)[2..] {
        let n = iteration.len() as f64;
        let mean = iteration.iter().map(|one| one.reward).sum::<f64>() / n;
        let squares = iteration.iter().map(|one| (one.reward - mean).powi(2)).sum::<f64>();
        for one in iteration {
            let query = Query { point: space.point(&one.arch).unwrap(), fidelity: 0, repeat };
            let value = Some((one.reward - mean) / (squares / n).sqrt());
            model.tell(&Observation { query, value, cost: 1.0 }).unwrap();
            repeat += 1;
        }
    }
    model.climb(100).unwrap();
    let beam = events.iter().rev().find_map(|event| match event {
        SearchEvent::Beam { entries, .. } => Some(entries),
        _ => None,
    });
    let mut all: Vec<(f64, Arch)> = Vec::new();
    for (begin, _) in beam.unwrap() {
        for cell in CellArch::enumerate(2) {
            let arch = begin.with_cell(cell).unwrap();
            all.push((model.fitted().unwrap().mean(&space.point(&arch).unwrap()), arch));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Vec<Arch> = Vec::new();
    for (_, arch) in all {
        if best.len() < m && !best.contains(&arch) {
            best.push(arch);
        }
    }
    best
}

/// Whether the value of each beam entry is the score by which it was ranked.
fn beams_hold_scores(events: &[SearchEvent]) -> bool {
    let scores: Vec<(&Arch, f64)> = events
        .iter()
        .filter_map(|event| match event {
            SearchEvent::Scored(one) if one.kind == TrialKind::Candidate => {
                Some((&one.arch, one.reward))
            }
            _ => None,
        })
        .collect();
    let entries = events.iter().filter_map(|event| match event {
        SearchEvent::Beam { entries, .. } => Some(entries),
        _ => None,
    });
    let entries: Vec<_> = entries.flatten().collect();
    assert!(entries.len() > 1);
    entries.into_iter().all(|(arch, value)| scores.contains(&(arch, *value)))
}

#[test]
fn a_model_chooses_the_candidates_and_orders_the_result() {
    let model = ["search.pick=model", "search.candidates_from=model"];
    for policy in ["controller.policy=reinforce", "controller.policy=uniform"] {
        let settings = [&model[..], &[policy, STANDARDISE, "controller.steps=4"]].concat();
        let config = config(4, &settings);
        let events = events(&config);
        let ranked: Vec<&Arch> = events
            .iter()
            .filter_map(|event| match event {
                SearchEvent::Scored(one) if one.kind == TrialKind::Derive => Some(&one.arch),
                _ => None,
            })
            .collect();
        let best = most_expected(&events, config.derive.candidates);
        assert_eq!(ranked, best.iter().collect::<Vec<_>>());
        let Some(SearchEvent::Found(found)) = events.last() else { panic!("no result") };
        let expected: Vec<_> = found.top.iter().map(|one| one.expected.unwrap()).collect();
        assert!(expected.len() > 1 && expected.is_sorted_by(|a, b| a.mean >= b.mean));
        assert!(expected.iter().all(|one| one.sd > 0.0 && one.sd.is_finite()), "{expected:?}");
        assert!(found.top.iter().all(|one| ranked.contains(&&one.arch)));
        assert_eq!(found.score.unwrap().best, found.top[0].reward);
        assert!(!beams_hold_scores(&events));
    }
    let plain = events(&config(4, &[]));
    assert!(beams_hold_scores(&plain));
    let Some(SearchEvent::Found(found)) = plain.last() else { panic!("no result") };
    assert!(found.top.iter().all(|one| one.expected.is_none()));
}

#[test]
fn with_all_of_it_a_search_that_is_saved_and_restored_at_every_unit_ends_in_the_same_bits() {
    let settings = [
        "reward.metric=log_frechet",
        LATENTS,
        STANDARDISE,
        "controller.distinct_within=stage",
        "controller.restart_baseline=false",
        "search.shared_sampling=fair",
        "search.candidates_from=policy_and_children",
        "controller.steps=3",
        "search.grow_at=[2, 3]",
    ];
    for more in [
        &[][..],
        &["controller.policy=uniform"],
        &["controller.distinct_within=iteration", "search.shared_sampling=uniform"],
        &["search.levels=single", "search.grow_at=[0, 0]"],
        &["search.pick=model"],
        &["search.pick=model", "search.candidates_from=model"],
        &["search.pick=model", "search.candidates_from=model", "controller.policy=uniform"],
    ] {
        let config = config(8, &[&settings[..], more].concat());
        let whole = finish(&mut Search::new(config.clone(), inputs(&config)).unwrap(), &mut Silent);
        assert!(interrupted(&config) == whole, "restoring changed something with {more:?}");
    }
}
