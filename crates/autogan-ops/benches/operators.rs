//! Every operator that has a plain form beside that form, forward and with all gradients: `cargo bench -p autogan-ops`.
//! `conv.rs` measures convolutions beside candle's.

use autogan_ops::{
    Activation, Before, ConvGeometry, Resize, Statistics, batch_norm_ref, batch_norm_train,
    conv_transpose2x2, conv_transpose2x2_ref, conv2d, conv2d_avg_pool2, conv2d_avg_pool2_ref,
    conv2d_fused, conv2d_fused_ref, conv2d_ref, instance_norm, instance_norm_ref, log_softmax,
    log_softmax_ref, spectral_normalize, spectral_normalize_ref,
};
use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const EPS: f64 = 1e-5;

/// Images, channels and side; small, because `conv2d_ref` is written as its definition.
const SIZE: (usize, usize, usize) = (8, 32, 16);

fn variable(shape: &[usize]) -> Result<Var> {
    let n: usize = shape.iter().product();
    let data: Vec<f32> = (0..n).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu)?)
}

/// One operator and its plain form, which give the same.
struct Pair<'a> {
    name: &'a str,
    fast: &'a dyn Fn() -> Result<Tensor>,
    plain: &'a dyn Fn() -> Result<Tensor>,
    /// Whether the plain form has a gradient.
    gradient: bool,
}

impl Pair<'_> {
    fn measure(&self, c: &mut Criterion) {
        let mut group = c.benchmark_group(self.name);
        group.sample_size(10);
        for (name, run) in [("fast", self.fast), ("plain", self.plain)] {
            let forward = || run().unwrap_or_else(|error| panic!("{} {name}: {error}", self.name));
            group.bench_function(format!("forward, {name}"), |b| b.iter(|| black_box(forward())));
            let gradients = || {
                let backward = forward().sum_all().and_then(|sum| sum.backward());
                backward.unwrap_or_else(|error| panic!("{} {name}: {error}", self.name))
            };
            if self.gradient || name == "fast" {
                group.bench_function(format!("with gradients, {name}"), |b| {
                    b.iter(|| black_box(gradients()));
                });
            }
        }
        group.finish();
    }
}

fn benches(c: &mut Criterion) {
    convolutions(c).and_then(|()| others(c)).unwrap_or_else(|error| panic!("{error}"));
}

fn convolutions(c: &mut Criterion) -> Result<()> {
    let (n, channels, side) = SIZE;
    let x = variable(&[n, channels, side, side])?;
    let w = variable(&[channels, channels, 3, 3])?;
    let w2 = variable(&[channels, channels, 2, 2])?;
    let b = variable(&[channels])?;
    let norm = Before::BatchNorm { weight: &b, bias: &b, statistics: Statistics::Own, eps: EPS };
    let same = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
    for pair in [
        Pair {
            name: "conv2d",
            fast: &|| conv2d(&x, &w, Some(&b)),
            plain: &|| conv2d_ref(&x, &w, Some(&b), same),
            gradient: false,
        },
        Pair {
            name: "conv2d_avg_pool2",
            fast: &|| conv2d_avg_pool2(&x, &w, Some(&b)),
            plain: &|| conv2d_avg_pool2_ref(&x, &w, Some(&b)),
            gradient: true,
        },
        Pair {
            name: "conv2d_fused, batch norm, nearest",
            fast: &|| Ok(conv2d_fused(&x, norm, Resize::NearestUp, &w, &b)?.y),
            plain: &|| Ok(conv2d_fused_ref(&x, norm, Resize::NearestUp, &w, &b)?.y),
            gradient: true,
        },
        Pair {
            name: "conv2d_fused, ReLU, average",
            fast: &|| Ok(conv2d_fused(&x, Before::Relu, Resize::AveragePool, &w, &b)?.y),
            plain: &|| Ok(conv2d_fused_ref(&x, Before::Relu, Resize::AveragePool, &w, &b)?.y),
            gradient: true,
        },
        Pair {
            name: "conv_transpose2x2",
            fast: &|| conv_transpose2x2(&x, &w2, &b),
            plain: &|| conv_transpose2x2_ref(&x, &w2, &b),
            gradient: false,
        },
    ] {
        pair.measure(c);
    }
    Ok(())
}

fn others(c: &mut Criterion) -> Result<()> {
    let (n, channels, side) = SIZE;
    let x = variable(&[n, channels, side, side])?;
    let w = variable(&[channels, channels, 3, 3])?;
    let (weight, bias) = (variable(&[channels])?, variable(&[channels])?);
    let logits = variable(&[256, 100])?;
    let u = Tensor::full(0.1, channels, &Device::Cpu)?;
    let v = Tensor::full(0.05, channels * 9, &Device::Cpu)?;
    for pair in [
        Pair {
            name: "batch_norm",
            fast: &|| Ok(batch_norm_train(&x, &weight, &bias, EPS, Activation::Linear)?.y),
            plain: &|| batch_norm_ref(&x, &weight, &bias, EPS),
            gradient: true,
        },
        Pair {
            name: "instance_norm",
            fast: &|| instance_norm(&x, EPS, Activation::Linear),
            plain: &|| instance_norm_ref(&x, EPS),
            gradient: true,
        },
        Pair {
            name: "log_softmax",
            fast: &|| log_softmax(&logits),
            plain: &|| log_softmax_ref(&logits),
            gradient: true,
        },
        Pair {
            name: "spectral_normalize",
            fast: &|| spectral_normalize(&w, &u, &v),
            plain: &|| spectral_normalize_ref(&w, &u, &v),
            gradient: true,
        },
    ] {
        pair.measure(c);
    }
    Ok(())
}

criterion_group!(operators, benches);
criterion_main!(operators);
