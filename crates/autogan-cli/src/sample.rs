//! `autogan sample`: images from a checkpoint, as a grid, as single files, or as tensors.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use autogan_nn::checkpoint::{generator_prefixes, read_generator};
use autogan_nn::{BatchNormStats, Generator, NormMode, Rules, SkipTap};
use autogan_run::samples::GridLayout;
use autogan_run::{Picture, RunDir};
use autogan_search::{SearchConfig, Streams, to_u8};
use autogan_space::Arch;
use autogan_weights::Archive;
use candle_core::{DType, Device, Tensor};

use crate::arch_arg::parse;

/// Generate images from a checkpoint.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run's directory, one of its checkpoints, or a released .pth or .safetensors file
    checkpoint: PathBuf,
    /// Released vector, named form, published name, file, RUN or RUN:RANK; the best of the checkpoint's run without it
    #[arg(long, num_args = 1.., value_name = "VECTOR")]
    arch: Option<Vec<String>>,
    /// Last cell to run, from 0; the architecture's last without it
    #[arg(long, value_name = "S")]
    stage: Option<usize>,
    /// How many images
    #[arg(short, default_value_t = 64)]
    n: usize,
    /// Grid to write, PNG
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Directory for single images, PNG
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Latents to use, safetensors with the key z [N, latent]
    #[arg(long, value_name = "FILE")]
    latents: Option<PathBuf>,
    /// Images as safetensors with the key images [N, 3, H, W] in [-1, 1]
    #[arg(long, value_name = "FILE")]
    tensor_out: Option<PathBuf>,
    /// What the latents follow from
    #[arg(long, default_value_t = 0)]
    seed: u64,
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

/// Carries the command out.
///
/// # Errors
/// When the checkpoint cannot be read, the architecture does not fit it, or a file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = [&args.out, &args.out_dir, &args.tensor_out];
    ensure!(
        wanted.iter().any(|w| w.is_some()),
        "nothing to write: give --out, --out-dir or --tensor-out"
    );
    ensure!(args.n > 0, "-n: expected 1 or more, found 0");
    let source = open(&args.checkpoint)?;
    let whole = architecture(args, &source)?;
    let generator = generator(args, &source, &whole)?;
    let part = up_to_stage(&whole, args.stage)?;
    let z = latents(args, &generator)?;
    let images = generate(args, &source, &generator, &part, &z)?;
    write(args, &images)
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

/// The architecture that the arguments or the run name.
fn architecture(args: &Args, source: &Source) -> anyhow::Result<Arch> {
    match (&args.arch, &source.best) {
        (Some(words), _) => parse(words),
        (None, Some(best)) => Ok(best.clone()),
        (None, None) => {
            bail!("--arch: this checkpoint does not say which architecture to use; give one")
        }
    }
}

/// The cells of an architecture up to the stage that is asked for.
fn up_to_stage(arch: &Arch, stage: Option<usize>) -> anyhow::Result<Arch> {
    match stage {
        None => Ok(arch.clone()),
        Some(stage) if stage <= arch.stage() => Ok(arch.prefix(stage + 1)),
        Some(stage) => bail!(
            "--stage: expected at most {}, the architecture's last, found {stage}",
            arch.stage()
        ),
    }
}

fn generator(args: &Args, source: &Source, arch: &Arch) -> anyhow::Result<Generator> {
    let prefixes = generator_prefixes(&source.archive);
    let prefix = prefixes
        .first()
        .context("the file holds no generator: there is no l1.weight beside to_rgb.2.weight")?;
    let mut rules = source.config.as_ref().map_or(Rules::RELEASED, |config| Rules {
        skip_tap: config.model.skip_tap,
        pre_order: config.model.pre_order,
    });
    if let Some(tap) = args.skip_tap {
        rules.skip_tap = match tap {
            TapArg::BeforeAdd => SkipTap::BeforeAdd,
            TapArg::AfterAdd => SkipTap::AfterAdd,
        };
    }
    Ok(read_generator(&source.archive, prefix, Some(arch), rules, DType::F32, &Device::Cpu)?)
}

fn latents(args: &Args, generator: &Generator) -> anyhow::Result<Tensor> {
    let length = generator.config().latent;
    let Some(path) = &args.latents else {
        let z = Streams::new(args.seed).normal("latents.sample", 0, args.n * length);
        return Ok(Tensor::from_vec(z, (args.n, length), &Device::Cpu)?);
    };
    let z = Archive::read_safetensors(path)?.require("z")?.to_dtype(DType::F32)?;
    match z.dims() {
        [n, found] if *found == length && *n > 0 => Ok(z),
        found => bail!("{}: expected z as [N, {length}], found {found:?}", path.display()),
    }
}

/// Images `[N, 3, S, S]` in [-1, 1], in batches.
fn generate(
    args: &Args,
    source: &Source,
    generator: &Generator,
    arch: &Arch,
    z: &Tensor,
) -> anyhow::Result<Tensor> {
    let own_supernet = source.config.is_some() && generator.arch().is_none();
    let batches = args.recalibrate.unwrap_or(if own_supernet { 20 } else { 0 });
    let stats = BatchNormStats::new();
    let length = generator.config().latent;
    for batch in 0..batches {
        let z = Streams::new(args.seed).normal("recalibrate.sample", batch as u64, 64 * length);
        let z = Tensor::from_vec(z, (64, length), &Device::Cpu)?;
        generator.forward_frozen(&z, arch, NormMode::Collect(&stats))?;
    }
    let mode = if batches == 0 { NormMode::Running } else { NormMode::Fixed(&stats) };
    let n = z.dim(0)?;
    let parts = (0..n)
        .step_by(64)
        .map(|start| {
            Ok(generator.forward_frozen(&z.narrow(0, start, 64.min(n - start))?, arch, mode)?)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Tensor::cat(&parts, 0)?)
}

fn write(args: &Args, images: &Tensor) -> anyhow::Result<()> {
    let (n, _, h, w) = images.dims4()?;
    if let Some(path) = &args.tensor_out {
        let mut archive = Archive::new();
        archive.insert("images", images.clone());
        archive.write_safetensors(path)?;
        println!("{n} images as tensors in {}", path.display());
    }
    let pixels = to_u8(images)?.flatten_all()?.to_vec1::<u8>()?;
    if let Some(path) = &args.out {
        Picture::grid(&pixels, [n, 3, h, w], GridLayout::square(n, h))?.write_png(path)?;
        println!("{n} images in {}", path.display());
    }
    if let Some(dir) = &args.out_dir {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
        for (i, image) in pixels.chunks_exact(3 * h * w).enumerate() {
            Picture::from_chw(image, h, w)?.write_png(&dir.join(format!("{i:05}.png")))?;
        }
        println!("{n} images in {}", dir.display());
    }
    Ok(())
}
