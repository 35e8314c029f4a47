//! `autogan export` writes the generator of one architecture from a checkpoint to a file for other programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use autogan_nn::checkpoint::{Names, save};
use autogan_nn::{Description, Generator};
use autogan_weights::{Archive, sha256_file};
use candle_core::Device;

use crate::generator::GeneratorArgs;

/// Write a checkpoint's generator to a file: ONNX, safetensors or .pth.
///
/// The file holds the averaged generator alone, with the parts that its architecture uses; it also holds
/// the architecture and where skips start, so that `autogan sample` and `autogan eval` need no more arguments.
/// The ONNX model takes z [N, latent] and gives images [N, 3, H, W] in [-1, 1].
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    generator: GeneratorArgs,
    /// ONNX model to write
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Safetensors file to write
    #[arg(long, value_name = "FILE")]
    safetensors: Option<PathBuf>,
    /// PyTorch state dict to write
    #[arg(long, value_name = "FILE")]
    pth: Option<PathBuf>,
    /// Names of the tensors in safetensors and .pth
    #[arg(long, value_enum, default_value_t = NamesArg::Supernet)]
    names: NamesArg,
    /// What the latents of a recalibration follow from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

/// Names of tensors.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum NamesArg {
    /// Those of the released supernet, which are ours: cell1.pre_conv1.conv.weight
    Supernet,
    /// Those of the released derived models: cell1.c1.weight
    Derived,
}

/// Carries the command out. It fails when the checkpoint cannot be read, the architecture does not fit it, or a file
/// exists or cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let outputs = [&args.onnx, &args.safetensors, &args.pth];
    ensure!(
        outputs.iter().any(|output| output.is_some()),
        "nothing to write: give --onnx, --safetensors or --pth"
    );
    for path in outputs.into_iter().flatten() {
        ensure!(
            args.force || !path.exists(),
            "{} exists already: --force replaces it",
            path.display()
        );
        autogan_files::atomic::probe(path)?;
    }
    let loaded = args.generator.load(&Device::Cpu)?;
    let generator = loaded.derived(args.seed)?;
    if let Some(path) = &args.onnx {
        let bytes = autogan_onnx::export(&generator, &loaded.arch)?;
        autogan_files::atomic::write(path, &bytes)?;
        say(&generator, path);
    }
    if args.safetensors.is_none() && args.pth.is_none() {
        return Ok(());
    }
    let archive = archive(
        args,
        &generator,
        Description { arch: loaded.arch.clone(), rules: generator.config().rules },
    )?;
    if let Some(path) = &args.safetensors {
        archive.write_safetensors(path).context("nothing was written")?;
        say(&generator, path);
    }
    if let Some(path) = &args.pth {
        archive.write_pth(path).context("nothing was written")?;
        say(&generator, path);
    }
    Ok(())
}

/// The generator's tensors with what is to be known of them.
fn archive(
    args: &Args,
    generator: &Generator,
    description: Description,
) -> anyhow::Result<Archive> {
    let names = match args.names {
        NamesArg::Supernet => Names::Supernet,
        NamesArg::Derived => Names::ReleasedDerived,
    };
    let mut archive = Archive::new();
    save(generator.params(), &mut archive, "", names)?;
    description.write_to(&mut archive);
    archive.set_metadata("format", "pt");
    // A run's directory is no file; its checkpoint says more than its hash would.
    let source = &args.generator.checkpoint;
    if source.is_file() {
        archive.set_metadata("source_sha256", sha256_file(source)?);
    }
    if let Some(name) = source.file_name() {
        archive.set_metadata("source_name", name.to_string_lossy());
    }
    Ok(archive)
}

fn say(generator: &Generator, path: &Path) {
    println!("generator of {} parameters in {}", generator.params().count(), path.display());
}
