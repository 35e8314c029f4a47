//! `autogan bench inception` measures features and logits of 32x32 images under the preset `torch-fidelity`.

use std::time::Instant;

use autogan_metrics::extract_batched;
use autogan_metrics::inception::{InceptionV3, Preset, Tap};
use autogan_search::Streams;
use candle_core::{Device, Tensor};
use rand::RngExt;
use serde_json::json;

use crate::device;

use super::{at_least_one, median, peak_mib, print, synthetic};

/// Measure Inception-v3.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Images to run through the network
    #[arg(long, value_name = "N", default_value_t = 200)]
    images: usize,
    /// Images that go through it together
    #[arg(long, value_name = "N", default_value_t = 50)]
    batch: usize,
    /// Times to do it, after one batch that is not timed; the median counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Side of the images.
const SIDE: usize = 32;

/// Carries the command out. It fails when a count is zero or an operator fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    at_least_one("--images", args.images)?;
    at_least_one("--batch", args.batch)?;
    at_least_one("--repeat", args.repeat)?;
    let device = device::open(&args.device)?;
    let weights = synthetic::inception()?;
    let network = InceptionV3::from_archive(&weights, Preset::TorchFidelity, Tap::D2048, &device)?;
    drop(weights);
    let mut rng = Streams::new(0).rng("bench.images", 0);
    let pixels: Vec<u8> = (0..args.images * 3 * SIDE * SIDE).map(|_| rng.random()).collect();
    let images = Tensor::from_vec(pixels, (args.images, 3, SIDE, SIDE), &Device::Cpu)?;
    let warm = images.narrow(0, 0, args.batch.min(args.images))?;
    extract_batched(&network, &warm, args.batch)?;
    device.synchronize()?;
    let mut seconds = Vec::with_capacity(args.repeat);
    for _ in 0..args.repeat {
        let begun = Instant::now();
        std::hint::black_box(extract_batched(&network, &images, args.batch)?);
        device.synchronize()?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let images_per_s = args.images as f64 / median(&seconds);
    let value = json!({
        "images_per_s": images_per_s,
        "seconds": median(&seconds),
        "each_s": seconds,
        "peak_mib": peak_mib(),
        "images": args.images,
        "batch": args.batch,
        "device": device::describe(&device),
        "threads": rayon::current_num_threads(),
    });
    let sentence = format!("{images_per_s:.2} images/s, {} images of 32x32", args.images);
    print(args.json, &value, &sentence);
    Ok(())
}
