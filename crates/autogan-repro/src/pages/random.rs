//! Section 4.3.5 compares the controller with random search, with shared weights and without, and with a network that
//! nobody searched. All are trained from scratch alike.

use super::Page;
use super::compare::{self, Arm, Cost};
use super::context::Context;
use super::learned;
use super::text;
use super::versus::{Courses, Methods, arms, searches};
use crate::error::Result;
use crate::job::{Job, Method};
use crate::scale::Dataset;

const METHODS: Methods =
    [(Method::Controller, "controller"), (Method::Uniform, "random with sharing")];

pub(super) fn write(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let sizes = context.scope.scale.sizes();
    page.text(&format!(
        "Every search has the same budget of images: real images that discriminators are shown. Random search without \
         shared weights spends it on {} architectures, each trained from scratch for {} G iterations and then \
         stopped, which ranks them. A network as hand-made GANs have it is trained beside what was found: \
         pre-activation, batch norm, nearest neighbours, shortcuts, no skips.",
        sizes.scratch, sizes.short
    ));
    page.text(&text::kept(context.scope.scale));
    for dataset in context.scope.datasets() {
        page.heading(&format!("On {}", dataset.title()));
        let courses = searches(context, dataset, METHODS)?;
        learned::write(page, dataset, &courses);
        let arms = all_arms(context, dataset, &courses)?;
        let stem = format!("random-{}", dataset.name());
        let verdicts = compare::write(page, &arms, context.seeds(), &stem);
        page.list(&verdicts);
    }
    Ok(())
}

fn all_arms(context: &Context<'_>, dataset: Dataset, courses: &[Courses; 2]) -> Result<Vec<Arm>> {
    let mut arms = arms(context, dataset, METHODS, courses)?;
    let scale = context.scope.scale;
    let costs = context.seeds().iter().map(|&seed| scratch_cost(context, dataset, seed));
    let trainings = context.trainings(|seed| Job::scratch_found(scale, dataset, seed))?;
    arms.push(Arm {
        costs: costs.collect::<Result<_>>()?,
        ..Arm::of("random without sharing", &[], &trainings)
    });
    let trainings = context.trainings(|seed| Job::baseline(dataset, seed))?;
    arms.push(Arm::of("hand-made baseline", &[], &trainings));
    Ok(arms)
}

/// What the short trainings of random search without shared weights took; `None` before all are finished.
fn scratch_cost(context: &Context<'_>, dataset: Dataset, seed: u64) -> Result<Option<Cost>> {
    let mut all = Cost { trained: 0.0, scored: 0.0, seconds: 0.0 };
    for job in Job::scratch(context.scope.scale, dataset, seed) {
        let Some(training) = context.results.training(&job.name)? else { return Ok(None) };
        all.trained += training.file.images_seen as f64;
        all.scored += training.scored as f64;
        all.seconds += training.seconds;
    }
    Ok(Some(all))
}
