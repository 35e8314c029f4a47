//! Tables 1 and 2 and figures 4 and 5 show what was found after a training to the end: scores and pictures.

use super::Page;
use super::compare::ends;
use super::context::Context;
use super::text;
use crate::error::Result;
use crate::job::{Job, Method};
use crate::plan::transfer_dataset;
use crate::results::TrainingResult;
use crate::scale::{Dataset, Scale};

/// Rows of the paper: what, Inception Score, FID.
type PaperRows = [[&'static str; 3]];

/// What was trained, with a training for each seed.
type Row<'a> = (&'a str, Vec<Option<TrainingResult>>);

const PAPER_CIFAR10: &PaperRows = &[
    ["AutoGAN's first, as published", "8.55 ± 0.10", "12.42"],
    ["AutoGAN's second, as published", "8.42 ± 0.06", "13.67"],
    ["AutoGAN's third, as published", "8.41 ± 0.12", "13.87"],
];
const PAPER_STL10: &PaperRows = &[["AutoGAN's first, as published", "9.16 ± 0.12", "31.01"]];

/// Table 1.
pub(super) fn cifar10(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let scale = context.scope.scale;
    page.text(&text::kept(scale));
    page.heading("The paper's protocol");
    let of = |dataset| -> Result<[Row<'_>; 2]> {
        let method = Method::Controller;
        let own = context.trainings(|seed| Job::found(scale, method, dataset, seed))?;
        let base = context.trainings(|seed| Job::baseline(dataset, seed))?;
        Ok([("found here", own), ("hand-made baseline", base)])
    };
    if context.scope.scale == Scale::Full {
        published(page, PAPER_CIFAR10, &of(Dataset::Cifar10)?);
        return Ok(());
    }
    let none = ["found here", "hand-made baseline"].map(|name| (name, Vec::new()));
    published(page, PAPER_CIFAR10, &none);
    for dataset in context.scope.datasets() {
        page.heading(&format!("At this scale, on {}", dataset.title()));
        scaled(page, &of(dataset)?);
    }
    Ok(())
}

/// Table 2.
pub(super) fn transfer(page: &mut Page, context: &Context<'_>) -> Result<()> {
    let scale = context.scope.scale;
    page.text(&text::kept(scale));
    page.heading("The paper's protocol");
    let to = transfer_dataset(context.scope.scale, context.scope.stl10);
    let of = |from| context.trainings(move |seed| Job::transfer(scale, from, to, seed));
    let full = context.scope.scale == Scale::Full;
    let own = if full { of(Dataset::Cifar10)? } else { Vec::new() };
    published(page, PAPER_STL10, &[("found here on CIFAR-10", own)]);
    if full {
        return Ok(());
    }
    page.heading(&format!("At this scale, on {} at 48x48", to.title()));
    for from in context.scope.datasets() {
        let name = format!("found on {}", from.title());
        scaled(page, &[(&name, of(from)?)]);
    }
    Ok(())
}

/// Rows of the paper, and ours under the same protocol or marked as not run.
fn published(page: &mut Page, rows: &PaperRows, own: &[Row<'_>]) {
    let mut table: Vec<Vec<String>> =
        rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
    table.extend(own.iter().map(|(name, trainings)| {
        let [score, distance] = ends(trainings);
        vec![format!("{name} (`--scale full`)"), score, distance]
    }));
    page.table(&["", "Inception Score, 50,000 images", "FID, 50,000 images"], &table);
}

/// Rows under the names of their own protocol.
fn scaled(page: &mut Page, own: &[Row<'_>]) {
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
            let [score, distance] = ends(trainings);
            vec![(*name).to_owned(), score, distance]
        })
        .collect();
    let real = known.file.real;
    let real_distance = real.frechet.map_or_else(|| "–".to_owned(), |d| format!("{d:.2}"));
    rows.push(vec!["training images".to_owned(), format!("{:.3}", real.is), real_distance]);
    page.table(&["", &format!("`{}`", protocol.is), &format!("`{distance}`")], &rows);
}

/// Figures 4 and 5: the last sample grid of each training, none of them picked.
pub(super) fn grids(page: &mut Page, context: &Context<'_>, at_48: bool) -> Result<()> {
    let scale = context.scope.scale;
    let to = transfer_dataset(scale, context.scope.stl10);
    for dataset in context.scope.datasets() {
        page.heading(&match at_48 {
            true => format!("Found on {}, trained on {} at 48x48", dataset.title(), to.title()),
            false => format!("On {}", dataset.title()),
        });
        for &seed in context.seeds() {
            let job = match at_48 {
                true => Job::transfer(scale, dataset, to, seed),
                false => Job::found(scale, Method::Controller, dataset, seed),
            };
            let training = context.results.training(&job.name)?;
            let Some(path) = training.and_then(|training| training.grid) else {
                page.text(&format!("Seed {seed}: {}.", context.absent(&job.name)?));
                continue;
            };
            let png = std::fs::read(&path).map_err(autogan_files::Error::io("read", &path))?;
            page.text(&format!("Seed {seed}, 64 images on latents that were not chosen:"));
            page.picture(&format!("{}.png", job.name), &job.name, png);
        }
    }
    Ok(())
}
