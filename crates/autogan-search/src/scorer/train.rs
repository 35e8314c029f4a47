//! [`train_scorer`] is the training loop of a scorer; [`evaluate`] evaluates a trained one.

use autogan_config::Configuration;
use autogan_data::{Batcher, Images};
use autogan_metrics::compact::{CompactClassifier, SIDE, Variables};
use autogan_metrics::{
    InceptionScore, InceptionScoreConfig, Matrix, extract_batched, inception_score,
};
use autogan_ops as ops;
use autogan_weights::{Archive, Params};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::augment::augment;
use super::network::forward;
use super::{ScorerConfig, ScorerError, ScorerResult};

/// Length of one image.
const LEN: usize = 3 * SIDE * SIDE;

/// Test images that are looked at after every epoch; all of them are after the last.
const PROBE: usize = 2000;

/// Streams of random numbers: initial weights, and one per image of each epoch from here on.
const INIT_STREAM: u64 = 0;
const AUGMENT_STREAM: u64 = 1 << 32;

/// Something that happened in the training of a scorer.
#[derive(Debug, Clone, PartialEq)]
pub enum ScorerEvent {
    /// A step was taken.
    Step {
        /// Step, from 1.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Loss of the batch.
        loss: f64,
    },
    /// An epoch ended.
    Epoch {
        /// Epoch, from 1.
        epoch: usize,
        /// Epochs in all.
        epochs: usize,
        /// Mean loss of the epoch.
        loss: f64,
        /// Share of the first 2,000 test images that are classified correctly.
        test_accuracy: f64,
    },
}

/// A trained scorer.
#[derive(Debug)]
pub struct TrainedScorer {
    /// Weights as `f16`, with the metadata `name`, `dataset`, `classes` and `test_accuracy`;
    /// `Archive::write_safetensors` makes the file that `CompactClassifier::from_file` reads.
    pub archive: Archive,
    /// Share of the test images that are classified correctly, with the weights as stored.
    pub test_accuracy: f64,
}

/// Trains a compact classifier on `device`, on the labelled 32x32 images `train`, and tests it on `test`.
///
/// # Errors
/// [`ScorerError::Config`] for a setting out of range, [`ScorerError::Images`] for images without
/// labels or of another size, [`ScorerError::Diverged`], and errors of the operators.
pub fn train_scorer(
    config: &ScorerConfig,
    train: &Images,
    test: &Images,
    device: &Device,
    on_event: &mut dyn FnMut(ScorerEvent),
) -> ScorerResult<TrainedScorer> {
    config.clone().checked()?;
    check_images(train)?;
    check_images(test)?;
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    rng.set_stream(INIT_STREAM);
    let classes = train.classes().len();
    let network = Variables::new(config.widths, classes, DType::F32, device)?;
    network.params.reset(&mut rng)?;
    let mut adam =
        ops::Adam::new(ops::AdamConfig { lr: config.lr, beta1: 0.9, beta2: 0.99, eps: 1e-8 });
    let mut batcher = Batcher::new(train.len(), config.batch, config.seed)?;
    let per_epoch = batcher.batches_per_epoch();
    let steps = config.epochs * per_epoch;
    let mut probe = test.clone();
    probe.truncate(PROBE);
    for epoch in 0..config.epochs {
        let mut total = 0.0;
        for index in 0..per_epoch {
            let step = epoch * per_epoch + index;
            let indices = batcher.indices(epoch as u64, index)?;
            let (input, target) = batch(config, (train, indices), epoch, device)?;
            let logits = forward(&network, &input)?;
            let loss = ops::cross_entropy(&logits, &target)?;
            let grads = loss.backward()?;
            let lr = learning_rate(config, step, steps);
            adam.set_lr(lr);
            adam.step(network.params.trainable(), &grads)?;
            decay(&network.params, lr * config.weight_decay)?;
            let loss = f64::from(loss.to_vec0::<f32>()?);
            if !loss.is_finite() {
                return Err(ScorerError::Diverged { loss, step });
            }
            total += loss;
            on_event(ScorerEvent::Step { step: step + 1, steps, loss });
        }
        let scorer = export(config, &network, train, &probe, device)?;
        on_event(ScorerEvent::Epoch {
            epoch: epoch + 1,
            epochs: config.epochs,
            loss: total / per_epoch as f64,
            test_accuracy: scorer.test_accuracy,
        });
    }
    export(config, &network, train, test, device)
}

/// Refuses images that cannot train a classifier.
fn check_images(images: &Images) -> ScorerResult<()> {
    let (side, classes) = (images.side(), images.classes().len());
    if side == SIDE && classes >= 2 && images.labels().is_some() && !images.is_empty() {
        return Ok(());
    }
    let labels = if images.labels().is_some() { "with" } else { "without" };
    Err(ScorerError::Images {
        name: images.name().into(),
        found: format!(
            "{} images of {side}x{side} and {classes} classes, {labels} labels",
            images.len()
        ),
    })
}

/// Augmented input `[N, 12, 16, 16]` and smoothed target `[N, K]` of a batch.
///
/// The draws of an image depend on seed, epoch and index alone.
fn batch(
    config: &ScorerConfig,
    (images, indices): (&Images, &[usize]),
    epoch: usize,
    device: &Device,
) -> ScorerResult<(Tensor, Tensor)> {
    let (n, classes) = (indices.len(), images.classes().len());
    let mut pixels = vec![0u8; n * LEN];
    images.fill_u8(indices, &mut pixels)?;
    let labels = images.gather_labels(indices)?;
    let mut input = vec![0f32; n * LEN];
    let spread = config.label_smoothing / classes as f64;
    let mut target = vec![spread as f32; n * classes];
    input
        .par_chunks_exact_mut(LEN)
        .zip(target.par_chunks_exact_mut(classes))
        .zip(pixels.par_chunks_exact(LEN))
        .enumerate()
        .for_each(|(i, ((input, target), image))| {
            let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
            let stream = (epoch * images.len() + indices[i]) as u64;
            rng.set_stream(AUGMENT_STREAM + stream);
            if augment(&config.augment, image, input, &mut rng) {
                target.fill(1.0 / classes as f32);
            } else {
                target[usize::from(labels[i])] += (1.0 - config.label_smoothing) as f32;
            }
        });
    let input = Tensor::from_vec(input, (n, 3, SIDE, SIDE), device)?;
    let input = ops::space_to_depth(&input)?;
    let target = Tensor::from_vec(target, (n, classes), device)?;
    Ok((input, target))
}

/// One cycle: a linear rise from a tenth, then half a cosine down to 0.
fn learning_rate(config: &ScorerConfig, step: usize, steps: usize) -> f64 {
    let done = (step as f64 + 0.5) / steps as f64;
    if done < config.warmup {
        return config.lr * (0.1 + 0.9 * done / config.warmup);
    }
    let rest = (done - config.warmup) / (1.0 - config.warmup);
    config.lr * 0.5 * (1.0 + (std::f64::consts::PI * rest).cos())
}

/// Shrinks every weight of more than one axis by the share `amount`.
fn decay(params: &Params, amount: f64) -> ScorerResult<()> {
    if amount > 0.0 {
        for var in params.vars().iter().filter(|var| var.rank() > 1) {
            var.set(&(var.as_tensor() * (1.0 - amount))?)?;
        }
    }
    Ok(())
}

/// The network as it is stored, tested as it will be used.
fn export(
    config: &ScorerConfig,
    network: &Variables,
    train: &Images,
    test: &Images,
    device: &Device,
) -> ScorerResult<TrainedScorer> {
    let mut archive = Archive::new();
    for (name, tensor) in network.params.state()? {
        // Running statistics, which are F64, are rounded to F32 first, as older files were.
        let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
        archive.insert(name, tensor.to_dtype(DType::F16)?);
    }
    let classifier = CompactClassifier::from_archive(&config.name, &archive, device)?;
    let (test_accuracy, _) = evaluate(&classifier, test, test.side(), 1)?;
    archive.set_metadata("name", config.name.as_str());
    archive.set_metadata("dataset", train.description());
    archive.set_metadata("classes", train.classes().join(","));
    archive.set_metadata("test_accuracy", format!("{test_accuracy:.4}"));
    Ok(TrainedScorer { archive, test_accuracy })
}

/// Accuracy and Inception Score (`splits` splits in the given order) of a classifier on images
/// resized to `side`, as the dataset resizes them for the stages of the search.
///
/// # Errors
/// When the images have no labels or are fewer than the splits.
pub fn evaluate(
    classifier: &CompactClassifier,
    images: &Images,
    side: usize,
    splits: usize,
) -> ScorerResult<(f64, InceptionScore)> {
    let all: Vec<usize> = (0..images.len()).collect();
    let labels = images.gather_labels(&all)?;
    let images = images.resize(side)?;
    let shape = (images.len(), 3, side, side);
    let pixels = Tensor::from_slice(images.data(), shape, &Device::Cpu)?;
    let (_, logits) = extract_batched(classifier, &pixels, 256)?;
    let right = labels
        .iter()
        .enumerate()
        .filter(|&(row, &label)| largest(&logits, row) == usize::from(label))
        .count();
    let score = inception_score(&logits, &InceptionScoreConfig::in_order(splits))?;
    Ok((right as f64 / labels.len() as f64, score))
}

/// Index of the largest value of a row.
fn largest(m: &Matrix, row: usize) -> usize {
    let values = m.row(row).iter().enumerate();
    values.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use autogan_data::Split;
    use autogan_data::shapes::generate;

    use super::*;

    fn shapes() -> ScorerConfig {
        ScorerConfig::preset("compact-shapes", &[]).unwrap()
    }

    fn tiny() -> ScorerConfig {
        ScorerConfig { widths: [16, 24, 32], epochs: 2, batch: 16, ..shapes() }
    }

    #[test]
    fn a_tiny_scorer_learns_and_is_read_back_from_its_file() {
        let train = generate(0, Split::Train, 0..320).unwrap();
        let test = generate(0, Split::Test, 0..100).unwrap();
        let (mut losses, mut epochs) = (Vec::new(), 0);
        let trained =
            train_scorer(&tiny(), &train, &test, &Device::Cpu, &mut |event| match event {
                ScorerEvent::Step { loss, .. } => losses.push(loss),
                ScorerEvent::Epoch { .. } => epochs += 1,
            })
            .unwrap();
        assert_eq!((losses.len(), epochs), (40, 2));
        let mean = |l: &[f64]| l.iter().sum::<f64>() / l.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[30..]));
        assert!(last < 0.95 * first, "{first} {last}");

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scorer.safetensors");
        trained.archive.write_safetensors(&path).unwrap();
        let scorer = CompactClassifier::from_file(&path, &Device::Cpu).unwrap();
        let (accuracy, score) = evaluate(&scorer, &test, 32, 5).unwrap();
        assert_eq!(accuracy, trained.test_accuracy);
        assert!(score.mean >= 1.0);
    }

    #[test]
    fn the_same_bits_with_one_and_two_threads() {
        let train = generate(0, Split::Train, 0..48).unwrap();
        let config = ScorerConfig { epochs: 1, ..tiny() };
        let weights = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trained =
                pool.install(|| train_scorer(&config, &train, &train, &Device::Cpu, &mut |_| ()));
            let last = trained.unwrap().archive.require("block3.conv2.weight").unwrap().clone();
            let last = last.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
            last.to_vec1::<f32>().unwrap()
        };
        assert_eq!(weights(1), weights(2));
    }

    #[test]
    fn the_learning_rate_rises_and_falls() {
        let config = shapes();
        let at = |step| learning_rate(&config, step, 1000);
        assert!((at(0) - 0.1 * config.lr).abs() < 0.01 * config.lr);
        assert!((at(200) - config.lr).abs() < 1e-3 * config.lr);
        assert!(at(999) < 1e-4 * config.lr);
        assert!((at(600) - 0.5 * config.lr).abs() < 0.01 * config.lr);
    }

    #[test]
    fn unfit_images_and_settings_are_refused() {
        let images = generate(0, Split::Train, 0..20).unwrap();
        let small = images.resize(16).unwrap();
        let error = train_scorer(&tiny(), &small, &images, &Device::Cpu, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("16x16"), "{error}");
        let config = ScorerConfig { batch: 1, ..tiny() };
        let error = train_scorer(&config, &images, &images, &Device::Cpu, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("batch: expected 2 or more, found 1"), "{error}");
    }
}
