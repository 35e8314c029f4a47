//! Whole operators as they run on a GPU, forward and backward. The expected values come from the CPU in f64.

use autogan_ops::{self as ops, Activation, Before, Resize, Statistics};
use candle_core::{DType, Error, Tensor, Var, bail};

use super::compare::{Side, Values, close, compare, read, vector};
use super::draw::Case;
use crate::place;

fn cases(f: impl Fn(&mut Case)) {
    (0..place::cases()).for_each(|seed| f(&mut Case::new(seed)));
}

/// The random sizes of a tensor of images: images, channels, rows, columns.
fn image(case: &mut Case) -> [usize; 4] {
    [case.size(4), case.size(6), case.size(9), case.size(9)]
}

#[test]
fn elementwise_operators_and_losses() {
    cases(|case| {
        let shape = image(case);
        compare(case, &[&shape], 1e-5, |t| ops::relu(&t[0]));
        compare(case, &[&shape], 1e-5, |t| ops::tanh(&t[0]));
        compare(case, &[&shape, &shape], 1e-5, |t| ops::add(&t[0], &t[1]));
        compare(case, &[&shape], 1e-5, |t| ops::hinge_mean(&t[0], -1.0));
        let flat = [shape[0], shape[1]];
        compare(case, &[&flat], 1e-5, |t| ops::log_softmax(&t[0]));
    });
}

#[test]
fn resampling_and_pooling() {
    cases(|case| {
        let (shape, factor) = (image(case), case.size(3));
        compare(case, &[&shape], 1e-5, |t| ops::upsample_nearest(&t[0], factor));
        compare(case, &[&shape], 1e-5, |t| ops::upsample_bilinear(&t[0], factor));
        compare(case, &[&shape], 1e-5, |t| ops::sum_pool(&t[0]));
        compare(case, &[&shape], 1e-5, |t| ops::avg_pool_global(&t[0]));
        let larger = [shape[0], shape[1], shape[2] + 1, shape[3] + 1];
        compare(case, &[&larger], 1e-5, |t| ops::avg_pool2(&t[0]));
    });
}

#[test]
fn products() {
    cases(|case| {
        let (m, k, n) = (case.size(80), case.size(40), case.size(80));
        compare(case, &[&[m, k], &[k, n]], 1e-5, |t| ops::matmul(&t[0], &t[1]));
        compare(case, &[&[m, k], &[n, k], &[n]], 1e-5, |t| ops::linear(&t[0], &t[1], Some(&t[2])));
        let ([images, ci, h, w], co) = (image(case), case.size(5));
        compare(case, &[&[images, ci, h, w], &[ci, co, 2, 2], &[co]], 1e-5, |t| {
            ops::conv_transpose2x2(&t[0], &t[1], &t[2])
        });
    });
}

#[test]
fn convolutions() {
    cases(|case| {
        let ([n, ci, h, w], co, k) = (image(case), case.size(6), case.pick(&[1, 3]));
        let (x, weight, bias) = ([n, ci, h, w], [co, ci, k, k], [co]);
        compare(case, &[&x, &weight, &bias], 1e-5, |t| ops::conv2d(&t[0], &t[1], Some(&t[2])));
        compare(case, &[&x, &weight], 1e-5, |t| ops::conv2d(&t[0], &t[1], None));
        let (stride, pad_h, pad_w) = (case.size(2), case.size(2), case.size(2) - 1);
        let geometry = ops::ConvGeometry { stride, pad_h, pad_w };
        let large = [n, ci, h + 2, w + 2];
        compare(case, &[&large, &weight, &bias], 1e-5, |t| {
            ops::conv2d_strided(&t[0], &t[1], Some(&t[2]), geometry)
        });
        let even = [n, ci, 2 * h, 2 * w];
        compare(case, &[&even, &weight, &bias], 1e-5, |t| {
            ops::conv2d_avg_pool2(&t[0], &t[1], Some(&t[2]))
        });
    });
}

#[test]
fn convolution_and_relu_without_gradient() {
    cases(|case| {
        let ([n, ci, h, w], co) = (image(case), case.size(6));
        let shapes = [vec![n, ci, h, w], vec![co, ci, 3, 3], vec![co]];
        let values = shapes.each_ref().map(|s| case.floats(s.iter().product()));
        let geometry = ops::ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
        let [expected, found] = [Side::Reference, Side::Tested].map(|side| {
            let [x, weight, bias] =
                [0, 1, 2].map(|i| side.tensor(&values[i], shapes[i].as_slice()));
            side.run(case, || read(&ops::conv2d_relu(&x, &weight, &bias, geometry).unwrap()))
        });
        close(case, &found, &expected, 1e-5);
    });
}

/// The sizes of a tensor of images whose groups have enough values for a norm.
fn normal_image(case: &mut Case) -> [usize; 4] {
    let [n, c, h, w] = image(case);
    [n + 1, c, 2 * h.div_ceil(2) + 2, 2 * w.div_ceil(2) + 2]
}

#[test]
fn norms() {
    cases(|case| {
        let (x, relu) = (normal_image(case), case.flag());
        let activation = if relu { Activation::Relu } else { Activation::Linear };
        let c = x[1];
        compare(case, &[&x, &[c], &[c]], 1e-4, |t| {
            Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5, activation)?.y)
        });
        compare(case, &[&x], 1e-4, |t| ops::instance_norm(&t[0], 1e-5, activation));
        compare(case, &[&x, &[c], &[c]], 1e-4, |t| {
            let (mean, var) = (vector(&vec![0.1; c], &t[0])?, vector(&vec![0.7; c], &t[0])?);
            ops::batch_norm_eval(&t[0], &mean, &var, &t[1], &t[2], 1e-5, activation)
        });
    });
}

#[test]
fn statistics_of_a_batch() {
    cases(|case| {
        let shape = normal_image(case);
        let x = case.floats(shape.iter().product());
        let [expected, found] = [Side::Reference, Side::Tested].map(|side| {
            let ones = side.tensor(&vec![1.0; shape[1]], shape[1]);
            let x = side.tensor(&x, shape.as_slice());
            // The running statistics, which change in place, begin at zeros and ones.
            let (mean, var) = (ones.zeros_like().unwrap(), ones.copy().unwrap());
            let norm = || {
                let out = ops::batch_norm_train(&x, &ones, &ones, 1e-5, Activation::Linear)?;
                ops::update_running((&mean, &var), (&out.mean, &out.var), out.count, 0.1)?;
                Ok::<_, Error>([out.mean, out.var])
            };
            let [own_mean, own_var] = side.run(case, norm).unwrap();
            [own_mean, own_var, mean, var].map(|t| read(&t))
        });
        for (found, expected) in found.iter().zip(&expected) {
            close(case, found, expected, 1e-6);
        }
    });
}

#[test]
fn fused_convolutions() {
    cases(|case| {
        let (x, co) = (normal_image(case), case.size(6));
        let c = x[1];
        for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
            let (weight, bias) = ([co, c, 3, 3], [co]);
            compare(case, &[&x, &weight, &bias], 1e-4, |t| {
                Ok(ops::conv2d_fused(&t[0], Before::Relu, resize, &t[1], &t[2])?.y)
            });
            compare(case, &[&x, &weight, &bias], 1e-4, |t| {
                let before = Before::InstanceNorm { eps: 1e-5 };
                Ok(ops::conv2d_fused(&t[0], before, resize, &t[1], &t[2])?.y)
            });
            for own in [true, false] {
                compare(case, &[&x, &weight, &bias, &[c], &[c]], 1e-4, |t| {
                    let (weight, bias) = (&t[3], &t[4]);
                    let (mean, var) =
                        (vector(&vec![0.1; c], &t[0])?, vector(&vec![0.7; c], &t[0])?);
                    let given = Statistics::Given(&mean, &var);
                    let statistics = if own { Statistics::Own } else { given };
                    let before = Before::BatchNorm { weight, bias, statistics, eps: 1e-5 };
                    Ok(ops::conv2d_fused(&t[0], before, resize, &t[1], &t[2])?.y)
                });
            }
        }
    });
}

#[test]
fn spectral_norm() {
    cases(|case| {
        let shape = [case.size(20), case.size(6), case.pick(&[1, 3]), case.pick(&[1, 3])];
        let rows = shape[0];
        let values: Vec<f32> =
            case.floats(shape.iter().product()).iter().map(|v| v + 0.3).collect();
        let weight = |side: Side| side.tensor(&values, shape.as_slice());
        let [(u, v), (found_u, found_v)] = [Side::Reference, Side::Tested].map(|side| {
            let weight = weight(side);
            let start = vector(&vec![1.0; rows], &weight).unwrap();
            let (u, v) = side.run(case, || ops::power_iterate(&weight, &start)).unwrap();
            (read(&u), read(&v))
        });
        close(case, &found_u, &u, 1e-9);
        close(case, &found_v, &v, 1e-9);
        // The values keep the largest singular value away from zero, where everything is rounding.
        compare(case, &[&shape], 1e-4, |t| {
            let side = if t[0].dtype() == DType::F64 { Side::Reference } else { Side::Tested };
            let lifted = ops::add(&t[0], &weight(side))?;
            ops::spectral_normalize(&lifted, &vector(&u, &t[0])?, &vector(&v, &t[0])?)
        });
    });
}

#[test]
fn adam_and_the_moving_average() {
    cases(|case| {
        let sizes: Vec<usize> = (0..case.size(4)).map(|_| case.size(700)).collect();
        let values: Vec<Vec<f32>> = sizes.iter().map(|&n| case.floats(n)).collect();
        let targets: Vec<Vec<f32>> = sizes.iter().map(|&n| case.floats(n)).collect();
        let run = |side: Side| {
            let tensor = |v: &Vec<f32>| side.tensor(v, v.len());
            let vars: Vec<Var> =
                values.iter().map(|v| Var::from_tensor(&tensor(v)).unwrap()).collect();
            let averages: Vec<Tensor> = targets.iter().map(tensor).collect();
            let config = ops::AdamConfig { lr: 0.01, beta1: 0.5, beta2: 0.9, eps: 1e-8 };
            let mut adam = ops::Adam::new(config);
            for _ in 0..3 {
                let (_, gradients) = ops::gradients(|| {
                    let mut sum = None;
                    for (v, target) in vars.iter().zip(&targets) {
                        let y = ops::tanh(&ops::add(v, &tensor(target))?)?;
                        let mean = ops::scaled_mean(&y, 1.0)?;
                        sum = Some(match sum {
                            None => mean,
                            Some(sum) => ops::add(&sum, &mean)?,
                        });
                    }
                    sum.map_or_else(|| bail!("no parameters"), Ok)
                })
                .unwrap();
                let named = vars.iter().enumerate().map(|(i, v)| (NAMES[i], v));
                adam.step(named, &gradients).unwrap();
                let pairs: Vec<_> =
                    averages.iter().zip(&vars).map(|(a, v)| (a, v.as_tensor())).collect();
                ops::ema_update(&pairs, 0.9).unwrap();
            }
            let mut all: Values = vars.iter().map(|v| read(v)).collect();
            all.extend(averages.iter().map(read));
            all.extend(adam.moments().values().flat_map(|kept| [read(&kept.m), read(&kept.v)]));
            all
        };
        let [expected, found] =
            [Side::Reference, Side::Tested].map(|side| side.run(case, || run(side)));
        for (found, expected) in found.iter().zip(&expected) {
            close(case, found, expected, 1e-5);
        }
    });
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn what_is_not_f32_is_refused() {
    let x = Tensor::zeros((1, 1, 2, 2), DType::F64, &place::device()).unwrap();
    let error = place::run(0, || ops::relu(&x)).unwrap_err().to_string();
    assert!(error.contains("relu: expected f32 tensors on a GPU, found F64"), "{error}");
}
