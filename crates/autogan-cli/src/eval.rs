//! `autogan eval` scores the images of a checkpoint's generator, and names each score after its protocol.

use anyhow::ensure;
use autogan_metrics::io::ImageSource;
use autogan_search::to_u8;
use clap::ArgGroup;
use serde_json::json;

use crate::generator::{ArchGenerator, GeneratorArgs};
use crate::score::{Comparisons, Names, Options, Report, Sets};

/// Score what a checkpoint's generator makes.
///
/// The averaged generator runs in evaluation mode on N latents; its images are cut to 8 bits as the released code does
/// it, and are those of `autogan sample` with the same seed. The Inception Score is always made, FID with --ref.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("against")
    .args(["kid", "prc", "density", "sfid", "mmd", "mind"]).multiple(true).requires("reference"))]
pub struct Args {
    #[command(flatten)]
    generator: GeneratorArgs,
    /// How many images
    #[arg(short, value_name = "N", default_value_t = 50_000)]
    n: usize,
    /// Real images to compare with, or their statistics, as for `autogan score`; gives FID
    #[arg(long = "ref", value_name = "SET")]
    reference: Option<String>,
    #[command(flatten)]
    comparisons: Comparisons,
    /// What the latents follow from
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    latent_seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

/// Carries the command out. It fails when the checkpoint cannot be read, the architecture does not fit it, the
/// reference cannot be read or follows another protocol, or the extractor's weights cannot be had.
pub fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(args.n >= 2, "-n: expected 2 or more, found {}", args.n);
    ensure!(
        args.n >= args.options.splits(),
        "-n: expected at least one image for each of the {} splits, found {}",
        args.options.splits(),
        args.n
    );
    let wanted = args.comparisons;
    let spatial = wanted.sfid.then(|| args.options.spatial()).transpose()?;
    let generator = args.generator.load(&args.options.device()?)?;
    let mut sets = Sets::new(&args.options);
    sets.load_extractor()?;
    let reference = args.reference.as_deref().map(|input| sets.open(&[input])).transpose()?;
    let reference = reference.and_then(|mut sets| sets.pop());
    let images = images(args, &generator)?;
    let generated = sets.made(&images)?;
    let names = Names::protocol(&args.options, args.n, args.reference.as_deref());
    let mut report = Report::new(&args.options, generated.protocol(), names);
    report.note("checkpoint", json!(args.generator.checkpoint.display().to_string()));
    report.note("arch", json!(generator.arch.to_released()));
    report.note("latent_seed", json!(args.latent_seed));
    report.count(&generated, reference.as_ref());
    report.inception_score(&generated)?;
    if let Some(reference) = &reference {
        report.compare(&generated, reference, true, wanted)?;
    }
    if let (Some(options), Some(input)) = (&spatial, args.reference.as_deref()) {
        let mut sets = Sets::new(options);
        sets.load_extractor()?;
        if let [reference] = &sets.open(&[input])?[..] {
            report.spatial(&sets.made(&images)?, reference)?;
        }
    }
    report.print(args.json)
}

/// The generator's images, u8, in memory.
fn images(args: &Args, generator: &ArchGenerator) -> anyhow::Result<ImageSource> {
    let label = args.generator.checkpoint.display().to_string();
    let template = "generating {bar:30} {pos}/{len} images {per_sec} left {eta}";
    let bar = args.options.bar(args.n, template);
    let z = generator.latents(args.n, args.latent_seed)?;
    let (mut pixels, mut side) = (Vec::new(), 0);
    generator.generate(&z, args.latent_seed, &mut |images| {
        let (n, _, height, _) = images.dims4()?;
        side = height;
        pixels.extend(to_u8(&images)?.flatten_all()?.to_vec1::<u8>()?);
        bar.inc(n as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(ImageSource::from_pixels(&label, side, pixels)?)
}
