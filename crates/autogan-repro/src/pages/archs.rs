//! Figures 3 and 6 show the architectures found, drawn as the paper draws them, and the training of the best three.

use autogan_report::plot::{Plot, Series, Shape};
use autogan_report::{Drawing, arch_svg_file};
use autogan_space::Arch;

use super::Page;
use super::compare::ends;
use super::context::Context;
use super::text;
use crate::error::Result;
use crate::job::{Job, Method};
use crate::resolve::kept;
use crate::scale::Dataset;

/// Figure 3.
pub(super) fn found(page: &mut Page, context: &Context<'_>) -> Result<()> {
    page.text(&text::kept(context.scope.scale));
    page.heading("The paper's");
    page.text("The best architecture that the authors found on CIFAR-10, `autogan-a`:");
    let paper = arch_svg_file(&Arch::AUTOGAN_A, &Drawing::PAPER);
    page.picture("paper.svg", "AutoGAN's best architecture", paper.into_bytes());
    for dataset in context.scope.datasets() {
        page.heading(&format!("Found on {}", dataset.title()));
        for &seed in context.seeds() {
            draw(page, context, dataset, seed)?;
        }
    }
    Ok(())
}

fn draw(page: &mut Page, context: &Context<'_>, dataset: Dataset, seed: u64) -> Result<()> {
    let job = Job::search(Method::Controller, dataset, seed).name;
    let Some(search) = context.results.search(&job)? else {
        page.text(&format!("Seed {seed}: {}.", context.absent(&job)?));
        return Ok(());
    };
    let candidates = Job::candidates(context.scope.scale, Method::Controller, dataset, seed);
    let Some(arch) = kept(&candidates, context.results)? else {
        page.text(&format!(
            "Seed {seed}: its candidates are not all trained, or all of them diverged."
        ));
        return Ok(());
    };
    let Some(best) = search.arch.top.iter().find(|found| found.arch == arch) else { return Ok(()) };
    page.text(&format!(
        "Seed {seed}: `{}` ({:.2} M parameters, {:.1} M multiply-accumulates), vector `{arch}`",
        best.named,
        best.params as f64 / 1e6,
        best.macs as f64 / 1e6
    ));
    let svg = arch_svg_file(&arch, &Drawing { shape: search.shape, ..Drawing::PAPER });
    let file = format!("{}-s{seed}.svg", dataset.name());
    page.picture(&file, &best.named, svg.into_bytes());
    Ok(())
}

/// Figure 6.
pub(super) fn top_three(page: &mut Page, context: &Context<'_>) -> Result<()> {
    for dataset in context.scope.datasets() {
        page.heading(&format!("On {}", dataset.title()));
        let (mut rows, mut series) = (Vec::new(), Vec::new());
        for rank in 1..=3 {
            let job = |seed| Job::candidate(Method::Controller, rank, dataset, seed);
            let trainings = context.trainings(job)?;
            let [score, distance] = ends(&trainings);
            rows.push(vec![format!("rank {rank}"), score, distance]);
            series.extend(trainings.iter().flatten().map(|training| Series {
                name: format!("rank {rank}"),
                colour: rank - 1,
                shape: Shape::Line,
                points: training.curve.iter().map(|&(at, score, _)| (at as f64, score)).collect(),
            }));
        }
        page.table(&["by the search's reward", "score, from scratch", "distance"], &rows);
        let plot = Plot {
            title: format!("Score over training from scratch, {}", dataset.title()),
            axes: ("G iterations".into(), "score".into()),
            series,
        };
        let file = format!("fig6-{}.svg", dataset.name());
        page.picture(&file, &plot.title, plot.svg().into_bytes());
    }
    Ok(())
}
