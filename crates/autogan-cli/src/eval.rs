//! `autogan eval` scores the images of a checkpoint's generator, and names each score after its protocol.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use autogan_metrics::io::ImageSource;
use autogan_search::to_u8;
use clap::ArgGroup;
use serde_json::json;

use crate::generator::{ArchGenerator, GeneratorArgs};
use crate::score::{Comparisons, Names, Options, Outline, Passes, Report, Wanted};

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
/// reference cannot be read or follows another protocol, or the extractor's weights cannot be had. The code is 1 when
/// some of the scores could not be computed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(args.n >= 2, "-n: expected 2 or more, found {}", args.n);
    args.options.check()?;
    let comparisons = args.comparisons;
    let spatial = comparisons.sfid.then(|| args.options.spatial()).transpose()?;
    let generator = args.generator.load(&args.options.device()?)?;
    let inputs: Vec<&str> = args.reference.as_deref().into_iter().collect();
    // Without classes there is none, and nobody has asked for it.
    let inception_score = args.options.without_classes().is_none();
    let wanted = Wanted { inception_score, fid: !inputs.is_empty(), comparisons };
    let label = args.generator.checkpoint.display().to_string();
    let made = Outline::to_be_made(&label, args.n);
    let passes = Passes::look(&args.options, spatial.as_ref(), wanted, &inputs, Some(made))?;
    let plan = passes.plan();
    plan.announce()?;
    let (mut report, mut made) = (None, None);
    for (mut pass, wanted) in passes.needed(&plan)? {
        let reference = pass.read()?.pop();
        let source = match made.take() {
            Some(source) => source,
            None => images(args, &generator)?,
        };
        let generated = pass.sets.made(&source)?;
        made = Some(source);
        let reference = reference.as_ref();
        let report = report.get_or_insert_with(|| {
            let names = Names::protocol(&args.options, args.n, args.reference.as_deref());
            let mut report = Report::new(&args.options, generated.protocol(), names);
            report.note("checkpoint", json!(label));
            report.note("arch", json!(generator.arch.to_released()));
            report.note("latent_seed", json!(args.latent_seed));
            report.count(&generated, reference);
            report
        });
        report.scores(&generated, reference, wanted)?;
    }
    report.context("one score is computed at least")?.finish(&plan, args.json)
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
