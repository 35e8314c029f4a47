//! `autogan train --dry-run` prints the resolved configuration, sizes, and an estimate of the time.

use std::fmt::Write;
use std::time::Duration;

use autogan_config::Configuration;
use autogan_run::FoundArch;
use autogan_search::{TrainingConfig, TrainingEstimate};
use autogan_space::{derived_generator_cost, discriminator_cost};
use candle_core::Device;

use super::several::Candidates;
use crate::dry_run::Preview;
use crate::run_args::RunArgs;
use crate::words::time;

/// Prints what one training would be, to stdout.
pub fn one(args: &RunArgs, config: &TrainingConfig, device: &Device) -> anyhow::Result<()> {
    let (mut out, look) = begin(args, config, device)?;
    sizes(&mut out, config)?;
    schedule(&mut out, config)?;
    let speed = look.speed(&config.model, config.score.batch)?;
    let estimate = TrainingEstimate::new(config, look.images);
    let times = (estimate.training(speed), estimate.generating(speed));
    out += &look.times(speed, "training", times, estimate.scored);
    crate::terminal::print(out.as_bytes())
}

/// Prints what the trainings of a search's best would be, to stdout: the configuration of the first, which the others
/// share but for the architecture, and a line for each.
pub fn several(args: &RunArgs, candidates: &Candidates, device: &Device) -> anyhow::Result<()> {
    let Some((_, first)) = candidates.first() else { return Ok(()) };
    let (mut out, look) = begin(args, first, device)?;
    schedule(&mut out, first)?;
    let speed = look.speed(&first.model, first.score.batch)?;
    let (mut training, mut generating, mut scored) = (Duration::ZERO, Duration::ZERO, 0);
    for (found, config) in candidates {
        let estimate = TrainingEstimate::new(config, look.images);
        rank(&mut out, found, config, estimate.training(speed) + estimate.generating(speed))?;
        training += estimate.training(speed);
        generating += estimate.generating(speed);
        scored += estimate.scored;
    }
    // Training images are looked at once for all of them.
    let again = candidates.len() as u64 - 1;
    scored -= again * TrainingEstimate::new(first, look.images).reals;
    out += &look.times(speed, "training", (training, generating), scored);
    crate::terminal::print(out.as_bytes())
}

fn begin(
    args: &RunArgs,
    config: &TrainingConfig,
    device: &Device,
) -> anyhow::Result<(String, Preview)> {
    let images = (&config.data, config.side());
    let look = Preview::new(args, "training", images, &config.score.scorer, device)?;
    config.check_images(look.images)?;
    let out = format!("{}\n{}", config.to_toml()?, look.images_line());
    Ok((out, look))
}

fn sizes(out: &mut String, config: &TrainingConfig) -> std::fmt::Result {
    let g = derived_generator_cost(&config.arch, &config.model.shape());
    let d = discriminator_cost(config.arch.stage(), config.model.df, config.model.bottom);
    writeln!(out, "# architecture: {}", config.arch.named())?;
    writeln!(out, "# parameters: generator {}, discriminator {}", g.params, d.params)?;
    writeln!(
        out,
        "# {:.1} M multiply-accumulates per image in the generator, {:.1} M in the discriminator",
        g.macs as f64 / 1e6,
        d.macs as f64 / 1e6
    )
}

fn rank(
    out: &mut String,
    found: &FoundArch,
    config: &TrainingConfig,
    takes: Duration,
) -> std::fmt::Result {
    let g = derived_generator_cost(&config.arch, &config.model.shape());
    writeln!(
        out,
        "# rank {}: {}; {} parameters, {:.1} M multiply-accumulates per image, {}",
        found.rank,
        found.arch,
        g.params,
        g.macs as f64 / 1e6,
        time(takes.as_secs_f64())
    )
}

fn schedule(out: &mut String, config: &TrainingConfig) -> std::fmt::Result {
    let (s, side) = (&config.schedule, config.side());
    let scores = config.scores();
    writeln!(
        out,
        "# {} iterations of a G step and {} D step{} at {side}x{side}; {} score{} of {} images",
        s.g_iterations,
        config.train.n_critic,
        if config.train.n_critic == 1 { "" } else { "s" },
        scores,
        if scores == 1 { "" } else { "s" },
        config.score.images
    )
}
