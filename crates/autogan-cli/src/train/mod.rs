//! `autogan train` trains one architecture from scratch, or the best of a search in turn (section 3.3.3).

mod dry_run;
mod progress;
mod several;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use autogan_config::Configuration;
use autogan_run::RunDir;
use autogan_search::{Search, SearchConfig, Training, TrainingConfig, TrainingEvent};

use crate::arch_arg;
use crate::run_args::{Display, JobCommand, RunArgs, RunEnd, Runner};
use crate::screen::Screen;
use crate::terminal::Terminal;

use progress::Progress;
pub use progress::best_lost;

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
    #[command(flatten)]
    run: RunArgs,
}

/// Carries the command out. Its error says what went wrong, for a person to read.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let runner = Runner::new(&args.run, terminal)?;
    let runs = &args.run.runs_dir;
    let from = args.from_run.as_deref().map(|run| RunDir::find(runs, run)).transpose()?;
    match &from {
        Some(run) if args.run.dry_run => {
            let candidates = several::candidates(args, run)?;
            dry_run::several(&args.run, &candidates, &runner.device)?;
        }
        None if args.run.dry_run => dry_run::one(&args.run, &args.one()?, &runner.device)?,
        Some(run) => return several::run(args, &runner, run),
        None => return runner.run::<Training>(args.run.resumed()?, || args.one()),
    }
    Ok(ExitCode::SUCCESS)
}

impl JobCommand for Training {
    type Other = Search;
    const COMMAND: &'static str = "train";

    fn display<'a>(&self, screen: Screen<'a>) -> Box<dyn Display<TrainingEvent> + 'a> {
        Box::new(Progress::new(screen, self))
    }

    fn summary(end: &RunEnd<Self>) -> anyhow::Result<()> {
        summary::print(&end.dir)
    }
}

impl Args {
    /// The configuration of the one architecture that is trained.
    fn one(&self) -> anyhow::Result<TrainingConfig> {
        let arch = self.arch.as_deref().map(arch_arg::parse).transpose()?;
        let mut config = match (&self.config, arch.is_some()) {
            (Some(path), _) => TrainingConfig::file(path, &self.run.set)?,
            (None, true) => {
                TrainingConfig::preset(self.preset.as_deref().unwrap_or("quick"), &self.run.set)?
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
        let searched = SearchConfig::stored(&text, &run.config_path().display().to_string())
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
        self.fill_in(TrainingConfig::from_toml(&preset.to_toml()?, name, &self.run.set)?)
    }

    fn fill_in(&self, mut config: TrainingConfig) -> anyhow::Result<TrainingConfig> {
        self.run.fill_in(&mut config.data, &mut config.seed)?;
        Ok(config)
    }
}
