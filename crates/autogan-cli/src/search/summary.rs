//! This module prints the closing summary of a search from its run directory.

use std::fmt::Write;

use crate::called::program;
use anyhow::Context;
use autogan_run::RunDir;
use autogan_search::{SearchConfig, metric_name};

use crate::words::{architecture, time};

/// Prints what was found and what it is to be read against, to stdout.
pub fn print(dir: &RunDir, config: &SearchConfig, seconds: f64) -> anyhow::Result<()> {
    let file = dir.arch()?.context("the run has no arch.json although it is finished")?;
    let score = file.score.as_ref().context("arch.json holds no scores")?;
    let best = file.top.first().context("arch.json holds no architecture")?;
    let mut out = String::new();
    writeln!(out, "\nFound in {}:", time(seconds))?;
    out += &architecture(&best.named, &best.arch, (best.params, best.macs));
    writeln!(
        out,
        "\n{} by the scorer {}, {}; higher is better",
        metric_label(config),
        file.scorer,
        file.protocol.score
    )?;
    let (best, random) = match config.strategy.is_supernet() {
        true => ("best child", "median of random architectures, same weights"),
        false => ("the winner, with another seed", "median of random architectures, trained alike"),
    };
    let rows = [
        ("real images", score.real),
        (best, score.best),
        (random, score.median_random),
        ("untrained generator", score.untrained),
    ];
    for (name, value) in rows {
        writeln!(out, "  {name:<46}{value:>8.3}")?;
    }
    let share = (score.best - score.untrained) / (score.real - score.untrained);
    writeln!(out, "  the best goes {:.0} % of the way from untrained to real", 100.0 * share)?;
    let path = dir.path().display();
    writeln!(out, "\nIn {path}:")?;
    writeln!(out, "  report.html all of it as one page, to be opened in a browser")?;
    writeln!(out, "  arch.json   the top {} with rewards and vectors", file.top.len())?;
    let samples = match config.strategy.is_supernet() {
        true => "image grids of each iteration; the best child's is the last",
        false => "images of the winner",
    };
    writeln!(out, "  samples/    {samples}")?;
    if !config.strategy.is_supernet() {
        writeln!(out, "  best.safetensors  the winner's weights")?;
    }
    writeln!(out, "  run.sqlite  every trial and curve")?;
    writeln!(out, "\nMore images: {} sample {path} --out grid.png", program())?;
    crate::terminal::print(out.as_bytes())
}

fn metric_label(config: &SearchConfig) -> &'static str {
    if !config.strategy.is_supernet() {
        return "−ln of the Fréchet distance";
    }
    match metric_name(&config.reward) {
        "is" => "Inception Score (its formula)",
        "inverse_fid" => "1 / FID (its formula)",
        "minus_log_fid" => "−ln FID (its formula)",
        "minus_log_frechet" => "−ln of the Fréchet distance",
        _ => "1 / Fréchet distance",
    }
}
