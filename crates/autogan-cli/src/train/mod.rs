//! `autogan train`: one architecture from scratch, or the best of a search in turn (section 3.3.3).

mod dry_run;
mod one;
pub(crate) mod progress;
mod several;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use autogan_config::Configuration;
use autogan_run::RunDir;
use autogan_search::{KnownReals, Outcome, SearchConfig, TrainingConfig};

use crate::arch_arg;
use crate::called::program;
use crate::device;
use crate::search::{duration, resume_name, to_resume};
use crate::signals::Signals;
use crate::terminal::Terminal;

use one::Trainer;

/// Train an architecture from scratch, or the best of a search in turn.
///
/// The network holds only the parts that the architecture uses. Its moving average is scored on the way and at the end:
/// scores.json says what it came to, best.safetensors holds the weights with the best score, the newest checkpoint those
/// of the end; sample and eval take any of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Released vector, named form, published name, file, RUN or RUN:RANK
    #[arg(long, num_args = 1.., value_name = "ARCH", conflicts_with_all = ["resume", "from_run"])]
    arch: Option<Vec<String>>,
    /// Train the best architectures of this run, one after the other, and name the winner; the same command goes on
    /// where it was stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "config"])]
    from_run: Option<String>,
    /// With --from-run: how many of them
    #[arg(long, value_name = "K", default_value_t = 5, requires = "from_run")]
    top: usize,
    /// Named configuration: quick, cifar10-cpu, cifar10, stl10, paper, released; with --from-run that of the run without
    /// it, else quick
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "resume"])]
    preset: Option<String>,
    /// Configuration file, as a run stores it in config.toml; its architecture too, unless --arch names one
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// Change one value of the configuration, as schedule.g_iterations=500; may be given several times. With --resume
    /// only schedule.* can change, and what --may-change names
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Directory of the dataset's files
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What every random draw follows from
    #[arg(long, value_name = "S", conflicts_with = "resume")]
    seed: Option<u64>,
    /// Directory for this run alone, or with --from-run for its runs; without it one is made under --runs-dir
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
    /// Longest time between two checkpoints, as 30s, 10m or 1h
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
    let from = args.from_run.as_deref().map(|run| RunDir::find(&args.runs_dir, run)).transpose()?;
    if args.dry_run {
        match &from {
            Some(run) => dry_run::several(args, &several::candidates(args, run)?, &device)?,
            None => dry_run::one(args, &args.one()?, &device)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let signals = Signals::listen()?;
    let known = KnownReals::default();
    let trainer = Trainer { args, terminal, device, signals: &signals, known };
    if let Some(run) = &from {
        return several::run(&trainer, run);
    }
    let (dir, outcome) = match &args.resume {
        Some(wanted) => {
            let dir = to_resume(&args.runs_dir, wanted)?;
            let outcome = trainer.resume(dir.clone(), None)?;
            (dir, outcome)
        }
        None => trainer.start(args.one()?, args.run_dir.as_deref())?,
    };
    match outcome {
        Outcome::Finished => summary::print(&dir)?,
        Outcome::Stopped => {
            let name = resume_name(dir.path(), &args.runs_dir);
            let program = program();
            terminal.note(&format!("stopped; continue with: {program} train --resume {name}"));
            return Ok(signals.exit_code());
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The configuration of the one architecture that is trained.
    fn one(&self) -> anyhow::Result<TrainingConfig> {
        let arch = self.arch.as_deref().map(arch_arg::parse).transpose()?;
        let mut config = match (&self.config, arch.is_some()) {
            (Some(path), _) => TrainingConfig::file(path, &self.set)?,
            (None, true) => {
                TrainingConfig::preset(self.preset.as_deref().unwrap_or("quick"), &self.set)?
            }
            (None, false) => bail!(
                "nothing to train: give --arch VECTOR|NAME|FILE|RUN, --from-run RUN, --config FILE or --resume"
            ),
        };
        if let Some(arch) = arch {
            config.arch = arch;
        }
        self.fill_in(config)
    }

    /// The configuration that all architectures of a search's run share: a preset, with what the search says about the
    /// images, their score, and the rules that its architectures were found under.
    fn of_run(&self, run: &RunDir) -> anyhow::Result<TrainingConfig> {
        let text = run.config()?;
        let searched =
            SearchConfig::from_toml(&text, &run.config_path().display().to_string(), &[])
                .with_context(|| format!("{} is not the run of a search", run.path().display()))?;
        let name = self.preset.as_deref().unwrap_or(&searched.preset);
        let mut preset = TrainingConfig::preset(name, &[])?;
        preset.model.skip_tap = searched.model.skip_tap;
        preset.model.pre_order = searched.model.pre_order;
        if self.preset.is_none() {
            preset.model.bottom = searched.model.bottom;
            preset.score.scorer = searched.reward.scorer;
            if preset.data.dataset != searched.data.dataset {
                preset.data = searched.data.clone();
            }
        }
        if preset.data.dataset == searched.data.dataset {
            preset.data.dir = searched.data.dir;
        }
        self.fill_in(TrainingConfig::from_toml(&preset.to_toml()?, name, &self.set)?)
    }

    fn fill_in(&self, mut config: TrainingConfig) -> anyhow::Result<TrainingConfig> {
        if let Some(seed) = self.seed {
            config.seed = seed;
        }
        if let Some(dir) = &self.data {
            let dir = dir.to_str().context("--data: expected a path in UTF-8")?;
            config.data.dir = dir.to_owned();
        }
        Ok(config)
    }
}
