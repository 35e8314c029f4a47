//! `autogan score` computes the Inception Score, FID, KID, precision and recall of images, and their kin.

mod compare;
mod extractor;
mod looked;
mod named;
mod names;
mod passes;
mod pipe;
mod plan;
mod protocol;
mod report;
mod sets;
mod settings;
mod stats;

pub use names::Names;
pub use passes::Passes;
pub use plan::{Outline, Wanted};
pub use report::Report;
pub use sets::EXTRACTING;
pub use settings::{Comparisons, Settings};

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use autogan_metrics::inception::{Preset, Tap};
use autogan_metrics::{WeightSource, scorer_spec};
use candle_core::Device;
use indicatif::ProgressBar;

use self::pipe::PipeArgs;
use crate::device;
use crate::terminal::bar;

/// Score images: FID of two sets, or the metrics that are asked for.
///
/// GEN is what is judged and REF the real images: precision is the share of GEN inside REF, recall the share of REF
/// inside GEN. (torch-fidelity takes its first input for the real one; FID and KID are the same either way.)
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Images to score: a directory, a .zip, an .npz (images, statistics or both), an .npy, a CIFAR-10 .bin, a dataset
    /// such as cifar10-train, stats:NAME, hub:OWNER/NAME/FILE.npz, or - for raw pixels from a pipe (--raw)
    #[arg(value_name = "GEN")]
    generated: Option<String>,
    /// Real images to compare with, or their statistics
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// GEN, under torch-fidelity's name
    #[arg(long, value_name = "GEN", conflicts_with = "generated")]
    input1: Option<String>,
    /// REF, under torch-fidelity's name; with --prc the real images
    #[arg(long, value_name = "REF", conflicts_with = "reference")]
    input2: Option<String>,
    /// Inception Score of GEN
    #[arg(long = "is", visible_alias = "isc")]
    inception_score: bool,
    /// Fréchet distance of GEN and REF over any extractor's features; the default with two inputs
    #[arg(long, visible_alias = "fd")]
    fid: bool,
    #[command(flatten)]
    comparisons: Comparisons,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep mean and covariance of images: as a file that pytorch-fid reads, or under a name; list the names.
    Stats(stats::Args),
}

/// What all forms of the command share.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Network that sees the images
    #[arg(long, default_value = extractor::INCEPTION, value_parser = extractor::names())]
    extractor: String,
    /// Protocol: torch-fidelity, pytorch-fid or clean [default: torch-fidelity]
    #[arg(long)]
    preset: Option<Preset>,
    /// The extractor's weights from this file (safetensors, or as PyTorch writes it), not from the hub
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Repository on the hub that holds the extractor's weights, in place of the known one
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "weights")]
    weights_repo: Option<String>,
    /// Revision of that repository
    #[arg(long, value_name = "COMMIT", requires = "weights_repo")]
    revision: Option<String>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
    /// Where scorers compute, and for eval the generator: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Images that go through the network together
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Threads that decode images; all cores without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    num_workers: Option<u32>,
    #[command(flatten)]
    pipe: PipeArgs,
    /// Read sub-directories too
    #[arg(long)]
    recursive: bool,
    /// Extensions to read, such as png,jpg; all that can be decoded without it
    #[arg(long, value_name = "EXT", value_delimiter = ',')]
    ext: Option<Vec<String>>,
    /// Drop alpha channels in place of refusing them
    #[arg(long)]
    drop_alpha: bool,
    /// Resize the shorter side of each image to this and cut out the middle square
    #[arg(long, value_name = "SIDE", value_parser = clap::value_parser!(u32).range(1..=16384))]
    resize_and_crop: Option<u32>,
    /// Directory of a dataset's files
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Inception features: 64, 192, 768, 2048, or spatial, those of sFID [default: 2048]
    #[arg(long, value_parser = tap)]
    dims: Option<Tap>,
    /// Splits of the Inception Score
    #[arg(long, default_value_t = 10)]
    splits: usize,
    /// Seed of the Inception Score's shuffle, of KID's subsets, MIND's projections and the halves of intervals
    #[arg(long, default_value_t = 2020)]
    seed: u32,
    /// Take the images in their order for the Inception Score
    #[arg(long)]
    no_shuffle: bool,
    #[command(flatten)]
    settings: Settings,
    /// Where features are kept; the user's cache without it
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Keep no features
    #[arg(long, conflicts_with = "cache_dir")]
    no_cache: bool,
    /// No bars and no warnings
    #[arg(long)]
    silent: bool,
}

fn tap(text: &str) -> Result<Tap, autogan_metrics::Error> {
    text.parse()
}

impl Options {
    /// The device that is asked for. It fails as [`device::open`] does.
    pub fn device(&self) -> anyhow::Result<Device> {
        device::open(&self.device)
    }

    /// The same options for the spatial features of sFID. It fails for another extractor than Inception.
    pub fn spatial(&self) -> anyhow::Result<Self> {
        ensure!(
            self.extractor == extractor::INCEPTION,
            "--sfid: expected --extractor {}, whose spatial features it takes, found {}",
            extractor::INCEPTION,
            self.extractor
        );
        Ok(Self { dims: Some(Tap::Spatial), ..self.clone() })
    }

    /// Why the extractor has no Inception Score, where it has none.
    pub fn without_classes(&self) -> Option<String> {
        if self.is_spatial() {
            return Some(plan::NO_CLASSES.to_owned());
        }
        let spec = scorer_spec(&self.extractor).ok()?;
        (!spec.has_classes).then(|| {
            format!(
                "the Inception Score needs classes, and {} has none: leave out --is, or take another --extractor",
                self.extractor
            )
        })
    }

    /// Whether the features are those of sFID.
    fn is_spatial(&self) -> bool {
        self.extractor == extractor::INCEPTION && self.dims == Some(Tap::Spatial)
    }

    /// A progress bar of `length` steps, hidden where nothing is to be shown.
    pub fn bar(&self, length: usize, template: &str) -> ProgressBar {
        bar(length, template, self.silent)
    }

    /// Says something that a careful reader of the scores must know.
    fn warn(&self, text: &str) {
        if !self.silent {
            crate::terminal::warn(text);
        }
    }

    /// Says what is worth knowing.
    fn note(&self, text: &str) {
        if !(self.silent || crate::terminal::quiet()) {
            crate::terminal::note(text);
        }
    }

    /// Refuses settings that no score can have, and options that the extractor would pass over.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.splits > 0, "--splits: expected at least 1, found 0");
        self.settings.check()?;
        self.pipe.check()?;
        let source = scorer_spec(&self.extractor)?.source();
        let inception = self.extractor == extractor::INCEPTION;
        let has_file = source.is_some();
        let on_hub = source.is_some_and(WeightSource::is_on_hub);
        let unused = [
            ("--preset", self.preset.is_some(), inception, "--extractor inception"),
            ("--dims", self.dims.is_some(), inception, "--extractor inception"),
            ("--weights", self.weights.is_some(), has_file, "an extractor with weights in a file"),
            (
                "--weights-repo",
                self.weights_repo.is_some(),
                on_hub,
                "an extractor with weights on the hub",
            ),
        ];
        let unused = unused.iter().find(|(_, given, used, _)| *given && !used);
        match unused {
            None => Ok(()),
            Some((option, _, _, for_which)) => bail!(
                "{option} is for {for_which}, and {} has no such choice: leave one of the two out",
                self.extractor
            ),
        }
    }

    /// How images are resized and scaled.
    fn preset(&self) -> Preset {
        self.preset.unwrap_or(Preset::TorchFidelity)
    }
}

/// Carries the command out. It fails when an input cannot be read, when no score that is asked for can be computed,
/// when weights cannot be had, or protocols are mixed. The code is 1 when some of the scores could not be computed.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Stats(stats)) = &args.command {
        return stats::run(stats).map(|()| ExitCode::SUCCESS);
    }
    args.options.check()?;
    let first = args.generated.as_ref().or(args.input1.as_ref());
    let second = args.reference.as_ref().or(args.input2.as_ref());
    let first = first.context("nothing to score: give GEN, or --input1 GEN")?;
    let comparisons = args.comparisons;
    let fid = args.fid || !(args.inception_score || comparisons.any());
    let wanted = Wanted { inception_score: args.inception_score, fid, comparisons };
    let two = wanted.compares();
    if two && second.is_none() {
        bail!(
            "all scores but the Inception Score compare two sets: give REF too, or ask for --is only"
        );
    }
    let spatial = comparisons.sfid.then(|| args.options.spatial()).transpose()?;
    let inputs: Vec<&str> =
        std::iter::once(first).chain(second.filter(|_| two)).map(String::as_str).collect();
    let passes = Passes::look(&args.options, spatial.as_ref(), wanted, &inputs, None)?;
    let mut plan = passes.plan();
    plan.announce()?;
    let mut report = None;
    for (mut pass, wanted) in passes.needed(&plan)? {
        let mut read = pass.read()?;
        let wanted = plan.recount(&args.options, wanted, &read);
        let reference = (read.len() > 1).then(|| read.pop()).flatten();
        let generated = read.pop().context("one set is read for each input")?;
        let reference = reference.as_ref();
        let report = report.get_or_insert_with(|| {
            let protocol = generated.protocol().or_else(|| reference?.protocol());
            let names = Names::torch_fidelity(&args.options, protocol.map(|(name, _)| name));
            let mut report = Report::new(&args.options, protocol, names);
            report.count(&generated, reference);
            report
        });
        report.scores(&generated, reference, wanted)?;
    }
    report.context("one score is computed at least")?.finish(&plan, args.json)
}
