//! `autogan weights selftest` scores CIFAR-10 with the published weights, and compares with the published scores.
//!
//! Both values are torch-fidelity's, in its documentation and its tests: the Inception Score of the 50,000 training
//! images, and the FID of 5,000 training images against 5,000 test images, each picked with
//! `RandomState(2020).choice(n, 5000, replace=False)`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use autogan_data::{Images, LoadOptions, Split, load};
use autogan_metrics::inception::{InceptionV3, KNOWN_WEIGHTS, Preset, Tap};
use autogan_metrics::io::{ExtractOptions, FeatureSet, ImageSource, extract_set};
use autogan_metrics::numpy_rng::RandomState;
use autogan_metrics::{
    FeatureExtractor, InceptionScore, InceptionScoreConfig, frechet_distance_of_sets,
    inception_score,
};
use candle_core::Device;

use super::{inception_file, order};
use crate::score::EXTRACTING;
use crate::terminal::bar;

/// Inception Score of the training images.
const PUBLISHED_IS: InceptionScore = InceptionScore { mean: 11.23678, std: 0.09514 };

/// FID of the picked images.
const PUBLISHED_FID: f64 = 10.3233274;

/// Images picked from each set.
const PICKED: usize = 5_000;

/// Seed of the picking.
const SEED: u32 = 2020;

/// What the selftest needs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The published weights; from the hub or its cache without it
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Directory with the original files of CIFAR-10; from the hub without it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
    /// Images that go through the network together
    #[arg(short, long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// No bars
    #[arg(long)]
    silent: bool,
}

/// Carries the command out.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = match &args.weights {
        Some(path) => path.clone(),
        None => inception_file(None, None, args.offline, args.silent)
            .context("cannot get the Inception weights; --weights FILE takes a local file")?,
    };
    let network = published(&path)?;
    let train = order::train(&cifar10(args, Split::Train)?)?;
    let test = order::test(&cifar10(args, Split::Test)?)?;
    println!("weights:  {}", path.display());
    println!("images:   CIFAR-10, 50000 for training and 10000 for tests");
    let extract = |name: &str, pixels| {
        let source = ImageSource::from_pixels(name, autogan_data::cifar10::SIDE, pixels)?;
        extract(args, &network, &source)
    };
    let found = measure(&extract("cifar10-train", train)?, &extract("cifar10-test", test)?)?;
    println!(
        "is_50k_10splits of the training images:           {} ± {}",
        found.is.mean, found.is.std
    );
    println!(
        "                                       published: {} ± {}",
        PUBLISHED_IS.mean, PUBLISHED_IS.std
    );
    println!("fid_5k of training against test images:           {}", found.fid);
    println!("                                       published: {PUBLISHED_FID}");
    found.compare()?;
    println!("selftest passed");
    Ok(())
}

/// The network, which the file must hold as published.
fn published(path: &Path) -> anyhow::Result<InceptionV3> {
    let network = InceptionV3::load(path, Preset::TorchFidelity, Tap::D2048, &Device::Cpu)
        .with_context(|| format!("cannot load the Inception weights in {}", path.display()))?;
    let hash = network.weights_sha256().unwrap_or_default();
    ensure!(
        KNOWN_WEIGHTS.contains(&hash),
        "{} is not one of the published weight files (SHA-256 {hash}), and only those give the published scores",
        path.display()
    );
    Ok(network)
}

fn cifar10(args: &Args, split: Split) -> anyhow::Result<Images> {
    let mut options = LoadOptions::new(split);
    options.dir.clone_from(&args.data);
    options.hub = crate::hub::open(args.offline, args.silent);
    load("cifar10", &options).context("cannot load CIFAR-10")
}

fn extract(
    args: &Args,
    network: &dyn FeatureExtractor,
    source: &ImageSource,
) -> anyhow::Result<FeatureSet> {
    let bar = bar(source.len(), EXTRACTING, args.silent).with_prefix(source.label().to_string());
    let options = ExtractOptions { batch: args.batch_size as usize, workers: 1, cache: None };
    let set = extract_set(source, network, &options, &mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    Ok(set?.set)
}

/// The two scores.
#[derive(Debug)]
struct Scores {
    is: InceptionScore,
    fid: f64,
}

/// The scores of whole sets, in their original order.
fn measure(train: &FeatureSet, test: &FeatureSet) -> anyhow::Result<Scores> {
    let picked = |set: &FeatureSet| -> anyhow::Result<_> {
        let indices = RandomState::new(SEED).choice(set.features.rows(), PICKED)?;
        Ok(set.features.select(&indices))
    };
    Ok(Scores {
        is: inception_score(&train.logits, &InceptionScoreConfig::torch_fidelity())?,
        fid: frechet_distance_of_sets(&picked(train)?, &picked(test)?)?,
    })
}

impl Scores {
    /// Compares with the published values. They were made in f32 on a GPU: torch-fidelity itself agrees with them to
    /// about 1e-4.
    fn compare(&self) -> anyhow::Result<()> {
        let checks = [
            ("the mean of the Inception Score", self.is.mean, PUBLISHED_IS.mean, 1e-4),
            ("its deviation over the splits", self.is.std, PUBLISHED_IS.std, 1e-2),
            ("FID", self.fid, PUBLISHED_FID, 1e-4),
        ];
        let wrong: Vec<String> = checks
            .into_iter()
            .map(|(what, found, published, limit)| (what, (found / published - 1.0).abs(), limit))
            .filter(|(_, gap, limit)| !gap.is_finite() || gap > limit)
            .map(|(what, gap, limit)| {
                format!("{what} differs by {gap:.1e} (relative; at most {limit:e})")
            })
            .collect();
        if wrong.is_empty() { Ok(()) } else { bail!("selftest failed: {}", wrong.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use autogan_metrics::Matrix;

    use super::*;

    /// Two features and three logits that follow from the index.
    fn set(n: usize, shift: f32) -> FeatureSet {
        let feature = |i: usize| [(i % 97) as f32 + shift, (i * i % 89) as f32];
        let logit = |i: usize| [(i % 5) as f32, (i % 3) as f32, 1.0];
        FeatureSet {
            features: Matrix::new(2, (0..n).flat_map(feature).collect()).unwrap(),
            logits: Matrix::new(3, (0..n).flat_map(logit).collect()).unwrap(),
        }
    }

    #[test]
    fn scores_are_those_of_all_logits_and_of_picked_features() {
        let (train, test) = (set(6000, 0.0), set(5500, 3.0));
        let found = measure(&train, &test).unwrap();
        let all = inception_score(&train.logits, &InceptionScoreConfig::torch_fidelity()).unwrap();
        assert_eq!(found.is, all);
        // The first of `RandomState(2020).choice(6000, 5000, replace=False)` and of 5500, from NumPy.
        let first = |n| RandomState::new(2020).choice(n, PICKED).unwrap()[..3].to_vec();
        assert_eq!((first(6000), first(5500)), (FIRST_6000.to_vec(), FIRST_5500.to_vec()));
        let whole = frechet_distance_of_sets(&train.features, &test.features).unwrap();
        assert!(found.fid > 8.0 && found.fid != whole, "{} {whole}", found.fid);
        assert!(measure(&train, &set(4999, 0.0)).is_err());
    }

    const FIRST_6000: [usize; 3] = [3692, 3761, 5670];
    const FIRST_5500: [usize; 3] = [2304, 2478, 5273];

    #[test]
    fn differences_are_found() {
        let published = || Scores { is: PUBLISHED_IS, fid: PUBLISHED_FID };
        published().compare().unwrap();
        let off = Scores { fid: PUBLISHED_FID * 1.001, ..published() };
        let error = off.compare().unwrap_err().to_string();
        assert!(error.contains("FID differs by 1.0e-3"), "{error}");
        let mut off = published();
        off.is.mean = f64::NAN;
        assert!(off.compare().unwrap_err().to_string().contains("the mean"));
    }
}
