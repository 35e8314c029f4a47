//! The operators with a gradient, by candle's graph and by the tape.

use autogan_kernels::units::Unit;
use autogan_ops::{self as ops, Activation, Before, ConvGeometry, GradientOf, Resize, Statistics};
use autogan_testing::paths::{cases, on_every_path};
use candle_core::{DType, Result, Tensor, Var};

use crate::common::{SIZES, assert_near, noise, values};

/// What an operator computes of its inputs.
type Compute = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// One operator on inputs of some shapes.
struct Case {
    name: String,
    shapes: Vec<Vec<usize>>,
    compute: Compute,
}

fn case(
    name: &str,
    shapes: &[&[usize]],
    compute: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
) -> Case {
    let shapes: Vec<Vec<usize>> = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case { name: format!("{name} of {shapes:?}"), shapes, compute: Box::new(compute) }
}

/// Convolutions, alone and with what they are fused with.
fn convolutions((n, c, h, w): (usize, usize, usize, usize)) -> Vec<Case> {
    const EPS: f64 = 1e-2;
    let (x, o) = (&[n, c, h, w][..], c % 5 + 2);
    let even = &[n, c, 2 * h, 2 * w][..];
    let kernel = |k: usize| [o, c, k, k];
    let g = ConvGeometry { stride: 2, pad_h: 2, pad_w: 1 };
    let pooled = |x: &Tensor, before, t: &[Tensor]| {
        Ok(ops::conv2d_fused(x, before, Resize::AveragePool, &t[1], &t[2])?.y)
    };
    vec![
        case("conv2d", &[x, &kernel(3), &[o]], |t| ops::conv2d(&t[0], &t[1], Some(&t[2]))),
        case("conv2d", &[x, &kernel(5)], |t| ops::conv2d(&t[0], &t[1], None)),
        case("conv2d", &[x, &kernel(1), &[o]], |t| ops::conv2d(&t[0], &t[1], Some(&t[2]))),
        case("conv2d_strided", &[x, &[o, c, 3, 2], &[o]], move |t| {
            ops::conv2d_strided(&t[0], &t[1], Some(&t[2]), g)
        }),
        case("conv2d_avg_pool2", &[even, &kernel(3), &[o]], |t| {
            ops::conv2d_avg_pool2(&t[0], &t[1], Some(&t[2]))
        }),
        case("conv_transpose2x2", &[x, &[c, o, 2, 2], &[o]], |t| {
            ops::conv_transpose2x2(&t[0], &t[1], &t[2])
        }),
        case("batch norm, upsampling and conv2d", &[x, &kernel(3), &[o], &[c], &[c]], |t| {
            let (weight, bias) = (&t[3], &t[4]);
            let before = Before::BatchNorm { weight, bias, statistics: Statistics::Own, eps: 0.1 };
            Ok(ops::conv2d_fused(&t[0], before, Resize::NearestUp, &t[1], &t[2])?.y)
        }),
        case("instance norm, conv2d and pool", &[even, &kernel(3), &[o]], move |t| {
            pooled(&t[0], Before::InstanceNorm { eps: EPS }, t)
        }),
        case("ReLU and conv2d", &[x, &kernel(3), &[o]], |t| {
            Ok(ops::conv2d_fused(&t[0], Before::Relu, Resize::Keep, &t[1], &t[2])?.y)
        }),
        case("conv2d and pool", &[even, &kernel(3), &[o]], move |t| {
            pooled(&t[0], Before::Nothing, t)
        }),
    ]
}

/// All others.
fn others((n, c, h, w): (usize, usize, usize, usize)) -> Vec<Case> {
    let x = &[n, c, h, w][..];
    let even = &[n, c, 2 * h, 2 * w][..];
    let (rows, inner, columns) = (n * h, c, w);
    let (linear, eps) = (Activation::Linear, 1e-1);
    vec![
        case("upsample_nearest", &[x], |t| ops::upsample_nearest(&t[0], 3)),
        case("upsample_bilinear", &[x], |t| ops::upsample_bilinear(&t[0], 3)),
        case("avg_pool2", &[even], |t| ops::avg_pool2(&t[0])),
        case("avg_pool_global", &[x], |t| ops::avg_pool_global(&t[0])),
        case("sum_pool", &[x], |t| ops::sum_pool(&t[0])),
        case("tanh", &[x], |t| ops::tanh(&t[0])),
        case("add", &[x, x], |t| ops::add(&t[0], &t[1])),
        case("batch_norm_train", &[even, &[c], &[c]], move |t| {
            Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], eps, linear)?.y)
        }),
        case("instance_norm", &[even], move |t| ops::instance_norm(&t[0], eps, linear)),
        case("linear", &[&[rows, inner], &[columns, inner], &[columns]], |t| {
            ops::linear(&t[0], &t[1], Some(&t[2]))
        }),
        case("matmul", &[&[rows, inner], &[inner, columns]], |t| ops::matmul(&t[0], &t[1])),
        case("log_softmax", &[&[rows, inner]], |t| ops::log_softmax(&t[0])),
        case("permute", &[x], |t| ops::permute(&t[0], &[3, 1, 0, 2])),
        case("reshape", &[x], move |t| ops::reshape(&t[0], &[h * w, n * c])),
        case("concat", &[&[c], &[w], &[h]], |t| ops::concat(&[&t[0], &t[1], &t[2]])),
        case("spectral_normalize", &[&[columns, c, 2, 3]], move |t| {
            let unit = |len: usize| Tensor::full(1.0 / (len as f64).sqrt(), len, t[0].device());
            // Far from a singular matrix, so that 1 / σ is a moderate number.
            let far = t[0].affine(0.1, 1.0)?;
            ops::spectral_normalize(&far, &unit(columns)?, &unit(6 * c)?)
        }),
    ]
}

impl Case {
    fn inputs(&self, dtype: DType) -> Vec<Var> {
        let shapes = self.shapes.iter().enumerate();
        shapes.map(|(i, s)| Var::from_tensor(&noise(i + 1, s.as_slice(), dtype)).unwrap()).collect()
    }

    /// The output and the gradients of a weighted sum of it, by candle's graph.
    fn run(&self, dtype: DType) -> Vec<Vec<f64>> {
        let vars = self.inputs(dtype);
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let y = (self.compute)(&tensors).unwrap();
        let weights = noise(9, y.shape().clone(), dtype);
        let grads = y.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap();
        let mut found = vec![values(&y)];
        found.extend(vars.iter().map(|v| values(grads.get(v).unwrap())));
        found
    }

    /// The sum of tanh of the output, and its gradients, by the tape.
    fn record(&self, dtype: DType) -> Vec<Vec<f64>> {
        let vars = self.inputs(dtype);
        let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let loss = || {
            let y = (self.compute)(&tensors)?;
            let all = ops::reshape(&ops::tanh(&y)?, &[1, y.elem_count()])?;
            ops::scaled_mean(&all, 3.0)
        };
        let (value, grads) = ops::gradients(loss).unwrap();
        let mut found = vec![values(&value)];
        found.extend(tensors.iter().map(|t| values(grads.gradient_of(t).unwrap())));
        found
    }
}

/// Compares all cases in f32, on every path, with f64; gives the f32 of each path.
fn compare(
    kernel: &str,
    make: impl Fn((usize, usize, usize, usize)) -> Vec<Case>,
) -> Vec<(Unit, Vec<Vec<Vec<f64>>>)> {
    let all: Vec<Case> = cases(SIZES.to_vec()).into_iter().flat_map(make).collect();
    // The tape does not take what candle computed of a variable, as in the case of spectral norm.
    let recorded = |case: &&Case| !case.name.starts_with("spectral");
    let both = |dtype: DType| {
        let graph = all.iter().map(|case| case.run(dtype));
        graph.chain(all.iter().filter(recorded).map(|case| case.record(dtype))).collect::<Vec<_>>()
    };
    let expected = both(DType::F64);
    let names: Vec<&str> =
        all.iter().chain(all.iter().filter(recorded)).map(|case| case.name.as_str()).collect();
    let all = on_every_path(kernel, || both(DType::F32));
    for (unit, found) in &all {
        assert_eq!(found.len(), expected.len());
        for ((name, found), expected) in names.iter().zip(found).zip(&expected) {
            for (r, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_near(found, expected, 2e-5, || format!("{unit}, {name}, result {r}"));
            }
        }
    }
    all
}

#[test]
fn convolutions_and_what_they_are_fused_with() {
    compare("operators, convolutions", convolutions);
}

#[test]
fn all_other_operators_have_the_same_bits_on_every_path() {
    let all = compare("operators", others);
    for (unit, found) in &all {
        assert!(found == &all[0].1, "{unit} gives other bits than {}", all[0].0);
    }
}
