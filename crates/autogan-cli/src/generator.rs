//! A generator from a run or a file of weights, as `autogan sample` and `autogan eval` open it: which weights, which
//! architecture, which batch-norm statistics.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use autogan_nn::checkpoint::{generator_prefixes, read_generator};
use autogan_nn::{BatchNormStats, Generator, NormMode, Rules, SkipTap};
use autogan_run::RunDir;
use autogan_search::{SearchConfig, Streams};
use autogan_space::Arch;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::arch_arg::parse;

/// Latents that pass through the generator together.
const BATCH: usize = 64;

/// Batches from which a run's supernet takes its statistics where nothing else is asked for.
const RECALIBRATE: usize = 20;

/// Which generator, and how it is run.
#[derive(Debug, clap::Args)]
pub struct GeneratorArgs {
    /// A run's directory, one of its checkpoints, or a released .pth or .safetensors file
    pub checkpoint: PathBuf,
    /// Released vector, named form, published name, file, RUN or RUN:RANK; the best of the checkpoint's run without it
    #[arg(long, num_args = 1.., value_name = "VECTOR")]
    arch: Option<Vec<String>>,
    /// Last cell to run, from 0; the architecture's last without it
    #[arg(long, value_name = "S")]
    stage: Option<usize>,
    /// Which tensor a skip takes; a run's own rule, or after-add for released files, without it
    #[arg(long, value_enum)]
    skip_tap: Option<TapArg>,
    /// Batches of 64 from which batch-norm statistics are recalibrated for the architecture; 0 takes the stored ones
    /// (20 for a run's supernet, 0 for other files, without it)
    #[arg(long, value_name = "BATCHES")]
    recalibrate: Option<usize>,
}

/// Where skips start.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TapArg {
    BeforeAdd,
    AfterAdd,
}

/// A checkpoint with what is known of it.
struct Source {
    archive: Archive,
    /// The configuration of the run that wrote it; none for other files.
    config: Option<SearchConfig>,
    /// The best architecture of the run.
    best: Option<Arch>,
}

/// A generator with the architecture that it runs.
pub struct Loaded {
    generator: Generator,
    /// The cells that are run.
    pub arch: Arch,
    recalibrate: usize,
}

impl GeneratorArgs {
    /// Loads the averaged weights where the checkpoint has them, and its other ones otherwise.
    ///
    /// # Errors
    /// When the checkpoint cannot be read, or the architecture does not fit it.
    pub fn load(&self) -> anyhow::Result<Loaded> {
        let source = open(&self.checkpoint)?;
        let whole = self.architecture(&source)?;
        let generator = self.generator(&source, &whole)?;
        let arch = self.up_to_stage(&whole)?;
        let own_supernet = source.config.is_some() && generator.arch().is_none();
        let recalibrate = self.recalibrate.unwrap_or(if own_supernet { RECALIBRATE } else { 0 });
        Ok(Loaded { generator, arch, recalibrate })
    }

    /// The architecture that the arguments or the run name.
    fn architecture(&self, source: &Source) -> anyhow::Result<Arch> {
        match (&self.arch, &source.best) {
            (Some(words), _) => parse(words),
            (None, Some(best)) => Ok(best.clone()),
            (None, None) => {
                bail!("--arch: this checkpoint does not say which architecture to use; give one")
            }
        }
    }

    /// The cells of an architecture up to the stage that is asked for.
    fn up_to_stage(&self, arch: &Arch) -> anyhow::Result<Arch> {
        match self.stage {
            None => Ok(arch.clone()),
            Some(stage) if stage <= arch.stage() => Ok(arch.prefix(stage + 1)),
            Some(stage) => bail!(
                "--stage: expected at most {}, the architecture's last, found {stage}",
                arch.stage()
            ),
        }
    }

    fn generator(&self, source: &Source, arch: &Arch) -> anyhow::Result<Generator> {
        let prefixes = generator_prefixes(&source.archive);
        let prefix = prefixes
            .first()
            .context("the file holds no generator: there is no l1.weight beside to_rgb.2.weight")?;
        let mut rules = source.config.as_ref().map_or(Rules::RELEASED, |config| Rules {
            skip_tap: config.model.skip_tap,
            pre_order: config.model.pre_order,
        });
        if let Some(tap) = self.skip_tap {
            rules.skip_tap = match tap {
                TapArg::BeforeAdd => SkipTap::BeforeAdd,
                TapArg::AfterAdd => SkipTap::AfterAdd,
            };
        }
        Ok(read_generator(&source.archive, prefix, Some(arch), rules, DType::F32, &Device::Cpu)?)
    }
}

/// Opens a run's directory, one of its checkpoints, or a file of weights.
fn open(path: &Path) -> anyhow::Result<Source> {
    if path.is_dir() {
        let dir = RunDir::open(path)?;
        let loaded = dir.checkpoints().load_newest()?.context("the run has no checkpoint yet")?;
        for warning in &loaded.warnings {
            eprintln!("warning: {warning}");
        }
        return open(&loaded.path);
    }
    let archive = Archive::read_any(path)?;
    let config = match archive.metadata().get("config") {
        Some(text) => Some(SearchConfig::from_toml(text, "the checkpoint's configuration", &[])?),
        None => None,
    };
    Ok(Source { archive, config, best: best_of_run(path)? })
}

/// The best architecture of the run that a checkpoint lies in, where it lies in one that has found any.
fn best_of_run(checkpoint: &Path) -> anyhow::Result<Option<Arch>> {
    let path = checkpoint.canonicalize()?;
    let Some(Ok(dir)) = path.parent().and_then(Path::parent).map(RunDir::open) else {
        return Ok(None);
    };
    let found = dir.arch()?.and_then(|file| file.top.into_iter().next());
    Ok(found.map(|found| Arch::from_released(&found.arch)).transpose()?)
}

impl Loaded {
    /// Length of a latent.
    pub fn latent(&self) -> usize {
        self.generator.config().latent
    }

    /// `n` latents `[n, latent]` that follow from `seed`; fewer are the first of more.
    pub fn latents(&self, n: usize, seed: u64) -> anyhow::Result<Tensor> {
        let length = self.latent();
        let z = Streams::new(seed).normal("latents.sample", 0, n * length);
        Ok(Tensor::from_vec(z, (n, length), &Device::Cpu)?)
    }

    /// Images `[n, 3, S, S]` in [-1, 1] of the latents `z` `[N, latent]`, batch by batch, to `each`; `seed` decides the
    /// latents of a recalibration.
    ///
    /// # Errors
    /// When an operator or `each` fails.
    pub fn generate(
        &self,
        z: &Tensor,
        seed: u64,
        each: &mut dyn FnMut(Tensor) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let stats = BatchNormStats::new();
        let length = self.latent();
        for batch in 0..self.recalibrate {
            let z = Streams::new(seed).normal("recalibrate.sample", batch as u64, BATCH * length);
            let z = Tensor::from_vec(z, (BATCH, length), &Device::Cpu)?;
            self.generator.forward_frozen(&z, &self.arch, NormMode::Collect(&stats))?;
        }
        let mode = if self.recalibrate == 0 { NormMode::Running } else { NormMode::Fixed(&stats) };
        let n = z.dim(0)?;
        for start in (0..n).step_by(BATCH) {
            let part = z.narrow(0, start, BATCH.min(n - start))?;
            each(self.generator.forward_frozen(&part, &self.arch, mode)?)?;
        }
        Ok(())
    }
}
