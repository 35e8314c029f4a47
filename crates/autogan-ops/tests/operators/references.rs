//! Every fast operator, compared with its plain form on random and odd shapes, and with values worked out by hand.

use crate::common::{assert_close, constant, random, values};
use autogan_ops as ops;
use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;

fn f32(t: &Tensor) -> Tensor {
    t.to_dtype(DType::F32).unwrap()
}

/// Interpolation along one side as a matrix `[side·factor, side]`.
fn interpolation(side: usize, factor: usize, bilinear: bool) -> Tensor {
    let mut m = vec![0.0; side * factor * side];
    for i in 0..side * factor {
        if bilinear {
            let at = ((i as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (side - 1) as f64);
            let low = at.floor() as usize;
            m[i * side + low] += 1.0 - (at - low as f64);
            m[i * side + (low + 1).min(side - 1)] += at - low as f64;
        } else {
            m[i * side + i / factor] = 1.0;
        }
    }
    Tensor::from_vec(m, (side * factor, side), &Device::Cpu).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn conv2d(seed: u64, n in 1usize..70, ci in 1usize..9, co in 1usize..9, h in 1usize..12, w in 1usize..40, k in prop::sample::select(vec![1usize, 3, 5])) {
        let (x, weight, b) = (random(seed, (n, ci, h, w)), random(seed + 1, (co, ci, k, k)), random(seed + 2, co));
        let g = ops::ConvGeometry { stride: 1, pad_h: k / 2, pad_w: k / 2 };
        let expected = ops::conv2d_ref(&x, &weight, Some(&b), g).unwrap();
        assert_close("f64", &ops::conv2d(&x, &weight, Some(&b)).unwrap(), &expected, 1e-12);
        assert_close("f32", &ops::conv2d(&f32(&x), &f32(&weight), Some(&f32(&b))).unwrap(), &expected, 1e-4);
    }

    #[test]
    fn conv2d_strided(seed: u64, n in 1usize..40, c in 1usize..5, h in 5usize..20, w in 5usize..40, kh in 1usize..8, kw in 1usize..8, stride in 1usize..4, pad in 0usize..4) {
        let (x, weight) = (random(seed, (n, c, h, w)), random(seed + 1, (3, c, kh, kw)));
        let g = ops::ConvGeometry { stride, pad_h: pad, pad_w: pad / 2 };
        prop_assume!(h + 2 * g.pad_h >= kh && w + 2 * g.pad_w >= kw);
        let expected = ops::conv2d_ref(&x, &weight, None, g).unwrap();
        assert_close("strided", &ops::conv2d_strided(&x, &weight, None, g).unwrap(), &expected, 1e-12);
    }

    #[test]
    fn conv2d_relu(seed: u64, n in 1usize..34, ci in 1usize..5, co in 1usize..12, h in 5usize..20, w in 5usize..20, k in prop::sample::select(vec![1usize, 3, 5]), stride in 1usize..3) {
        let (x, weight, b) = (random(seed, (n, ci, h, w)), random(seed + 1, (co, ci, k, k)), random(seed + 2, co));
        let g = ops::ConvGeometry { stride, pad_h: k / 2, pad_w: k / 2 };
        let expected = ops::conv2d_ref(&x, &weight, Some(&b), g).unwrap().relu().unwrap();
        assert_close("f64", &ops::conv2d_relu(&x, &weight, &b, g).unwrap(), &expected, 1e-12);
        assert_close("f32", &ops::conv2d_relu(&f32(&x), &f32(&weight), &f32(&b), g).unwrap(), &expected, 1e-4);
    }

    // f32 runs other kernels than f64, whose gradients are checked by finite differences: the two must agree.
    #[test]
    fn conv2d_gradients_in_f32(seed: u64, n in 1usize..40, ci in 1usize..8, co in 1usize..14, h in 3usize..20, w in 3usize..40, kh in 1usize..5, kw in 1usize..5, stride in 1usize..4, pad_h in 0usize..4, pad_w in 0usize..4) {
        let g = ops::ConvGeometry { stride, pad_h, pad_w };
        prop_assume!(h + 2 * pad_h >= kh && w + 2 * pad_w >= kw);
        let inputs = [random(seed, (n, ci, h, w)), random(seed + 1, (co, ci, kh, kw)), random(seed + 2, co)];
        let gradients = |dtype| {
            let vars = inputs.each_ref().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap());
            let y = ops::conv2d_strided(&vars[0], &vars[1], Some(vars[2].as_tensor()), g).unwrap();
            let weights = random(seed + 3, y.shape().clone()).to_dtype(dtype).unwrap();
            let grads = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
            vars.each_ref().map(|v| grads.get(v).unwrap().clone())
        };
        for (what, (single, double)) in ["dx", "dw", "db"].iter().zip(gradients(DType::F32).iter().zip(&gradients(DType::F64))) {
            let largest = values(double).iter().fold(1.0f64, |m, v| m.max(v.abs()));
            let scaled = |t: &Tensor| (t.to_dtype(DType::F64).unwrap() / largest).unwrap();
            assert_close(what, &scaled(single), &scaled(double), 1e-5);
        }
    }

    #[test]
    fn conv2d_avg_pool2(seed: u64, n in 1usize..20, ci in 1usize..6, co in 1usize..6, h in 1usize..7, w in 1usize..7, k in prop::sample::select(vec![1usize, 3, 5])) {
        let (x, weight, b) = (random(seed, (n, ci, 2 * h, 2 * w)), random(seed + 1, (co, ci, k, k)), random(seed + 2, co));
        let expected = ops::conv2d_avg_pool2_ref(&x, &weight, Some(&b)).unwrap();
        assert_close("pooled", &ops::conv2d_avg_pool2(&x, &weight, Some(&b)).unwrap(), &expected, 1e-13);
    }

    #[test]
    fn conv_transpose2x2(seed: u64, n in 1usize..20, ci in 1usize..9, co in 1usize..9, h in 1usize..9, w in 1usize..9) {
        let (x, weight, b) = (random(seed, (n, ci, h, w)), random(seed + 1, (ci, co, 2, 2)), random(seed + 2, co));
        let expected = ops::conv_transpose2x2_ref(&x, &weight, &b).unwrap();
        assert_close("deconv", &ops::conv_transpose2x2(&x, &weight, &b).unwrap(), &expected, 1e-12);
    }

    #[test]
    fn upsampling(seed: u64, n in 1usize..4, c in 1usize..5, h in 1usize..9, w in 1usize..9, factor in 1usize..6) {
        let x = random(seed, (n, c, h, w));
        for bilinear in [false, true] {
            let (rows, cols) = (interpolation(h, factor, bilinear), interpolation(w, factor, bilinear));
            let expected = rows.broadcast_matmul(&x.broadcast_matmul(&cols.t().unwrap()).unwrap()).unwrap();
            let y = if bilinear { ops::upsample_bilinear(&x, factor) } else { ops::upsample_nearest(&x, factor) };
            assert_close("upsample", &y.unwrap(), &expected, 1e-12);
        }
    }

    #[test]
    fn pooling(seed: u64, n in 1usize..4, c in 1usize..5, h in 2usize..12, w in 2usize..12) {
        let x = random(seed, (n, c, h, w));
        let even = x.narrow(2, 0, h / 2 * 2).unwrap().narrow(3, 0, w / 2 * 2).unwrap().contiguous().unwrap();
        assert_close("avg_pool2", &ops::avg_pool2(&x).unwrap(), &even.avg_pool2d(2).unwrap(), 1e-12);
        assert_close("sum_pool", &ops::sum_pool(&x).unwrap(), &x.sum((2, 3)).unwrap(), 1e-12);
        assert_close("avg_pool_global", &ops::avg_pool_global(&x).unwrap(), &x.mean((2, 3)).unwrap(), 1e-12);
    }

    #[test]
    fn norms(seed: u64, n in 1usize..9, c in 1usize..9, h in 2usize..9, w in 1usize..9) {
        let (x, weight, b) = (random(seed, (n, c, h, w)), random(seed + 1, c), random(seed + 2, c));
        let out = ops::batch_norm_train(&x, &weight, &b, 1e-5, ops::Activation::Linear).unwrap();
        assert_close("batch norm", &out.y, &ops::batch_norm_ref(&x, &weight, &b, 1e-5).unwrap(), 1e-10);
        let mean = x.mean((0, 2, 3)).unwrap();
        assert_close("mean", &out.mean, &mean, 1e-12);
        prop_assert_eq!(out.count, n * h * w);
        let eval = ops::batch_norm_eval(&x, &out.mean, &out.var, &weight, &b, 1e-5, ops::Activation::Linear).unwrap();
        assert_close("the batch's own statistics, given", &eval, &out.y, 1e-12);
        assert_close("instance norm", &ops::instance_norm(&x, 1e-5, ops::Activation::Linear).unwrap(), &ops::instance_norm_ref(&x, 1e-5).unwrap(), 1e-10);
    }

    #[test]
    fn spectral_norm(seed: u64, rows in 1usize..9, ci in 1usize..9, k in 1usize..4) {
        let w = random(seed, (rows, ci, k, k));
        let (mut u, mut v) = (random(seed + 1, rows), constant(0.0, ci * k * k));
        for _ in 0..3 {
            (u, v) = ops::power_iterate(&w, &u).unwrap();
        }
        for norm in [&u, &v] {
            prop_assert!((values(norm).iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let plain = ops::spectral_normalize_ref(&w, &u, &v).unwrap();
        assert_close("spectral norm", &ops::spectral_normalize(&w, &u, &v).unwrap(), &plain, 1e-12);
    }

    #[test]
    fn log_softmax(seed: u64, n in 1usize..9, k in 1usize..20) {
        let x = (random(seed, (n, k)) * 30.0).unwrap();
        assert_close("log_softmax", &ops::log_softmax(&x).unwrap(), &ops::log_softmax_ref(&x).unwrap(), 1e-12);
    }
}

#[test]
fn large_products_are_those_of_candle() {
    // Cut into pieces along their columns or rows, the last of them short.
    let var = |seed, shape: (usize, usize)| Var::from_tensor(&random(seed, shape)).unwrap();
    // With so many terms in a sum that a piece is as thin as can be, too.
    for (m, k, n) in [(65, 130, 700), (700, 130, 65), (65, 33_000, 130), (130, 33_000, 65)] {
        let (x, w) = (var(1, (m, k)), var(2, (n, k)));
        let b = Var::from_tensor(&random(3, n)).unwrap();
        let weights = random(4, (m, n));
        let loss = |y: &Tensor| y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let found = ops::linear(&x, &w, Some(&b)).unwrap();
        let expected = x.matmul(&w.t().unwrap()).unwrap().broadcast_add(&b).unwrap();
        assert_close("linear", &found, &expected, 1e-11);
        let product = ops::matmul(&x, &w.t().unwrap().contiguous().unwrap()).unwrap();
        assert_close("matmul", &product.broadcast_add(&b).unwrap(), &expected, 1e-11);
        let (found, expected) = (loss(&found), loss(&expected));
        for v in [&x, &w, &b] {
            assert_close("gradient", found.get(v).unwrap(), expected.get(v).unwrap(), 1e-11);
        }
    }
}

#[test]
fn power_iteration_finds_the_largest_singular_value() {
    let w = Tensor::new(&[[3.0, 0.0], [0.0, 1.0]], &Device::Cpu).unwrap();
    let mut u = Tensor::new(&[0.6, 0.8], &Device::Cpu).unwrap();
    let mut v = u.clone();
    for _ in 0..40 {
        (u, v) = ops::power_iterate(&w, &u).unwrap();
    }
    let normal = ops::spectral_normalize(&w, &u, &v).unwrap();
    assert_close("σ = 3", &normal, &(w / 3.0).unwrap(), 1e-12);
}

#[test]
fn adam_takes_the_steps_of_its_paper() {
    let config = ops::AdamConfig { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8 };
    let p = Var::new(&[1.0f64, -2.0], &Device::Cpu).unwrap();
    let idle = Var::new(&[5.0f64], &Device::Cpu).unwrap();
    let mut adam = ops::Adam::new(config);
    let (mut x, mut m, mut v) = ([1.0f64, -2.0], [0.0; 2], [0.0; 2]);
    for t in 1..=3 {
        let grads = p.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        adam.step([("p", &p), ("idle", &idle)], &grads).unwrap();
        for i in 0..2 {
            let g = 2.0 * x[i];
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            let (mh, vh): (f64, f64) =
                (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.99f64.powi(t)));
            x[i] -= 0.1 * mh / (vh.sqrt() + 1e-8);
        }
    }
    assert_close("adam", p.as_tensor(), &Tensor::new(&x, &Device::Cpu).unwrap(), 1e-12);
    assert_eq!(values(idle.as_tensor()), [5.0], "a parameter without gradient stays");
    assert!(!adam.moments().contains_key("idle"), "and gets no moments");
    assert_eq!(adam.moments()["p"].step, 3);
}

/// Of two parameters, the second has a gradient in the second step alone. Moments and steps by hand, at decays of 1/2 and
/// 3/4; `eps` is large, so that its place shows.
#[test]
fn adam_of_torch_1_1_steps_idle_parameters_with_gradients_of_zeros() {
    let config = ops::AdamConfig { lr: 0.25, beta1: 0.5, beta2: 0.75, eps: 0.5 };
    let [always, once] = [2.0f64, 3.0].map(|value| Var::new(&[value], &Device::Cpu).unwrap());
    let vars = || [("always", &always), ("once", &once)];
    let mut adam = ops::Adam::new(config).as_in_torch_1_1();
    let mut step = |both: bool| {
        // Gradients of 1 and of 4.
        let loss = always.as_tensor().clone();
        let loss = if both { ((&*once * 4.0).unwrap() + loss).unwrap() } else { loss };
        let grads = loss.sum_all().unwrap().backward().unwrap();
        adam.step(vars(), &grads).unwrap();
        let of = |name: &str| {
            adam.moments().get(name).map(|all| (all.step, values(&all.m)[0], values(&all.v)[0]))
        };
        (of("always"), of("once"), values(once.as_tensor())[0])
    };
    assert_eq!(step(false), (Some((1, 0.5, 0.25)), None, 3.0), "no gradient yet");
    // m = 4/2, v = 16/4; the corrections are 1/2 and √(1/4): 3 − 0.25 · (1/2) / (1/2) · 2 / (2 + 1/2).
    assert_eq!(step(true).1, Some((1, 2.0, 4.0)));
    assert!((values(once.as_tensor())[0] - 2.8).abs() < 1e-15);
    // Idle: m = 1, v = 3, the corrections 3/4 and √(7/16).
    let third = 2.8 - 0.25 * (7.0f64 / 16.0).sqrt() / 0.75 / (3.0f64.sqrt() + 0.5);
    let (other, idle, value) = step(false);
    assert_eq!((other.unwrap().0, idle), (3, Some((2, 1.0, 3.0))));
    assert!((value - third).abs() < 1e-15, "{value}, expected {third}");
    assert_eq!(step(false).1, Some((3, 0.5, 2.25)));
}

/// What the networks have: without a first moment, what is idle stays where it is while its second moment decays. So its
/// next step is larger than it would be with the moment kept.
#[test]
fn without_a_first_moment_an_idle_parameter_stays_and_then_takes_a_larger_step() {
    let config = ops::AdamConfig { lr: 0.01, beta1: 0.0, beta2: 0.9, eps: 1e-8 };
    let after = |mut adam: ops::Adam| {
        let [idle, other] = [1.0f64, 1.0].map(|value| Var::new(&[value], &Device::Cpu).unwrap());
        let mut values_of_idle = Vec::new();
        for used in [true, false, false, false, true] {
            let loss = if used { (&*idle * &*other).unwrap() } else { (&*other * 2.0).unwrap() };
            let grads = loss.sum_all().unwrap().backward().unwrap();
            // The other one stays at 1, so that the gradient is 1 wherever there is one.
            adam.step([("idle", &idle)], &grads).unwrap();
            values_of_idle.push(values(idle.as_tensor())[0]);
        }
        values_of_idle
    };
    let (old, current) =
        (after(ops::Adam::new(config).as_in_torch_1_1()), after(ops::Adam::new(config)));
    for values in [&old, &current] {
        assert!((values[0] - 0.99).abs() < 1e-9 && values[1..4].iter().all(|v| *v == values[0]));
    }
    // v = 0.1 · 0.9⁴ + 0.1 = 0.16561, corrected by 1 − 0.9⁵ = 0.40951; kept, it is 1 after the correction.
    let size = 0.01 * (0.40951f64 / 0.16561).sqrt();
    assert!((old[3] - old[4] - size).abs() < 1e-8, "{old:?}");
    assert!((current[3] - current[4] - 0.01).abs() < 1e-8, "{current:?}");
}

#[test]
fn ema_moves_towards_the_value() {
    let average = Tensor::new(&[1.0f64, 0.0], &Device::Cpu).unwrap();
    let value = Tensor::new(&[0.0f64, 2.0], &Device::Cpu).unwrap();
    ops::ema_update(&[(&average, &value)], 0.75).unwrap();
    assert_eq!(values(&average), [0.75, 0.5]);
}

#[test]
fn running_statistics_move_towards_a_batch_and_are_rounded_once() {
    let of = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
    let (mean, var) = (of(&[1.0, -0.3]), of(&[2.0, 0.7]));
    for dtype in [DType::F64, DType::F32] {
        let [running_mean, running_var] =
            [[0.5, 0.1], [1.0, 0.9]].map(|v| of(&v).to_dtype(dtype).unwrap());
        let (old_mean, old_var) = (values(&running_mean), values(&running_var));
        // Of three values: a half more of the variance.
        ops::update_running((&running_mean, &running_var), (&mean, &var), 3, 0.1).unwrap();
        for (running, old, new, factor) in
            [(&running_mean, old_mean, &mean, 1.0), (&running_var, old_var, &var, 1.5)]
        {
            for ((found, old), new) in values(running).iter().zip(old).zip(values(new)) {
                let exact = old + 0.1 * (factor * new - old);
                let kept = if dtype == DType::F64 { exact } else { f64::from(exact as f32) };
                assert_eq!(found.to_bits(), kept.to_bits(), "{found}, expected {kept}");
            }
        }
    }
}

#[test]
fn no_gradient_for_frozen_weights() {
    let x = Var::from_tensor(&random(1, (2, 3, 4, 4))).unwrap();
    let w = random(2, (3, 3, 3, 3));
    let grads =
        ops::conv2d(x.as_tensor(), &w, None).unwrap().sum_all().unwrap().backward().unwrap();
    assert!(grads.get(&x).is_some() && grads.get(&w).is_none());
}

#[test]
fn wrong_shapes_are_errors_that_name_both() {
    let x = random(1, (2, 3, 4, 4));
    let message = |r: candle_core::Result<Tensor>| r.unwrap_err().to_string();
    let text = message(ops::conv2d(&x, &random(2, (4, 5, 3, 3)), None));
    assert!(text.contains("5 channels") && text.contains("has 3"), "{text}");
    let text = message(ops::conv2d(&x, &random(2, (4, 3, 2, 2)), None));
    assert!(text.contains("odd kernel"), "{text}");
    let text =
        message(ops::conv2d(&x.to_dtype(DType::F32).unwrap(), &random(2, (4, 3, 3, 3)), None));
    assert!(text.contains("F32") && text.contains("F64"), "{text}");
    let text = message(ops::linear(&random(1, (2, 3)), &random(2, (4, 5)), None));
    assert!(text.contains("inner sizes differ"), "{text}");
}

#[test]
fn statistics_and_vectors_that_do_not_fit_are_errors() {
    let (x, one, short) = (random(1, (2, 3, 4, 4)), constant(1.0, 3), constant(1.0, 2));
    let single = one.to_dtype(DType::F32).unwrap();
    let eval = |mean: &Tensor, var: &Tensor| {
        let linear = ops::Activation::Linear;
        ops::batch_norm_eval(&x, mean, var, &one, &one, 1e-5, linear).unwrap_err().to_string()
    };
    let text = eval(&short, &one);
    assert!(text.contains("expected means [3] as F64, found [2]"), "{text}");
    let text = eval(&one, &single);
    assert!(text.contains("expected variances [3] as F64, found [3] as F32"), "{text}");

    let w = random(2, (3, 5));
    let text = ops::power_iterate(&w, &short).unwrap_err().to_string();
    assert!(text.contains("expected u [3] as F64, found [2]"), "{text}");
    let text = ops::spectral_normalize(&w, &one, &short).unwrap_err().to_string();
    assert!(text.contains("expected v [5] as F64, found [2]"), "{text}");

    let update = |mean: &Tensor, count| {
        ops::update_running((&one, &one), (mean, &one), count, 0.1).unwrap_err().to_string()
    };
    let text = update(&short, 9);
    assert!(text.contains("expected means [3] as F64, found [2]"), "{text}");
    let text = update(&one, 1);
    assert!(text.contains("at least 2 values a channel, found 1"), "{text}");
}
