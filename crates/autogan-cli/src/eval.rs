//! `autogan eval` scores the images of a checkpoint's generator, and names each score after its protocol.

use std::process::ExitCode;

use anyhow::ensure;
use autogan_metrics::io::ImageSource;
use autogan_search::to_u8;
use serde_json::json;

use crate::generator::{ArchGenerator, GeneratorArgs};
use crate::score::{Names, Options, Outline, Plan, Report, Sets, Wanted};

/// Score what a checkpoint's generator makes.
///
/// The averaged generator runs in evaluation mode on N latents; its images are cut to 8 bits as the released code does
/// it, and are those of `autogan sample` with the same seed. The Inception Score is always made, FID with --ref.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    generator: GeneratorArgs,
    /// How many images
    #[arg(short, value_name = "N", default_value_t = 50_000)]
    n: usize,
    /// Real images to compare with, or their statistics, as for `autogan score`; gives FID
    #[arg(long = "ref", value_name = "SET")]
    reference: Option<String>,
    /// Kernel distance too
    #[arg(long, requires = "reference")]
    kid: bool,
    /// Precision and recall too
    #[arg(long, requires = "reference")]
    prc: bool,
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
    let generator = args.generator.load(&args.options.device()?)?;
    let mut sets = Sets::new(&args.options);
    sets.load_extractor()?;
    let looked = args.reference.as_deref().map(|input| sets.look(&[input])).transpose()?;
    let reference = looked.and_then(|mut looked| looked.pop());
    let two = reference.is_some();
    let wanted = Wanted { inception_score: true, fid: two, kid: args.kid, prc: args.prc };
    let label = args.generator.checkpoint.display().to_string();
    let made = Outline::to_be_made(&label, args.n);
    let plan = Plan::new(&args.options, wanted, made, reference.as_ref().map(Outline::of));
    plan.announce()?;
    let reference = reference.map(|input| sets.read(input)).transpose()?;
    let generated = sets.made(&images(args, &generator)?)?;
    let names = Names::protocol(&args.options, args.n, args.reference.as_deref());
    let mut report = Report::new(&args.options, generated.protocol(), names);
    report.note("checkpoint", json!(args.generator.checkpoint.display().to_string()));
    report.note("arch", json!(generator.arch.to_released()));
    report.note("latent_seed", json!(args.latent_seed));
    report.count(&generated, reference.as_ref());
    if plan.wanted.inception_score {
        report.inception_score(&generated)?;
    }
    if let Some(reference) = &reference {
        report.compare(&generated, reference, plan.wanted)?;
    }
    report.finish(&plan, args.json)
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
