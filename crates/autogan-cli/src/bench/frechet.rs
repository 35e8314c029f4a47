//! `autogan bench frechet` measures the time of the Fréchet distance of two covariances of full rank.
//!
//! Feature i of a sample is a standard normal value times exp(−i/300), so the spectrum falls as that of real features
//! does. The mean of feature i is shifted by exp(−i/300)/10 in the second set.

use std::time::Instant;

use anyhow::ensure;
use autogan_metrics::{GaussianStats, Matrix, Statistics, frechet_distance};
use autogan_search::Streams;
use serde_json::json;

use super::{at_least_one, median, peak_mib, print};

/// Measure the Fréchet distance.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Features
    #[arg(long, value_name = "D", default_value_t = 2048)]
    dim: usize,
    /// Samples in each set, more than features
    #[arg(long, value_name = "N", default_value_t = 5000)]
    samples: usize,
    /// Times to do it; the median counts
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Carries the command out. It fails when a count is zero, the covariances would be singular, or a decomposition fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    at_least_one("--dim", args.dim)?;
    at_least_one("--repeat", args.repeat)?;
    ensure!(
        args.samples > args.dim,
        "--samples: expected more than {}, the features, found {}: the covariances must have full rank",
        args.dim,
        args.samples
    );
    let (first, second) = (statistics(args, 0)?, statistics(args, 1)?);
    let mut seconds = Vec::with_capacity(args.repeat);
    let mut distance = 0.0;
    for _ in 0..args.repeat {
        let begun = Instant::now();
        distance = frechet_distance(&first, &second)?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let value = json!({
        "seconds": median(&seconds),
        "each_s": seconds,
        "distance": distance,
        "peak_mib": peak_mib(),
        "dim": args.dim,
        "samples": args.samples,
        "threads": rayon::current_num_threads(),
    });
    let sentence =
        format!("{:.3} s for the distance {distance:.6}, {} features", median(&seconds), args.dim);
    print(args.json, &value, &sentence);
    Ok(())
}

/// Mean and covariance of set 0 or 1.
fn statistics(args: &Args, set: u64) -> anyhow::Result<GaussianStats> {
    let scale: Vec<f32> = (0..args.dim).map(|i| (-(i as f32) / 300.0).exp()).collect();
    let mut values = Streams::new(0).normal("bench.features", set, args.samples * args.dim);
    for row in values.chunks_exact_mut(args.dim) {
        row.iter_mut().zip(&scale).for_each(|(v, s)| *v = (*v + 0.1 * set as f32) * s);
    }
    Ok(Statistics::of(&Matrix::new(args.dim, values)?)?)
}
