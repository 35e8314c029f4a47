//! Scores features of another program: `cargo run --release -p autogan-metrics --example score_features -- GENERATED REAL
//! [SCORE …]`. `scripts/compare_scorers.py` compares the result with that of the reference implementations.
//!
//! GENERATED and REAL are safetensors files with `features` `f32 [N, D]`; the first may also hold `directions`, the
//! projections of MIND `f32 [P, D]`. SCORE is one of `fd`, `kid`, `kid-rbf`, `mmd`, `mind`, `mind-along`, `prc`, `prdc`;
//! without any, all that the files allow. Each line holds a name, a value, and the seconds that its score took.

#![allow(clippy::print_stdout)] // printing the scores is this program's task

use std::time::Instant;

use autogan_metrics::{
    Kernel, KernelDistanceConfig, Matrix, MindConfig, MmdConfig, frechet_distance_of_sets,
    kernel_distance, mind, mind_along, mmd, prdc, precision_recall,
};
use autogan_weights::Archive;

const ALL: [&str; 8] = ["fd", "kid", "kid-rbf", "mmd", "mind", "mind-along", "prc", "prdc"];
/// Neighbours of density and coverage, and of precision and recall.
const NEIGHBOURS: (usize, usize) = (5, 3);
/// The width of the Gaussian kernel of `kid-rbf`.
const SIGMA: f64 = 10.0;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(generated), Some(real)) = (words.next(), words.next()) else {
        return Err("usage: score_features GENERATED.safetensors REAL.safetensors [SCORE …]".into());
    };
    let wanted: Vec<String> = words.collect();
    if let Some(unknown) = wanted.iter().find(|word| !ALL.contains(&word.as_str())) {
        return Err(format!("expected one of {}, found {unknown}", ALL.join(", ")).into());
    }
    let (generated, directions) = read(&generated)?;
    let (real, _) = read(&real)?;
    for score in ALL {
        let default = wanted.is_empty() && (score != "mind-along" || directions.is_some());
        if !default && !wanted.iter().any(|word| word == score) {
            continue;
        }
        let begun = Instant::now();
        let found = take(score, &generated, &real, directions.as_ref())?;
        let seconds = begun.elapsed().as_secs_f64();
        found.iter().for_each(|(name, value)| println!("{name} {value:e} {seconds:.3}"));
    }
    Ok(())
}

/// The features of a file, and the directions where it has some.
fn read(path: &str) -> std::result::Result<(Matrix, Option<Matrix>), Box<dyn std::error::Error>> {
    let archive = Archive::read_safetensors(path)?;
    let directions = archive.get("directions").map(Matrix::from_tensor).transpose()?;
    Ok((Matrix::from_tensor(archive.require("features")?)?, directions))
}

/// The values of a score, with their names.
fn take(
    score: &'static str,
    generated: &Matrix,
    real: &Matrix,
    directions: Option<&Matrix>,
) -> std::result::Result<Vec<(&'static str, f64)>, Box<dyn std::error::Error>> {
    let subset_size = generated.rows().min(real.rows()).min(1000);
    let kid = KernelDistanceConfig { subset_size, ..KernelDistanceConfig::torch_fidelity() };
    let rbf = KernelDistanceConfig { kernel: Kernel::Gaussian { sigma: SIGMA }, ..kid };
    let kernel = |config| kernel_distance(generated, real, config).map(|found| found.mean);
    let value = match score {
        "fd" => frechet_distance_of_sets(generated, real)?,
        "kid" => kernel(&kid)?,
        "kid-rbf" => kernel(&rbf)?,
        "mmd" => mmd(generated, real, &MmdConfig::cmmd())?,
        "mind" => mind(generated, real, &MindConfig::torch_fidelity())?,
        "mind-along" => {
            mind_along(generated, real, directions.ok_or("GENERATED holds no directions")?)?
        }
        "prc" => {
            let found = precision_recall(real, generated, NEIGHBOURS.1)?;
            return Ok(vec![("prc-precision", found.precision), ("prc-recall", found.recall)]);
        }
        _ => {
            let found = prdc(real, generated, NEIGHBOURS.0)?;
            return Ok(vec![
                ("precision", found.precision),
                ("recall", found.recall),
                ("density", found.density),
                ("coverage", found.coverage),
            ]);
        }
    };
    Ok(vec![(score, value)])
}
