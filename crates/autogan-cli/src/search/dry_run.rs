//! `autogan search --dry-run`: the resolved configuration, sizes, and an estimate of the time.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use autogan_search::config::Policy;
use autogan_search::{Estimate, SearchConfig, Speed};
use autogan_space::{controller_params, count_all, discriminator_cost, supernet_cost};

use super::summary::time;
use crate::inputs::{self, Wanted};

/// Images that a dataset has when it cannot be read here.
fn nominal(dataset: &str) -> Option<usize> {
    match dataset {
        "cifar10" => Some(50_000),
        "stl10" => Some(105_000),
        _ => None,
    }
}

/// Prints it all to stdout.
pub fn print(config: &SearchConfig, weights: Option<&Path>, offline: bool) -> anyhow::Result<()> {
    // Nothing is fetched for a look: without files the dataset's published size is taken.
    let (images, note) = match (config.data.dir.is_empty(), nominal(&config.data.dataset)) {
        (true, Some(n)) if config.data.count == 0 => (n, " (its published size; no --data given)"),
        (true, Some(n)) => (n.min(config.data.count), ""),
        _ => (Wanted::by_search(config, weights, true).images()?.len(), ""),
    };
    let (extractor, missing) = match inputs::scorer(&config.reward.scorer, weights, true) {
        Ok(extractor) => (Some(extractor), None),
        Err(error) => (None, Some(error)),
    };
    let speed = Speed::measure(config, extractor.as_deref())?;
    let estimate = Estimate::new(config, images);
    let mut out = config.to_toml()?;
    writeln!(out, "\n# {images} images{note}")?;
    sizes(&mut out, config)?;
    stages(&mut out, &estimate)?;
    times(&mut out, &estimate, speed)?;
    if let Some(error) = missing {
        let reason = format!("{error:#}").replace('\n', "\n# ");
        let fetches = cfg!(feature = "hub") && !offline && weights.is_none();
        if fetches && config.reward.scorer == "inception" {
            writeln!(
                out,
                "# Inception's weights are not here yet; the search fetches them first."
            )?;
        } else {
            writeln!(out, "# This search cannot run as it is: {reason}")?;
        }
    }
    crate::terminal::print(out.as_bytes())
}

fn sizes(out: &mut String, config: &SearchConfig) -> anyhow::Result<()> {
    let m = &config.model;
    let shape = config.shape();
    let stages = config.first_stage()..3;
    writeln!(
        out,
        "# parameters: supernet {}, discriminator {}",
        supernet_cost(2, &shape).params,
        discriminator_cost(2, m.df, m.bottom).params
    )?;
    match config.controller.policy {
        Policy::Reinforce => {
            let hidden = config.controller.hidden;
            let params =
                |s| Ok(controller_params(&config.actions(s).tokens()?, hidden).to_string());
            let all: Vec<String> = stages.clone().map(params).collect::<anyhow::Result<_>>()?;
            writeln!(out, "# parameters: controllers {}", all.join(", "))?;
        }
        Policy::Uniform => writeln!(out, "# no controller: architectures are drawn evenly")?,
    }
    let allowed = config.allowed()?;
    if allowed.is_limited() {
        let (some, all) = (allowed.count(2), count_all());
        writeln!(out, "# within the budget: {some} of {all} architectures")?;
    }
    for stage in stages {
        let g = supernet_cost(stage, &shape).macs as f64 / 1e6;
        let d = discriminator_cost(stage, m.df, m.bottom).macs as f64 / 1e6;
        writeln!(
            out,
            "# stage {}: mean {g:.1} M multiply-accumulates per image in the generator, {d:.1} M in the discriminator",
            stage + 1
        )?;
    }
    Ok(())
}

fn stages(out: &mut String, estimate: &Estimate) -> anyhow::Result<()> {
    for s in estimate.stages.iter().filter(|s| s.iterations > 0) {
        writeln!(
            out,
            "# stage {}: {} iterations of {} D steps and {} children at {}x{}; {} more children ranked and compared",
            s.stage + 1,
            s.iterations,
            s.shared_steps,
            s.children,
            s.side,
            s.side,
            s.ranked
        )?;
    }
    Ok(())
}

fn times(out: &mut String, estimate: &Estimate, speed: Speed) -> anyhow::Result<()> {
    let show = |d: Duration| time(d.as_secs_f64());
    writeln!(
        out,
        "# this machine: {:.1} G multiply-accumulates per second (measured)",
        speed.macs_per_s / 1e9
    )?;
    writeln!(
        out,
        "# estimated time: shared training {}, generating images to score {}",
        show(estimate.training(speed)),
        show(estimate.generating(speed))
    )?;
    match (estimate.scoring(speed), speed.scored_per_s) {
        (Some(time), Some(rate)) => writeln!(
            out,
            "# estimated time: scoring {} (extractor at {rate:.0} images per second)",
            show(time)
        )?,
        _ => {
            let images: u64 = estimate.stages.iter().map(|s| s.scored() * s.child_images).sum();
            writeln!(out, "# scoring: {images} images, at a speed that cannot be measured here")?;
        }
    }
    Ok(())
}
