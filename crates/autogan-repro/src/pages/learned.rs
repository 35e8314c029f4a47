//! This module shows what a controller learned within its search: the children that it draws at the end, beside those
//! that are drawn evenly on a supernet of the same budget, and the entropy of its policy.
//!
//! It splits the question whether a search beats random search: whether the policy finds what is rewarded, and whether
//! what is rewarded is better when it is trained alone (figure 7).

use autogan_run::{Trial, TrialKind};
use autogan_space::stage_tokens;
use autogan_stats::mean;

use super::Page;
use super::compare::{interval, paired, spread};
use super::versus::{Along, Courses, plot_course};
use crate::results::SearchResult;
use crate::scale::Dataset;

/// The courses of rewards, and a table of the last iterations. Two methods: one that learns, one that draws evenly.
pub(super) fn write(page: &mut Page, dataset: Dataset, courses: &[Courses; 2]) {
    let title = format!("Reward of the children over the search, {}", dataset.title());
    let file = format!("random-{}-course.svg", dataset.name());
    plot_course(page, &title, &file, courses, Along::Images);
    let of = |take: fn(&SearchResult) -> Option<f64>| -> [Vec<Option<f64>>; 2] {
        courses.each_ref().map(|(_, searches)| {
            searches.iter().map(|search| search.as_ref().and_then(take)).collect()
        })
    };
    let rewards = of(last_reward);
    let entropies = of(last_entropy);
    let even = of(even_entropy);
    let row = |place: usize| {
        let (rewards, entropies) = (&rewards[place], &entropies[place]);
        // Even draws come from no policy.
        let no_policy =
            rewards.iter().any(Option::is_some) && entropies.iter().all(Option::is_none);
        let entropy = if no_policy { "–".to_owned() } else { spread(entropies, 2) };
        vec![courses[place].0.to_owned(), spread(rewards, 3), entropy, spread(&even[place], 2)]
    };
    page.text("The children of the last iteration, all cells in place:");
    let head = ["", "mean reward", "entropy of the policy, nats a token", "of even draws"];
    page.table(&head, &[row(0), row(1)]);
    let (_, difference) = paired(&rewards[0], &rewards[1]);
    page.text(&format!(
        "Mean reward, {} − {}, paired by seed: {}.",
        courses[0].0,
        courses[1].0,
        interval(difference.as_ref(), 3)
    ));
}

/// The children of the last iteration of the controller.
fn last_children(search: &SearchResult) -> impl Iterator<Item = &Trial> {
    let children = || search.trials.iter().filter(|trial| trial.kind == TrialKind::Controller);
    let last = children().map(|trial| trial.iteration).max();
    children().filter(move |trial| Some(trial.iteration) == last)
}

fn last_reward(search: &SearchResult) -> Option<f64> {
    average(last_children(search).map(Trial::rank_value))
}

fn last_entropy(search: &SearchResult) -> Option<f64> {
    average(last_children(search).filter_map(|trial| trial.entropy))
}

/// What the entropy of [`last_entropy`] would be if every choice of the last cell were as likely as the others.
fn even_entropy(search: &SearchResult) -> Option<f64> {
    let stage = last_children(search).next()?.stage;
    let tokens = stage_tokens(stage as usize, search.order);
    average(tokens.into_iter().map(|token| (token.choices() as f64).ln()))
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    (!values.is_empty()).then(|| mean(&values))
}
