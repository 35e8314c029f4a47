//! Shared training at each stage, at a quarter of the usual width: `cargo bench -p autogan-search`. One iteration is a D
//! step and a G step with the next of a few architectures; `autogan bench supernet` measures whole cycles at full width.

use autogan_config::Configuration;
use autogan_search::{Result, SearchConfig, SharedTraining, Streams};
use autogan_space::Arch;
use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::RngExt;

fn benches(c: &mut Criterion) {
    for stage in 0..3 {
        if let Err(error) = stage_bench(c, stage) {
            panic!("stage {stage}: {error}");
        }
    }
}

fn stage_bench(c: &mut Criterion, stage: usize) -> Result<()> {
    let settings = ["model.gf=32", "model.df=16", "train.d_batch=16", "train.g_batch=32"];
    let config = SearchConfig::preset("released", &settings.map(str::to_owned))?;
    let mut training = SharedTraining::new(config, stage, &Device::Cpu)?;
    let side = training.side();
    let mut rng = Streams::new(0).rng("bench.supernet", 0);
    let archs = (0..8).map(|_| Ok(Arch::random(stage, &mut rng)?)).collect::<Result<Vec<_>>>()?;
    let pixels: Vec<f32> = (0..16 * 3 * side * side).map(|_| rng.random_range(-1.0..1.0)).collect();
    let real = Tensor::from_vec(pixels, (16, 3, side, side), &Device::Cpu)?;
    let mut group = c.benchmark_group(format!("supernet, stage {stage}"));
    group.sample_size(10);
    let mut turn = 0;
    let mut both = || -> Result<()> {
        training.d_step(&archs[turn % archs.len()], &real)?;
        training.g_step(&archs[turn % archs.len()])?;
        turn += 1;
        Ok(())
    };
    both()?;
    group.bench_function("D step and G step", |b| {
        b.iter(|| both().unwrap_or_else(|error| panic!("stage {stage}: {error}")));
    });
    group.finish();
    Ok(())
}

criterion_group!(supernet, benches);
criterion_main!(supernet);
