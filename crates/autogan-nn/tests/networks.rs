//! The networks: sizes, shared weights, modes, prefixes, averages.

#![allow(clippy::unwrap_used, reason = "helpers of a test may panic")]

use autogan_nn::{
    BatchNormStats, DMode, Discriminator, DiscriminatorConfig, DiscriminatorInit, Ema, EmaBuffers,
    Generator, GeneratorConfig, NnError, NormMode, Rules, loss,
};
use autogan_space::{
    Arch, GeneratorShape, derived_generator_cost, discriminator_cost, supernet_cost,
};
use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const CONFIG: GeneratorConfig =
    GeneratorConfig { latent: 5, width: 6, bottom: 3, rules: Rules::STANDARD };

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn supernet(seed: u64) -> Generator {
    Generator::supernet(&CONFIG, &mut rng(seed), DType::F32, &Device::Cpu).unwrap()
}

fn latents(n: usize, seed: u64) -> Tensor {
    let mut rng = rng(seed);
    let values: Vec<f32> =
        (0..n * CONFIG.latent).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(values, (n, CONFIG.latent), &Device::Cpu).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// The values of all parameters and statistics, without the counters of batches.
fn without_counters(net: &Generator) -> Vec<Vec<f32>> {
    let all = net.params().all();
    let values_of = all.iter().filter(|(name, _)| !name.ends_with("tracked"));
    values_of.map(|(_, value)| values(value)).collect()
}

fn arch(vector: &str) -> Arch {
    vector.parse().unwrap()
}

#[test]
fn parameter_counts_are_those_of_the_closed_forms() {
    let (f32, cpu) = (DType::F32, Device::Cpu);
    for (latent, width, bottom) in [(5, 6, 3), (16, 8, 4)] {
        let shape = GeneratorShape { latent, width, bottom };
        let config = GeneratorConfig { latent, width, bottom, rules: Rules::STANDARD };
        let net = Generator::supernet(&config, &mut rng(1), f32, &cpu).unwrap();
        assert_eq!(net.params().count(), supernet_cost(2, &shape).params);
        let mut rng = rng(2);
        for stage in [0, 1, 2] {
            for _ in 0..30 {
                let arch = Arch::random(stage, &mut rng).unwrap();
                let net = Generator::derived(&config, &arch, &mut rng, f32, &cpu).unwrap();
                let expected = derived_generator_cost(&arch, &shape).params;
                assert_eq!(net.params().count(), expected, "{arch}");
            }
        }
        let d = Discriminator::new(
            &DiscriminatorConfig { width, init: DiscriminatorInit::Xavier, warm_up: 15 },
            &mut rng,
            f32,
            &cpu,
        )
        .unwrap();
        assert_eq!(d.params().count(), discriminator_cost(2, width, bottom).params);
    }
}

#[test]
fn the_published_parameter_counts() {
    let mut rng = rng(3);
    let config = GeneratorConfig { latent: 128, width: 128, bottom: 4, rules: Rules::STANDARD };
    let net = Generator::supernet(&config, &mut rng, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(net.params().count(), 3_716_995);
    let config = DiscriminatorConfig { width: 64, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let net = Discriminator::new(&config, &mut rng, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(net.params().count(), 264_768);
}

#[test]
fn a_derived_network_equals_the_supernet_that_it_was_taken_from() {
    let (net, z) = (supernet(4), latents(4, 5));
    let mut rng = rng(6);
    for stage in [0, 1, 2] {
        for _ in 0..20 {
            let arch = Arch::random(stage, &mut rng).unwrap();
            let derived = net.derive(&arch).unwrap();
            let stats = BatchNormStats::new();
            for mode in [NormMode::Running, NormMode::Collect(&stats)] {
                let (a, b) = (net.forward(&z, &arch, mode), derived.forward(&z, &arch, mode));
                let a = a.unwrap();
                assert_eq!(values(&a), values(&b.unwrap()), "{arch}");
                let side = net.side(stage);
                assert_eq!(a.dims(), [4, 3, side, side]);
            }
        }
    }
}

#[test]
fn a_part_that_was_not_derived_is_named() {
    let (derived, z) = (supernet(4).derive(&Arch::AUTOGAN_A).unwrap(), latents(2, 5));
    for (other, part) in [
        ("0 0 1 1", "post-activation"),
        ("1 1 1 1", "bn"),
        ("1 0 2 1", "deconv"),
        ("1 0 1 1 1 0 0 1 1 1 0 1 1 3", "c_sc"),
    ] {
        let error = derived.forward(&z, &arch(other), NormMode::Running).unwrap_err();
        assert!(matches!(error, NnError::MissingPart { .. }));
        assert!(error.to_string().contains(part), "{other}: {error}");
    }
}

#[test]
fn a_shared_prefix_gives_the_same_images_as_the_whole() {
    let (net, z) = (supernet(7), latents(3, 8));
    let prefix = arch("0 1 2 1 1 2 0 1 1");
    let stats = BatchNormStats::new();
    net.forward_frozen(&z, &prefix, NormMode::Collect(&stats)).unwrap();
    let mut trace = net.stem_frozen(&z).unwrap();
    for (i, cell) in prefix.cells().iter().enumerate() {
        net.cell(&mut trace, i, cell, NormMode::Fixed(&stats)).unwrap();
    }
    for vector in ["0 2 1 0 3", "1 0 2 1 1", "1 0 0 0 0"] {
        let numbers = format!("{} {vector}", "0 1 2 1 1 2 0 1 1");
        let child = arch(&numbers);
        let mut continued = trace.clone();
        net.cell(&mut continued, 2, &child.cells()[2], NormMode::Fixed(&stats)).unwrap();
        let images = net.head(&continued, NormMode::Fixed(&stats)).unwrap();
        let whole = net.forward(&z, &child, NormMode::Fixed(&stats)).unwrap();
        assert_eq!(values(&images), values(&whole));
    }
    assert_eq!(trace.cells(), 2, "continuing a clone leaves the prefix as it was");
    let error = net.cell(&mut trace, 0, &prefix.cells()[0], NormMode::Running).unwrap_err();
    assert!(matches!(error, NnError::CellOrder { expected: 3, found: 1 }));
}

#[test]
fn recalibrated_statistics_belong_to_the_child_and_leave_the_supernet_alone() {
    let net = supernet(9);
    let (a, b) = (arch("0 1 1 1 1 1 0 1 1"), arch("0 1 1 1 1 1 2 0 0"));
    let before = without_counters(&net);
    let stats = BatchNormStats::new();
    // Two batches: the mean of their statistics.
    for seed in [10, 11] {
        net.forward_frozen(&latents(6, seed), &a, NormMode::Collect(&stats)).unwrap();
    }
    let names: Vec<String> =
        stats.layers().into_iter().map(|(name, n)| format!("{name}:{n}")).collect();
    assert_eq!(
        names,
        [
            "cell1.post_conv1.bn:2",
            "cell1.post_conv2.bn:2",
            "cell2.pre_conv1.bn:2",
            "cell2.pre_conv2.bn:2",
            "to_rgb.0:2"
        ]
    );
    assert_eq!(before, without_counters(&net));
    // On one batch alone, fixed statistics repeat it up to the unbiased variance's factor.
    let (one, z) = (BatchNormStats::new(), latents(16, 12));
    let by_batch = net.forward_frozen(&z, &b, NormMode::Collect(&one)).unwrap();
    let fixed = net.forward_frozen(&z, &b, NormMode::Fixed(&one)).unwrap();
    let worst =
        values(&(by_batch - fixed).unwrap()).into_iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    assert!(worst > 0.0 && worst < 2e-2, "{worst}");
    let fewer = BatchNormStats::new();
    assert!(matches!(
        net.forward(&z, &b, NormMode::Fixed(&fewer)),
        Err(NnError::NoStatistics { layer, .. }) if layer == "cell1.post_conv1.bn"
    ));
    // Written into a derived network they are what Running then uses.
    let derived = net.derive(&b).unwrap();
    one.write_to(derived.params()).unwrap();
    let running = derived.forward(&z, &b, NormMode::Running).unwrap();
    let fixed = net.forward(&z, &b, NormMode::Fixed(&one)).unwrap();
    let worst =
        values(&(running - fixed).unwrap()).into_iter().fold(0.0_f32, |m, x| m.max(x.abs()));
    assert!(worst < 1e-5, "{worst}");
}

#[test]
fn inactive_branches_get_no_gradient_and_no_statistics() {
    let (net, z) = (supernet(13), latents(4, 14));
    let arch = arch("1 1 0 0 0 2 2 1 1");
    let images = net.forward(&z, &arch, NormMode::Train).unwrap();
    let grads = images.sqr().unwrap().mean_all().unwrap().backward().unwrap();
    let used = net.derive(&arch).unwrap();
    for (name, var) in net.params().trainable() {
        assert_eq!(grads.get(var).is_some(), used.params().get(name).is_some(), "{name}");
    }
    for (name, var) in net.params().buffers() {
        if name.ends_with("num_batches_tracked") {
            let expected = i64::from(used.params().get(name).is_some());
            assert_eq!(var.to_scalar::<i64>().unwrap(), expected, "{name}");
        }
    }
    // Frozen, the same images come without any gradient.
    let stats = BatchNormStats::new();
    let frozen = net.forward_frozen(&z, &arch, NormMode::Collect(&stats)).unwrap();
    assert_eq!(values(&frozen), values(&images));
    let grads = frozen.mean_all().unwrap().backward().unwrap();
    assert!(net.params().trainable().iter().all(|(_, var)| grads.get(var).is_none()));
}

#[test]
fn the_skip_tap_matters_only_behind_a_cell_with_skips() {
    let after = GeneratorConfig { rules: Rules::RELEASED, ..CONFIG };
    let build =
        |config| Generator::supernet(config, &mut rng(15), DType::F32, &Device::Cpu).unwrap();
    let (before, after, z) = (build(&CONFIG), build(&after), latents(2, 16));
    for (vector, same) in [
        ("1 0 1 1 1 0 0 1 1 1 0 1 0 3", false), // cell 2, which has a skip, feeds cell 3
        ("1 0 1 1 1 0 0 1 1 1 0 1 0 1", false),
        ("1 0 1 1 1 0 0 1 1 1 0 1 0 2", true), // only cell 1 feeds others
        ("1 0 1 1 1 0 0 1 0 1 0 1 0 3", true), // cell 2 has no skip
    ] {
        let run =
            |net: &Generator| values(&net.forward(&z, &arch(vector), NormMode::Running).unwrap());
        assert_eq!(run(&before) == run(&after), same, "{vector}");
    }
}

#[test]
fn power_iterations_happen_in_training_mode_only_and_end_at_the_true_norm() {
    let config = DiscriminatorConfig { width: 5, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let d = Discriminator::new(&config, &mut rng(17), DType::F32, &Device::Cpu).unwrap();
    let x = Tensor::zeros((2, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let u = || values(d.params().get("block2.c1.weight_u").unwrap());
    let unused = || values(d.params().get("block3.c1.weight_u").unwrap());
    let (start, start_unused) = (u(), unused());
    d.forward(&x, 1, DMode::Eval).unwrap();
    assert_eq!(u(), start);
    for _ in 0..200 {
        d.forward_frozen(&x, 1, DMode::Train).unwrap();
    }
    assert_ne!(u(), start);
    assert_eq!(unused(), start_unused, "block 3 does not run at stage 1");
    // Then W v = σ u.
    let w = d.params().get("block2.c1.weight_orig").unwrap().reshape((5, 45)).unwrap();
    let v = d.params().get("block2.c1.weight_v").unwrap().reshape((45, 1)).unwrap();
    let wv = values(&w.matmul(&v).unwrap());
    let sigma = wv.iter().map(|x| x * x).sum::<f32>().sqrt();
    for (a, b) in wv.iter().zip(u()) {
        assert!((a - sigma * b).abs() < 1e-4, "{a} {b}");
    }
    assert!(matches!(d.forward(&x, 3, DMode::Eval), Err(NnError::Stage { last: 2, found: 3 })));
    let odd = x.narrow(3, 0, 6).unwrap();
    assert!(matches!(d.forward(&odd, 1, DMode::Eval), Err(NnError::Shape { .. })));
}

/// PyTorch 1.1 iterates for the first time in the first forward pass in training.
#[test]
fn without_a_warm_up_the_vectors_of_spectral_norm_are_the_drawn_ones_until_the_first_pass() {
    let vectors = |warm_up: usize| {
        let config = DiscriminatorConfig { width: 5, init: DiscriminatorInit::Xavier, warm_up };
        let d = Discriminator::new(&config, &mut rng(17), DType::F32, &Device::Cpu).unwrap();
        let of = |name: &str| d.params().get(name).unwrap().as_tensor().copy().unwrap();
        let [w, u, v] =
            ["weight_orig", "weight_u", "weight_v"].map(|part| of(&format!("block2.c1.{part}")));
        let x = Tensor::zeros((2, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
        d.forward(&x, 1, DMode::Train).unwrap();
        let after = ["weight_u", "weight_v"].map(|part| values(&of(&format!("block2.c1.{part}"))));
        (w, u, values(&v), after)
    };
    let (w, u, v, after) = vectors(0);
    // Wᵀu of the drawn u: where an iteration had been made, v would lie along it.
    let back = w.reshape((5, 45)).unwrap().t().unwrap();
    let back = values(&back.matmul(&u.reshape((5, 1)).unwrap()).unwrap());
    let length = back.iter().map(|x| x * x).sum::<f32>().sqrt();
    let along = |v: &[f32]| back.iter().zip(v).map(|(a, b)| a * b).sum::<f32>() / length;
    assert!(along(&v).abs() < 0.9, "{}", along(&v));
    assert!((along(&after[1]) - 1.0).abs() < 1e-5, "one iteration in the first pass");
    // The first iteration after no warm-up is that of a warm-up of one.
    let (same, warm_u, warm_v, _) = vectors(1);
    assert_eq!(values(&same), values(&w), "the same draws");
    assert_eq!([values(&warm_u), warm_v], after);
}

#[test]
fn prepared_passes_are_the_passes_in_their_order() {
    let config = DiscriminatorConfig { width: 5, init: DiscriminatorInit::Xavier, warm_up: 15 };
    let d = || Discriminator::new(&config, &mut rng(17), DType::F32, &Device::Cpu).unwrap();
    let (a, b) = (d(), d());
    let x = Tensor::ones((2, 3, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let modes = [DMode::Train, DMode::Train, DMode::Eval];
    let expected = modes.map(|mode| values(&a.forward(&x, 1, mode).unwrap()));
    let prepared = b.prepare(1, &modes).unwrap();
    for (i, expected) in expected.iter().enumerate().rev() {
        assert_eq!(&values(&b.forward_prepared(&x, &prepared[i]).unwrap()), expected, "pass {i}");
    }
    assert_ne!(expected[0], expected[1], "another iteration");
    // The vectors of the last iteration, as they are kept: in f32.
    for (kept, own) in expected[2].iter().zip(&expected[1]) {
        assert!((kept - own).abs() <= 1e-6 * own.abs(), "{kept} {own}");
    }
    for (name, buffer) in a.params().buffers() {
        assert_eq!(values(buffer), values(b.params().get(name).unwrap()), "{name}");
    }
    assert!(matches!(b.prepare(3, &modes), Err(NnError::Stage { last: 2, found: 3 })));
}

#[test]
fn equal_seeds_build_equal_networks_and_a_reset_repeats_them() {
    let (a, b) = (supernet(18), supernet(18));
    let all = |net: &Generator| -> Vec<Vec<f32>> {
        net.params().trainable().iter().map(|(_, v)| values(v)).collect()
    };
    let start = all(&a);
    assert_eq!(start, all(&b));
    let mut stream = rng(19);
    a.reset(&mut stream).unwrap();
    assert_ne!(all(&a), start);
    a.reset(&mut rng(18)).unwrap();
    assert_eq!(all(&a), start);
    assert_ne!(all(&supernet(20)), start);
}

#[test]
fn averages_follow_by_hand_and_restart() {
    let (net, z) = (supernet(21), latents(8, 22));
    let arch = arch("0 1 1 1");
    let averaged = Ema::new(&net, 0.75, EmaBuffers::Averaged).unwrap();
    let live = Ema::new(&net, 0.75, EmaBuffers::Live).unwrap();
    let mean = |g: &Generator| values(g.params().get("to_rgb.0.running_mean").unwrap());
    let weight = |g: &Generator| values(g.params().get("l1.bias").unwrap());
    let start = weight(&net);
    net.forward(&z, &arch, NormMode::Train).unwrap();
    let bias = net.params().get("l1.bias").unwrap();
    bias.set(&(bias.as_detached_tensor() + 4.0).unwrap()).unwrap();
    for ema in [&averaged, &live] {
        ema.update(&net).unwrap();
        for (a, s) in weight(ema.generator()).iter().zip(&start) {
            assert!((a - s - 1.0).abs() < 1e-6);
        }
    }
    assert_eq!(mean(live.generator()), mean(&net));
    for (a, b) in mean(averaged.generator()).iter().zip(mean(&net)) {
        assert!(b != 0.0 && (a - 0.25 * b).abs() < 1e-7, "{a} {b}");
    }
    averaged.restart(&net).unwrap();
    assert_eq!(weight(averaged.generator()), weight(&net));
    assert!(Ema::new(&net, 1.5, EmaBuffers::Live).is_err());
}

#[test]
fn wrong_latents_and_sizes_are_refused() {
    let net = supernet(23);
    let wrong = Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap();
    let error = net.forward(&wrong, &Arch::AUTOGAN_A, NormMode::Running).unwrap_err();
    assert!(error.to_string().contains("[N, 5]") && error.to_string().contains("[2, 4]"));
    let config = GeneratorConfig { width: 0, ..CONFIG };
    let error = Generator::supernet(&config, &mut rng(1), DType::F32, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("width"));
    let one = supernet(24).forward(&latents(1, 1), &arch("0 0 0 0"), NormMode::Train);
    assert!(one.is_ok(), "one image still has many pixels per channel");
    let x = Tensor::zeros((1, 3, 4, 4), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(loss::g_hinge(&x).unwrap().to_scalar::<f32>().unwrap(), 0.0);
}
