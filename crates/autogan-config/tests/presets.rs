//! Presets hold what the table of differences says, and mistakes in settings are explained.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails

use std::collections::BTreeSet;

use autogan_config::{
    BaselineOrder, CandidatesFrom, Configuration, DiscriminatorInit, EmaBuffers, FirstInput,
    PlanConfig, PolicyLoss, PowerIterations, PreOrder, RankOrder, ResetStatistic, RewardWeights,
    ScorerConfig, SearchConfig, SkipTap, TrainingConfig,
};
use autogan_space::TokenOrder;

fn preset(name: &str) -> SearchConfig {
    SearchConfig::preset(name, &[]).unwrap()
}

#[test]
fn every_preset_is_complete_and_survives_being_written() {
    fn check<C: Configuration + std::fmt::Debug>(own_name: fn(&C) -> &str) {
        for (name, _) in C::PRESETS {
            let config = C::preset(name, &[]).unwrap();
            assert_eq!(own_name(&config), *name);
            let again = C::from_toml(&config.to_toml().unwrap(), "test", &[]).unwrap();
            assert_eq!(again, config);
        }
    }
    check::<SearchConfig>(|config| &config.preset);
    check::<TrainingConfig>(|config| &config.preset);
    check::<ScorerConfig>(|config| &config.name);
}

/// Rewards rise from iteration to iteration: docs/results-reading.md. The paper's text alone has no restart.
#[test]
fn baselines_start_anew_in_each_iteration_but_for_the_paper() {
    for (name, _) in SearchConfig::PRESETS {
        assert_eq!(preset(name).controller.restart_baseline, *name != "paper", "{name}");
    }
    for name in ["quick", "cifar10-cpu"] {
        assert_eq!(preset(name).controller.lr, 2e-3, "{name}");
    }
}

#[test]
fn the_default_mends_what_the_released_code_has() {
    let (ours, released) = (preset("cifar10"), preset("released"));
    assert_eq!((ours.controller.entropy_weight, released.controller.entropy_weight), (1e-4, 1e-3));
    assert_eq!((ours.search.iterations, ours.search.grow_at), (90, [25, 55]));
    assert_eq!((released.search.iterations, released.search.grow_at), (65, [15, 35]));
    assert_eq!(ours.controller.tokens, TokenOrder::SkipsFirst);
    assert_eq!(released.controller.tokens, TokenOrder::Released);
    assert_eq!(ours.controller.first_input, FirstInput::PreviousToken);
    assert_eq!(released.controller.first_input, FirstInput::Zeros);
    assert_eq!(
        (ours.controller.loss, released.controller.loss),
        (PolicyLoss::EntropyBonus, PolicyLoss::Released)
    );
    assert_eq!(ours.controller.baseline_order, BaselineOrder::SubtractThenUpdate);
    assert_eq!(released.controller.baseline_order, BaselineOrder::UpdateThenSubtract);
    assert!(ours.search.distinct && !released.search.distinct);
    assert_eq!(
        (ours.reset.rank, released.reset.rank),
        (RankOrder::BeforeReset, RankOrder::AfterReset)
    );
    assert!(ours.reset.clear_on_growth && !released.reset.clear_on_growth);
    assert_eq!((ours.reward.recalibrate_batches, ours.reward.recalibrate_batch), (20, 64));
    assert_eq!(released.reward.recalibrate_batches, 0);
    assert_eq!(
        (ours.reward.weights, released.reward.weights),
        (RewardWeights::Ema, RewardWeights::Live)
    );
    assert_eq!(
        (ours.model.skip_tap, released.model.skip_tap),
        (SkipTap::BeforeAdd, SkipTap::AfterAdd)
    );
    assert_eq!(ours.model.discriminator_init, DiscriminatorInit::Xavier);
    assert_eq!(released.model.discriminator_init, DiscriminatorInit::PytorchDefault);
    assert_eq!(
        (ours.train.ema_buffers, released.train.ema_buffers),
        (EmaBuffers::Averaged, EmaBuffers::Live)
    );
}

#[test]
fn the_paper_differs_where_its_text_does() {
    let (ours, paper) = (preset("cifar10"), preset("paper"));
    assert_eq!(paper.reset.statistic, ResetStatistic::Variance, "section 4");
    assert_eq!(paper.reset, ours.reset);
    assert_eq!((ours.controller.children, paper.controller.children), (1, 5));
    assert_eq!(paper.controller.loss, PolicyLoss::EntropyInReward);
    assert_eq!(
        (ours.model.pre_order, paper.model.pre_order),
        (PreOrder::NormFirst, PreOrder::UpsampleFirst)
    );
    assert_eq!(ours.train.power_iterations, PowerIterations::PerForward);
    assert_eq!(paper.train.power_iterations, PowerIterations::PerStep);
    assert_eq!(
        (ours.search.candidates_from, paper.search.candidates_from),
        (CandidatesFrom::PolicyAndChildren, CandidatesFrom::Policy)
    );
    let search = PlanConfig { candidates_from: ours.search.candidates_from, ..paper.search };
    assert_eq!(search, ours.search, "where it is silent, it is ours");
}

#[test]
fn settings_change_values_and_mistakes_are_explained() {
    let set = |text: &str| SearchConfig::preset("quick", &[text.to_owned()]);
    assert_eq!(set("train.d_batch=5").unwrap().train.d_batch, 5);
    assert_eq!(set("train.d_lr=1").unwrap().train.d_lr, 1.0);
    assert_eq!(set("search.grow_at=[1, 3]").unwrap().search.grow_at, [1, 3]);
    assert_eq!(set("reward.scorer=inception").unwrap().reward.scorer, "inception");
    assert_eq!(set("model.skip_tap=after_add").unwrap().model.skip_tap, SkipTap::AfterAdd);
    let message = |text: &str| set(text).unwrap_err().to_string();
    for (setting, parts) in [
        ("train.batch=5", &["train.batch", "d_batch, ", "found batch"][..]),
        ("training.d_batch=5", &["train, ", "found training"]),
        ("train", &["KEY=VALUE", "found train"]),
        ("train.d_batch=many", &["d_batch"]),
        ("model.skip_tap=none", &["before_add", "after_add"]),
        ("search.grow_at=[4, 2]", &["0 < first < second", "[4, 2]"]),
        ("search.top_k=100", &["search.top_k", "search.candidates", "found 100"]),
        ("reward.images=1", &["reward.images", "found 1"]),
        ("train.d_lr=-1", &["train.d_lr", "found -1"]),
        ("controller.loss=released", &["controller.children", "1 with"]),
        ("search.levels=single", &["search.grow_at", "[0, 0]", "found [2, 4]"]),
        ("search.levels=one", &["multi", "single"]),
        ("controller.policy=random", &["reinforce", "uniform"]),
        ("reward.cost=params", &["reward.cost_weight", "above 0 with", "found 0"]),
        ("reward.cost_weight=0.5", &["reward.cost_weight", "0 with", "found 0.5"]),
        ("reward.metric=log_fid", &["inverse_fid", "log_frechet"]),
        ("reward.latents=search", &["step", "iteration"]),
        ("reward.standardise=stage", &["none", "iteration"]),
        ("controller.distinct_within=search", &["none", "iteration", "stage"]),
        ("search.shared_sampling=even", &["policy", "uniform", "fair"]),
        ("budget.max_params=1000", &["budget.max_params", "at least", "parameters", "found 1000"]),
        ("budget.max_macs=1", &["budget.max_macs", "multiply-accumulates", "found 1"]),
    ] {
        let text = message(setting);
        for part in parts {
            assert!(text.contains(part), "{setting}: {text}");
        }
    }
    let settings = ["search.shared_sampling=fair", "budget.max_macs=1000000000"].map(str::to_owned);
    let text = SearchConfig::preset("quick", &settings).unwrap_err().to_string();
    assert!(text.contains("search.shared_sampling") && text.contains("found fair"), "{text}");
    let text = SearchConfig::preset("fast", &[]).unwrap_err().to_string();
    assert!(text.contains("quick, cifar10-cpu") && text.contains("found fast"), "{text}");
}

#[test]
fn presets_of_trainings_fit_those_of_searches() {
    let names = |presets: autogan_config::Presets| -> BTreeSet<&str> {
        presets.iter().map(|(name, _)| *name).collect()
    };
    // `train --from-run` takes the one with the search's name.
    assert_eq!(names(TrainingConfig::PRESETS), names(SearchConfig::PRESETS));
    for (name, _) in TrainingConfig::PRESETS {
        let config = TrainingConfig::preset(name, &[]).unwrap();
        let searched = SearchConfig::preset(name, &[]).unwrap();
        assert_eq!(searched.data.dataset, config.data.dataset);
        assert_eq!(searched.model.skip_tap, config.model.skip_tap);
        assert_eq!(searched.model.pre_order, config.model.pre_order);
        assert_eq!(
            (searched.model.bottom, searched.model.latent),
            (config.model.bottom, config.model.latent)
        );
    }
    let stl10 = TrainingConfig::preset("stl10", &[]).unwrap();
    assert_eq!((stl10.side(), stl10.schedule.g_iterations), (48, 50_000));
    for (setting, expected) in [
        ("schedule.g_iterations=0", "schedule.g_iterations: expected 1 or more"),
        ("score.images=1", "score.images: expected 2 or more"),
        ("model.gf=0", "model.gf: expected 1 or more"),
        ("train.ema_decay=1.0", "train.ema_decay"),
        ("schedule.iterations=3", "g_iterations"),
        ("arch=[1, 0, 3, 1]", "upsampling"),
    ] {
        let error = TrainingConfig::preset("quick", &[setting.to_owned()]).unwrap_err().to_string();
        assert!(error.contains(expected), "{setting}: {error}");
    }
}
