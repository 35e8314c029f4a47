//! Tables 1 and 2, and the pictures of figures 4 and 5: what was found, trained to the end.

use super::compare::{spread, trained};
use super::context::Context;
use super::page::Page;
use crate::error::{ReproError, Result};
use crate::job::{Job, Method};
use crate::plan::{baseline, transfer_dataset};
use crate::results::TrainingResult;
use crate::scale::{Dataset, Scale};

/// Rows of the paper: what, Inception Score, FID.
type Published = [(&'static str, &'static str, &'static str)];

const PUBLISHED_CIFAR10: &Published = &[
    ("AutoGAN's first, as published", "8.55 ± 0.10", "12.42"),
    ("AutoGAN's second, as published", "8.42 ± 0.06", "13.67"),
    ("AutoGAN's third, as published", "8.41 ± 0.12", "13.87"),
];
const PUBLISHED_STL10: &Published = &[("AutoGAN's first, as published", "9.16 ± 0.12", "31.01")];

/// Table 1.
pub(super) fn cifar10(page: &mut Page, context: &Context<'_>) -> Result<()> {
    page.heading("The paper's protocol");
    let of = |job: &dyn Fn(u64) -> Result<Job>| match context.scope.scale {
        Scale::Full => context.trainings(job),
        Scale::Tiny | Scale::Small => Ok(Vec::new()),
    };
    let own = of(&|seed| Ok(Job::found(Method::Controller, 1, Dataset::Cifar10, seed)))?;
    let base = of(&|seed| baseline(Dataset::Cifar10, seed))?;
    let rows = [("found here", own.as_slice()), ("hand-made baseline", base.as_slice())];
    published(page, PUBLISHED_CIFAR10, &rows);
    if context.scope.scale == Scale::Full {
        return Ok(());
    }
    for dataset in context.scope.datasets() {
        page.heading(&format!("At this scale, on {}", dataset.title()));
        let own = context.trainings(|seed| Ok(Job::found(Method::Controller, 1, dataset, seed)))?;
        let base = context.trainings(|seed| baseline(dataset, seed))?;
        scaled(page, &[("found here", &own), ("hand-made baseline", &base)]);
    }
    Ok(())
}

/// Table 2.
pub(super) fn transfer(page: &mut Page, context: &Context<'_>) -> Result<()> {
    page.heading("The paper's protocol");
    let to = transfer_dataset(context.scope.scale, context.scope.stl10);
    let of = |from| context.trainings(move |seed| Ok(Job::transfer(from, to, seed)));
    let full = match context.scope.scale {
        Scale::Full => of(Dataset::Cifar10)?,
        Scale::Tiny | Scale::Small => Vec::new(),
    };
    published(page, PUBLISHED_STL10, &[("found here on CIFAR-10", &full)]);
    if context.scope.scale == Scale::Full {
        return Ok(());
    }
    page.heading(&format!("At this scale, on {} at 48x48", to.title()));
    for from in context.scope.datasets() {
        let name = format!("found on {}", from.title());
        scaled(page, &[(&name, &of(from)?)]);
    }
    Ok(())
}

/// Rows of the paper, and ours under the same protocol or marked as not run.
fn published(page: &mut Page, rows: &Published, own: &[(&str, &[Option<TrainingResult>])]) {
    let mut table: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, is, fid)| [name, is, fid].map(|cell| (*cell).to_owned()).to_vec())
        .collect();
    table.extend(own.iter().map(|(name, trainings)| {
        let (score, distance) = ends(trainings);
        vec![format!("{name} (`--scale full`)"), score, distance]
    }));
    page.table(&["", "Inception Score, 50,000 images", "FID, 50,000 images"], &table);
}

/// Rows under the names of their own protocol.
fn scaled(page: &mut Page, own: &[(&str, &[Option<TrainingResult>])]) {
    let known = own.iter().flat_map(|(_, trainings)| trainings.iter().flatten()).next();
    let Some(known) = known else {
        page.text("Not run.");
        return;
    };
    let protocol = &known.file.protocol;
    let distance = protocol.frechet.as_deref().unwrap_or("no distance");
    let mut rows: Vec<Vec<String>> = own
        .iter()
        .map(|(name, trainings)| {
            let (score, distance) = ends(trainings);
            vec![(*name).to_owned(), score, distance]
        })
        .collect();
    let real = known.file.real;
    let real_distance = real.frechet.map_or_else(|| "–".to_owned(), |d| format!("{d:.2}"));
    rows.push(vec!["training images".to_owned(), format!("{:.3}", real.is), real_distance]);
    page.table(&["", &format!("`{}`", protocol.is), &format!("`{distance}`")], &rows);
}

fn ends(trainings: &[Option<TrainingResult>]) -> (String, String) {
    let last: Vec<_> = trainings.iter().map(trained).collect();
    let part = |of: fn(&super::compare::Trained) -> f64| -> Vec<Option<f64>> {
        last.iter().map(|t| t.as_ref().map(of)).collect()
    };
    (spread(&part(|t| t.score), 3), spread(&part(|t| t.distance), 2))
}

/// Figures 4 and 5: the last sample grid of each training, none of them picked.
pub(super) fn grids(page: &mut Page, context: &Context<'_>, at_48: bool) -> Result<()> {
    let to = transfer_dataset(context.scope.scale, context.scope.stl10);
    for dataset in context.scope.datasets() {
        page.heading(&match at_48 {
            true => format!("Found on {}, trained on {} at 48x48", dataset.title(), to.title()),
            false => format!("On {}", dataset.title()),
        });
        for &seed in context.seeds() {
            let job = match at_48 {
                true => Job::transfer(dataset, to, seed),
                false => Job::found(Method::Controller, 1, dataset, seed),
            };
            let training = context.results.training(&job.name)?;
            let Some(path) = training.and_then(|training| training.grid) else {
                page.text(&format!("Seed {seed}: {}.", context.absent(&job.name)?));
                continue;
            };
            let png = std::fs::read(&path).map_err(|source| ReproError::Io { path, source })?;
            page.text(&format!("Seed {seed}, 64 images on latents that were not chosen:"));
            page.picture(&format!("{}.png", job.name), &job.name, png);
        }
    }
    Ok(())
}
