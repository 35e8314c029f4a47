//! `cargo xtask fuzz` feeds the readers of the workspace with inputs that libFuzzer makes.
//!
//! The targets are in `crates/autogan-fuzz`. Two run at a time. What libFuzzer finds on the way is kept under the target
//! folder, so that the next run goes on from there; `--keep` also adds the smallest part of it to the repository, and
//! the time to `hours.csv`. An input that breaks a reader is written to `regressions/TARGET`, which the tests replay.

mod build;
mod hours;
mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::say;
use build::Fuzzer;
use hours::Hours;
use session::Session;

/// Targets that run at a time.
const AT_ONCE: usize = 2;

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The targets; all of them where none is named
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// Minutes for each target
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
    /// Seconds for each target, in place of minutes
    #[arg(long, value_name = "N", conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seconds: Option<u64>,
    /// Follow our own crates only, not the libraries that they use: builds in two minutes in place of ten
    #[arg(long)]
    own: bool,
    /// Add what was found to the repository: a small corpus for each target, and the hours
    #[arg(long)]
    keep: bool,
    /// List the targets
    #[arg(long, exclusive = true)]
    list: bool,
}

/// Builds the fuzzer, and runs the targets.
///
/// # Errors
/// When the build fails, a target is unknown, or an input breaks a reader.
pub fn run(root: &Path, args: &Args) -> Result<ExitCode> {
    let package = root.join("crates/autogan-fuzz");
    let fuzzer = Fuzzer::build(root, args.own || args.list)?;
    let seeds = tempfile::tempdir().context("cannot make a folder for the seeds")?;
    let known = fuzzer.write_seeds(seeds.path())?;
    if args.list {
        print(&known)?;
        return Ok(ExitCode::SUCCESS);
    }
    let targets = chosen(&known, &args.targets)?;
    let session = Session {
        fuzzer: &fuzzer,
        package: &package,
        seeds: seeds.path(),
        work: fuzzer.work(),
        seconds: args.seconds.unwrap_or(60 * args.minutes),
    };
    let rows = every(&targets, |target| session.run(target));
    let mut hours = Hours::read(&package.join("hours.csv"))?;
    let mut broken = Vec::new();
    for (target, row) in targets.iter().zip(rows) {
        let row = row.with_context(|| format!("{target} could not be run"))?;
        say(&row.line(target));
        hours.add(target, &row);
        if row.crashes > 0 {
            broken.push(target.as_str());
        }
        if args.keep {
            session.keep(target)?;
        }
    }
    if args.keep {
        hours.write()?;
    }
    if !broken.is_empty() {
        bail!(
            "inputs broke {}: they are in crates/autogan-fuzz/regressions; `cargo test --workspace --test replay` shows \
             them",
            broken.join(", ")
        );
    }
    say(&format!("fuzz: {} targets, no input broke a reader", targets.len()));
    Ok(ExitCode::SUCCESS)
}

/// The targets that were named, in the order of the list; all where none was.
fn chosen(known: &[String], named: &[String]) -> Result<Vec<String>> {
    if let Some(name) = named.iter().find(|name| !known.contains(name)) {
        bail!("there is no target {name}; there are {}", known.join(", "));
    }
    let wanted = |name: &&String| named.is_empty() || named.contains(name);
    Ok(known.iter().filter(wanted).cloned().collect())
}

/// What `work` makes of each target, [`AT_ONCE`] at a time, in the order of `targets`.
fn every<T: Send>(targets: &[String], work: impl Fn(&str) -> T + Sync) -> Vec<T> {
    let next = Mutex::new(0);
    let done = Mutex::new(Vec::new());
    let take = || {
        let mut next = next.lock().unwrap_or_else(|broken| broken.into_inner());
        *next += 1;
        *next - 1
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                for at in std::iter::repeat_with(take).take_while(|at| *at < targets.len()) {
                    let made = work(&targets[at]);
                    done.lock().unwrap_or_else(|broken| broken.into_inner()).push((at, made));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|broken| broken.into_inner());
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// Prints the names, one a line.
fn print(names: &[String]) -> Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{}", names.join("\n")).context("cannot write to stdout")
}

/// The entries of a folder, sorted; none where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let paths: std::io::Result<Vec<PathBuf>> =
        folder.read_dir().and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths = paths.with_context(|| format!("cannot list {}", folder.display()))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_targets_or_those_that_were_named() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let known = words("arch config npz");
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert_eq!(chosen(&known, &words("npz arch")).unwrap(), words("arch npz"));
        let text = chosen(&known, &words("npz no")).unwrap_err().to_string();
        assert!(text.contains("no target no") && text.contains("arch, config, npz"), "{text}");
    }

    #[test]
    fn every_target_runs_once_and_the_order_stays() {
        let targets: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let made = every(&targets, |name| {
            if name == "0" {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            name.to_owned()
        });
        assert_eq!(made, targets);
    }
}
