//! `autogan train-scorer` trains the compact scorer, a classifier that scores images of a dataset.

use std::path::PathBuf;

use anyhow::{Context, bail};
use autogan_config::Configuration;
use autogan_data::{LoadOptions, Split, load};
use autogan_search::scorer::{ScorerConfig, ScorerEvent, train_scorer};

use crate::device;
use crate::terminal::bar;

/// Train the compact classifier that scores images.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Dataset: shapes or cifar10
    dataset: String,
    /// Directory of the dataset's files
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Weights to write, safetensors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Epochs; the dataset's default without it
    #[arg(long)]
    epochs: Option<usize>,
    /// What every random draw follows from
    #[arg(long)]
    seed: Option<u64>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
}

/// Carries the command out. It fails when the images cannot be read, training diverges, or the file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let device = device::open(&args.device)?;
    let mut config = match args.dataset.as_str() {
        dataset @ ("shapes" | "cifar10") => {
            ScorerConfig::preset(&format!("compact-{dataset}"), &[])?
        }
        other => bail!("expected the dataset shapes or cifar10, found {other}"),
    };
    config.epochs = args.epochs.unwrap_or(config.epochs);
    config.seed = args.seed.unwrap_or(config.seed);
    let images = |split| {
        let mut options = LoadOptions::new(split);
        options.dir.clone_from(&args.data);
        options.side = Some(32);
        options.hub = crate::hub::open(args.offline, false);
        load(&args.dataset, &options)
            .with_context(|| format!("cannot load the dataset {}", args.dataset))
    };
    let (train, test) = (images(Split::Train)?, images(Split::Test)?);
    let template = "{prefix:12} {bar:30} {pos}/{len} steps {per_sec} left {eta} {msg}";
    let bar = bar(0, template, false);
    let trained = train_scorer(&config, &train, &test, &device, &mut |event| match event {
        ScorerEvent::Step { step, steps, loss } => {
            bar.set_length(steps as u64);
            bar.set_position(step as u64);
            bar.set_message(format!("loss {loss:.3}"));
        }
        ScorerEvent::Epoch { epoch, epochs, loss, test_accuracy } => {
            let line = format!(
                "epoch {epoch}/{epochs}: loss {loss:.4}, test accuracy {:.2} %",
                100.0 * test_accuracy
            );
            if bar.is_hidden() { eprintln!("{line}") } else { bar.println(line) }
        }
    })?;
    bar.finish_and_clear();
    trained.archive.write_safetensors(&args.out)?;
    println!(
        "test accuracy {:.2} %, weights in {}",
        100.0 * trained.test_accuracy,
        args.out.display()
    );
    Ok(())
}
