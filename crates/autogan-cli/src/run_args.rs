//! [`RunArgs`] holds the arguments that a search and a training share. A [`Runner`] does what they say: it begins or
//! resumes a run, carries it out, and tells how it ended.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use autogan_config::{Configuration, DataConfig};
use autogan_run::{Host, LogFile, RunDir};
use autogan_search::{
    Job, Outcome, Reporter, Resumption, RunOptions, RunPlace, RunReport, SearchError, Session,
    Sources,
};
use candle_core::Device;

use crate::called::program;
use crate::device;
use crate::report::after_search;
use crate::screen::Screen;
use crate::signals::Signals;
use crate::terminal::Terminal;
use crate::words::duration;

/// What `search` and `train` are told about a run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Change one value of the configuration, as train.d_batch=32; may be given several times. With --resume only some can
    /// change (of a search search.iterations and derive.*, of a training schedule.*), and what --may-change names
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Directory of the dataset's files
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What every random draw follows from
    #[arg(long, value_name = "S", conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// Directory for this run alone, or with `train --from-run` for its runs; without it one is made under --runs-dir
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub run_dir: Option<PathBuf>,
    /// Directory of all runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs_dir: PathBuf,
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Print the resolved configuration, sizes and an estimate of the time, and do nothing
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// Continue a run: a path, a name or a number; the newest without RUN
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "")]
    resume: Option<String>,
    /// Longest time between two checkpoints, as 30s, 10m or 1h; a search writes one after each iteration and a training one
    /// after each score anyway
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    checkpoint_every: Duration,
    /// The scorer's weights, where they are a file: safetensors or .pth; from the hub or its cache without it
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Never touch the network
    #[arg(long)]
    pub offline: bool,
    /// With --resume: a key (or section) of the configuration that --set may change besides; may be given several times
    #[arg(long, value_name = "KEY", requires = "resume", value_delimiter = ',')]
    may_change: Vec<String>,
}

impl RunArgs {
    /// Where images and weights come from; `offline` adds to `--offline`.
    pub fn sources(&self, offline: bool) -> Sources {
        let mut sources = Sources::new(crate::hub::open(offline || self.offline, false));
        sources.weights.clone_from(&self.weights);
        sources.data.clone_from(&self.data);
        sources
    }

    /// The run that `--resume` names. It fails when there is none.
    pub fn resumed(&self) -> anyhow::Result<Option<RunDir>> {
        let Some(name) = &self.resume else { return Ok(None) };
        let named = Some(name.as_str()).filter(|name| !name.is_empty());
        Ok(Some(RunDir::find_or_newest(&self.runs_dir, named)?))
    }

    /// Puts the directory of the images and the seed in place that the command line names. It fails when the directory
    /// is not named in UTF-8.
    pub fn fill_in(&self, data: &mut DataConfig, seed: &mut u64) -> anyhow::Result<()> {
        if let Some(dir) = &self.data {
            let dir = dir.to_str().context("--data: expected a path in UTF-8")?;
            data.dir = dir.to_owned();
        }
        *seed = self.seed.unwrap_or(*seed);
        Ok(())
    }
}

/// A job that is a command: what it is called and how it looks.
pub trait JobCommand: Job {
    /// The other kind of job, whose runs are continued by another command.
    type Other: JobCommand;
    /// The command.
    const COMMAND: &'static str;

    /// Shows the job on a screen.
    fn display<'a>(&self, screen: Screen<'a>) -> Box<dyn Display<Self::Event> + 'a>;

    /// Prints the results of a finished run to stdout.
    fn summary(end: &RunEnd<Self>) -> anyhow::Result<()>;
}

/// How a job looks while it runs.
pub trait Display<E>: Reporter<E> {
    /// Shows the first lines.
    fn intro(&mut self, dir: &Path);

    /// Shows the last line.
    fn outro(&mut self, _report: &RunReport) {}

    /// Takes the bars away.
    fn finish(&mut self);
}

/// A run that ended in this process.
pub struct RunEnd<J: Job> {
    pub dir: RunDir,
    pub config: J::Config,
    pub outcome: Outcome,
    /// Seconds that the run has taken, in this process and those before it.
    pub seconds: f64,
}

/// Carries runs out as the command line says.
pub struct Runner<'a> {
    pub args: &'a RunArgs,
    pub terminal: &'a Terminal,
    pub device: Device,
    signals: Signals,
    sources: Sources,
}

impl<'a> Runner<'a> {
    /// Opens the device and listens to signals. It fails when there is no such device, or the operating system refuses
    /// a handler.
    pub fn new(args: &'a RunArgs, terminal: &'a Terminal) -> anyhow::Result<Self> {
        let (device, signals) = (device::open(&args.device)?, Signals::listen()?);
        Ok(Self { args, terminal, device, signals, sources: args.sources(false) })
    }

    /// Carries the whole command out: the run that `--resume` names goes on ([`RunArgs::resumed`]), or one with `config`
    /// begins. It fails as [`Runner::start`] and [`Runner::resume`] do.
    pub fn run<J: JobCommand>(
        &self,
        resumed: Option<RunDir>,
        config: impl FnOnce() -> anyhow::Result<J::Config>,
    ) -> anyhow::Result<ExitCode> {
        let end = match resumed {
            Some(dir) => self.resume::<J>(dir, None)?,
            None => self.start::<J>(config()?, self.args.run_dir.as_deref())?,
        };
        match end.outcome {
            Outcome::Finished => J::summary(&end).map(|()| ExitCode::SUCCESS),
            Outcome::Stopped => {
                let name = resume_name(end.dir.path(), &self.args.runs_dir);
                let command = format!("{} {} --resume {name}", program(), J::COMMAND);
                Ok(self.stopped(&format!("stopped; continue with: {command}")))
            }
        }
    }

    /// Says that the command was stopped, and how it goes on.
    pub fn stopped(&self, text: &str) -> ExitCode {
        self.terminal.note(text);
        self.signals.exit_code()
    }

    /// Begins a run in `path`, or in a new directory among all runs. It fails when something is wrong with the input,
    /// which is found before a directory is made; when the job fails.
    pub fn start<J: JobCommand>(
        &self,
        config: J::Config,
        path: Option<&Path>,
    ) -> anyhow::Result<RunEnd<J>> {
        let inputs = self.load::<J>(&config)?;
        let job = J::new(config, inputs)?;
        let place = path.map_or(RunPlace::Under(&self.args.runs_dir), RunPlace::At);
        self.carry_on(Session::start(job, place, &self.host())?)
    }

    /// Continues a run: with `wanted`, or with its own configuration and what the command line changes in it. It fails
    /// when the run cannot go on so, or fails.
    pub fn resume<J: JobCommand>(
        &self,
        dir: RunDir,
        wanted: Option<&J::Config>,
    ) -> anyhow::Result<RunEnd<J>> {
        let resumption = Resumption::open(dir.clone(), &self.host())?;
        for warning in resumption.warnings() {
            self.terminal.warn(warning);
        }
        let config = match wanted {
            Some(config) => config.clone(),
            None => config_of::<J>(&dir, &self.args.set)?,
        };
        let load = || self.load::<J>(&config);
        self.carry_on(resumption.session(config.clone(), &self.args.may_change, load)?)
    }

    /// Runs the job to its end or until it is stopped.
    fn carry_on<J: JobCommand>(&self, mut session: Session<J>) -> anyhow::Result<RunEnd<J>> {
        let dir = session.dir().clone();
        let log = LogFile::open(&dir.log_path())?;
        let mut display = session.job().display(Screen::new(self.terminal, log));
        display.intro(dir.path());
        let (checkpoint_every, stop) = (self.args.checkpoint_every, self.signals.stop());
        let report = session.run(&mut *display, &RunOptions { checkpoint_every, stop });
        if let Ok(report) = &report {
            display.outro(report);
        }
        display.finish();
        let report = report.map_err(|error| failed(error, dir.path()))?;
        let (config, seconds) = (session.job().config().clone(), session.seconds());
        if report.outcome == Outcome::Finished {
            session.finish()?;
            after_search(&dir, self.terminal);
        }
        Ok(RunEnd { dir, config, outcome: report.outcome, seconds })
    }

    fn load<J: Job>(&self, config: &J::Config) -> Result<J::Inputs, SearchError> {
        J::load(config, &self.sources, &self.device)
    }

    fn host(&self) -> Host {
        Host::detect(&device::describe(&self.device))
    }
}

/// The configuration of a run, with settings over it. It fails when it is that of another kind of job, or a setting
/// does not fit.
pub fn config_of<J: JobCommand>(dir: &RunDir, settings: &[String]) -> anyhow::Result<J::Config> {
    let text = dir.config()?;
    if <J::Other as Job>::Config::stored(&text, "").is_ok() {
        let (path, command) = (dir.path().display(), J::Other::COMMAND);
        let program = program();
        bail!(
            "the run in {path} is one of `{command}`; continue it with: {program} {command} --resume {path}"
        );
    }
    Ok(J::Config::stored(&text, "the run's config.toml")?.with(settings)?)
}

/// Why the run in `path` ended, with what can be done.
fn failed(error: SearchError, path: &Path) -> anyhow::Error {
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
fn resume_name(path: &Path, runs: &Path) -> String {
    match path.strip_prefix(runs) {
        Ok(name) if runs == Path::new("runs") => name.display().to_string(),
        _ => path.display().to_string(),
    }
}
