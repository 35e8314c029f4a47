//! The gradient of every operator, compared with finite differences in f64 on random shapes.

use crate::common::{check_gradient, constant, random};
use autogan_ops as ops;
use proptest::prelude::*;

/// Random values away from 0, where ReLU has a kink.
fn off_zero(seed: u64, shape: (usize, usize, usize, usize)) -> candle_core::Tensor {
    let x = random(seed, shape);
    let sign = x.ge(0.0).unwrap().to_dtype(x.dtype()).unwrap().affine(2.0, -1.0).unwrap();
    (x + (sign * 0.1).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn conv2d(seed: u64, n in 1usize..3, ci in 1usize..4, co in 1usize..4, h in 1usize..7, w in 1usize..7, k in prop::sample::select(vec![1usize, 3])) {
        let inputs = [random(seed, (n, ci, h, w)), random(seed + 1, (co, ci, k, k)), random(seed + 2, co)];
        check_gradient("conv2d", &inputs, |t| ops::conv2d(&t[0], &t[1], Some(&t[2])));
        check_gradient("conv2d without bias", &inputs[..2], |t| ops::conv2d(&t[0], &t[1], None));
    }

    #[test]
    fn conv2d_strided(seed: u64, n in 1usize..3, c in 1usize..3, h in 4usize..8, w in 4usize..8, kh in 1usize..5, kw in 1usize..5, stride in 1usize..4, pad in 0usize..3) {
        let geometry = ops::ConvGeometry { stride, pad_h: pad, pad_w: pad / 2 };
        let inputs = [random(seed, (n, c, h, w)), random(seed + 1, (2, c, kh, kw)), random(seed + 2, 2)];
        check_gradient("conv2d_strided", &inputs, |t| ops::conv2d_strided(&t[0], &t[1], Some(&t[2]), geometry));
    }

    #[test]
    fn conv2d_avg_pool2(seed: u64, n in 1usize..3, ci in 1usize..3, co in 1usize..3, h in 1usize..4, w in 1usize..4) {
        let inputs = [random(seed, (n, ci, 2 * h, 2 * w)), random(seed + 1, (co, ci, 3, 3)), random(seed + 2, co)];
        check_gradient("conv2d_avg_pool2", &inputs, |t| ops::conv2d_avg_pool2(&t[0], &t[1], Some(&t[2])));
    }

    #[test]
    fn conv_transpose2x2(seed: u64, n in 1usize..3, ci in 1usize..4, co in 1usize..4, h in 1usize..5, w in 1usize..5) {
        let inputs = [random(seed, (n, ci, h, w)), random(seed + 1, (ci, co, 2, 2)), random(seed + 2, co)];
        check_gradient("conv_transpose2x2", &inputs, |t| ops::conv_transpose2x2(&t[0], &t[1], &t[2]));
    }

    #[test]
    fn linear_and_matmul(seed: u64, n in 1usize..5, i in 1usize..5, o in 1usize..5) {
        let inputs = [random(seed, (n, i)), random(seed + 1, (o, i)), random(seed + 2, o)];
        check_gradient("linear", &inputs, |t| ops::linear(&t[0], &t[1], Some(&t[2])));
        let inputs = [random(seed, (n, i)), random(seed + 1, (i, o))];
        check_gradient("matmul", &inputs, |t| ops::matmul(&t[0], &t[1]));
    }

    #[test]
    fn upsampling(seed: u64, n in 1usize..3, c in 1usize..3, h in 1usize..5, w in 1usize..5, factor in 1usize..5) {
        let x = [random(seed, (n, c, h, w))];
        check_gradient("upsample_nearest", &x, |t| ops::upsample_nearest(&t[0], factor));
        check_gradient("upsample_bilinear", &x, |t| ops::upsample_bilinear(&t[0], factor));
        // Used twice: the two gradients add up.
        check_gradient("nearest and itself", &x, |t| ops::upsample_nearest(&(&t[0] * 2.0)?, factor)?.add(&ops::upsample_bilinear(&t[0].sqr()?, factor)?));
    }

    #[test]
    fn pooling(seed: u64, n in 1usize..3, c in 1usize..3, h in 2usize..7, w in 2usize..7) {
        let x = [random(seed, (n, c, h, w))];
        check_gradient("avg_pool2", &x, |t| ops::avg_pool2(&t[0]));
        check_gradient("sum_pool", &x, |t| ops::sum_pool(&t[0]));
        check_gradient("avg_pool_global", &x, |t| ops::avg_pool_global(&t[0]));
    }

    #[test]
    fn norms(seed: u64, n in 1usize..4, c in 1usize..4, h in 2usize..5, w in 1usize..5) {
        let inputs = [random(seed, (n, c, h, w)), random(seed + 1, c), random(seed + 2, c)];
        check_gradient("batch_norm_train", &inputs, |t| Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-2, ops::Activation::Linear)?.y));
        let (mean, var) = (constant(0.25, c), constant(0.5, c));
        check_gradient("batch_norm_eval", &inputs, |t| ops::batch_norm_eval(&t[0], &mean, &var, &t[1], &t[2], 1e-2, ops::Activation::Linear));
        check_gradient("instance_norm", &inputs[..1], |t| ops::instance_norm(&t[0], 1e-2, ops::Activation::Linear));
    }

    #[test]
    fn activations(seed: u64, n in 1usize..3, c in 1usize..3, h in 1usize..4, w in 1usize..4) {
        let x = [off_zero(seed, (n, c, h, w))];
        check_gradient("relu", &x, |t| ops::relu(&t[0]));
        check_gradient("tanh", &x, |t| ops::tanh(&t[0]));
        let pair = [x[0].clone(), off_zero(seed + 1, (n, c, h, w))];
        check_gradient("add", &pair, |t| ops::add(&t[0], &t[1]));
        check_gradient("add to itself", &x, |t| ops::add(&t[0], &t[0].sqr()?));
    }

    #[test]
    fn softmax(seed: u64, n in 1usize..4, k in 1usize..6) {
        let x = [random(seed, (n, k))];
        check_gradient("log_softmax", &x, |t| ops::log_softmax(&t[0]));
        let target = random(seed + 1, (n, k)).sqr().unwrap();
        check_gradient("cross_entropy", &x, |t| ops::cross_entropy(&t[0], &target));
    }

    #[test]
    fn spectral_norm(seed: u64, rows in 1usize..4, ci in 1usize..3, k in 1usize..3) {
        let w = [(random(seed, (rows, ci, k, k)) + 2.0).unwrap()];
        let unit = |n: usize| constant(1.0 / (n as f64).sqrt(), n);
        let (u, v) = (unit(rows), unit(ci * k * k));
        check_gradient("spectral_normalize", &w, |t| ops::spectral_normalize(&t[0], &u, &v));
    }
}
