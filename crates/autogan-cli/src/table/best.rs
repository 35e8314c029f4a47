//! `autogan table best`: the best architectures of the table.

use anyhow::{bail, ensure};
use autogan_run::export::{Align, aligned};
use autogan_space::MAX_CELLS;
use autogan_table::LENGTHS;
use autogan_table::statistics::{Measure, Ranked, ranking};
use serde_json::{Value, json};

use super::TableFile;
use crate::terminal::Terminal;

/// List the best architectures of the table, by the mean of log F over their seeds; lower is better.
///
/// Architectures of different numbers of cells make images of different sizes, so each number has a list of its own.
/// Standard errors follow from the noise of all architectures of a list together. The best of many is too good by chance.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only architectures with this number of cells
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=3))]
    cells: Option<u8>,
    /// Scores after so many iterations: 75, 150, 300 or 600
    #[arg(long, value_name = "N", default_value_t = 300)]
    iterations: u64,
    /// How many architectures of each list
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    file: TableFile,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Carries the command out. It fails when the table cannot be read, or has no score of that length.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    ensure!(
        LENGTHS.contains(&args.iterations),
        "--iterations: expected one of {}, found {}",
        LENGTHS.map(|length| length.to_string()).join(", "),
        args.iterations
    );
    let table = args.file.open()?;
    let wanted: Vec<usize> = match args.cells {
        Some(cells) => vec![cells.into()],
        None => (1..=MAX_CELLS).collect(),
    };
    let mut lists: Vec<Vec<Ranked<'_>>> =
        wanted.iter().map(|&cells| ranking(&table, cells, args.iterations)).collect();
    if lists.iter().all(Vec::is_empty) {
        bail!(
            "{}: expected scores after {} iterations, found none; ask for another --iterations or --cells",
            args.file.table.display(),
            args.iterations
        );
    }
    for (list, cells) in lists.iter_mut().zip(wanted) {
        if list.is_empty() {
            terminal.note(&format!("{cells} cells: no score after {} iterations", args.iterations));
        }
        list.truncate(args.top);
    }
    let best: Vec<(usize, &Ranked<'_>)> = lists.iter().flat_map(|list| (1..).zip(list)).collect();
    if args.json {
        let all: Vec<Value> = best.iter().map(|(rank, ranked)| as_json(*rank, ranked)).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    print!("{}", text(&best));
    Ok(())
}

fn text(best: &[(usize, &Ranked<'_>)]) -> String {
    let head = ["cells", "rank", "arch", "log F", "error", "is", "seeds", "diverged", "params"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(best.iter().map(|(rank, ranked)| {
        let sample = &ranked.sample;
        vec![
            sample.arch().cells().len().to_string(),
            rank.to_string(),
            sample.arch().to_string(),
            format!("{:.3}", ranked.log_frechet),
            ranked.error.map_or("-".to_owned(), |error| format!("{error:.3}")),
            format!("{:.3}", sample.mean(Measure::Is)),
            sample.seeds.len().to_string(),
            ranked.diverged.to_string(),
            sample.first.params.to_string(),
        ]
    }));
    let mut align = [Align::Right; 9];
    align[2] = Align::Left;
    aligned(&lines, &align)
}

fn as_json(rank: usize, ranked: &Ranked<'_>) -> Value {
    let sample = &ranked.sample;
    json!({
        "cells": sample.arch().cells().len(),
        "rank": rank,
        "arch": sample.arch().to_string(),
        "named": sample.arch().named(),
        "iterations": sample.first.iterations,
        "log_frechet": ranked.log_frechet,
        "standard_error": ranked.error,
        "is": sample.mean(Measure::Is),
        "seeds": sample.seeds.len(),
        "diverged": ranked.diverged,
        "params": sample.first.params,
        "macs": sample.first.macs,
    })
}
