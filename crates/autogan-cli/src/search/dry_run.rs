//! `autogan search --dry-run` prints the resolved configuration, sizes, and an estimate of the time.

use std::fmt::Write;

use autogan_config::Configuration;
use autogan_search::config::Policy;
use autogan_search::{Estimate, SearchConfig, action_space, score_cost, strategy_kind};
use autogan_space::{controller_params, count_all, discriminator_cost, supernet_cost};
use candle_core::Device;

use crate::dry_run::Preview;
use crate::run_args::RunArgs;

/// Prints the preview of a search to stdout.
pub fn print(args: &RunArgs, config: &SearchConfig, device: &Device) -> anyhow::Result<()> {
    if !config.strategy.is_supernet() {
        return strategy(args, config, device);
    }
    let images = (&config.data, config.model.bottom * 8);
    let look = Preview::new(args, "search", images, &config.reward.scorer, device)?;
    config.check_images(look.images)?;
    let speed = look.speed(&config.model, config.reward.batch)?;
    let estimate = Estimate::new(config, look.images);
    let mut out = config.to_toml()?;
    writeln!(out)?;
    out += &look.images_line();
    sizes(&mut out, config)?;
    stages(&mut out, &estimate)?;
    let times = (estimate.training(speed), estimate.generating(speed));
    out += &look.times(speed, "shared training", times, estimate.scored());
    crate::terminal::print(out.as_bytes())
}

/// Prints the preview of a search by trainings from scratch.
fn strategy(args: &RunArgs, config: &SearchConfig, device: &Device) -> anyhow::Result<()> {
    let images = (&config.data, config.model.bottom * 8);
    let look = Preview::new(args, "search", images, &config.reward.scorer, device)?;
    let mut out = config.to_toml()?;
    writeln!(out)?;
    out += &look.images_line();
    strategy_kind(config)?;
    let (c, allowed) = (&config.strategy, config.allowed()?);
    writeln!(out, "# architectures: {}", allowed.count(2))?;
    let [short, middle, whole] = c.lengths;
    let budget = c.budget - c.supernet_iterations as f64;
    let most = c.lengths.map(|length| (budget / (length as f64 + score_cost(config))).floor());
    if c.supernet_iterations > 0 {
        writeln!(
            out,
            "# first, a supernet is trained for {} iterations of the budget; a score on it costs {:.1}",
            c.supernet_iterations,
            score_cost(config)
        )?;
    }
    writeln!(
        out,
        "# the budget of {budget} iterations pays for at most {} trainings of {short} iterations (or {} of {middle}, {} of {whole}), {} at a time",
        most[0], most[1], most[2], c.at_once
    )?;
    writeln!(out, "# at the end, outside of the budget: {} of {whole}", 1 + config.derive.random)?;
    crate::terminal::print(out.as_bytes())
}

fn sizes(out: &mut String, config: &SearchConfig) -> anyhow::Result<()> {
    let m = &config.model;
    let shape = m.shape();
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
                |s| Ok(controller_params(&action_space(config, s).tokens()?, hidden).to_string());
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
