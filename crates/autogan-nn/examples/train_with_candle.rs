//! Trains a generator of this project with candle-nn's AdamW, and its discriminator with our Adam through candle's
//! trait `Optimizer`:
//! `cargo run -p autogan-nn --example train_with_candle`.
//!
//! The images are stripes that are made here, so that the example needs no dataset.

#![allow(clippy::print_stdout)] // printing the losses is this program's task

use autogan_nn::ops::{AdamConfig, AdamOptimizer, gradients};
use autogan_nn::{
    DMode, Discriminator, DiscriminatorConfig, DiscriminatorInit, Generator, GeneratorConfig,
    NormMode, Rules, loss,
};
use autogan_space::Arch;
use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 10;
const BATCH: usize = 8;
const LATENT: usize = 16;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (dtype, device) = (DType::F32, Device::Cpu);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // The first cell alone: images of 8x8.
    let arch = Arch::AUTOGAN_A.prefix(1);
    let sizes = GeneratorConfig { latent: LATENT, width: 8, bottom: 4, rules: Rules::STANDARD };
    let generator = Generator::derived(&sizes, &arch, &mut rng, dtype, &device)?;
    let sizes_d = DiscriminatorConfig { width: 8, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let discriminator = Discriminator::new(&sizes_d, &mut rng, dtype, &device)?;

    // Both networks as candle modules: all arguments but the input are settled.
    let g = generator.bind(&arch, NormMode::Train);
    let d = discriminator.at(0, DMode::Train);

    let adam = AdamConfig { lr: 2e-4, beta1: 0.0, beta2: 0.9, eps: 1e-8 };
    let mut d_optimizer = AdamOptimizer::new(discriminator.params().vars(), adam)?;
    let adamw = ParamsAdamW { lr: 2e-4, beta1: 0.0, beta2: 0.9, ..ParamsAdamW::default() };
    let mut g_optimizer = AdamW::new(generator.params().vars(), adamw)?;

    for step in 1..=STEPS {
        let fake = g.frozen().forward(&latents(BATCH, &mut rng)?)?;
        let real = stripes(BATCH, &mut rng)?;
        let (d_loss, grads) = gradients(|| loss::d_hinge(&d.forward(&real)?, &d.forward(&fake)?))?;
        d_optimizer.step(&grads.into())?;

        // The discriminator's parameters are constants here; gradients pass through it to the images.
        let z = latents(BATCH, &mut rng)?;
        let (g_loss, grads) = gradients(|| loss::g_hinge(&d.frozen().forward(&g.forward(&z)?)?))?;
        g_optimizer.step(&grads.into())?;
        let (d_loss, g_loss) = (d_loss.to_scalar::<f32>()?, g_loss.to_scalar::<f32>()?);
        println!("step {step}: discriminator {d_loss:.4}, generator {g_loss:.4}");
    }

    // The network's variables as a `VarMap` of candle's, to a file and back.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("generator.safetensors");
    generator.params().var_map().save(&path)?;
    let vb: VarBuilder<'_> = autogan_weights::var_builder(&path, dtype, &device)?;
    let again = Generator::from_var_builder(&sizes, Some(&arch), &vb)?;
    let z = latents(2, &mut rng)?;
    let images = |net: &Generator| net.bind(&arch, NormMode::Running).frozen().forward(&z);
    let gap = (images(&generator)? - images(&again)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    println!("largest difference after loading: {gap}");
    if gap == 0.0 { Ok(()) } else { Err("the loaded generator differs".into()) }
}

/// Latent vectors, uniform in [-1, 1].
fn latents(n: usize, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    let values = (0..n * LATENT).map(|_| 2.0 * rng.random::<f32>() - 1.0).collect();
    Tensor::from_vec::<_, f32>(values, (n, LATENT), &Device::Cpu)
}

/// Horizontal stripes of random phase, `[N, 3, 8, 8]` in [-1, 1].
fn stripes(n: usize, rng: &mut ChaCha8Rng) -> Result<Tensor> {
    let mut values = Vec::with_capacity(n * 3 * 64);
    for _ in 0..n {
        let phase = rng.random::<f32>() * std::f32::consts::TAU;
        values.extend((0..3 * 64).map(|i| ((i / 8 % 8) as f32 * 1.5 + phase).sin()));
    }
    Tensor::from_vec(values, (n, 3, 8, 8), &Device::Cpu)
}
