//! The operators of scorers as they run on a GPU, alone and together: bytes in, features out. The expected values come
//! from the CPU, and agree to the bit where nothing is summed.

use autogan_ops::{self as ops, ConvGeometry, PixelScale, ResizeRule};
use candle_core::{DType, Device, Result, Tensor, Var};

use super::compare::read;
use super::draw::Case;
use crate::place::{self, device};

fn cases(f: impl Fn(&mut Case)) {
    (0..place::cases()).for_each(|seed| f(&mut Case::new(seed)));
}

/// Runs `f` at the place under test.
fn by_kernels<R>(case: &Case, f: impl FnOnce() -> R) -> R {
    place::run(case.seed, f)
}

/// Compares `f` at the place under test with `f` on the CPU: within `tolerance` of the largest element, or of 1.
#[track_caller]
fn compare(case: &Case, x: &Tensor, tolerance: f64, f: impl Fn(&Tensor) -> Result<Tensor>) {
    let expected = f(x).unwrap();
    let found = by_kernels(case, || f(&x.to_device(&device()).unwrap())).unwrap();
    assert_eq!((found.dtype(), found.dims()), (expected.dtype(), expected.dims()));
    let (found, expected) = (read(&found), read(&expected));
    let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(&expected).enumerate() {
        // Written so that NaN fails.
        let near = (f - e).abs() <= tolerance * scale;
        assert!(near, "case {}, element {i}: expected {e}, found {f}", case.seed);
    }
}

/// A tensor of byte images of random sizes.
fn bytes(case: &mut Case) -> Tensor {
    let shape = [case.size(4), case.size(4), case.size(9), case.size(9)];
    let data = case.bytes(shape.iter().product());
    // The front half is cut off, so that the memory of the rest does not begin at a boundary.
    let x = Tensor::from_vec(data, &shape[..], &Device::Cpu).unwrap();
    x.narrow(0, shape[0] / 2, shape[0] - shape[0] / 2).unwrap()
}

fn floats(case: &mut Case, shape: [usize; 4]) -> Tensor {
    let data = case.floats(shape.iter().product());
    Tensor::from_vec(data, &shape[..], &Device::Cpu).unwrap()
}

#[test]
fn between_bytes_and_numbers() {
    cases(|case| {
        let x = bytes(case);
        compare(case, &x, 0.0, |x| ops::bytes_to_floats(x, 3.0, 200.0));
        let shape = [case.size(4), case.size(4), case.size(9), case.size(9)];
        let x = floats(case, shape).affine(1.2, 0.0).unwrap();
        compare(case, &x, 0.0, ops::floats_to_bytes);
        compare(case, &x.t().unwrap(), 0.0, ops::floats_to_bytes);
    });
}

#[test]
fn resizing() {
    cases(|case| {
        let (x, to) = (bytes(case), (case.size(30), case.size(30)));
        let pixels = PixelScale { center: 3.0, divide: 255.0, scale: 1.7, shift: -0.9 };
        for rule in [ResizeRule::Tf1, ResizeRule::HalfPixel] {
            compare(case, &x, 0.0, |x| ops::resize_bilinear(x, to, rule, pixels));
        }
    });
}

#[test]
fn squares_and_neighbourhoods() {
    cases(|case| {
        let shape = [case.size(3), case.size(4), 2 * case.size(5), 2 * case.size(5)];
        let x = floats(case, shape);
        compare(case, &x, 0.0, ops::space_to_depth);
        compare(case, &x, 0.0, |x| ops::max_pool3(x, 1, 1));
        compare(case, &x, 1e-6, ops::avg_pool3);
        let shape = [case.size(3), case.size(4), 2 + case.size(9), 2 + case.size(9)];
        let x = floats(case, shape);
        let (stride, pad) = (case.size(3), case.size(3) - 1);
        compare(case, &x, 0.0, |x| ops::max_pool3(x, stride, pad));
    });
}

/// The kinds of layers of Inception, with few channels and a small side.
#[test]
fn a_small_inception() {
    cases(|case| {
        let x = bytes(case);
        let (c, side) = (x.dims()[1], 15 + case.size(8));
        let channels = [c, 4, 5, 6];
        let conv = |case: &mut Case, co: usize, ci: usize, kh: usize, kw: usize| {
            let weight = floats(case, [co, ci, kh, kw]).affine(0.5, 0.0).unwrap();
            (weight, Tensor::new(case.floats(co), &Device::Cpu).unwrap())
        };
        let stem = conv(case, channels[1], channels[0], 3, 3);
        let second = conv(case, channels[2], channels[1], 3, 3);
        let branches = [(1, 7), (7, 1), (1, 1)].map(|(kh, kw)| conv(case, 3, channels[2], kh, kw));
        let last = Tensor::from_vec(case.floats(7 * 14), (7, 14), &Device::Cpu).unwrap();
        let pixels = PixelScale { scale: 1.0 / 128.0, shift: -1.0, ..PixelScale::NONE };
        compare(case, &x, 1e-5, |x| {
            let apply = |x: &Tensor, (w, b): &(Tensor, Tensor), stride: usize, pad: bool| {
                let (w, b) = (w.to_device(x.device())?, b.to_device(x.device())?);
                let (_, _, kh, kw) = w.dims4()?;
                let (pad_h, pad_w) = if pad { (kh / 2, kw / 2) } else { (0, 0) };
                ops::conv2d_relu(x, &w, &b, ConvGeometry { stride, pad_h, pad_w })
            };
            let x = ops::resize_bilinear(x, (side, side), ResizeRule::Tf1, pixels)?;
            let x = apply(&x, &stem, 2, false)?;
            let x = ops::max_pool3(&apply(&x, &second, 1, true)?, 2, 0)?;
            let [wide, tall, single] = &branches;
            let parts = [
                apply(&x, wide, 1, true)?,
                apply(&x, tall, 1, true)?,
                apply(&ops::avg_pool3(&x)?, single, 1, true)?,
                ops::max_pool3(&x, 1, 1)?,
            ];
            let features = ops::avg_pool_global(&Tensor::cat(&parts, 1)?)?;
            ops::linear(&features, &last.to_device(x.device())?, None)
        });
    });
}

/// The layers of the compact classifiers.
#[test]
fn a_small_compact_classifier() {
    cases(|case| {
        let x = bytes(case);
        let (c, co) = (x.dims()[1], case.size(6));
        let first = floats(case, [co, 4 * c, 3, 3]).affine(0.3, 0.0).unwrap();
        let second = floats(case, [co, co, 3, 3]).affine(0.3, 0.0).unwrap();
        let bias = Tensor::new(case.floats(co), &Device::Cpu).unwrap();
        let pixels = PixelScale { center: 127.5, divide: 127.5, scale: 1.0, shift: 0.0 };
        compare(case, &x, 1e-5, |x| {
            let here = |t: &Tensor| t.to_device(x.device());
            let x = ops::resize_bilinear(x, (8, 8), ResizeRule::HalfPixel, pixels)?;
            let x = ops::space_to_depth(&x)?;
            let x = ops::relu(&ops::conv2d(&x, &here(&first)?, Some(&here(&bias)?))?)?;
            let y = ops::relu(&ops::conv2d(&x, &here(&second)?, Some(&here(&bias)?))?)?;
            ops::avg_pool_global(&ops::avg_pool2(&ops::add(&x, &y)?)?)
        });
    });
}

#[test]
fn what_wants_a_gradient_or_has_another_type_is_refused() {
    let case = Case::new(0);
    let x = Var::zeros((1, 1, 4, 4), DType::F32, &device()).unwrap();
    let refused = |result: Result<Tensor>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    by_kernels(&case, || {
        refused(ops::max_pool3(&x, 1, 1), "max_pool3 has no gradient");
        refused(ops::avg_pool3(&x), "avg_pool3 has no gradient");
        refused(ops::space_to_depth(&x), "space_to_depth has no gradient");
        refused(ops::floats_to_bytes(&x), "floats_to_bytes has no gradient");
        let rule = ResizeRule::Tf1;
        let resized = ops::resize_bilinear(&x, (2, 2), rule, PixelScale::NONE);
        refused(resized, "resize_bilinear: expected u8 tensors, found F32");
        let double = Tensor::zeros((1, 1, 4, 4), DType::F64, &device()).unwrap();
        refused(ops::floats_to_bytes(&double), "floats_to_bytes: expected f32 tensors, found F64");
    });
}
