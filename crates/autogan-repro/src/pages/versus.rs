//! Figures 8, 9 and 10 compare two searches that differ in one thing, over their course and by what they found.

use autogan_config::{Configuration, SearchConfig, differences};
use autogan_report::plot::{Plot, Series, Shape};

use super::Page;
use super::compare::{self, Arm, Cost, interval, paired, part, spread};
use super::context::Context;
use super::text;
use crate::error::Result;
use crate::item::Item;
use crate::job::{Job, Method};
use crate::results::{SearchResult, StepReward};
use crate::scale::{Dataset, Scale};

/// What the comparison of figure 9 changes in the usual search: in both of its runs, and where the reset is on.
fn reset_settings(scale: Scale) -> Result<[String; 2]> {
    let usual = SearchConfig::preset(scale.sizes().search_presets[0], &[])?;
    let of = |method: Method| {
        let mut config = usual.clone();
        (scale.sizes().search)(&mut config);
        method.change(scale, &mut config);
        config.flat()
    };
    let change = |from: Method, to: Method| -> Result<String> {
        let changed = differences(&[of(from)?, of(to)?]).into_iter();
        let changed = changed.filter(|(key, _)| key != "reset.enabled");
        let text = |(key, values): (String, Vec<Option<_>>)| {
            Some(format!("{key}={}", values[1].as_ref()?))
        };
        Ok(changed.filter_map(text).collect::<Vec<_>>().join("`, `"))
    };
    Ok([change(Method::Controller, Method::NoReset)?, change(Method::NoReset, Method::Reset)?])
}

/// What the horizontal axis of a course counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Along {
    Seconds,
    Images,
}

/// A method with its searches by seed.
pub(super) type Courses = (&'static str, Vec<Option<SearchResult>>);

/// Two methods with their names.
pub(super) type Methods = [(Method, &'static str); 2];

/// Figure 8: Inception Score against 1 / FID as the reward.
pub(super) fn reward(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let methods =
        [(Method::Inception, "Inception Score"), (Method::Frechet, "1 / Fréchet distance")];
    page.text(&text::entropy());
    sections(page, context, (Item::Fig8, methods), |page, dataset, found| {
        for (course, name) in found.iter().zip(["is", "frechet"]) {
            let title = format!("Reward over the search: {}, {}", course.0, dataset.title());
            let file = format!("fig8-{}-{name}.svg", dataset.name());
            plot_course(page, &title, &file, std::slice::from_ref(course), Along::Images);
        }
        page.text(
            "The scores on shared weights are each in units of its own reward and do not compare.",
        );
    })
}

/// Figure 9: with and without dynamic reset.
pub(super) fn reset(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let with = Method::with_reset(context.scope.scale);
    let methods = [(with, "with reset"), (Method::NoReset, "without reset")];
    if with == Method::Reset {
        let [both, on] = reset_settings(context.scope.scale)?;
        page.text(&format!("Both: `{both}`. With reset: `{on}`."));
    }
    sections(page, context, (Item::Fig9, methods), |page, dataset, found| {
        let title = format!("Reward over time, {}", dataset.title());
        let file = format!("fig9-{}-course.svg", dataset.name());
        plot_course(page, &title, &file, found, Along::Seconds);
        let resets = part(&found[0].1, |search| search.resets as f64);
        page.text(&format!("Resets in a search: {}.", spread(&resets, 1)));
    })
}

/// Figure 10: all cells in one stage (SLAS) against one after the other (MLAS).
pub(super) fn levels(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let methods = [(Method::Controller, "multi-level"), (Method::Single, "single-level")];
    sections(page, context, (Item::Fig10, methods), |page, dataset, found| {
        for (along, over) in [(Along::Images, "images"), (Along::Seconds, "seconds")] {
            let title = format!("Reward over {over}, {}", dataset.title());
            let file = format!("fig10-{}-{over}.svg", dataset.name());
            plot_course(page, &title, &file, found, along);
        }
        page.text(
            "While the multi-level search is in its first two stages, its children are smaller networks whose images \
             have a half or a quarter of the side; only the last part of its lines compares with the single-level \
             search.",
        );
    })
}

/// A section for each dataset: what `courses` writes of the searches, then both methods beside each other.
fn sections(
    page: &mut Page,
    context: &Context<'_>,
    (item, methods): (Item, Methods),
    courses: impl Fn(&mut Page, Dataset, &[Courses; 2]),
) -> Result<()> {
    page.text(&text::kept(context.scope.scale));
    for dataset in context.scope.datasets() {
        page.heading(&format!("On {}", dataset.title()));
        let found = searches(context, dataset, methods)?;
        courses(page, dataset, &found);
        let arms = arms(context, dataset, methods, &found)?;
        let stem = format!("{item}-{}", dataset.name());
        let verdicts = compare::write(page, &arms, context.seeds(), &stem);
        // Rewards of figure 8 have units of their own.
        if item != Item::Fig8 {
            saved(page, &arms);
        }
        page.list(&verdicts);
    }
    Ok(())
}

/// What the first arm costs less than the second, and what its best child on shared weights is above it.
fn saved(page: &mut Page, arms: &[Arm]) {
    let [first, second] = arms else { return };
    let of = |of: fn(&Cost) -> f64| paired(&part(&first.costs, of), &part(&second.costs, of)).1;
    let shared = paired(&first.shared, &second.shared).1;
    page.text(&format!(
        "{} minus {}: seconds {}, images trained on {}, best child on shared weights {}.",
        first.name,
        second.name,
        interval(of(|cost| cost.seconds).as_ref(), 1),
        interval(of(|cost| cost.trained).as_ref(), 0),
        interval(shared.as_ref(), 3)
    ));
}

pub(super) fn searches(
    context: &Context<'_>,
    dataset: Dataset,
    [a, b]: Methods,
) -> Result<[Courses; 2]> {
    let found = |(method, _)| context.searches(method, dataset);
    Ok([(a.1, found(a)?), (b.1, found(b)?)])
}

pub(super) fn arms(
    context: &Context<'_>,
    dataset: Dataset,
    methods: Methods,
    found: &[Courses; 2],
) -> Result<Vec<Arm>> {
    let arm = |((method, _), (name, searches)): (&(Method, &str), &Courses)| {
        let scale = context.scope.scale;
        let trainings = context.trainings(|seed| Job::found(scale, *method, dataset, seed))?;
        Ok(Arm::of(name, searches, &trainings))
    };
    methods.iter().zip(found).map(arm).collect()
}

/// The mean reward of every few steps of the controller, one line per search.
pub(super) fn plot_course(
    page: &mut Page,
    title: &str,
    file: &str,
    courses: &[Courses],
    along: Along,
) {
    let mut series = Vec::new();
    for (colour, (name, searches)) in courses.iter().enumerate() {
        for search in searches.iter().flatten() {
            series.push(Series {
                name: (*name).to_owned(),
                colour,
                shape: Shape::Line,
                points: smoothed(&search.rewards, along),
            });
        }
    }
    if series.is_empty() {
        page.text(&format!("{title}: not run."));
        return;
    }
    let axis = match along {
        Along::Seconds => "seconds",
        Along::Images => "real images that the discriminator was shown",
    };
    let plot = Plot {
        title: title.to_owned(),
        axes: (axis.to_owned(), "mean reward of an iteration".to_owned()),
        series,
    };
    page.picture(file, title, plot.svg().into_bytes());
}

/// Means over the steps between two rounds of shared training, for those follow each other without new images.
fn smoothed(rewards: &[StepReward], along: Along) -> Vec<(f64, f64)> {
    rewards
        .chunk_by(|a, b| a.trained == b.trained)
        .map(|group| {
            let n = group.len() as f64;
            let mean = |of: fn(&StepReward) -> f64| group.iter().map(of).sum::<f64>() / n;
            let x = match along {
                Along::Seconds => mean(|step| step.seconds),
                Along::Images => mean(|step| step.trained as f64),
            };
            (x, mean(|step| step.reward))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_iteration_are_one_point() {
        let step = |seconds, trained, reward| StepReward { seconds, trained, reward };
        let steps = [step(1.0, 8, 2.0), step(3.0, 8, 4.0), step(9.0, 16, 5.0)];
        assert_eq!(smoothed(&steps, Along::Seconds), [(2.0, 3.0), (9.0, 5.0)]);
        assert_eq!(smoothed(&steps, Along::Images), [(8.0, 3.0), (16.0, 5.0)]);
    }
}
