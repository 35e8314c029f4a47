//! `autogan bench` measures how fast this machine does a search's main parts, each as other programs can repeat it.
//!
//! `scripts/bench_*.py` hold the counterparts in PyTorch; `cargo xtask bench --vs-torch` runs both in turn.

mod frechet;
mod inception;
mod supernet;
mod synthetic;

use anyhow::ensure;
use serde_json::Value;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Shared training: cycles of D steps and a G step, a new architecture in each.
    Supernet(supernet::Args),
    /// Inception-v3 features of small images, resize included, with synthetic weights.
    Inception(inception::Args),
    /// Fréchet distance of two Gaussians with the decaying spectrum of real features.
    Frechet(frechet::Args),
}

/// Carries the command out. It fails when a size is impossible, a file cannot be read, or the networks diverge.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Supernet(args) => supernet::run(args),
        Command::Inception(args) => inception::run(args),
        Command::Frechet(args) => frechet::run(args),
    }
}

/// Refuses a count of zero.
fn at_least_one(option: &str, value: usize) -> anyhow::Result<()> {
    ensure!(value > 0, "{option}: expected 1 or more, found 0");
    Ok(())
}

/// The middle of some values, of which there is at least one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// Most memory that this process has held, in MiB; `None` where the system does not tell.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Prints the measurement as one line of JSON, or the sentence for a person.
fn print(json: bool, value: &Value, sentence: &str) {
    if json {
        println!("{value}");
    } else {
        let peak = value["peak_mib"].as_f64();
        println!("{sentence}{}", peak.map_or(String::new(), |mib| format!(", peak {mib:.0} MiB")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(&[8.0, 1.0, 2.0, 4.0]), 3.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_grows_with_what_is_held() {
        let before = peak_mib().unwrap();
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        let after = peak_mib().unwrap();
        assert!(after > before + 32.0, "{before} {after} {}", held.len());
    }
}
