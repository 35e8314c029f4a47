//! This module makes the configuration of a job: a preset, with the settings of the scale and of the job.

use autogan_config::Configuration;
use autogan_run::{ScoresFile, TrialKind, by_score};
use autogan_search::{SearchConfig, TrainingConfig};
use autogan_space::Arch;

use crate::error::{ReproError, Result};
use crate::job::{ArchSource, Job, Length, Method, Work};
use crate::monitor::Failure;
use crate::results::Results;
use crate::scale::{Dataset, Scale};
use crate::source::Files;

/// The numbers that are added to the seeds of trainings that pick architectures: short ones, and those of candidates. With
/// the seed of the training that is compared, the same luck would count twice: in the pick, and in the score at the end.
const SHORT: u64 = 1000;
const PICKING: u64 = 2000;

/// The configuration of a search.
///
/// # Errors
/// When a setting of the scale does not fit the preset.
pub fn search_config(
    scale: Scale,
    method: Method,
    (dataset, seed): (Dataset, u64),
    files: &Files,
) -> Result<SearchConfig> {
    let sizes = scale.sizes();
    let preset = sizes.search_presets[usize::from(dataset != Dataset::Shapes)];
    let mut config = SearchConfig::preset(preset, &[])?;
    config.seed = seed;
    dataset.name().clone_into(&mut config.data.dataset);
    config.data.dir = directory(dataset, files)?;
    scorer(scale, dataset).clone_into(&mut config.reward.scorer);
    (sizes.search)(&mut config);
    method.change(scale, &mut config);
    Ok(config.checked()?)
}

/// The configuration of a training of `arch`.
///
/// # Errors
/// When a setting of the scale does not fit the preset.
pub fn training_config(
    scale: Scale,
    arch: &Arch,
    length: Length,
    (dataset, seed): (Dataset, u64),
    files: &Files,
) -> Result<TrainingConfig> {
    let sizes = scale.sizes();
    let preset = match (length, dataset) {
        (Length::Transfer, _) => sizes.training_presets[2],
        (_, Dataset::Shapes) => sizes.training_presets[0],
        _ => sizes.training_presets[1],
    };
    let mut config = TrainingConfig::preset(preset, &[])?;
    config.arch = arch.clone();
    dataset.name().clone_into(&mut config.data.dataset);
    config.data.dir = directory(dataset, files)?;
    scorer(scale, dataset).clone_into(&mut config.score.scorer);
    (sizes.training)(&mut config);
    config.schedule.samples_every = 0;
    match length {
        Length::Short => {
            config.seed = seed + SHORT;
            config.schedule.g_iterations = sizes.short;
            config.schedule.score_every = 0;
        }
        Length::Picking | Length::Long | Length::Transfer => {
            config.seed = if length == Length::Picking { seed + PICKING } else { seed };
            config.schedule.g_iterations = sizes.long;
            config.schedule.score_every = sizes.long.div_ceil(2);
        }
    }
    if length == Length::Transfer {
        config.model.bottom = 6;
    }
    Ok(config.checked()?)
}

/// Why a job can never begin: a job that it needs has failed. A job that takes the best of several needs one that has not,
/// one that takes the second two, and so on.
pub(crate) fn blocked(job: &Job, failed: &[Failure]) -> Option<String> {
    let needs = job.needs();
    let is_lost = |wanted: &&str| failed.iter().any(|failure| failure.job == *wanted);
    let lost: Vec<&str> = needs.iter().copied().filter(is_lost).collect();
    let enough = match &job.work {
        Work::Train { arch: ArchSource::Ranked { rank, .. }, .. } => {
            needs.len() - lost.len() >= *rank
        }
        _ => false,
    };
    (!lost.is_empty() && !enough).then(|| format!("it needs {}, which failed", lost.join(", ")))
}

/// The architecture that a training is of, from what the jobs before it hold.
///
/// # Errors
/// When those are not finished or hold no such architecture.
pub(crate) fn architecture(job: &Job, arch: &ArchSource, results: &Results) -> Result<Arch> {
    let needs = |wanted: &str, found: String| ReproError::Needs {
        job: job.name.clone(),
        wanted: wanted.to_owned(),
        found,
    };
    let unfinished = |wanted: &str| needs(wanted, "no finished run".to_owned());
    let search = |wanted: &str| results.search(wanted)?.ok_or_else(|| unfinished(wanted));
    match arch {
        ArchSource::Fixed(arch) => Ok(arch.clone()),
        ArchSource::Found { job: wanted, rank } => {
            let top = search(wanted)?.arch.top;
            let found = top.iter().find(|found| found.rank as usize == *rank);
            let missing = || needs(wanted, format!("{} architectures", top.len()));
            Ok(found.ok_or_else(missing)?.arch.clone())
        }
        ArchSource::Random { job: wanted, index } | ArchSource::Drawn { job: wanted, index } => {
            let kind = match arch {
                ArchSource::Drawn { .. } => TrialKind::Drawn,
                _ => TrialKind::Random,
            };
            let mut all = search(wanted)?.trials;
            all.retain(|trial| trial.kind == kind);
            let missing = || needs(wanted, format!("{} of kind {kind}", all.len()));
            Ok(all.get(*index).ok_or_else(missing)?.arch.clone())
        }
        ArchSource::Ranked { jobs, rank } => {
            let trained = trained(jobs, results)?.map_err(|wanted| unfinished(&wanted))?;
            let place = rank.checked_sub(1).and_then(|at| by_score(&trained).get(at).copied());
            let found =
                place.and_then(|place| trained.get(place)).map(|scores| scores.arch.clone());
            let wanted = format!("a training of rank {rank}");
            found.ok_or_else(|| needs(&wanted, format!("{} that did not diverge", trained.len())))
        }
    }
}

/// The architecture that is kept of these candidates; `None` while one is not trained, or where all of them diverged.
///
/// # Errors
/// When the directory of a job is damaged.
pub(crate) fn kept(candidates: &[Job], results: &Results) -> Result<Option<Arch>> {
    let jobs: Vec<String> = candidates.iter().map(|job| job.name.clone()).collect();
    let Ok(trained) = trained(&jobs, results)? else { return Ok(None) };
    let best = by_score(&trained).first().map(|&place| trained[place].arch.clone());
    Ok(best)
}

/// The scores of these trainings without those that diverged, which are worse than any other; or the name of one that is
/// not finished.
fn trained(
    jobs: &[String],
    results: &Results,
) -> Result<std::result::Result<Vec<ScoresFile>, String>> {
    let mut trained = Vec::new();
    for wanted in jobs {
        match results.training(wanted)? {
            Some(training) => trained.push(training.file),
            None if results.diverged(wanted)?.is_some() => {}
            None => return Ok(Err(wanted.clone())),
        }
    }
    Ok(Ok(trained))
}

/// The scorer of a dataset's images.
pub fn scorer(scale: Scale, dataset: Dataset) -> &'static str {
    match (scale, dataset) {
        (Scale::Full, _) => "inception",
        (_, Dataset::Shapes) => "compact-shapes",
        // STL-10 has eight of CIFAR-10's classes, and no classifier of its own here.
        (_, Dataset::Cifar10 | Dataset::Stl10) => "compact-cifar10",
    }
}

/// The directory of the files as text; empty where there are none to be had from outside.
fn directory(dataset: Dataset, files: &Files) -> Result<String> {
    let Some(dir) = files.dir(dataset) else { return Ok(String::new()) };
    dir.into_os_string().into_string().map_err(|dir| {
        ReproError::NoData(format!("{}: expected a directory named in UTF-8", dir.display()))
    })
}

#[cfg(test)]
mod tests {
    use autogan_config::{EntropyUnit, differences};
    use autogan_data::Hub;
    use autogan_search::Sources;

    use super::*;
    use crate::item::Item;
    use crate::plan::{Scope, jobs};

    fn nothing() -> Files {
        Files::new(Sources::new(Hub::from_env(true)))
    }

    #[test]
    fn every_method_fits_its_preset_and_has_the_same_budget() {
        for scale in Scale::ALL {
            for &dataset in scale.datasets() {
                let images = |method| {
                    let config = search_config(scale, method, (dataset, 0), &nothing()).unwrap();
                    let all = config.data.count == 0;
                    let count = if all { 50_000 } else { config.data.count };
                    // What a run is said to have seen is its D steps times their batch.
                    let whole = config.data.count.is_multiple_of(config.train.d_batch);
                    assert!(whole, "{scale} {dataset:?} has short batches");
                    (config.search.iterations * config.search.shared_epochs * count) as f64
                };
                let budget = images(Method::Controller);
                for method in [Method::Uniform, Method::Single, Method::Inception, Method::Frechet]
                {
                    assert_eq!(images(method), budget, "{scale} {dataset:?} {method:?}");
                }
                assert_eq!(images(Method::Reset), images(Method::NoReset));
                let of = |length| {
                    let arch = &Arch::AUTOGAN_A;
                    let config = training_config(scale, arch, length, (dataset, 0), &nothing());
                    let config = config.unwrap();
                    (config.d_steps() * config.train.d_batch as u64) as f64
                };
                let scratch = scale.sizes().scratch as f64 * of(Length::Short);
                assert!((scratch / budget - 1.0).abs() < 0.001, "{scale}: {scratch} of {budget}");
                assert!(of(Length::Long) > of(Length::Short));
                assert_eq!(of(Length::Transfer), of(Length::Long));
                assert_eq!(of(Length::Picking), of(Length::Long));
            }
        }
    }

    #[test]
    fn what_needs_a_failed_run_fails_with_it_and_nothing_else_does() {
        let scope = Scope { scale: Scale::Tiny, cifar10: false, stl10: false };
        let failure = |job: &str| Failure { job: job.to_owned(), reason: String::new() };
        let failing = |first: &[&str]| -> Vec<String> {
            let mut failed: Vec<Failure> = first.iter().map(|job| failure(job)).collect();
            for job in jobs(&[Item::Random], scope) {
                failed.extend(blocked(&job, &failed).map(|_| failure(&job.name)));
            }
            failed[first.len()..].iter().map(|failure| failure.job.clone()).collect()
        };
        let of = |jobs: &[&str]| -> Vec<String> {
            jobs.iter().map(|job| format!("{job}-shapes-s1")).collect()
        };
        // Through the short trainings to those that pick among them.
        let all = of(&[
            "pick-controller-rank1",
            "pick-controller-rank2",
            "train-controller",
            "short-random0",
            "short-random1",
            "short-random2",
            "short-random3",
            "pick-scratch-rank1",
            "pick-scratch-rank2",
            "train-scratch",
        ]);
        assert_eq!(failing(&["search-controller-shapes-s1"]), all);
        let short: Vec<String> = (0..4).map(|i| format!("short-random{i}-shapes-s1")).collect();
        let short: Vec<&str> = short.iter().map(String::as_str).collect();
        assert_eq!(failing(&short[..2]), [""; 0], "two are left, and two are trained on");
        assert_eq!(failing(&short[..3]), of(&["pick-scratch-rank2"]), "one is enough for the last");
        let rest = of(&["pick-scratch-rank1", "pick-scratch-rank2", "train-scratch"]);
        assert_eq!(failing(&short), rest);
    }

    #[test]
    fn what_picks_an_architecture_is_another_training_than_what_judges_it() {
        for scale in Scale::ALL {
            let seeds = |length| {
                let of = |&seed: &u64| {
                    let on = (scale.datasets()[0], seed);
                    training_config(scale, &Arch::AUTOGAN_A, length, on, &nothing()).unwrap().seed
                };
                scale.seeds().iter().map(of).collect::<Vec<_>>()
            };
            let all = [Length::Short, Length::Picking, Length::Long].map(seeds);
            assert_eq!(all[2], scale.seeds());
            let different: std::collections::BTreeSet<u64> =
                all.iter().flatten().copied().collect();
            assert_eq!(different.len(), 3 * scale.seeds().len(), "{scale}");
        }
    }

    #[test]
    fn searches_keep_enough_architectures() {
        for scale in Scale::ALL {
            let on = (scale.datasets()[0], 0);
            let search = search_config(scale, Method::Controller, on, &nothing()).unwrap();
            let sizes = scale.sizes();
            assert!(search.derive.random >= sizes.proxies.max(sizes.scratch), "{scale}");
            assert_eq!(search.derive.drawn, sizes.drawn, "{scale}");
            // Figure 6 trains three.
            assert!(search.derive.top_k >= sizes.kept.max(3) && sizes.scratch >= sizes.kept);
        }
    }

    /// One weight, in standard deviations of either reward; else 1 / FID would be weighed by the scale of another score.
    #[test]
    fn the_searches_of_figure_8_differ_in_the_reward_alone() {
        for scale in Scale::ALL {
            let of = |method| {
                search_config(scale, method, (scale.datasets()[0], 0), &nothing()).unwrap()
            };
            let [usual, is, frechet] =
                [Method::Controller, Method::Inception, Method::Frechet].map(of);
            assert_eq!(is.controller, frechet.controller);
            assert_eq!(is.controller.entropy_unit, EntropyUnit::Spread);
            assert_eq!(is.controller.entropy_weight, 4.0 * usual.controller.entropy_weight);
            let changed = differences(&[is.flat().unwrap(), frechet.flat().unwrap()]);
            let keys: Vec<&str> = changed.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys, ["reward.metric"]);
        }
    }

    #[test]
    fn a_transfer_is_at_48() {
        let on = (Dataset::Shapes, 0);
        let of = |length| {
            training_config(Scale::Small, &Arch::AUTOGAN_A, length, on, &nothing()).unwrap().side()
        };
        assert_eq!((of(Length::Long), of(Length::Transfer)), (32, 48));
    }
}
