//! `autogan repro` repeats the paper's experiments; each table and figure is one command.

mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use autogan_repro::pages::{Context, write_docs, write_page};
use autogan_repro::{
    Dataset, Failure, Files, Item, Job, Results, Runner, Scale, Scope, estimates, jobs,
};
use autogan_run::export::{Align, aligned};
use autogan_search::{Outcome, RunOptions, Sources};
use candle_core::Device;
use clap::builder::PossibleValuesParser;

use crate::called::program;
use crate::device;
use crate::signals::Signals;
use crate::terminal::{Terminal, print};
use crate::words::time;
use watch::Watch;

/// All items, on the command line.
const ALL: &str = "all";
/// Longest time between two checkpoints.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);

/// Run the paper's experiments and write a page for each: tables, plots, numbers.
///
/// A search or training that is finished is not run again, and one that was stopped goes on; items share what they can.
/// The page of an item is OUT/SCALE/ITEM/index.md, its runs lie in OUT/SCALE/jobs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which ones: all, table1, table2, fig3 to fig10, random (section 4.3.5)
    #[arg(required = true, value_name = "ITEM", value_parser = PossibleValuesParser::new(names()))]
    items: Vec<String>,
    /// tiny shows in a minute that everything runs; small takes some hours on two cores; full has the paper's sizes
    #[arg(long, value_name = "SCALE", default_value = "tiny", value_parser = ["tiny", "small", "full"])]
    scale: String,
    /// Directory of CIFAR-10's files; without it, tiny and small leave CIFAR-10 out
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Directory of STL-10's files, for table2 and fig5
    #[arg(long, value_name = "DIR")]
    stl10: Option<PathBuf>,
    /// Directory of all scales
    #[arg(long, value_name = "DIR", default_value = "repro")]
    out: PathBuf,
    /// List the runs with an estimate of their time, and do nothing
    #[arg(long, conflicts_with = "no_run")]
    dry_run: bool,
    /// Write pages from what is there, and run nothing
    #[arg(long)]
    no_run: bool,
    /// Write all pages of this scale, with their pictures, as one Markdown file too
    #[arg(long, value_name = "FILE")]
    docs: Option<PathBuf>,
    /// Inception weights, for full: safetensors or .pth; from the hub or its cache without it
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

/// The names of all items.
fn names() -> Vec<&'static str> {
    std::iter::once(ALL).chain(Item::ALL.map(Item::name)).collect()
}

/// Carries the command out. It fails when data or weights are missing, a run fails, or a page cannot be written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let scale: Scale = args.scale.parse().map_err(anyhow::Error::msg)?;
    let items = items(&args.items)?;
    let device = device::open(&args.device)?;
    // Nothing is fetched for a look.
    let mut sources = Sources::new(crate::hub::open(args.offline || args.dry_run, false));
    sources.weights.clone_from(&args.weights);
    let (cifar10, stl10) = (args.data.clone(), args.stl10.clone());
    let files = Files { cifar10, stl10, sources };
    let scope = Scope { scale, cifar10: args.data.is_some(), stl10: args.stl10.is_some() };
    let jobs = jobs(&items, scope);
    if args.dry_run {
        return dry_run(&jobs, scale, &files, &device).map(|()| ExitCode::SUCCESS);
    }
    if scope.datasets() != scale.datasets() {
        terminal.warn("no --data: CIFAR-10 is left out");
    }
    let root = args.out.join(scale.name());
    let signals = Signals::listen()?;
    let mut failed = Vec::new();
    if !args.no_run {
        let times = estimates(&jobs, scale, &files, &device)?.times;
        let mut watch = Watch::new(terminal, times);
        let options = RunOptions { checkpoint_every: CHECKPOINT_EVERY, stop: signals.stop() };
        let named = (device.clone(), device::describe(&device));
        let mut runner = Runner::new(scale, root.clone(), &files, options, named);
        let progress = runner.carry_out(&jobs, &mut watch);
        watch.finish();
        let progress = progress?;
        if progress.outcome == Outcome::Stopped {
            terminal.note("stopped; the same command goes on");
            return Ok(signals.exit_code());
        }
        failed = progress.failed;
    }
    let results = Results::new(&root);
    let context = Context { scope, results: &results, program: program() };
    let mut written = String::new();
    for item in items {
        written += &format!("{}\n", write_page(item, &context, &root)?.display());
    }
    if let Some(file) = &args.docs {
        write_docs(file, &context)?;
        written += &format!("{}\n", file.display());
    }
    print(written.as_bytes())?;
    if !failed.is_empty() {
        terminal.error(&failures(&failed, jobs.len(), &results));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What failed and how to try it again, of so many runs.
fn failures(failed: &[Failure], of: usize, results: &Results) -> String {
    let mut text =
        format!("{} of {of} runs failed; the pages are written without them:", failed.len());
    for Failure { job, reason } in failed {
        text += &format!("\n  {}: {reason}", results.dir(job).display());
    }
    text + "\nto try one again, remove the directory of the run that diverged"
}

/// The items of these names, in the paper's order.
fn items(names: &[String]) -> anyhow::Result<Vec<Item>> {
    if names.iter().any(|name| name == ALL) {
        return Ok(Item::ALL.to_vec());
    }
    let items: Result<Vec<Item>, String> = names.iter().map(|name| name.parse()).collect();
    let mut items = items.map_err(anyhow::Error::msg)?;
    items.sort();
    items.dedup();
    Ok(items)
}

/// Lists the jobs with their estimated times, to stdout.
fn dry_run(jobs: &[Job], scale: Scale, files: &Files, device: &Device) -> anyhow::Result<()> {
    let estimates = estimates(jobs, scale, files, device)?;
    let mut rows = vec![["run", "estimated", "after"].map(str::to_owned).to_vec()];
    for (job, estimate) in jobs.iter().zip(&estimates.times) {
        let needs = match job.needs().as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            many => format!("{} runs", many.len()),
        };
        rows.push(vec![job.name.clone(), time(estimate.as_secs_f64()), needs]);
    }
    let total: Duration = estimates.times.iter().sum();
    let mut text = aligned(&rows, &[Align::Left, Align::Right, Align::Left]);
    text +=
        &format!("\n{} runs, about {} on this machine\n", jobs.len(), time(total.as_secs_f64()));
    for name in estimates.without {
        text += &format!("without the time of the scorer {name}, whose weights are not here\n");
    }
    if scale == Scale::Full && files.dir(Dataset::Cifar10).is_none() {
        text += "these runs need --data, the directory of CIFAR-10\n";
    }
    print(text.as_bytes())
}
