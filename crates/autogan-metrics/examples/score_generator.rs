//! Scores a generator of another program with an extractor of another program, without image files:
//! `cargo run -p autogan-metrics --example score_generator`.
//!
//! Both are small modules of candle-nn with fixed weights, so that the example needs no download.

#![allow(clippy::print_stdout)] // printing the scores is this program's task

use std::collections::HashMap;

use autogan_metrics::{
    FeatureExtractor, GeneratorScoreOptions, InceptionScoreConfig, Matrix, ModuleExtractor,
    ModuleInput, Statistics, score_generator,
};
use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Conv2dConfig, VarBuilder, conv2d, linear};

const LATENT: usize = 8;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let device = Device::Cpu;
    let vb = weights()?;

    // The extractor: features by a convolution, logits by a linear layer. A closure is a module.
    let config = Conv2dConfig { stride: 2, ..Conv2dConfig::default() };
    let conv = conv2d(3, 6, 3, config, vb.pp("extractor.conv"))?;
    let features = move |x: &Tensor| conv.forward(x)?.relu()?.mean(3)?.mean(2);
    let head = linear(6, 4, vb.pp("extractor.head"))?;
    let input = ModuleInput::plain(16, (-1.0, 1.0), &device);
    let extractor = ModuleExtractor::new("toy-v1", features, input)?.with_logits(head)?;

    // The reference: statistics of images that count as real.
    let real = Tensor::from_iter((0..64 * 3 * 256u32).map(|i| (i * i / 7 % 256) as u8), &device)?;
    let real = extractor.extract(&real.reshape((64, 3, 16, 16))?)?;
    let reference = Statistics::of(&Matrix::from_tensor(&real.features)?)?;

    // The generator: from latents to images [N, 3, 16, 16] in [-1, 1].
    let layer = linear(LATENT, 3 * 256, vb.pp("generator"))?;
    let mut made = 0;
    let mut make = |n: usize| {
        let z = latents(made, n)?;
        made += n;
        layer.forward(&z)?.tanh()?.reshape((n, 3, 16, 16))
    };

    let options = GeneratorScoreOptions {
        images: 100,
        batch: 32,
        inception: Some(InceptionScoreConfig::in_order(10)),
        reference: Some(&reference),
    };
    let score = score_generator(&extractor, &options, &mut make, &mut |done| {
        println!("{done} images");
    })?;
    let (Some(inception), Some(frechet)) = (score.inception, score.frechet) else {
        return Err("a score is absent".into());
    };
    println!(
        "{}: Inception Score {:.4} ± {:.4}, Fréchet distance {frechet:.4}",
        extractor.name(),
        inception.mean,
        inception.std
    );
    Ok(())
}

/// Fixed weights in place of trained ones; `autogan_weights::var_builder` would read them from a file.
fn weights() -> Result<VarBuilder<'static>> {
    let mut tensors = HashMap::new();
    for (name, shape) in [
        ("extractor.conv.weight", vec![6, 3, 3, 3]),
        ("extractor.conv.bias", vec![6]),
        ("extractor.head.weight", vec![4, 6]),
        ("extractor.head.bias", vec![4]),
        ("generator.weight", vec![3 * 256, LATENT]),
        ("generator.bias", vec![3 * 256]),
    ] {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 1.3).sin()).collect();
        tensors.insert(name.to_owned(), Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// Latent vectors number `from` to `from + n`.
fn latents(from: usize, n: usize) -> Result<Tensor> {
    let values = (from * LATENT..(from + n) * LATENT).map(|i| (i as f32 * 2.1).sin());
    Tensor::from_iter(values, &Device::Cpu)?.reshape((n, LATENT))
}
