//! This module opens a generator from a run or a file of weights for `autogan sample`, `eval` and `export`. It decides
//! which weights, which architecture and which batch-norm statistics the generator gets.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use autogan_config::Configuration;
use autogan_nn::checkpoint::{find_generator, is_supernet, read_generator};
use autogan_nn::{BatchNormStats, Description, Generator, NormMode, Rules, SkipTap};
use autogan_run::RunDir;
use autogan_search::{SearchConfig, Streams};
use autogan_space::Arch;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::arch_arg::parse;

/// Latents that pass through the generator together.
const BATCH: usize = 64;

/// Images that a network must make before it is written.
const TRIED: usize = 8;

/// Batches from which a run's supernet takes its statistics where nothing else is asked for.
const RECALIBRATE: usize = 20;

/// Which generator, and how it is run.
#[derive(Debug, clap::Args)]
pub struct GeneratorArgs {
    /// A run's directory, one of its checkpoints, or a released .pth or .safetensors file
    pub checkpoint: PathBuf,
    /// Released vector, named form, published name (a, b, c, e2gan), file, RUN or RUN:RANK; without it, what the file
    /// says of itself, or the best of the checkpoint's run
    #[arg(long, num_args = 1.., value_name = "VECTOR")]
    arch: Option<Vec<String>>,
    /// Last cell to run, from 0; the architecture's last without it
    #[arg(long, value_name = "S")]
    stage: Option<usize>,
    /// Which tensor a skip takes; without it, the rule of the run or of the file, after-add for released files
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
    /// What the file says of itself.
    description: Option<Description>,
    /// The best architecture of the run.
    best: Option<Arch>,
}

/// A generator with the architecture that it runs.
pub struct ArchGenerator {
    generator: Generator,
    /// The cells that are run.
    pub arch: Arch,
    recalibrate: usize,
    device: Device,
}

impl GeneratorArgs {
    /// Loads the averaged weights where the checkpoint has them, and its other ones otherwise, onto `device`. It fails
    /// when the checkpoint cannot be read, or the architecture does not fit it.
    pub fn load(&self, device: &Device) -> anyhow::Result<ArchGenerator> {
        let source = open(&self.checkpoint)?;
        let whole = self.architecture(&source)?;
        let generator = self.generator(&source, &whole, device)?;
        let arch = self.up_to_stage(&whole)?;
        // Of a supernet, only the weights that the architecture uses matter.
        let used = generator.derive(&arch)?;
        used.params().check_finite().with_context(|| self.checkpoint.display().to_string())?;
        check_variances(&used).with_context(|| self.checkpoint.display().to_string())?;
        let own_supernet = source.config.is_some() && generator.arch().is_none();
        let recalibrate = self.recalibrate.unwrap_or(if own_supernet { RECALIBRATE } else { 0 });
        Ok(ArchGenerator { generator, arch, recalibrate, device: device.clone() })
    }

    /// The architecture that the arguments or the run name.
    fn architecture(&self, source: &Source) -> anyhow::Result<Arch> {
        let own = source.description.as_ref().map(|description| &description.arch);
        match (&self.arch, own.or(source.best.as_ref())) {
            (Some(words), _) => parse(words),
            (None, Some(arch)) => Ok(arch.clone()),
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

    fn generator(
        &self,
        source: &Source,
        arch: &Arch,
        device: &Device,
    ) -> anyhow::Result<Generator> {
        let prefix = find_generator(&source.archive)?;
        if let Some(Description { arch: own, .. }) = &source.description {
            ensure!(
                own == arch || is_supernet(&source.archive, &prefix),
                "--arch: this file says that it holds the network of {own}, found {arch}; leave --arch out"
            );
        }
        let mut rules = source.rules();
        if let Some(tap) = self.skip_tap {
            rules.skip_tap = match tap {
                TapArg::BeforeAdd => SkipTap::BeforeAdd,
                TapArg::AfterAdd => SkipTap::AfterAdd,
            };
        }
        Ok(read_generator(&source.archive, &prefix, Some(arch), rules, DType::F32, device)?)
    }
}

impl Source {
    /// The rules that the weights were trained with: the file's own, its run's, or the released code's.
    fn rules(&self) -> Rules {
        match (&self.description, &self.config) {
            (Some(description), _) => description.rules,
            (None, Some(config)) => {
                Rules { skip_tap: config.model.skip_tap, pre_order: config.model.pre_order }
            }
            (None, None) => Rules::RELEASED,
        }
    }
}

/// Opens a run's directory, one of its checkpoints, or a file of weights.
fn open(path: &Path) -> anyhow::Result<Source> {
    if path.is_dir() {
        let dir = RunDir::open(path)?;
        let loaded = dir.checkpoints().load_newest()?.context("the run has no checkpoint yet")?;
        for warning in &loaded.warnings {
            crate::terminal::warn(&warning.to_string());
        }
        return open(&loaded.path);
    }
    let archive = Archive::read_any(path)?;
    let config = match archive.metadata().get("config") {
        Some(text) => Some(SearchConfig::stored(text, "the checkpoint's configuration")?),
        None => None,
    };
    let description = Description::read(&archive)?;
    Ok(Source { archive, config, description, best: best_of_run(path)? })
}

/// The best architecture of the run that a checkpoint lies in, where it lies in one that has found any.
fn best_of_run(checkpoint: &Path) -> anyhow::Result<Option<Arch>> {
    let path = checkpoint.canonicalize()?;
    let Some(Ok(dir)) = path.parent().and_then(Path::parent).map(RunDir::open) else {
        return Ok(None);
    };
    let found = dir.arch()?.and_then(|file| file.top.into_iter().next());
    Ok(found.map(|found| found.arch))
}

impl ArchGenerator {
    /// Length of a latent.
    pub fn latent(&self) -> usize {
        self.generator.config().latent
    }

    /// `n` latents `[n, latent]`, on the CPU, that follow from `seed`; fewer are the first of more.
    pub fn latents(&self, n: usize, seed: u64) -> anyhow::Result<Tensor> {
        let length = self.latent();
        let z = Streams::new(seed).normal("latents.sample", 0, n * length);
        Ok(Tensor::from_vec(z, (n, length), &Device::Cpu)?)
    }

    /// Gives images `[n, 3, S, S]` in [-1, 1] of the latents `z` `[N, latent]`, batch by batch, to `each`; `seed`
    /// decides the latents of a recalibration. It fails when an operator or `each` fails.
    pub fn generate(
        &self,
        z: &Tensor,
        seed: u64,
        each: &mut dyn FnMut(Tensor) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let stats = self.statistics(seed)?;
        let mode = stats.as_ref().map_or(NormMode::Running, NormMode::Fixed);
        let n = z.dim(0)?;
        for start in (0..n).step_by(BATCH) {
            let part = z.narrow(0, start, BATCH.min(n - start))?.to_device(&self.device)?;
            let images = self.generator.forward_frozen(&part, &self.arch, mode)?;
            check_finite(&images, start)?;
            each(images)?;
        }
        Ok(())
    }

    /// The network of the architecture alone, with the batch-norm statistics that [`Self::generate`] uses. It fails
    /// when an operator fails, or the first images of the network are not finite.
    pub fn derived(&self, seed: u64) -> anyhow::Result<Generator> {
        let derived = self.generator.derive(&self.arch)?;
        if let Some(stats) = self.statistics(seed)? {
            stats.write_to(derived.params())?;
        }
        derived.params().check_finite().context("the recalibrated network")?;
        let z = self.latents(TRIED, seed)?.to_device(&self.device)?;
        check_finite(&derived.forward_frozen(&z, &self.arch, NormMode::Running)?, 0)?;
        Ok(derived)
    }

    /// Statistics recalibrated on latents that follow from `seed`; none where the stored ones are to be used.
    fn statistics(&self, seed: u64) -> anyhow::Result<Option<BatchNormStats>> {
        let (stats, length) = (BatchNormStats::new(), self.latent());
        for batch in 0..self.recalibrate {
            let z = Streams::new(seed).normal("recalibrate.sample", batch as u64, BATCH * length);
            let z = Tensor::from_vec(z, (BATCH, length), &self.device)?;
            self.generator.forward_frozen(&z, &self.arch, NormMode::Collect(&stats))?;
        }
        Ok((self.recalibrate > 0).then_some(stats))
    }
}

/// Checks that no stored variance is below 0, which gives images that are not finite.
fn check_variances(generator: &Generator) -> anyhow::Result<()> {
    for (name, tensor) in generator.params().state()? {
        if !name.ends_with("running_var") {
            continue;
        }
        let values = tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        if let Some(index) = values.iter().position(|&value| value < 0.0) {
            bail!(
                "the tensor `{name}` holds a variance below 0, {} at index {index}: the file is damaged, or another \
                 program changed it; take another checkpoint",
                values[index]
            );
        }
    }
    Ok(())
}

/// Checks that images `[n, 3, S, S]`, the first of which is number `first`, are finite: as bytes, others would be black.
fn check_finite(images: &Tensor, first: usize) -> anyhow::Result<()> {
    let sums = images.detach().abs()?.flatten_from(1)?.sum(1)?.to_vec1::<f32>()?;
    match sums.iter().position(|sum| !sum.is_finite()) {
        None => Ok(()),
        Some(index) => bail!(
            "image {} of the generator holds a value that is not finite: its weights are finite, but too large; take \
             an earlier checkpoint",
            first + index
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_image_that_is_not_finite_is_named() {
        let images = |bad: f32| {
            let mut values = vec![0.5f32; 4 * 3 * 2 * 2];
            values[2 * 12 + 5] = bad;
            Tensor::from_vec(values, (4, 3, 2, 2), &Device::Cpu).unwrap()
        };
        check_finite(&images(1.0), 0).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let text = check_finite(&images(bad), 64).unwrap_err().to_string();
            assert!(text.starts_with("image 66 of the generator"), "{text}");
        }
    }
}
