//! Gradients of the whole networks in f64, compared with finite differences and with plainly written networks.

#![allow(clippy::unwrap_used, reason = "helpers of a test may panic")]

use std::collections::BTreeMap;

use autogan_nn::{
    BatchNormStats, DMode, Discriminator, DiscriminatorConfig, DiscriminatorInit, Generator,
    GeneratorConfig, NormMode, Params, PreOrder, Rules, SkipTap, loss, ops,
};
use autogan_space::{Arch, CellArch, Conv, Norm, Upsample};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn normal(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> =
        (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn networks(rules: Rules) -> (Generator, Discriminator) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = GeneratorConfig { latent: 4, width: 3, bottom: 2, rules };
    let g = Generator::supernet(&config, &mut rng, DType::F64, &Device::Cpu).unwrap();
    let config = DiscriminatorConfig { width: 3, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let d = Discriminator::new(&config, &mut rng, DType::F64, &Device::Cpu).unwrap();
    (g, d)
}

/// The sum of both losses. Batch norm uses the batch, and spectral norm its stored vectors, so nothing changes from
/// call to call.
fn joint_loss(g: &Generator, d: &Discriminator, arch: &Arch, z: &Tensor, real: &Tensor) -> Tensor {
    let stats = BatchNormStats::new();
    let fake = g.forward(z, arch, NormMode::Collect(&stats)).unwrap();
    let fake_scores = d.forward(&fake, arch.stage(), DMode::Eval).unwrap();
    let real_scores = d.forward(real, arch.stage(), DMode::Eval).unwrap();
    let d_loss = loss::d_hinge(&real_scores, &fake_scores).unwrap();
    (d_loss + (loss::g_hinge(&fake_scores).unwrap() * 0.3).unwrap()).unwrap()
}

/// Compares the gradient of some elements of every parameter with central differences.
fn check_differences(params: &Params, grads: &GradStore, loss: impl Fn() -> f64) {
    const H: f64 = 1e-6;
    for (name, var) in params.trainable() {
        let Some(grad) = grads.get(var) else { continue };
        let grad: Vec<f64> = grad.flatten_all().unwrap().to_vec1().unwrap();
        let start: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
        for i in [0, start.len() / 2, start.len() - 1] {
            let at = |delta: f64| {
                let mut moved = start.clone();
                moved[i] += delta;
                var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                loss()
            };
            let numeric = (at(H) - at(-H)) / (2.0 * H);
            at(0.0);
            let off = (numeric - grad[i]).abs();
            assert!(
                off < 1e-6 + 1e-5 * numeric.abs(),
                "{name}[{i}]: {} against {numeric}",
                grad[i]
            );
        }
    }
}

#[test]
fn the_whole_systems_gradient_is_that_of_finite_differences() {
    for (vector, tap) in [
        ("0 1 2 1 1 2 2 1 1 0 0 2 1 3", Rules::RELEASED),
        ("1 1 0 1 0 0 1 0 1 1 1 0 1 3", Rules::STANDARD),
        ("1 2 1 1 0 1 0 1 1", Rules::STANDARD),
    ] {
        let arch: Arch = vector.parse().unwrap();
        let (g, d) = networks(tap);
        let side = g.side(arch.stage());
        let (z, real) = (normal(&[2, 4], 2), normal(&[3, 3, side, side], 3));
        let loss = || joint_loss(&g, &d, &arch, &z, &real);
        let grads = loss().backward().unwrap();
        let value = || loss().to_scalar::<f64>().unwrap();
        check_differences(g.params(), &grads, value);
        check_differences(d.params(), &grads, value);
    }
}

/// The generator as the paper describes it, with plain operators and every 1x1 convolution at the large side.
struct PlainGenerator<'a> {
    params: &'a Params,
    rules: Rules,
}

impl PlainGenerator<'_> {
    fn conv(&self, x: &Tensor, name: &str) -> Tensor {
        let (w, b) = self.pair(name);
        let pad = w.dim(3).unwrap() / 2;
        let b = b.reshape((1, b.elem_count(), 1, 1)).unwrap();
        x.conv2d(&w, pad, 1, 1, 1).unwrap().broadcast_add(&b).unwrap()
    }

    fn deconv(&self, x: &Tensor, name: &str) -> Tensor {
        let (w, b) = self.pair(name);
        let b = b.reshape((1, b.elem_count(), 1, 1)).unwrap();
        x.conv_transpose2d(&w, 0, 0, 2, 1).unwrap().broadcast_add(&b).unwrap()
    }

    fn pair(&self, name: &str) -> (Tensor, Tensor) {
        let get =
            |part: &str| self.params.get(&format!("{name}.{part}")).unwrap().as_tensor().clone();
        (get("weight"), get("bias"))
    }

    fn resize(&self, x: &Tensor, factor: usize, up: Upsample, deconvs: &[String]) -> Tensor {
        match up {
            Upsample::Bilinear => ops::upsample_bilinear(x, factor).unwrap(),
            Upsample::Nearest => ops::upsample_nearest(x, factor).unwrap(),
            Upsample::Deconv => deconvs.iter().fold(x.clone(), |x, name| self.deconv(&x, name)),
        }
    }

    fn norm(&self, x: &Tensor, norm: Norm, name: &str) -> Tensor {
        match norm {
            Norm::None => x.clone(),
            Norm::Instance => ops::instance_norm_ref(x, 1e-5).unwrap(),
            Norm::Batch => {
                let (w, b) = self.pair(name);
                ops::batch_norm_ref(x, &w, &b, 1e-5).unwrap()
            }
        }
    }

    fn half(&self, x: &Tensor, arch: &CellArch, cell: &str, i: usize) -> Tensor {
        let kind = arch.conv.name();
        let name = format!("{cell}.{kind}_conv{i}");
        let up = |x: &Tensor| match i {
            1 => self.resize(x, 2, arch.upsample, &[format!("{name}.deconv")]),
            _ => x.clone(),
        };
        let norm = |x: &Tensor| self.norm(x, arch.norm, &format!("{name}.bn"));
        let conv = |x: &Tensor| self.conv(x, &format!("{name}.conv"));
        match (arch.conv, self.rules.pre_order) {
            (Conv::Post, _) => norm(&conv(&up(x))).relu().unwrap(),
            (Conv::Pre, PreOrder::NormFirst) => conv(&up(&norm(x).relu().unwrap())),
            (Conv::Pre, PreOrder::UpsampleFirst) => conv(&norm(&up(x)).relu().unwrap()),
        }
    }

    fn generate(&self, z: &Tensor, arch: &Arch, width: usize, bottom: usize) -> Tensor {
        let (w, b) = self.pair("l1");
        let mut x = z.matmul(&w.t().unwrap()).unwrap().broadcast_add(&b).unwrap();
        x = x.reshape((z.dim(0).unwrap(), width, bottom, bottom)).unwrap();
        let mut taps: Vec<Tensor> = Vec::new();
        for (s, arch) in arch.cells().iter().enumerate() {
            let cell = format!("cell{}", s + 1);
            let before = self.half(&x, arch, &cell, 1);
            let mut h = before.clone();
            for from in arch.skips.sources() {
                let deconvs = match arch.skip_factor(from) {
                    2 => vec![format!("{cell}.skip_deconvx2")],
                    _ => vec![format!("{cell}.skip_deconvx4.0"), format!("{cell}.skip_deconvx4.1")],
                };
                let tap = self.resize(&taps[from], arch.skip_factor(from), arch.upsample, &deconvs);
                h = (h + self.conv(&tap, &format!("{cell}.skip_in_ops.{from}"))).unwrap();
            }
            let mut out = self.half(&h, arch, &cell, 2);
            if arch.shortcut {
                let up = self.resize(&x, 2, arch.upsample, &[format!("{cell}.deconv_sc")]);
                out = (out + self.conv(&up, &format!("{cell}.c_sc"))).unwrap();
            }
            x = out;
            taps.push(match self.rules.skip_tap {
                SkipTap::BeforeAdd => before,
                SkipTap::AfterAdd => h,
            });
        }
        let h = self.norm(&x, Norm::Batch, "to_rgb.0").relu().unwrap();
        self.conv(&h, "to_rgb.2").tanh().unwrap()
    }
}

fn gradients(params: &Params, grads: &GradStore) -> BTreeMap<String, Vec<f64>> {
    params
        .trainable()
        .into_iter()
        .filter_map(|(name, var)| {
            let grad = grads.get(var)?.flatten_all().unwrap().to_vec1().unwrap();
            Some((name.to_owned(), grad))
        })
        .collect()
}

#[test]
fn the_generator_equals_its_plain_form_forward_and_backward() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let figure = Rules { pre_order: PreOrder::UpsampleFirst, ..Rules::STANDARD };
    for rules in [Rules::STANDARD, Rules::RELEASED, figure] {
        let (g, _) = networks(rules);
        let plain = PlainGenerator { params: g.params(), rules };
        for stage in [1, 2] {
            for _ in 0..15 {
                let arch = Arch::random(stage, &mut rng).unwrap();
                let (z, side) = (normal(&[2, 4], 5), g.side(stage));
                let direction = normal(&[2, 3, side, side], 6);
                let stats = BatchNormStats::new();
                let run = |images: Tensor| {
                    let grads =
                        (&images * &direction).unwrap().sum_all().unwrap().backward().unwrap();
                    let images: Vec<f64> = images.flatten_all().unwrap().to_vec1().unwrap();
                    (images, gradients(g.params(), &grads))
                };
                let (ours, our_grads) =
                    run(g.forward(&z, &arch, NormMode::Collect(&stats)).unwrap());
                let (theirs, their_grads) = run(plain.generate(&z, &arch, 3, 2));
                close(&ours, &theirs, &arch.to_string());
                assert!(our_grads.keys().eq(their_grads.keys()), "{arch}");
                for (name, grad) in &our_grads {
                    close(grad, &their_grads[name], &format!("{arch} {name}"));
                }
            }
        }
    }
}

#[test]
fn pooling_before_the_1x1_convolution_equals_pooling_after_it() {
    let (_, d) = networks(Rules::STANDARD);
    let w = d.params().get("block2.c_sc.weight_orig").unwrap().as_tensor();
    let b = d.params().get("block2.c_sc.bias").unwrap().as_tensor();
    let x = candle_core::Var::from_tensor(&normal(&[2, 3, 6, 4], 7)).unwrap();
    let direction = normal(&[2, 3, 3, 2], 8);
    let run = |y: Tensor| {
        let grads = (&y * &direction).unwrap().sum_all().unwrap().backward().unwrap();
        let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let grad = |t: &Tensor| flat(grads.get(t).unwrap());
        [flat(&y), grad(x.as_tensor()), grad(w), grad(b)]
    };
    let ours = run(ops::conv2d(&ops::avg_pool2(&x).unwrap(), w, Some(b)).unwrap());
    let theirs = run(ops::avg_pool2(&ops::conv2d(&x, w, Some(b)).unwrap()).unwrap());
    for (a, b) in ours.iter().zip(&theirs) {
        close(a, b, "pooled shortcut");
    }
}

fn close(ours: &[f64], theirs: &[f64], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= 1e-9 * largest, "{what}: {a} against {b}");
    }
}
