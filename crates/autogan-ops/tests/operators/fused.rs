//! The fused convolution in f32, compared with the single operators in f64: the output and every gradient, on forms and
//! sizes that run different code.

use autogan_ops::{self as ops, Before, Resize, Statistics};
use candle_core::{DType, Tensor, Var};

use crate::common::{assert_close, constant, random, values};

/// The number of images, the input and output channels, the height, the width.
const SHAPES: [[usize; 5]; 14] = [
    [1, 1, 1, 2, 2],
    [2, 3, 5, 6, 4],
    [16, 1, 1, 2, 2],
    [17, 2, 9, 4, 4],
    [35, 4, 3, 8, 6],
    [20, 3, 12, 14, 10],
    [3, 2, 2, 14, 34],
    [1, 1, 2, 6, 198],
    [2, 2, 3, 5, 7],
    [19, 3, 4, 3, 5],
    [70, 2, 3, 12, 12],
    [17, 50, 20, 16, 16],
    [33, 24, 24, 8, 8],
    [3, 66, 35, 6, 36],
];

const KINDS: [&str; 5] = ["nothing", "relu", "batch norm", "given statistics", "instance norm"];

/// The inputs: `x`, `w`, `b`, the norm's weight and bias.
fn inputs(seed: u64, [n, ci, co, h, w]: [usize; 5]) -> [Tensor; 5] {
    [
        random(seed, (n, ci, h, w)),
        random(seed + 1, (co, ci, 3, 3)),
        random(seed + 2, co),
        random(seed + 3, ci),
        random(seed + 4, ci),
    ]
}

type Fused =
    fn(&Tensor, Before<'_>, Resize, &Tensor, &Tensor) -> candle_core::Result<ops::FusedOutput>;

/// The output for one of [`KINDS`].
fn run(fused: Fused, kind: usize, resize: Resize, t: &[Tensor]) -> Tensor {
    let channels = t[3].elem_count();
    let (mean, var) = (constant(0.25, channels), constant(0.5, channels));
    let norm = |statistics| Before::BatchNorm { weight: &t[3], bias: &t[4], statistics, eps: 1e-2 };
    let before = match kind {
        0 => Before::Nothing,
        1 => Before::Relu,
        2 => norm(Statistics::Own),
        3 => norm(Statistics::Given(&mean, &var)),
        _ => Before::InstanceNorm { eps: 1e-2 },
    };
    fused(&t[0], before, resize, &t[1], &t[2]).unwrap().y
}

/// The output, and the gradients of `Σ r · y` for the inputs that the kind uses.
fn all(
    fused: Fused,
    kind: usize,
    resize: Resize,
    inputs: &[Tensor; 5],
    dtype: DType,
) -> Vec<Tensor> {
    let vars = inputs.each_ref().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap());
    let tensors = vars.each_ref().map(|v| v.as_tensor().clone());
    let y = run(fused, kind, resize, &tensors);
    let r = random(9, y.shape().clone()).to_dtype(dtype).unwrap();
    let grads = y.mul(&r).unwrap().sum_all().unwrap().backward().unwrap();
    let used = if kind == 2 || kind == 3 { 5 } else { 3 };
    let gradients = vars[..used].iter().map(|v| grads.get(v).unwrap().clone());
    std::iter::once(y).chain(gradients).collect()
}

#[test]
fn agrees_with_the_single_operators() {
    for (s, shape) in SHAPES.into_iter().enumerate() {
        let even = shape[3] % 2 == 0 && shape[4] % 2 == 0;
        for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
            if resize == Resize::AveragePool && !even {
                continue;
            }
            for (kind, name) in KINDS.into_iter().enumerate() {
                let inputs = inputs(100 * s as u64, shape);
                let fast = all(ops::conv2d_fused, kind, resize, &inputs, DType::F32);
                let plain = all(ops::conv2d_fused_ref, kind, resize, &inputs, DType::F64);
                for (part, (fast, plain)) in
                    ["y", "dx", "dw", "db", "dweight", "dbias"].iter().zip(fast.iter().zip(&plain))
                {
                    let largest = values(plain).iter().fold(1.0f64, |m, v| m.max(v.abs()));
                    let scaled = |t: &Tensor| (t.to_dtype(DType::F64).unwrap() / largest).unwrap();
                    let what = format!("{part} of {name}, {resize:?}, {shape:?}");
                    assert_close(&what, &scaled(fast), &scaled(plain), 2e-5);
                }
            }
        }
    }
}

#[test]
fn f64_takes_the_way_of_the_single_operators() {
    for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
        let inputs = inputs(7, [2, 2, 3, 4, 6]);
        let fast = all(ops::conv2d_fused, 2, resize, &inputs, DType::F64);
        let plain = all(ops::conv2d_fused_ref, 2, resize, &inputs, DType::F64);
        for (fast, plain) in fast.iter().zip(&plain) {
            assert_close("f64", fast, plain, 1e-12);
        }
    }
}

#[test]
fn no_images_give_no_gradient() {
    let inputs = inputs(3, [0, 2, 3, 4, 4]);
    for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
        let all = all(ops::conv2d_fused, 1, resize, &inputs, DType::F32);
        assert!(values(&all[2]).iter().all(|&v| v == 0.0), "{resize:?}");
    }
}

#[test]
fn nan_is_not_hidden_by_a_relu() {
    let g = ops::ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
    for n in [1, 16] {
        let x =
            random(1, (n, 1, 4, 4)).affine(f64::NAN, 0.0).unwrap().to_dtype(DType::F32).unwrap();
        let [_, w, b, ..] = inputs(2, [n, 1, 2, 4, 4]).map(|t| t.to_dtype(DType::F32).unwrap());
        assert!(values(&ops::conv2d_relu(&x, &w, &b, g).unwrap()).iter().all(|v| v.is_nan()));
        let y = ops::conv2d_fused(&x, Before::Relu, Resize::Keep, &w, &b).unwrap().y;
        assert!(values(&y).iter().all(|v| v.is_nan()));
    }
}

#[test]
fn wrong_shapes_are_errors() {
    let [x, w, b, ..] = inputs(1, [1, 2, 3, 5, 4]);
    let pooled = ops::conv2d_fused(&x, Before::Nothing, Resize::AveragePool, &w, &b).unwrap_err();
    assert!(pooled.to_string().contains("even sides, found 5x4"), "{pooled}");
    let kernel = random(2, (3, 2, 1, 1));
    let error = ops::conv2d_fused(&x, Before::Relu, Resize::Keep, &kernel, &b).unwrap_err();
    assert!(error.to_string().contains("[Cout, 2, 3, 3]"), "{error}");
    let none = random(2, (3, 0, 3, 3));
    let error = ops::conv2d_fused(&random(1, (1, 0, 4, 4)), Before::Relu, Resize::Keep, &none, &b)
        .unwrap_err();
    assert!(error.to_string().contains("at least one input"), "{error}");
}
