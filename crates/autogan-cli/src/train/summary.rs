//! This module prints the closing summary of a training from its run directory.

use std::fmt::Write;

use anyhow::Context;
use autogan_run::export::{Align, aligned};
use autogan_run::{RunDir, ScoresFile};

use crate::called::program;
use crate::words::architecture;

/// Prints the results of the training to stdout.
pub fn print(dir: &RunDir) -> anyhow::Result<()> {
    let file = dir.scores()?.context("the run has no scores.json although it is finished")?;
    let mut out = String::new();
    writeln!(
        out,
        "\nTrained for {} iterations on {} images:",
        file.g_iterations, file.images_seen
    )?;
    out += &architecture(&file.named, &file.arch, (file.params, file.macs));
    out += "\n";
    out += &table(&file);
    let path = dir.path().display();
    writeln!(out, "\nIn {path}:")?;
    writeln!(out, "  scores.json       the same numbers")?;
    writeln!(out, "  best.safetensors  the weights of iteration {}", file.best.g_iteration)?;
    writeln!(out, "  report.html       curves and samples as one page, to be opened in a browser")?;
    writeln!(out, "\nMore images: {} sample {path}/best.safetensors --out grid.png", program())?;
    crate::terminal::print(out.as_bytes())
}

/// Each score beside what training images get.
fn table(file: &ScoresFile) -> String {
    let best = format!("best (iteration {})", file.best.g_iteration);
    let head = ["", "at the end", &best, "training images", ""].map(str::to_owned);
    let number = |value: f64| format!("{value:.3}");
    let mut rows = vec![
        head.to_vec(),
        vec![
            file.protocol.is.clone(),
            number(file.last.is),
            number(file.best.is),
            number(file.real.is),
            "higher is better".to_owned(),
        ],
    ];
    if let Some(name) = &file.protocol.frechet {
        let of = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        rows.push(vec![
            name.clone(),
            of(file.last.frechet),
            of(file.best.frechet),
            of(file.real.frechet),
            "lower is better".to_owned(),
        ]);
    }
    aligned(&rows, &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Left])
}
