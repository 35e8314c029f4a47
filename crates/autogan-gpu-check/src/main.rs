//! `cargo xtask gpu-check` writes everything that a machine with an NVIDIA GPU can prove into one file to send.
//!
//! Each step is taken although earlier ones failed; a step whose needs are missing is skipped and says so. The file is
//! written after each step, so that it is there however this ends. docs/cuda.md, "Checking a GPU".

mod call;
mod machine;
mod redact;
mod report;
mod steps;
mod throughput;
mod toolkit;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use serde_json::{Map, Value, json};

use call::{Runner, System};
use redact::Redaction;
use report::{Obstacle, Report, Row};
use steps::{Programs, STEPS, Session, Step};

/// Check what a machine with an NVIDIA GPU makes of AutoGAN: operators, golden values, a search, speed.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask gpu-check", bin_name = "cargo xtask gpu-check")]
struct Args {
    /// The GPU: cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cuda:0", value_parser = gpu)]
    device: String,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "gpu-check.json")]
    json: PathBuf,
    /// Few cases of each operator, no compute-sanitizer, no measuring
    #[arg(long)]
    quick: bool,
    /// Leave cuDNN out, also where it is there
    #[arg(long)]
    no_cudnn: bool,
    /// The repository
    #[arg(long, value_name = "DIR", default_value = ".", hide = true)]
    root: PathBuf,
}

/// The name of a GPU.
fn gpu(name: &str) -> Result<String, String> {
    let number = name.strip_prefix("cuda:").and_then(|number| number.parse::<u16>().ok());
    let number = number.ok_or("expected cuda:N with N from 0, like cuda:0")?;
    Ok(format!("cuda:{number}"))
}

fn main() -> ExitCode {
    let args = Args::parse();
    run(&args).unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Takes every step, prints the table, and fails if any step did.
fn run(args: &Args) -> Result<ExitCode> {
    let root = args.root.canonicalize()?;
    let report = check(&root, args, &System { root: &root }, toolkit::driver_loads, &STEPS)?;
    print(&report.table());
    say(&format!("gpu-check: the report is {}", args.json.display()));
    Ok(report.exit_code())
}

/// All of `steps` with what `runner` makes of their commands; the report is in its file, too.
fn check(
    root: &Path,
    args: &Args,
    runner: &dyn Runner,
    driver_loads: fn() -> bool,
    steps: &[Step<'_>],
) -> Result<Report> {
    let asked = json!({"device": args.device, "quick": args.quick, "no_cudnn": args.no_cudnn});
    let mut facts = Map::from_iter([("asked".to_owned(), asked)]);
    facts.extend(machine::facts(runner));
    facts.extend(["gpus", "nvcc", "cudnn", "torch"].map(|name| (name.to_owned(), Value::Null)));
    let mut report = Report { facts, rows: Vec::new(), redaction: Redaction::here(root) };
    report.write(&args.json, false)?;
    let mut session = Session {
        runner,
        device: args.device.clone(),
        quick: args.quick,
        cudnn: !args.no_cudnn,
        python: toolkit::variable("AUTOGAN_PYTHON").unwrap_or_else(|| "python3".into()),
        driver_loads,
        facts: Map::new(),
        gpu: false,
        toolkit: None,
        programs: Programs::new(),
    };
    for (at, (name, step)) in steps.iter().enumerate() {
        say(&format!("== {name}"));
        let begun = Instant::now();
        let outcome = step(&mut session);
        let row = Row { name, seconds: begun.elapsed().as_secs_f64(), outcome };
        tell(&row);
        report.rows.push(row);
        report.facts.extend(std::mem::take(&mut session.facts));
        report.write(&args.json, at + 1 == steps.len())?;
    }
    Ok(report)
}

/// How a step ended, for the person at the terminal.
fn tell(row: &Row) {
    let seconds = row.seconds;
    match &row.outcome {
        Ok(_) => say(&format!("   passed ({seconds:.1} s)")),
        Err(Obstacle::Skipped(reason)) => say(&format!("   skipped: {reason}")),
        Err(Obstacle::Failed { reason, .. }) => {
            say(&format!("   FAILED ({seconds:.1} s): {reason}"))
        }
    }
}

/// One line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "a command-line tool speaks on stderr")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// The table is the command's result.
#[expect(clippy::print_stdout, reason = "results go to stdout")]
fn print(table: &str) {
    print!("{table}");
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
