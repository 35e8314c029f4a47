//! The closing summary of a search, from what its run directory holds.

use std::fmt::Write;

use crate::called::program;
use anyhow::Context;
use autogan_run::RunDir;
use autogan_search::{SearchConfig, metric_name};

/// Prints what was found and what it is to be read against, to stdout.
pub fn print(dir: &RunDir, config: &SearchConfig, seconds: f64) -> anyhow::Result<()> {
    let file = dir.arch()?.context("the run has no arch.json although it is finished")?;
    let score = file.score.as_ref().context("arch.json holds no scores")?;
    let best = file.top.first().context("arch.json holds no architecture")?;
    let mut out = String::new();
    writeln!(out, "\nFound in {}:", time(seconds))?;
    for (i, cell) in best.named.split('/').enumerate() {
        writeln!(out, "  cell {}  {}", i + 1, cell.trim())?;
    }
    writeln!(out, "  vector  {}", best.arch)?;
    writeln!(out, "  size    {}", size(best.params, best.macs))?;
    writeln!(
        out,
        "\n{} by the scorer {}, {}; higher is better",
        metric_label(config),
        file.scorer,
        file.protocol.score
    )?;
    let rows = [
        ("real images", score.real),
        ("best child", score.best),
        ("median of random architectures, same weights", score.median_random),
        ("untrained generator", score.untrained),
    ];
    for (name, value) in rows {
        writeln!(out, "  {name:<46}{value:>8.3}")?;
    }
    let share = (score.best - score.untrained) / (score.real - score.untrained);
    writeln!(
        out,
        "  the best child goes {:.0} % of the way from untrained to real",
        100.0 * share
    )?;
    let path = dir.path().display();
    writeln!(out, "\nIn {path}:")?;
    writeln!(out, "  report.html all of it as one page, to be opened in a browser")?;
    writeln!(out, "  arch.json   the top {} with rewards and vectors", file.top.len())?;
    writeln!(out, "  samples/    image grids of each iteration; the best child's is the last")?;
    writeln!(out, "  run.sqlite  every trial and curve")?;
    writeln!(out, "\nMore images: {} sample {path} --out grid.png", program())?;
    crate::terminal::print(out.as_bytes())
}

fn metric_label(config: &SearchConfig) -> &'static str {
    match metric_name(config) {
        "is" => "Inception Score (its formula)",
        "inverse_fid" => "1 / FID (its formula)",
        _ => "1 / Fréchet distance",
    }
}

/// A generator's size in words.
pub fn size(params: u64, macs: u64) -> String {
    let macs = macs as f64 / 1e6;
    let params = match params {
        ..100_000 => params.to_string(),
        _ => format!("{:.2} M", params as f64 / 1e6),
    };
    format!("{params} parameters, {macs:.1} M multiply-accumulates per image")
}

/// Seconds as `3 min 12 s`.
pub fn time(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::{size, time};

    #[test]
    fn small_networks_have_parameters_too() {
        assert_eq!(
            size(4_405_251, 28_400_000),
            "4.41 M parameters, 28.4 M multiply-accumulates per image"
        );
        assert_eq!(size(1163, 60_000), "1163 parameters, 0.1 M multiply-accumulates per image");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(time(12.4), "12 s");
        assert_eq!(time(192.0), "3 min 12 s");
        assert_eq!(time(7320.0), "2 h 2 min");
    }
}
