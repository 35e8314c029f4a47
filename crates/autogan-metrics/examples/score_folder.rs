//! Computes the Inception Score of a folder with the embedded CIFAR-10 classifier:
//! `cargo run -p autogan-metrics --features io --example score_folder -- FOLDER`.

#![allow(clippy::print_stdout)] // printing the score is this program's task

use autogan_metrics::compact::CompactClassifier;
use autogan_metrics::io::{ExtractOptions, Input, OpenOptions, extract_set, open};
use autogan_metrics::{InceptionScoreConfig, inception_score};
use candle_core::Device;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: score_folder FOLDER")?;
    let Input::Images(images) = open(&folder, &OpenOptions::plain())? else {
        return Err("statistics hold no images".into());
    };
    let extractor = CompactClassifier::cifar10(&Device::Cpu)?;
    let options = ExtractOptions { batch: 64, workers: 2, cache: None };
    let set = extract_set(&images, &extractor, &options, &mut |_| ())?.set;
    let score = inception_score(&set.logits, &InceptionScoreConfig::torch_fidelity())?;
    println!("Inception Score (compact-cifar10): {:.4} ± {:.4}", score.mean, score.std);
    Ok(())
}
