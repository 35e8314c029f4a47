//! `autogan search`: a new run, a resumed one, or a look at what a run would cost.

mod dry_run;
mod summary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use autogan_config::Configuration;
use autogan_run::{Host, RunDir, RunWriter};
use autogan_search::{
    Estimate, Outcome, RunOptions, Search, SearchConfig, SearchError, TrainingConfig,
    checkpoint_config, run as run_search,
};

use crate::called::program;
use crate::device;
use crate::inputs::Wanted;
use crate::progress::Progress;
use crate::report::after_search;
use crate::signals::Signals;
use crate::terminal::Terminal;

pub use summary::{size, time};

/// Search for an architecture.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Named configuration: quick, cifar10-cpu, cifar10, stl10, paper, released
    #[arg(long, value_name = "NAME", default_value = "quick", conflicts_with_all = ["config", "resume"])]
    preset: String,
    /// Configuration file, as a run stores it in config.toml
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Change one value of the configuration, as train.d_batch=32; may be given several times. With --resume only
    /// search.iterations and derive.* can change, and what --may-change names
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Directory of the dataset's files
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What every random draw follows from
    #[arg(long, value_name = "S", conflicts_with = "resume")]
    seed: Option<u64>,
    /// Draw only architectures whose whole generator has at most so many parameters, at this search's widths; 0: any
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    max_params: Option<u64>,
    /// Draw only architectures with at most so many multiply-accumulates per image of the last stage; 0: any
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    max_macs: Option<u64>,
    /// Directory for this run alone; without it one is made under --runs-dir
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    run_dir: Option<PathBuf>,
    /// Directory of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
    /// Where to compute: cpu, cuda (the first NVIDIA card) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Print the resolved configuration, sizes and an estimate of the time, and do nothing
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Continue a run: a path, a name or a number; the newest without RUN
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    resume: Option<String>,
    /// Longest time between two checkpoints, as 30s, 10m or 1h; one is written after each iteration anyway
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    checkpoint_every: Duration,
    /// Inception weights, when the scorer is inception: safetensors or .pth; from the hub or its cache without it
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
    /// With --resume: a key (or section) of the configuration that --set may change besides; may be given several times
    #[arg(long, value_name = "KEY", requires = "resume", value_delimiter = ',')]
    may_change: Vec<String>,
}

/// Carries the command out.
///
/// # Errors
/// What went wrong, for a person to read.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let device = device::open(&args.device)?;
    let signals = Signals::listen()?;
    match &args.resume {
        Some(wanted) => resume(args, terminal, wanted, device, &signals),
        None => {
            let config = configuration(args)?;
            if args.dry_run {
                let wanted = Wanted::by_search(&config, args.weights.as_deref(), args.offline);
                return dry_run::print(&config, &wanted, &device).map(|()| ExitCode::SUCCESS);
            }
            start(args, terminal, config, device, &signals)
        }
    }
}

/// The configuration that the arguments resolve to.
fn configuration(args: &Args) -> anyhow::Result<SearchConfig> {
    let mut config = match &args.config {
        Some(path) => SearchConfig::file(path, &args.set)?,
        None => SearchConfig::preset(&args.preset, &args.set)?,
    };
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    if let Some(dir) = &args.data {
        let dir = dir.to_str().context("--data: expected a path in UTF-8")?;
        config.data.dir = dir.to_owned();
    }
    config.budget.max_params = args.max_params.unwrap_or(config.budget.max_params);
    config.budget.max_macs = args.max_macs.unwrap_or(config.budget.max_macs);
    Ok(config.checked()?)
}

fn start(
    args: &Args,
    terminal: &Terminal,
    config: SearchConfig,
    device: candle_core::Device,
    signals: &Signals,
) -> anyhow::Result<ExitCode> {
    // Everything that can be wrong with the input is found before a directory is made.
    let host = Host::detect(&device::describe(&device));
    let inputs = Wanted::by_search(&config, args.weights.as_deref(), args.offline).load(device)?;
    let images = inputs.images.len();
    let mut search = Search::new(config.clone(), inputs)?;
    let text = config.to_toml()?;
    let (dir, lock) = match &args.run_dir {
        Some(path) => RunDir::create_at(path, &text, &host)?,
        None => RunDir::create_numbered(&args.runs_dir, &config.preset, config.seed, &text, &host)?,
    };
    let writer = RunWriter::start(dir, lock)?;
    carry_on((args, terminal), &mut search, writer, images, signals)
}

fn resume(
    args: &Args,
    terminal: &Terminal,
    wanted: &str,
    device: candle_core::Device,
    signals: &Signals,
) -> anyhow::Result<ExitCode> {
    let dir = to_resume(&args.runs_dir, wanted)?;
    let resumed = RunWriter::resume(dir, &Host::detect(&device::describe(&device)))?;
    for warning in &resumed.warnings {
        terminal.warn(warning);
    }
    let mut writer = resumed.writer;
    let text = writer.dir().config()?;
    if TrainingConfig::from_toml(&text, "", &[]).is_ok() {
        let path = writer.dir().path().display();
        bail!("{path} is a training; continue it with: {} train --resume {path}", program());
    }
    let stored = SearchConfig::from_toml(&text, "the run's config.toml", &[])?;
    let config = SearchConfig::from_toml(&text, "the run's config.toml", &args.set)?;
    // The checkpoint may be older than the last change that was allowed.
    let own = resumed.checkpoint.as_ref().map(checkpoint_config).transpose()?;
    own.as_ref().unwrap_or(&stored).check_continues(&config, &args.may_change)?;
    let mut at = config.clone();
    if let Some(dir) = &args.data {
        at.data.dir = dir.display().to_string();
    }
    let inputs = Wanted::by_search(&at, args.weights.as_deref(), args.offline).load(device)?;
    let images = inputs.images.len();
    let mut search = match &resumed.checkpoint {
        Some(checkpoint) => Search::restore(checkpoint, config.clone(), inputs)?,
        None => Search::new(config.clone(), inputs)?,
    };
    if config != stored {
        writer.replace_config(&config.to_toml()?, search.position().tick)?;
    }
    carry_on((args, terminal), &mut search, writer, images, signals)
}

/// Runs the search to its end or until it is stopped, and says how it went.
fn carry_on(
    (args, terminal): (&Args, &Terminal),
    search: &mut Search,
    mut writer: RunWriter,
    images: usize,
    signals: &Signals,
) -> anyhow::Result<ExitCode> {
    let dir = writer.dir().clone();
    let path = dir.path();
    let mut log = autogan_run::LogFile::open(&writer.dir().log_path())?;
    let estimate = Estimate::new(search.config(), images);
    let mut progress = Progress::new(terminal, estimate, search.position(), &mut log);
    progress.intro(search.config(), path);
    let options = RunOptions { checkpoint_every: args.checkpoint_every, stop: signals.stop() };
    let ran = run_search(search, &mut writer, &mut progress, &options);
    if let Ok(ran) = &ran {
        progress.outro(ran);
    }
    progress.finish();
    let ran = ran.map_err(|error| failed(error, path))?;
    match ran.outcome {
        Outcome::Finished => {
            let seconds = writer.seconds();
            writer.finish()?;
            after_search(&dir, terminal);
            summary::print(&dir, search.config(), seconds)?;
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Stopped => {
            let name = resume_name(path, &args.runs_dir);
            let program = program();
            terminal.note(&format!("stopped; continue with: {program} search --resume {name}"));
            Ok(signals.exit_code())
        }
    }
}

/// The run that `--resume` means: the newest without a name.
pub fn to_resume(runs: &Path, wanted: &str) -> anyhow::Result<RunDir> {
    let named = Some(wanted).filter(|wanted| !wanted.is_empty());
    Ok(RunDir::find_or_newest(runs, named)?)
}

/// Why the run in `path` ended, with what can be done.
pub fn failed(error: SearchError, path: &Path) -> anyhow::Error {
    let path = path.display();
    let advice = match error {
        SearchError::Diverged { .. } => {
            format!("the run in {path} would diverge again if it were resumed; start a new one")
        }
        _ => format!("the run in {path} can be resumed from its last checkpoint"),
    };
    anyhow::Error::new(error).context(advice)
}

/// How the run is named on the command line: its number where it lies among the others, else its path.
pub fn resume_name(path: &Path, runs: &Path) -> String {
    match path.strip_prefix(runs) {
        Ok(name) if runs == Path::new("runs") => name.display().to_string(),
        _ => path.display().to_string(),
    }
}

/// `30s`, `10m`, `1h`, or seconds without a unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().find(|(_, c)| c.is_ascii_alphabetic()) {
        Some((at, _)) => text.split_at(at),
        None => (text, "s"),
    };
    let scale = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("expected a time such as 30s, 10m or 1h, found {text}")),
    };
    let seconds: f64 = number
        .trim()
        .parse()
        .map_err(|_| format!("expected a time such as 30s, 10m or 1h, found {text}"))?;
    Duration::try_from_secs_f64(seconds * scale).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert!(duration("soon").is_err() && duration("-1s").is_err());
    }
}
