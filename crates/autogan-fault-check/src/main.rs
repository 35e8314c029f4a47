//! `cargo xtask faults` lets the calls of a small run that touch files fail one by one, and checks that nothing is lost.
//!
//! A run to which nothing happens comes first. Then each fault meets a run of its own: a call fails, a write writes half
//! of its bytes, the process is killed, the clock jumps. The run has to end with success and the same bits, or with one
//! sentence that says what failed; continued, it has to end with the same bits. docs/faults.md.
//!
//! A library that is loaded before libc (`library/faults.c`) injects the faults; it runs on Linux.

mod attempt;
mod library;
mod outcome;
mod plan;
mod results;
mod strace;
mod subject;
mod tiny; // a link: that of autogan-testing

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use attempt::{Bench, Ended};
use library::{Library, Log};
use outcome::Outcome;
use plan::{Counts, Fault, Plan, Way};
use results::{Results, Row, Verdict};
use subject::{RUN, Subject};

/// Let the calls of a small run that touch files fail one by one, and check that nothing is lost.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask faults", bin_name = "cargo xtask faults")]
struct Args {
    /// What is run
    #[arg(long, value_enum, default_value_t = Subject::Search)]
    subject: Subject,
    /// Only these kinds of calls, such as open,write,sync,rename,read,other,sqlite,data,change,any,clock
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = kind)]
    kinds: Vec<String>,
    /// Each call of a kind up to this number
    #[arg(long, value_name = "N", default_value_t = 300)]
    up_to: u64,
    /// So many of the later calls, drawn by the seed
    #[arg(long, value_name = "N", default_value_t = 300)]
    more: usize,
    /// Draws the later calls, and the order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One call for each kind and fault instead, drawn by the seed
    #[arg(long, conflicts_with_all = ["up_to", "more"])]
    quick: bool,
    /// Where results and the folders of losses go; the same command goes on with a sweep that is there
    #[arg(long, value_name = "DIR", default_value = "target/faults")]
    out: PathBuf,
    /// Stop after this time; the same command goes on
    #[arg(long, value_name = "TIME", default_value = "3h", value_parser = humantime::parse_duration)]
    within: Duration,
    /// How many runs at once
    #[arg(long, value_name = "N", default_value_t = threads())]
    at_once: usize,
    /// Only compare the calls that are counted with those that strace sees
    #[arg(long)]
    strace: bool,
    /// The program under test
    #[arg(long, value_name = "FILE", hide = true)]
    program: PathBuf,
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn kind(name: &str) -> Result<String, String> {
    let known = Way::all().iter().any(|way| way.kind == name);
    known
        .then(|| name.to_owned())
        .ok_or_else(|| "expected a kind of call, such as write".to_owned())
}

fn main() -> ExitCode {
    let args = Args::parse();
    run(&args).unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

fn run(args: &Args) -> Result<ExitCode> {
    ensure!(cfg!(target_os = "linux"), "faults are injected on Linux only");
    let out = &args.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let out = out.canonicalize()?;
    let (bench, counts) = begin(args, &out)?;
    if args.strace {
        strace::compare(&bench, &out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let counts = library::kept(counts, &out.join(format!("counts-{}.txt", args.subject.name())))?;
    let plan =
        Plan { kinds: args.kinds.clone(), up_to: args.up_to, more: args.more, seed: args.seed };
    let faults = if args.quick { plan.one_of_each(&counts) } else { plan.faults(&counts) };
    let csv = out.join("faults.csv");
    let results = Results::open(&csv)?;
    let (all, left) = (faults.len(), results.left(bench.subject.name(), faults));
    let tried = all - left.len();
    say(&format!(
        "faults: {all}, of which {tried} were tried before; results go to {}",
        csv.display()
    ));
    let results = sweep(args, &bench, &out, left, results)?;
    conclude(args, &results, all)
}

/// Builds the library, makes the run to which nothing happens, and counts its calls.
fn begin(args: &Args, out: &Path) -> Result<(Bench, Counts)> {
    let program = args.program.canonicalize().context("the program under test is missing")?;
    let (library, whole) =
        (Library::build(out)?, out.join(format!("whole-{}", args.subject.name())));
    if whole.exists() {
        fs::remove_dir_all(&whole)?;
    }
    fs::create_dir_all(&whole)?;
    args.subject.prepare(&whole)?;
    let log = out.join("faults.log");
    fs::write(&log, "")?;
    let mut command = args.subject.start(&program, &whole);
    library.attach(&mut command, &whole, &log, None);
    let ended = Ended::run(command)?;
    ensure!(
        ended.status.is_some_and(|status| status.success()),
        "without a fault: {}",
        ended.stderr
    );
    let counts = Log::read(&log).counts;
    let listed: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    ensure!(
        !listed.is_empty(),
        "the library saw no calls; is {} linked statically?",
        program.display()
    );
    say(&format!("calls of one {}: {}", args.subject.name(), listed.join(", ")));
    let whole = whole.join(RUN);
    let outcome = Outcome::read(&whole, args.subject)?;
    for start in args.subject.results() {
        ensure!(outcome.has(start), "the run to which nothing happened has no {start}");
    }
    Ok((Bench { program, library, subject: args.subject, whole, outcome }, counts))
}

/// What the threads of a sweep share.
struct Shared {
    left: Vec<Fault>,
    results: Results,
    failure: Option<anyhow::Error>,
}

/// Tries the faults, several at once, until all are tried or the time is over.
fn sweep(
    args: &Args,
    bench: &Bench,
    out: &Path,
    left: Vec<Fault>,
    results: Results,
) -> Result<Results> {
    let begun = Instant::now();
    let shared = Mutex::new(Shared { left, results, failure: None });
    let locked = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let take = || {
        let mut shared = locked();
        let goes_on = begun.elapsed() < args.within && shared.failure.is_none();
        if goes_on { shared.left.pop() } else { None }
    };
    thread::scope(|scope| {
        for _ in 0..args.at_once.max(1) {
            scope.spawn(|| {
                while let Some(fault) = take() {
                    let tried = one(bench, fault, out);
                    let mut shared = locked();
                    let added = tried.and_then(|row| {
                        tell(&row, shared.left.len());
                        shared.results.add(row)
                    });
                    if let Err(error) = added {
                        shared.failure = Some(error);
                    }
                }
            });
        }
    });
    let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.failure.map_or(Ok(shared.results), Err)
}

/// One attempt in a folder of its own, which is kept where something was lost.
fn one(bench: &Bench, fault: Fault, out: &Path) -> Result<Row> {
    let name = format!("{}-{fault}", bench.subject.name()).replace(',', "-");
    let dir = out.join("work").join(&name);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let row = bench.attempt(fault, &dir)?;
    if row.verdict == Verdict::Loss {
        let kept = out.join("losses").join(&name);
        fs::create_dir_all(out.join("losses"))?;
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(&dir, kept)?;
    } else {
        fs::remove_dir_all(&dir)?;
    }
    Ok(row)
}

/// A line for each loss and warning, and for every hundredth attempt.
fn tell(row: &Row, left: usize) {
    if matches!(row.verdict, Verdict::Loss | Verdict::Warned) {
        say(&format!("{} {}: {}: {}", row.verdict.name(), row.fault, row.struck, row.words));
    }
    if left > 0 && left.is_multiple_of(100) {
        say(&format!("{left} faults are left"));
    }
}

/// Prints the table and the sum of all. A loss is a failure; so is a quick sweep that is not complete.
fn conclude(args: &Args, results: &Results, all: usize) -> Result<ExitCode> {
    let subject = args.subject.name();
    print(&results.table(subject));
    let count = |verdict| results.count(subject, verdict);
    let (losses, missed) = (count(Verdict::Loss), count(Verdict::NotReached));
    let injected =
        count(Verdict::Unharmed) + count(Verdict::Continued) + count(Verdict::Warned) + losses;
    let tried = injected + missed;
    print(&format!(
        "fault sweep of autogan {subject}: {tried} calls tried, {injected} failures injected, {losses} losses\n"
    ));
    if tried < all {
        say(&format!(
            "the time is over with {} faults left; the same command goes on",
            all - tried
        ));
        ensure!(!args.quick, "a quick sweep has to be complete");
    }
    Ok(if losses == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A result for stdout.
#[expect(clippy::print_stdout, reason = "a command-line tool prints its result")]
fn print(text: &str) {
    print!("{text}");
}

/// One line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "a command-line tool speaks on stderr")]
pub fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
        let parse =
            |words: &[&str]| Args::try_parse_from([&["faults", "--program", "x"], words].concat());
        assert_eq!(parse(&["--kinds", "write,sqlite"]).unwrap().kinds, ["write", "sqlite"]);
        assert!(parse(&["--kinds", "nonsense"]).is_err());
        assert!(parse(&["--quick", "--up-to", "3"]).is_err());
    }
}
