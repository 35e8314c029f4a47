//! `autogan bench supernet` measures shared training as a search does it; its real images are noise.
//!
//! A cycle is `--n-critic` D steps, each with the next architecture of `--archs`, and one G step with the last of them.
//! Networks, losses, optimizers, spectral norm and moving average are those of the preset `released`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use autogan_config::Configuration;
use autogan_search::{SearchConfig, SharedTraining, Streams};
use autogan_space::Arch;
use candle_core::{Device, Tensor};
use rand::RngExt;
use serde_json::json;

use crate::device;

use super::{at_least_one, median, peak_mib, print};

/// Measure shared training.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stage of the growth: images of side 8, 16 or 32
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u8).range(0..=2))]
    stage: u8,
    /// Channels of the generator
    #[arg(long, value_name = "N", default_value_t = 128)]
    gf: usize,
    /// Channels of the discriminator
    #[arg(long, value_name = "N", default_value_t = 64)]
    df: usize,
    /// Real images of a D step, and as many fakes
    #[arg(long, value_name = "N", default_value_t = 64)]
    d_batch: usize,
    /// Fakes of a G step
    #[arg(long, value_name = "N", default_value_t = 128)]
    g_batch: usize,
    /// D steps of a cycle
    #[arg(long, value_name = "N", default_value_t = 5)]
    n_critic: usize,
    /// Cycles to time, after one that is not; on a GPU after as many as show it every architecture
    #[arg(long, value_name = "N", default_value_t = 5)]
    cycles: usize,
    /// Architectures of the stage, one released vector a line, taken in turn, one for each D step
    #[arg(long, value_name = "FILE")]
    archs: PathBuf,
    /// What every random draw follows from
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Where to compute: cpu, cuda (the first NVIDIA GPU) or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Carries the command out. It fails when a size is impossible, the file holds no architecture of the stage, or the
/// networks diverge.
pub fn run(args: &Args) -> anyhow::Result<()> {
    at_least_one("--cycles", args.cycles)?;
    let device = device::open(&args.device)?;
    let stage = usize::from(args.stage);
    let archs = architectures(&args.archs, stage)?;
    let config = configuration(args)?;
    let mut training = SharedTraining::new(config, stage, &device)?;
    let real = noise(args, training.side(), &device)?;
    let mut turn = 0;
    let mut cycle = || -> anyhow::Result<Cycle> {
        let begun = Instant::now();
        let mut d_losses = Vec::with_capacity(real.len());
        for real in &real {
            d_losses.push(training.d_step(&archs[turn % archs.len()], real)?);
            turn += 1;
        }
        let g_loss = training.g_step(&archs[(turn - 1) % archs.len()])?.read()?;
        // A GPU still updates weights when the loss is known.
        device.synchronize()?;
        let mut d_loss = 0.0;
        for loss in &d_losses {
            d_loss += loss.read()? / args.n_critic as f64;
        }
        Ok(Cycle { seconds: begun.elapsed().as_secs_f64(), d_loss, g_loss })
    };
    // A GPU meets each architecture once before it is timed: what it makes for a shape it makes then.
    let warm_up = if device.is_cuda() { 1 + archs.len().div_ceil(args.n_critic.max(1)) } else { 1 };
    for _ in 0..warm_up {
        cycle()?;
    }
    let cycles = (0..args.cycles).map(|_| cycle()).collect::<anyhow::Result<Vec<_>>>()?;
    report(args, &cycles, &device);
    Ok(())
}

/// The time and the losses of one cycle.
struct Cycle {
    seconds: f64,
    /// The mean loss of its D steps.
    d_loss: f64,
    g_loss: f64,
}

/// The released rules with the sizes of the command line; images and scorer are not used.
fn configuration(args: &Args) -> anyhow::Result<SearchConfig> {
    let mut config = SearchConfig::preset("released", &[])?;
    config.seed = args.seed;
    config.model.gf = args.gf;
    config.model.df = args.df;
    config.train.d_batch = args.d_batch;
    config.train.g_batch = args.g_batch;
    config.train.n_critic = args.n_critic;
    Ok(config)
}

/// The architectures of a file, of which there is at least one and all are of `stage`.
fn architectures(path: &Path, stage: usize) -> anyhow::Result<Vec<Arch>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--archs: cannot read {}", path.display()))?;
    let mut archs = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}, line {}", path.display(), index + 1);
        let arch: Arch = line.trim().parse().with_context(place)?;
        ensure!(
            arch.stage() == stage,
            "{}: expected an architecture of stage {stage}, found one of stage {}: {line}",
            place(),
            arch.stage()
        );
        archs.push(arch);
    }
    ensure!(
        !archs.is_empty(),
        "{}: expected one released vector a line, found none",
        path.display()
    );
    Ok(archs)
}

/// The real images of each D step of a cycle: noise `[d_batch, 3, side, side]` in [-1, 1).
fn noise(args: &Args, side: usize, device: &Device) -> anyhow::Result<Vec<Tensor>> {
    let shape = (args.d_batch, 3, side, side);
    let batch = |step: usize| {
        let mut rng = Streams::new(args.seed).rng("bench.real", step as u64);
        let pixels: Vec<f32> =
            (0..args.d_batch * 3 * side * side).map(|_| rng.random_range(-1.0..1.0)).collect();
        Ok(Tensor::from_vec(pixels, shape, device)?)
    };
    (0..args.n_critic).map(batch).collect()
}

fn report(args: &Args, cycles: &[Cycle], device: &Device) {
    let each = |value: fn(&Cycle) -> f64| cycles.iter().map(value).collect::<Vec<f64>>();
    let seconds = each(|cycle| cycle.seconds);
    let images_per_s = (args.n_critic * args.d_batch) as f64 / median(&seconds);
    let value = json!({
        "images_per_s": images_per_s,
        "cycle_s": seconds,
        "d_loss": each(|cycle| cycle.d_loss),
        "g_loss": each(|cycle| cycle.g_loss),
        "peak_mib": peak_mib(),
        "stage": args.stage,
        "device": device::describe(device),
        "threads": rayon::current_num_threads(),
    });
    let sentence = format!(
        "stage {}: {images_per_s:.1} images/s, {:.3} s a cycle, median of {}",
        args.stage,
        median(&seconds),
        cycles.len()
    );
    print(args.json, &value, &sentence);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_architectures() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archs.txt");
        let read = |text: &str, stage| {
            std::fs::write(&path, text).unwrap();
            architectures(&path, stage).map_err(|error| format!("{error:#}"))
        };
        let archs = read("0 1 2 1\n\n1,0,1,1\n", 0).unwrap();
        assert_eq!(
            archs.iter().map(Arch::to_released).collect::<Vec<_>>(),
            [[0, 1, 2, 1], [1, 0, 1, 1]]
        );
        let error = read("0 1 2 1\n0 1 2 1 0 1 2 1 1\n", 0).unwrap_err();
        assert!(error.contains("line 2: expected an architecture of stage 0"), "{error}");
        assert!(read("0 1 9 1\n", 0).unwrap_err().contains("line 1"));
        assert!(read("\n", 0).unwrap_err().contains("found none"));
        std::fs::remove_file(&path).unwrap();
        assert!(read_error(&path).contains("--archs: cannot read"));
    }

    fn read_error(path: &Path) -> String {
        format!("{:#}", architectures(path, 0).unwrap_err())
    }
}
