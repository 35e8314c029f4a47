//! `autogan search` begins a run, resumes one, or shows what a run would cost.

mod dry_run;
mod progress;
mod strategy;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use autogan_config::Configuration;
use autogan_search::{Search, SearchConfig, SearchEvent, StrategySearch, Training};

use crate::run_args::{Display, JobCommand, RunArgs, RunEnd, Runner, config_of};
use crate::screen::Screen;
use crate::terminal::Terminal;

use progress::Progress;

/// Search for an architecture.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Named configuration: quick, cifar10-cpu, cifar10, stl10, paper, released
    #[arg(long, value_name = "NAME", default_value = "quick", conflicts_with_all = ["config", "resume"])]
    preset: String,
    /// Configuration file, as a run stores it in config.toml
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// What decides which architectures are looked at: supernet (the paper's search), or a strategy that trains from
    /// scratch, such as led_halving; the preset's without it
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    strategy: Option<String>,
    /// Draw only architectures whose whole generator has at most so many parameters, at this search's widths; 0: any
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    max_params: Option<u64>,
    /// Draw only architectures with at most so many multiply-accumulates per image of the last stage; 0: any
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    max_macs: Option<u64>,
    #[command(flatten)]
    run: RunArgs,
}

/// Carries the command out. Its error says what went wrong, for a person to read.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let runner = Runner::new(&args.run, terminal)?;
    if args.run.dry_run {
        let config = configuration(args)?;
        return dry_run::print(&args.run, &config, &runner.device).map(|()| ExitCode::SUCCESS);
    }
    let resumed = args.run.resumed()?;
    let config = match &resumed {
        Some(run) => config_of::<Search>(run, &[])?,
        None => configuration(args)?,
    };
    match config.strategy.is_supernet() {
        true => runner.run::<Search>(resumed, || Ok(config)),
        false => runner.run::<StrategySearch>(resumed, || Ok(config)),
    }
}

/// The configuration that the arguments resolve to.
fn configuration(args: &Args) -> anyhow::Result<SearchConfig> {
    let mut config = match &args.config {
        Some(path) => SearchConfig::file(path, &args.run.set)?,
        None => SearchConfig::preset(&args.preset, &args.run.set)?,
    };
    args.run.fill_in(&mut config.data, &mut config.seed)?;
    if let Some(name) = &args.strategy {
        config.strategy.name.clone_from(name);
    }
    config.budget.max_params = args.max_params.unwrap_or(config.budget.max_params);
    config.budget.max_macs = args.max_macs.unwrap_or(config.budget.max_macs);
    Ok(config.checked()?)
}

impl JobCommand for Search {
    type Other = Training;
    const COMMAND: &'static str = "search";

    fn display<'a>(&self, screen: Screen<'a>) -> Box<dyn Display<SearchEvent> + 'a> {
        Box::new(Progress::new(screen, self))
    }

    fn summary(end: &RunEnd<Self>) -> anyhow::Result<()> {
        summary::print(&end.dir, &end.config, end.seconds)
    }
}
