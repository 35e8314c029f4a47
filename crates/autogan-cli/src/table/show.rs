//! `autogan table show`: what the table knows of an architecture.

use anyhow::bail;
use autogan_run::export::{Align, aligned};
use autogan_space::Arch;
use autogan_stats::{deviation, mean};
use autogan_table::statistics::Measure;
use autogan_table::{LENGTHS, Row, Scores, Table};
use serde_json::{Value, json};

use super::TableFile;
use crate::arch_arg;
use crate::words::architecture;

/// Show what the table knows of an architecture: the scores of each seed, their mean and standard deviation.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Released vector, named form, a published name, a file, or a run
    #[arg(required = true, num_args = 1.., value_name = "ARCH")]
    arch: Vec<String>,
    #[command(flatten)]
    file: TableFile,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The seeds of an architecture after so many iterations.
struct Summary {
    iterations: u64,
    log_frechet: Vec<f64>,
    is: Vec<f64>,
    diverged: usize,
}

/// Carries the command out. It fails when the architecture cannot be read or is not in the table.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let arch = arch_arg::parse(&args.arch)?;
    let table = args.file.open()?;
    let rows = table.rows_of(&arch);
    let Some(first) = rows.first() else { bail!(absent(&table, &arch)) };
    let summaries = summaries(rows);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&as_json(first, rows, &summaries))?);
        return Ok(());
    }
    print!("{}", architecture(&arch.named(), &arch, (first.params, first.macs)));
    print!("\n{}", scores(rows));
    print!("\n{}", means(&summaries));
    Ok(())
}

fn absent(table: &Table, arch: &Arch) -> String {
    let cells = arch.cells().len();
    let there = table.archs(cells).count();
    format!(
        "expected an architecture of the table, found {arch}; the table has {there} architectures with this number of \
         cells ({cells})"
    )
}

fn summaries(rows: &[Row]) -> Vec<Summary> {
    let of = |iterations| {
        let at: Vec<&Row> = rows.iter().filter(|row| row.iterations == iterations).collect();
        let scores: Vec<Scores> = at.iter().filter_map(|row| row.scores).collect();
        let values = |measure: Measure| scores.iter().map(|&s| measure.of(s)).collect();
        Summary {
            iterations,
            log_frechet: values(Measure::LogFrechet),
            is: values(Measure::Is),
            diverged: at.len() - scores.len(),
        }
    };
    let all = LENGTHS.into_iter().map(of);
    all.filter(|summary| summary.diverged + summary.is.len() > 0).collect()
}

fn scores(rows: &[Row]) -> String {
    let head = ["seed", "iterations", "is", "frechet", "seconds"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        let score = |of: fn(Scores) -> f64| {
            row.scores.map_or("diverged".to_owned(), |scores| format!("{:.3}", of(scores)))
        };
        vec![
            row.seed.to_string(),
            row.iterations.to_string(),
            score(|scores| scores.is),
            score(|scores| scores.frechet),
            format!("{:.2}", row.seconds),
        ]
    }));
    aligned(&lines, &[Align::Right; 5])
}

fn means(summaries: &[Summary]) -> String {
    let head = ["iterations", "seeds", "diverged", "log F", "SD", "is", "SD"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    lines.extend(summaries.iter().map(|summary| {
        let number = |value: f64| match value.is_finite() {
            true => format!("{value:.3}"),
            false => "-".to_owned(),
        };
        let (log, is) = (&summary.log_frechet, &summary.is);
        let counts =
            [summary.iterations.to_string(), is.len().to_string(), summary.diverged.to_string()];
        let numbers = [mean(log), deviation(log), mean(is), deviation(is)].map(number);
        [&counts[..], &numbers[..]].concat()
    }));
    aligned(&lines, &[Align::Right; 7])
}

/// A mean of no seeds and a deviation of one are null.
fn as_json(first: &Row, rows: &[Row], summaries: &[Summary]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "seed": row.seed,
                "iterations": row.iterations,
                "is": row.scores.map(|scores| scores.is),
                "frechet": row.scores.map(|scores| scores.frechet),
                "seconds": row.seconds,
                "diverged": row.scores.is_none(),
            })
        })
        .collect();
    let lengths: Vec<Value> = summaries
        .iter()
        .map(|summary| {
            let (log, is) = (&summary.log_frechet, &summary.is);
            json!({
                "iterations": summary.iterations,
                "seeds": is.len(),
                "diverged": summary.diverged,
                "log_frechet": { "mean": mean(log), "sd": deviation(log) },
                "is": { "mean": mean(is), "sd": deviation(is) },
            })
        })
        .collect();
    json!({
        "arch": first.arch.to_string(),
        "named": first.arch.named(),
        "cells": first.arch.cells().len(),
        "params": first.params,
        "macs": first.macs,
        "rows": rows,
        "lengths": lengths,
    })
}
