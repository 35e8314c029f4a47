//! `autogan compare-strategies` runs search strategies on tables and made-up landscapes, and shows what they came to.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};
use autogan_compare::{
    BASELINE, Fitted, Limit, Power, PowerPlan, Results, Settings, Synthetic, Tabular, Testbed,
    compare, nas_gan_bench, page, power, strategies,
};
use autogan_files::atomic;
use autogan_run::export::{Align, aligned};
use autogan_strategies::StrategyKind;
use autogan_table::{Table, gather};
use serde_json::json;

use crate::signals::Signals;
use crate::terminal::{Terminal, bar, print};

/// Compare search strategies on a table of trainings or on made-up landscapes.
///
/// Every strategy runs with many seeds; random search always takes part. The printed table shows the regret at the end: the
/// value of the best architecture less the value of the one that the strategy returns. docs/strategies.md explains the
/// page.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("testbed").required(true)))]
pub struct Args {
    /// Compare on a table of trainings; PATH is its parquet file or the directory of its shards
    #[arg(long, value_name = "PATH", group = "testbed")]
    table: Option<PathBuf>,
    /// Compare on made-up landscapes; each seed draws its own
    #[arg(long, group = "testbed")]
    synthetic: bool,
    /// Compare on NAS-GAN-Bench-101; DIR holds its file fid.csv
    #[arg(long, value_name = "DIR", group = "testbed", conflicts_with = "cells")]
    nas_gan_bench: Option<PathBuf>,
    /// Number of cells of the architectures; with --table, three cells are searched on a model that is fitted to the table
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    cells: u8,
    /// Only these strategies, with commas between them; all strategies without it
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    strategies: Vec<String>,
    /// Number of runs of each strategy; each run has a seed of its own
    #[arg(long, value_name = "N", default_value_t = 200)]
    seeds: usize,
    /// Seed of the first run; the next runs have the next numbers
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first_seed: u64,
    /// What each run may spend, in seconds of training (with --nas-gan-bench in epochs); without it the cost of 100
    /// trainings, or of half as many trainings as there are architectures if that is less
    #[arg(long, value_name = "SECONDS", conflicts_with = "evaluations")]
    budget: Option<f64>,
    /// Number of evaluations of each run, in place of a budget
    #[arg(long, value_name = "N")]
    evaluations: Option<usize>,
    /// Write a page (index.md) with plots, curves.csv and results.json into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
    /// Also simulate how many seeds a test needs to tell random search from the first other strategy
    #[arg(long)]
    power: bool,
    /// The true difference that the test has to find
    #[arg(long, value_name = "D", default_value_t = 0.10, requires = "power")]
    difference: f64,
    /// The standard deviation of single trainings; without it that of the table or of the landscapes
    #[arg(long, value_name = "SD", requires = "power")]
    noise: Option<f64>,
}

/// Trainings of each winner, and the p-value of a test, as docs/strategies.md has them.
const WINNER_TRAININGS: usize = 6;
const LEVEL: f64 = 0.01 / 3.0;
/// Numbers of seeds whose power is simulated, and simulated experiments of each.
const POWER_SEEDS: std::ops::RangeInclusive<usize> = 16..=32;
const EXPERIMENTS: usize = 1_000;
/// Trainings that a budget pays for unless it is given.
const USUAL_TRAININGS: usize = 100;

/// Carries the command out.
///
/// # Errors
/// When a file cannot be read or written, a setting cannot be, or a strategy fails.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let testbed = args.testbed()?;
    let chosen = args.chosen()?;
    let settings = Settings {
        first_seed: args.first_seed,
        seeds: args.seeds,
        limit: args.limit(testbed.as_ref()),
    };
    let signals = Signals::listen()?;
    let hidden = terminal.quiet || terminal.is_json();
    let template =
        "{bar:28.cyan/dim} {percent:>3} %  {pos}/{len} runs, {per_sec}, about {eta} left";
    let bar = bar(chosen.len() * args.seeds, template, hidden);
    let compared = compare(testbed.as_ref(), &chosen, &settings, signals.stop(), &|| bar.inc(1));
    bar.finish_and_clear();
    let results = match compared {
        Ok(results) => results,
        Err(error) if error.is_stop() => {
            terminal.note("stopped; nothing was written");
            return Ok(signals.exit_code());
        }
        Err(error) => return Err(error.into()),
    };
    let power = args.power.then(|| args.simulate(&results)).transpose()?;
    let json = json!({ "comparison": results, "power": power });
    let json = format!("{}\n", serde_json::to_string_pretty(&json)?);
    if let Some(dir) = &args.out {
        write(dir, &results, power.as_ref(), &json)?;
        terminal.note(&format!("the page: {}", dir.join("index.md").display()));
    }
    let text = if args.json { json } else { shown(&results, power.as_ref()) };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn testbed(&self) -> anyhow::Result<Box<dyn Testbed>> {
        let cells = usize::from(self.cells);
        Ok(match (&self.table, &self.nas_gan_bench) {
            (Some(path), _) => match (read(path)?, cells) {
                (table, 3) => Box::new(Fitted::new(&table)?),
                (table, cells) => Box::new(Tabular::new(&table, cells)?),
            },
            (None, Some(dir)) => Box::new(nas_gan_bench(dir)?),
            (None, None) => Box::new(Synthetic::new(cells)?),
        })
    }

    /// The strategies that were asked for, random search first.
    fn chosen(&self) -> anyhow::Result<Vec<StrategyKind>> {
        // The LSTM controller draws tokens of AutoGAN's own space alone.
        let of_controller = if self.nas_gan_bench.is_some() { &[] } else { autogan_rl::STRATEGIES };
        let all = strategies(of_controller);
        for name in &self.strategies {
            let names: Vec<&str> = all.iter().map(|kind| kind.name).collect();
            let list = names.join(", ");
            ensure!(
                names.contains(&name.as_str()),
                "--strategies: expected names out of {list}; found '{name}'"
            );
        }
        let mut names: Vec<&str> = vec![BASELINE];
        match self.strategies.is_empty() {
            true => names.extend(all.iter().map(|kind| kind.name)),
            false => names.extend(self.strategies.iter().map(String::as_str)),
        }
        let mut chosen: Vec<StrategyKind> = Vec::new();
        for name in names {
            let known = chosen.iter().any(|kind| kind.name == name);
            chosen.extend(all.iter().find(|kind| kind.name == name && !known).copied());
        }
        Ok(chosen)
    }

    fn limit(&self, testbed: &dyn Testbed) -> Limit {
        let whole = testbed.fidelities().last().map_or(0.0, |fidelity| fidelity.cost);
        let trainings = USUAL_TRAININGS.min(testbed.space().count().div_ceil(2));
        match (self.budget, self.evaluations) {
            (_, Some(most)) => Limit::Evaluations(most),
            (budget, None) => Limit::Cost(budget.unwrap_or(trainings as f64 * whole)),
        }
    }

    fn simulate(&self, results: &Results) -> anyhow::Result<Power> {
        let Some(baseline) = results.strategies.first() else {
            bail!("--power: expected the results of {BASELINE}, found none");
        };
        let one = results.strategies.get(1).unwrap_or(baseline);
        let plan = PowerPlan {
            difference: self.difference,
            noise: self.noise.unwrap_or(results.noise),
            trainings: WINNER_TRAININGS,
            level: LEVEL,
            seeds: POWER_SEEDS.collect(),
            experiments: EXPERIMENTS,
        };
        let rows = power(&plan, &one.winners, &baseline.winners, self.first_seed)?;
        Ok(Power { strategies: [one.name.clone(), baseline.name.clone()], plan, rows })
    }
}

/// The table in a parquet file, or in the shards of a directory.
fn read(path: &Path) -> anyhow::Result<Table> {
    Ok(match path.is_dir() {
        true => Table::new(gather(path)?.rows),
        false => Table::open(path)?,
    })
}

/// The page with its files, and the results for programs.
fn write(dir: &Path, results: &Results, power: Option<&Power>, json: &str) -> anyhow::Result<()> {
    let title = format!("Search strategies compared: {}", results.testbed.name);
    std::fs::create_dir_all(dir).map_err(autogan_files::Error::io("create the directory", dir))?;
    atomic::write(&dir.join("results.json"), json.as_bytes())?;
    page(results, power).write(dir, &title)?;
    Ok(())
}

/// The results for people.
fn shown(results: &Results, power: Option<&Power>) -> String {
    let mut text = format!("{}\n\n", results.run());
    text += &table(&Results::HEAD, results.rows());
    if let Some(power) = power {
        let [what, enough] = power.sentences();
        text += &format!("\n{what}\n\n{}\n{enough}\n", table(&Power::HEAD, power.rows()));
    }
    text
}

fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![head.iter().map(|cell| (*cell).to_owned()).collect()];
    all.extend(rows);
    let align: Vec<Align> =
        (0..head.len()).map(|at| if at == 0 { Align::Left } else { Align::Right }).collect();
    aligned(&all, &align)
}
