//! Convolution beside candle's own: `cargo bench -p autogan-ops`. Times are for a batch of 32, forward, and forward with
//! all gradients.

use autogan_ops::conv2d;
use candle_core::{DType, Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

fn variable(shape: &[usize]) -> Result<Var> {
    let n: usize = shape.iter().product();
    let data: Vec<f32> = (0..n).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu)?.to_dtype(DType::F32)?)
}

fn benches(c: &mut Criterion) {
    for (channels, side) in [(24, 32), (128, 16)] {
        if let Err(error) = group(c, channels, side) {
            panic!("{channels} channels at {side}x{side}: {error}");
        }
    }
}

fn group(c: &mut Criterion, channels: usize, side: usize) -> Result<()> {
    let (x, w) = (variable(&[32, channels, side, side])?, variable(&[channels, channels, 3, 3])?);
    let mut group = c.benchmark_group(format!("conv3x3 {channels}x{side}x{side}"));
    group.sample_size(10);
    let ours = || conv2d(&x, &w, None);
    let candle = || x.conv2d(&w, 1, 1, 1, 1);
    let backward = |y: Result<Tensor>| y.and_then(|y| y.sum_all()?.backward());
    group.bench_function("forward", |b| b.iter(|| black_box(ours().map(drop))));
    group.bench_function("forward, candle", |b| b.iter(|| black_box(candle().map(drop))));
    group.bench_function("with gradients", |b| b.iter(|| black_box(backward(ours()).map(drop))));
    group.bench_function("with gradients, candle", |b| {
        b.iter(|| black_box(backward(candle()).map(drop)))
    });
    group.finish();
    Ok(())
}

criterion_group!(conv, benches);
criterion_main!(conv);
