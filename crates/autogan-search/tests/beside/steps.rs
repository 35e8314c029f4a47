//! Single steps of shared training: compared with those of the CPU, and taken twice for the same bits.

use autogan_search::SharedTraining;
use autogan_space::Arch;
use candle_core::{Device, Tensor};

use super::SLOW;
use super::events::apart;
use crate::{place, tiny};

/// The losses of D and G steps at a stage, one pair for each architecture.
fn losses(device: &Device, stage: usize, archs: &[Arch]) -> Vec<f64> {
    let wider = ["model.gf=8", "model.df=8", "train.g_batch=4"];
    let config = tiny::config(5, &[&wider[..], &SLOW].concat());
    let mut training = SharedTraining::new(config, stage, device).unwrap();
    let side = training.side();
    let pixels: Vec<f32> =
        (0..4 * 3 * side * side).map(|i| ((i * 7919) % 255) as f32 / 127.5 - 1.0).collect();
    let real = Tensor::from_vec(pixels, (4, 3, side, side), device).unwrap();
    let mut losses = Vec::new();
    for arch in archs {
        losses.push(training.d_step(arch, &real).unwrap().read().unwrap());
        losses.push(training.g_step(arch).unwrap().read().unwrap());
    }
    losses
}

/// The first architectures of a stage, from a list that was drawn at random.
fn archs(stage: usize, count: usize) -> Vec<Arch> {
    let text = match stage {
        0 => include_str!("../../../../benches/archs-stage0.txt"),
        1 => include_str!("../../../../benches/archs-stage1.txt"),
        _ => include_str!("../../../../benches/archs-stage2.txt"),
    };
    text.lines().take(count).map(|line| line.parse().unwrap()).collect()
}

#[test]
fn losses_of_every_stage_are_the_cpu_s() {
    for stage in 0..3 {
        let archs = archs(stage, 4);
        let here = losses(&Device::Cpu, stage, &archs);
        let there = place::run(|| losses(&place::device(), stage, &archs));
        for (i, (here, there)) in here.iter().zip(&there).enumerate() {
            // Written so that NaN fails.
            let near = (here - there).abs() <= apart(i) * (1.0 + here.abs());
            assert!(near, "stage {stage}, step {i}: loss {here} on the CPU, {there} there");
        }
    }
}

#[test]
fn steps_give_the_same_bits_each_time() {
    for stage in 0..3 {
        let archs = archs(stage, 1);
        let [first, second] = [(); 2].map(|()| {
            let losses = place::run(|| losses(&place::device(), stage, &archs));
            losses.into_iter().map(f64::to_bits).collect::<Vec<_>>()
        });
        assert_eq!(first, second, "stage {stage}");
    }
}
