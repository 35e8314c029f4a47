//! `cargo xtask check-browser` opens the dashboard and the report in headless Chromium.
//!
//! The script that looks at them is `scripts/check_dashboard.mjs`; this makes what it needs: the
//! binary, four small runs, and the npm package that drives the browser, in a folder outside of the
//! repository.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::handover::{build, succeed};
use crate::say;

/// The package that drives Chromium; it brings no browser of its own.
const DRIVER: &str = "playwright-core@1.65.1";

/// A search of seconds.
const TINY: &[&str] = &[
    "data.count=320",
    "search.iterations=3",
    "search.grow_at=[1, 2]",
    "controller.steps=3",
    "reward.images=64",
    "derive.images=128",
    "derive.random=4",
];

/// A search by trainings from scratch of seconds.
const TINY_STRATEGY: &[&str] = &[
    "data.count=320",
    "strategy.lengths=[2, 4, 6]",
    "strategy.budget=60",
    "reward.images=64",
    "derive.random=2",
];

/// A training of seconds.
const TINY_TRAINING: &[&str] = &[
    "data.count=320",
    "schedule.g_iterations=30",
    "schedule.score_every=10",
    "schedule.samples_every=10",
    "score.images=64",
];

/// What to look at; each is made where it is not given.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The binary to check; built in release without it
    #[arg(long, value_name = "FILE")]
    autogan: Option<PathBuf>,
    /// A directory with two finished searches, one by a strategy and a training, or more; tiny ones without it
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Where screenshots go; a folder for temporary files without it
    #[arg(long, value_name = "DIR")]
    shots: Option<PathBuf>,
}

/// Makes what is missing, and runs the script.
///
/// # Errors
/// When node, npm or Chromium are not there, or when the script finds a fault.
pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    let home = std::env::temp_dir().join("autogan-check-browser");
    std::fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    let autogan = match &args.autogan {
        Some(file) => file.canonicalize().with_context(|| format!("no {}", file.display()))?,
        None => build(None)?,
    };
    let shots = args.shots.clone().unwrap_or_else(|| home.join("shots"));
    std::fs::create_dir_all(&shots).with_context(|| format!("cannot make {}", shots.display()))?;
    install(&home)?;
    let runs = match &args.runs {
        Some(runs) => runs.clone(),
        None => make_runs(&autogan, &home.join("runs"))?,
    };
    let mut script = Command::new("node");
    script.arg(root.join("scripts/check_dashboard.mjs")).args([&autogan, &runs, &shots]);
    script.env("PLAYWRIGHT_FROM", home.join("package.json"));
    succeed(script)?;
    Ok(ExitCode::SUCCESS)
}

/// Installs the driver, unless this very version is there.
fn install(home: &Path) -> Result<()> {
    say(&format!("== {DRIVER} in {}", home.display()));
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]);
    npm.arg(home).arg(DRIVER);
    succeed(npm)
}

/// Two searches that differ in their seed, one by a strategy, and a training.
fn make_runs(autogan: &Path, runs: &Path) -> Result<PathBuf> {
    if runs.exists() {
        std::fs::remove_dir_all(runs)
            .with_context(|| format!("cannot clear {}", runs.display()))?;
    }
    let make = |words: &[&str], settings: &[&str], name: &str| {
        say(&format!("== tiny: {}", words.join(" ")));
        let mut command = Command::new(autogan);
        command.args(words).args(["--quiet", "--run-dir"]).arg(runs.join(name));
        command.args(settings.iter().flat_map(|setting| ["--set", *setting]));
        succeed(command)
    };
    make(&["search", "--seed", "0"], TINY, "00000-quick-s0")?;
    make(&["search", "--seed", "1"], TINY, "00001-quick-s1")?;
    make(&["train", "--arch", "autogan-a"], TINY_TRAINING, "00002-train-quick-s0")?;
    let by_strategy = ["search", "--strategy", "led_halving"];
    make(&by_strategy, TINY_STRATEGY, "00003-quick-led")?;
    Ok(runs.to_owned())
}
