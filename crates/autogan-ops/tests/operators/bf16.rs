//! Convolutions in bf16 against f64 on rounded operands.
//!
//! Before its last rounding, a sum has only the error of f32. So the result has to lie between the expected value minus
//! that error, rounded, and the expected value plus that error, rounded: nearly always that is a single bf16 value.

use autogan_ops::{
    self as ops, Activation, Before, ConvGeometry, GradientOf, Precision, Resize, Statistics,
    computing_in,
};
use candle_core::{DType, Device, Tensor, Var};

use crate::common::{random, values};

/// The error of f32, relative to the largest sum.
const F32_ERROR: f64 = 1e-6;

fn single(seed: u64, shape: &[usize]) -> Tensor {
    random(seed, shape).to_dtype(DType::F32).unwrap()
}

/// The nearest bf16 values, by candle's conversion.
fn rounded(t: &Tensor) -> Tensor {
    t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F64).unwrap()
}

fn round_one(v: f64) -> f32 {
    let t = Tensor::new(v as f32, &Device::Cpu).unwrap().to_dtype(DType::BF16).unwrap();
    t.to_dtype(DType::F32).unwrap().to_scalar().unwrap()
}

/// Panics unless each element is the expected sum, rounded, plus `shift(place)`.
#[track_caller]
fn is_rounded(what: &str, found: &Tensor, expected: &Tensor, shift: impl Fn(usize) -> f32) {
    assert_eq!(found.dims(), expected.dims(), "{what}: shapes differ");
    let (found, expected) = (values(found), values(expected));
    let error = F32_ERROR * expected.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let mut exact = 0;
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        let ends = [e - error, e + error].map(|end| f64::from(round_one(end) + shift(i)));
        assert!((ends[0]..=ends[1]).contains(f), "{what}: element {i} is {f}, expected {ends:?}");
        exact += usize::from(ends[0] == ends[1]);
    }
    assert!(exact * 5 >= found.len() * 4, "{what}: only {exact} of {} are sharp", found.len());
}

/// Convolutions of 3x3 and 1x1 kernels, by Winograd's algorithm and by flat loops, with strides, and with a kernel of
/// one row.
const SHAPES: [([usize; 4], [usize; 3], [usize; 3]); 6] = [
    ([2, 6, 9, 7], [5, 3, 3], [1, 1, 1]),
    ([3, 3, 6, 6], [4, 3, 3], [1, 1, 1]),
    ([2, 7, 5, 6], [9, 1, 1], [1, 0, 0]),
    ([2, 5, 8, 8], [6, 4, 4], [2, 1, 1]),
    ([1, 4, 7, 9], [3, 1, 5], [1, 0, 2]),
    ([1, 1, 3, 3], [1, 2, 2], [1, 1, 1]),
];

#[test]
fn a_convolution_and_its_gradients_are_sums_of_rounded_products_rounded() {
    for (seed, (image, [co, kh, kw], [stride, pad_h, pad_w])) in (10u64..).step_by(10).zip(SHAPES) {
        let geometry = ConvGeometry { stride, pad_h, pad_w };
        let (x, w) = (single(seed, &image), single(seed + 1, &[co, image[1], kh, kw]));
        let b = single(seed + 2, &[co]);
        let vars = [&x, &w, &b].map(|t| Var::from_tensor(t).unwrap());
        let y = computing_in(Precision::Bf16, || {
            ops::conv2d_strided(&vars[0], &vars[1], Some(&vars[2]), geometry).unwrap()
        });
        // The scope has ended; the operator remembers the precision.
        let dy = single(seed + 3, y.dims());
        let grads = y.mul(&dy).unwrap().sum_all().unwrap().backward().unwrap();

        let exact = [&x, &w].map(|t| Var::from_tensor(&rounded(t)).unwrap());
        let expected = ops::conv2d_ref(&exact[0], &exact[1], None, geometry).unwrap();
        let bias = b.to_vec1::<f32>().unwrap();
        let pixels = y.dim(2).unwrap() * y.dim(3).unwrap();
        is_rounded("y", &y, &expected, |i| bias[i / pixels % co]);
        let through = ops::conv2d_strided(&exact[0], &exact[1], None, geometry).unwrap();
        let sum = through.mul(&rounded(&dy)).unwrap().sum_all().unwrap().backward().unwrap();
        for (what, var, exact) in [("dx", &vars[0], &exact[0]), ("dw", &vars[1], &exact[1])] {
            let (found, expected) = (grads.get(var).unwrap(), sum.get(exact).unwrap());
            is_rounded(what, found, expected, |_| 0.0);
        }
        // The gradient of the bias is f32, of values that are not rounded.
        let db = dy.to_dtype(DType::F64).unwrap().sum((0, 2, 3)).unwrap();
        for (f, e) in values(grads.get(&vars[2]).unwrap()).iter().zip(values(&db)) {
            assert!((f - e).abs() <= 1e-6 * (1.0 + e.abs()), "db: expected {e}, found {f}");
        }
    }
}

#[test]
fn relu_follows_in_f32_and_no_number_stays_none() {
    let geometry = ConvGeometry { stride: 1, pad_h: 0, pad_w: 0 };
    let tensor = |v: &[f32], shape: &[usize]| Tensor::from_slice(v, shape, &Device::Cpu).unwrap();
    let (w, b) = (tensor(&[1.0], &[1, 1, 1, 1]), tensor(&[-1.0], &[1]));
    let x = tensor(&[1.003, 1.005, 0.5, f32::NAN, f32::INFINITY], &[1, 1, 1, 5]);
    let run = || ops::conv2d_relu(&x, &w, &b, geometry).unwrap();
    let y: Vec<f32> = computing_in(Precision::Bf16, run).flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(y[..3], [0.0, 0.0078125, 0.0]);
    assert!(y[3].is_nan() && y[4] == f32::INFINITY);
}

/// The tape computes gradients after the scope has ended.
#[test]
fn the_way_back_computes_as_the_way_there_did() {
    let (x, w) = (single(1, &[2, 5, 6, 6]), single(2, &[4, 5, 3, 3]));
    let var = Var::from_tensor(&w).unwrap();
    let gradient = |within: Precision, around: Precision| {
        let record = || {
            ops::gradients(|| {
                let y = computing_in(within, || ops::conv2d(&x, &var, None))?;
                ops::scaled_mean(&ops::tanh(&y)?, 3.0)
            })
        };
        let (_, grads) = computing_in(around, record).unwrap();
        values(grads.gradient_of(&var).unwrap())
    };
    let bf16 = gradient(Precision::Bf16, Precision::F32);
    assert!(bf16.iter().all(|&v| f64::from(round_one(v)) == v), "dw is not rounded");
    assert_eq!(bf16, gradient(Precision::Bf16, Precision::Bf16));
    let f32 = gradient(Precision::F32, Precision::Bf16);
    assert!(f32.iter().any(|&v| f64::from(round_one(v)) != v), "dw is rounded");
    assert_eq!(f32, gradient(Precision::F32, Precision::F32));
}

/// Multiples of 2^-10, of which f32 holds the sums of taps exactly.
fn coarse(seed: u64, shape: &[usize]) -> Tensor {
    let t = random(seed, shape).affine(1024.0, 0.0).unwrap().round().unwrap();
    t.affine(1.0 / 1024.0, 0.0).unwrap().to_dtype(DType::F32).unwrap()
}

/// Nearest upsampling and a 3x3 kernel, pixel by pixel. An output pixel reads 2x2 pixels of the image, weighted with
/// sums of taps. These sums are rounded.
fn upsampled(x: &Tensor, w: &Tensor) -> Tensor {
    let ((n, ci, h, width), co) = (x.dims4().unwrap(), w.dim(0).unwrap());
    let (xs, ws) = (values(&rounded(x)), values(w));
    let mut y = Vec::new();
    for (image, o) in (0..n * co).map(|p| (p / co, p % co)) {
        for (i, j) in (0..4 * h * width).map(|p| (p / (2 * width), p % (2 * width))) {
            let mut sum = 0.0;
            for c in 0..ci {
                let mut taps = std::collections::BTreeMap::new();
                for (u, v) in (0..9).map(|k| (k / 3, k % 3)) {
                    // The pixel of the large image under the tap, one past its border included, and that of the small.
                    let (row, column) = ((i + u).div_ceil(2), (j + v).div_ceil(2));
                    let tap = ws[((o * ci + c) * 3 + u) * 3 + v];
                    *taps.entry((row, column)).or_insert(0.0) += tap;
                }
                for ((row, column), tap) in taps {
                    if (1..=h).contains(&row) && (1..=width).contains(&column) {
                        let pixel = xs[((image * ci + c) * h + row - 1) * width + column - 1];
                        sum += pixel * f64::from(round_one(tap));
                    }
                }
            }
            y.push(sum);
        }
    }
    Tensor::from_vec(y, (n, co, 2 * h, 2 * width), &Device::Cpu).unwrap()
}

#[test]
fn upsampling_and_averaging_round_the_kernels_that_they_convolve_with() {
    let (x, w, b) = (single(1, &[2, 5, 4, 6]), coarse(2, &[3, 5, 3, 3]), single(3, &[3]));
    let bias = b.to_vec1::<f32>().unwrap();
    let fused = |before, resize| {
        computing_in(Precision::Bf16, || ops::conv2d_fused(&x, before, resize, &w, &b).unwrap().y)
    };
    let up = fused(Before::Nothing, Resize::NearestUp);
    is_rounded("up", &up, &upsampled(&x, &w), |i| bias[i / (8 * 12) % 3]);
    let relu = x.relu().unwrap();
    let up = fused(Before::Relu, Resize::NearestUp);
    is_rounded("relu, up", &up, &upsampled(&relu, &w), |i| bias[i / (8 * 12) % 3]);

    // Each tap a quarter, at four places.
    let mut wide = vec![0.0f32; 3 * 5 * 16];
    for (k, tap) in w.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().enumerate() {
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            wide[k / 9 * 16 + (k % 9 / 3 + a) * 4 + k % 3 + b] += tap / 4.0;
        }
    }
    let wide = Tensor::from_vec(wide, (3, 5, 4, 4), &Device::Cpu).unwrap();
    let geometry = ConvGeometry { stride: 2, pad_h: 1, pad_w: 1 };
    let expected = ops::conv2d_ref(&rounded(&x), &rounded(&wide), None, geometry).unwrap();
    let pooled = fused(Before::Nothing, Resize::AveragePool);
    is_rounded("pool", &pooled, &expected, |i| bias[i / (2 * 3) % 3]);
}

type Network<'a> = &'a dyn Fn(&[Var]) -> candle_core::Result<Tensor>;

/// The value and the gradients of a network in a precision.
fn run(network: Network<'_>, inputs: &[Tensor], dtype: DType, precision: Precision) -> Vec<Tensor> {
    let vars: Vec<Var> =
        inputs.iter().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()).collect();
    let (value, grads) = computing_in(precision, || ops::gradients(|| network(&vars))).unwrap();
    let gradient = |v: &Var| grads.gradient_of(v).expect("a gradient for each input").clone();
    [value].into_iter().chain(vars.iter().map(gradient)).collect()
}

/// A network of every fused form, one after the other.
fn chain(t: &[Var]) -> candle_core::Result<Tensor> {
    let (w, b, scale, shift) = (&t[1], &t[2], &t[3], &t[4]);
    let own =
        Before::BatchNorm { weight: scale, bias: shift, statistics: Statistics::Own, eps: 1e-5 };
    let h = ops::conv2d(&t[0], w, Some(b))?;
    let h = ops::conv2d_fused(&h, own, Resize::NearestUp, w, b)?.y;
    let h = ops::conv2d_fused(&h, Before::InstanceNorm { eps: 1e-5 }, Resize::Keep, w, b)?.y;
    let h = ops::conv2d_fused(&h, Before::Relu, Resize::AveragePool, w, b)?.y;
    let h = ops::instance_norm(&h, 1e-5, Activation::Linear)?;
    ops::scaled_mean(&ops::tanh(&h)?, 7.0)
}

fn inputs() -> Vec<Tensor> {
    let c = 6;
    let shapes: [&[usize]; 5] = [&[3, c, 6, 6], &[c, c, 3, 3], &[c], &[c], &[c]];
    (1..).zip(shapes).map(|(seed, shape)| random(seed, shape)).collect()
}

#[test]
fn a_network_s_gradients_are_near_to_those_in_f64() {
    let expected = run(&chain, &inputs(), DType::F64, Precision::Bf16);
    let found = run(&chain, &inputs(), DType::F32, Precision::Bf16);
    let single = run(&chain, &inputs(), DType::F32, Precision::F32);
    let off = |found: &[Tensor], i: usize| {
        let (found, expected) = (values(&found[i]), values(&expected[i]));
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
        let far = norm(&mut found.iter().zip(&expected).map(|(f, e)| f - e));
        far / norm(&mut expected.iter().copied())
    };
    for i in 1..expected.len() {
        let (mixed, single) = (off(&found, i), off(&single, i));
        assert!(mixed < 0.1, "gradient {i} is off by {mixed} of its length");
        assert!(single < 1e-4 && mixed > 1e-3, "gradient {i}: {mixed} in bf16, {single} in f32");
    }
}

#[test]
fn f64_ignores_the_scope() {
    let bits = |precision| {
        let all = run(&chain, &inputs(), DType::F64, precision);
        all.iter().flat_map(values).map(f64::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(bits(Precision::Bf16), bits(Precision::F32));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut inputs = inputs();
        inputs[0] = random(1, (19, 6, 18, 14));
        let all = pool.install(|| run(&chain, &inputs, DType::F32, Precision::Bf16));
        all.iter().flat_map(values).map(f64::to_bits).collect::<Vec<_>>()
    };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(3), "several threads give other bits than one");
}
