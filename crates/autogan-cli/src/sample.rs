//! `autogan sample` makes images from a checkpoint and saves them as a grid, as single files, or as tensors.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use autogan_run::Picture;
use autogan_run::samples::GridLayout;
use autogan_search::to_u8;
use autogan_weights::Archive;
use candle_core::{DType, Tensor};

use crate::device;
use crate::generator::{ArchGenerator, GeneratorArgs};
use crate::interpolate::between_pairs;

/// Generate images from a checkpoint.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    generator: GeneratorArgs,
    /// How many images; with --interpolate how many rows (64, or 8 rows)
    #[arg(short)]
    n: Option<usize>,
    /// Rows that go from one latent to another in so many images
    #[arg(long, value_name = "STEPS")]
    interpolate: Option<usize>,
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
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

/// Carries the command out. It fails when the checkpoint cannot be read, the architecture does not fit it, or a file
/// cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = [&args.out, &args.out_dir, &args.tensor_out];
    ensure!(
        wanted.iter().any(|w| w.is_some()),
        "nothing to write: give --out, --out-dir or --tensor-out"
    );
    ensure!(args.n != Some(0), "-n: expected 1 or more, found 0");
    for path in [&args.out, &args.tensor_out].into_iter().flatten() {
        autogan_files::atomic::probe(path)?;
    }
    let generator = args.generator.load(&device::open(&args.device)?)?;
    let mut z = latents(args, &generator)?;
    if let Some(steps) = args.interpolate {
        z = between_pairs(&z, steps)?;
    }
    let mut parts = Vec::new();
    generator.generate(&z, args.seed, &mut |images| {
        parts.push(images);
        Ok(())
    })?;
    write(args, &Tensor::cat(&parts, 0)?)
}

fn latents(args: &Args, generator: &ArchGenerator) -> anyhow::Result<Tensor> {
    let Some(path) = &args.latents else {
        let n = match args.interpolate {
            None => args.n.unwrap_or(64),
            // A row has a beginning and an end.
            Some(_) => 2 * args.n.unwrap_or(8),
        };
        return generator.latents(n, args.seed);
    };
    let length = generator.latent();
    let archive = Archive::read_safetensors(path)?;
    let z = archive.require("z").with_context(|| path.display().to_string())?;
    let z = z.to_dtype(DType::F32)?;
    match z.dims() {
        [n, found] if *found == length && *n > 0 => {}
        found => bail!("{}: expected z as [N, {length}], found {found:?}", path.display()),
    }
    let values = z.flatten_all()?.to_vec1::<f32>()?;
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let (latent, value) = (index / length, values[index]);
        bail!("{}: expected finite latents, found {value} in latent {latent}", path.display());
    }
    Ok(z)
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
        let square = GridLayout::square(n, h);
        let columns = args.interpolate.unwrap_or(square.columns);
        let layout = GridLayout { columns, ..square };
        Picture::grid(&pixels, [n, 3, h, w], layout)?.write_png(path)?;
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
