//! Convolutions in bf16: the kernels alone, and the operators as they run on a GPU, with the convolutions of a library
//! and with our own.

use std::rc::Rc;

use autogan_ops::cuda::{self, ConvSizes, Convolution, Gpu, Launch, Room};
use autogan_ops::{
    self as ops, Before, ConvGeometry, GradientOf, Precision, Resize, Statistics, computing_in,
    conv2d_strided,
};
use autogan_testing::EmulatedGpu;
use autogan_testing::kernels::Argument;
use candle_core::{DType, Device, Result, Tensor, Var};

use super::case::{Case, Element, Memory, both_ways, cases, tensor};
use super::conv::{Sizes, tiles};

/// The bits of the nearest bf16 values, by candle's own conversion.
fn nearest(values: &[f32]) -> Vec<u16> {
    let t = Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
    let t = t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    t.to_vec1::<f32>().unwrap().iter().map(|v| (v.to_bits() >> 16) as u16).collect()
}

fn floats(bf16: &[u16]) -> Vec<f32> {
    bf16.iter().map(|v| v.to_f64() as f32).collect()
}

/// Values in -1..1.
fn any(case: &mut Case, count: usize) -> Vec<u16> {
    nearest(&case.floats(count))
}

/// Panics unless each element is the expected sum, rounded, where the sum may have the error of f32.
#[track_caller]
fn is_rounded(case: &Case, what: &str, found: &Memory<u16>, expected: &[f64]) {
    let error = 2e-6 * expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    let ends = [-error, error]
        .map(|by| nearest(&expected.iter().map(|v| (v + by) as f32).collect::<Vec<_>>()));
    assert_eq!(found.read().len(), expected.len(), "{what}, case {}", case.seed);
    for (i, f) in found.read().iter().enumerate() {
        let (f, from, to) = (f.to_f64(), ends[0][i].to_f64(), ends[1][i].to_f64());
        let between = (from..=to).contains(&f);
        assert!(between, "{what}, case {}, element {i}: {f}, expected {from}..={to}", case.seed);
    }
}

#[test]
fn floats_become_the_nearest_bf16_values_and_back() {
    cases(|case| {
        // Any bits: subnormal values, infinities, all kinds of NaN; and ties.
        let mut values: Vec<f32> = (0..case.size(300))
            .map(|_| f32::from_bits(u32::from_le_bytes(case.bytes(4).try_into().unwrap())))
            .collect();
        let ties = case.bytes(2 * values.len());
        for (v, high) in values.iter_mut().zip(ties.chunks(2)).skip(1).step_by(3) {
            *v = f32::from_bits(u32::from_le_bytes([0, 0x80, high[0], high[1]]));
        }
        let (x, mut y) = (case.memory(&values), case.fresh::<u16>(values.len()));
        let (grid, block) = (case.grid(), case.block());
        let arguments = [x.input(), y.output(), values.len().into()];
        case.launch("to_bf16", grid, block, &arguments);
        assert_eq!(y.read(), nearest(&values), "case {}", case.seed);

        let bits: Vec<u16> = case
            .bytes(2 * values.len())
            .chunks(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect();
        let (x, mut y) = (case.memory(&bits), case.fresh::<f32>(bits.len()));
        let arguments = [x.input(), y.output(), bits.len().into()];
        case.launch("from_bf16", grid, block, &arguments);
        let found: Vec<u32> = y.read().iter().map(|v| v.to_bits()).collect();
        let expected: Vec<u32> = bits.iter().map(|&v| u32::from(v) << 16).collect();
        assert_eq!(found, expected, "case {}", case.seed);
    });
}

#[test]
fn convolutions_of_bf16_values_equal_the_operator_rounded() {
    cases(|case| {
        let s = Sizes::several_tiles(case);
        let (x, w, dy) =
            (any(case, s.inputs()), any(case, s.co * s.taps()), any(case, s.outputs()));
        let inputs = [tensor(&floats(&x), s.x()), tensor(&floats(&w), s.weight())];
        let operator = |t: &[Tensor]| conv2d_strided(&t[0], &t[1], None, s.geometry);
        let (y, grads) = both_ways(&inputs, &floats(&dy), operator);
        let (mx, mw, md) = (case.memory(&x), case.memory(&w), case.memory(&dy));

        let mut my = case.fresh::<u16>(dy.len());
        let arguments = [mx.input(), mw.input(), my.output(), s.argument()];
        case.launch("conv_forward_bf16", tiles(s.co, dy.len() / s.co, 1), 256, &arguments);
        is_rounded(case, "conv_forward_bf16", &my, &y);

        let mut dx = case.fresh::<u16>(x.len());
        let arguments = [md.input(), mw.input(), dx.output(), s.argument()];
        let grid = tiles(s.ci, s.n * s.h * s.w, 1);
        case.launch("conv_input_gradient_bf16", grid, 256, &arguments);
        is_rounded(case, "conv_input_gradient_bf16", &dx, &grads[0]);

        let (parts, count) = (case.size(4), w.len());
        let (mut partial, mut dw) = (case.fresh::<f32>(parts * count), case.fresh::<u16>(count));
        let arguments = [mx.input(), md.input(), partial.output(), s.argument()];
        let grid = tiles(s.co, s.taps(), parts);
        case.launch("conv_weight_gradient_bf16", grid, 256, &arguments);
        let arguments = [partial.input(), dw.output(), parts.into(), count.into()];
        let (grid, block) = (case.grid(), case.block());
        case.launch("sum_partials_bf16", grid, block, &arguments);
        is_rounded(case, "conv_weight_gradient_bf16", &dw, &grads[1]);
    });
}

#[test]
fn bias_and_relu_of_sums_in_bf16() {
    cases(|case| {
        let (n, c, pixels, relu) = (case.size(3), case.size(5), case.size(90), case.flag());
        let (sums, bias) = (any(case, n * c * pixels), case.floats(c));
        let with = case.flag();
        let expected: Vec<f64> = floats(&sums)
            .iter()
            .enumerate()
            .map(|(i, v)| f64::from(v + if with { bias[i / pixels % c] } else { 0.0 }))
            .map(|v| if relu { v.max(0.0) } else { v })
            .collect();
        let (ms, mb) = (case.memory(&sums), case.memory(&bias));
        let mut y = case.fresh::<f32>(sums.len());
        let (grid, block) = (case.grid_of_planes(), case.block());
        let sizes = [(n * c).into(), c.into(), pixels.into(), relu.into()];
        let shift = if with { mb.input() } else { Argument::null() };
        let arguments = [&[ms.input(), shift, y.output()], &sizes[..]].concat();
        case.launch("conv_finish_bf16", grid, block, &arguments);
        case.close("conv_finish_bf16", &y, &expected, 0.0);
    });
}

/// An emulated GPU with a library that convolves in every precision. In TF32 it rounds nothing.
struct Library(EmulatedGpu);

/// Calls `f(place in x, place in the weight, place in y)` for every product of a convolution.
fn products(sizes: &ConvSizes, mut f: impl FnMut(usize, usize, usize)) {
    let [n, ci, h, w, co, kh, kw, ho, wo, stride, pad_h, pad_w] = sizes.0.map(|v| v as usize);
    for (image, o, i, j) in
        (0..n * co * ho * wo).map(|y| (y / wo / ho / co, y / wo / ho % co, y / wo % ho, y % wo))
    {
        for (c, u, v) in (0..ci * kh * kw).map(|k| (k / kw / kh, k / kw % kh, k % kw)) {
            let (row, column) = (i * stride + u, j * stride + v);
            if (pad_h..h + pad_h).contains(&row) && (pad_w..w + pad_w).contains(&column) {
                let x = ((image * ci + c) * h + row - pad_h) * w + column - pad_w;
                let y = ((image * co + o) * ho + i) * wo + j;
                f(x, ((o * ci + c) * kh + u) * kw + v, y);
            }
        }
    }
}

fn read(precision: Precision, at: u64, count: usize) -> Vec<f64> {
    // SAFETY: an operator hands over memory of the sizes and the type that it names.
    unsafe {
        match precision {
            Precision::Bf16 => {
                let values = std::slice::from_raw_parts(at as *const u16, count);
                values.iter().map(|v| v.to_f64()).collect()
            }
            _ => {
                let values = std::slice::from_raw_parts(at as *const f32, count);
                values.iter().map(|&v| v.into()).collect()
            }
        }
    }
}

fn write(precision: Precision, at: u64, sums: &[f64]) {
    let sums: Vec<f32> = sums.iter().map(|&v| v as f32).collect();
    // SAFETY: as for `read`.
    unsafe {
        match precision {
            Precision::Bf16 => {
                let values = nearest(&sums);
                std::ptr::copy(values.as_ptr(), at as *mut u16, values.len());
            }
            _ => std::ptr::copy(sums.as_ptr(), at as *mut f32, sums.len()),
        }
    }
}

impl Gpu for Library {
    fn launch(&self, launch: &Launch) -> Result<()> {
        let left = ["conv_finish", "conv_finish_bf16"].contains(&launch.kernel);
        assert!(left || !launch.kernel.starts_with("conv_"), "{} beside a library", launch.kernel);
        self.0.launch(launch)
    }

    fn convolve(
        &self,
        which: Convolution,
        precision: Precision,
        sizes: &ConvSizes,
        (first, second, out): (u64, u64, u64),
    ) -> Result<bool> {
        let [n, ci, h, w, co, kh, kw, ho, wo, ..] = sizes.0.map(|v| v as usize);
        let (x, weight, y) = (n * ci * h * w, co * ci * kh * kw, n * co * ho * wo);
        let (a, b, count) = match which {
            Convolution::Forward => (x, weight, y),
            Convolution::InputGradient => (y, weight, x),
            Convolution::WeightGradient => (x, y, weight),
        };
        let (a, b) = (read(precision, first, a), read(precision, second, b));
        let mut sums = vec![0.0; count];
        products(sizes, |x, w, y| match which {
            Convolution::Forward => sums[y] += a[x] * b[w],
            Convolution::InputGradient => sums[x] += a[y] * b[w],
            Convolution::WeightGradient => sums[w] += a[x] * b[y],
        });
        write(precision, out, &sums);
        Ok(true)
    }

    fn room(&self, bytes: usize) -> Result<Room> {
        self.0.room(bytes)
    }

    fn upload(&self, bytes: &[u8]) -> Result<Room> {
        self.0.upload(bytes)
    }
}

/// The output of `f` in f32, and the gradients of its inputs when a nonlinear function follows `f`.
fn run(
    inputs: &[(Vec<usize>, Vec<f32>)],
    precision: Precision,
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<Vec<Vec<f32>>> {
    let var = |(shape, values): &(Vec<usize>, Vec<f32>)| {
        Var::from_tensor(&Tensor::from_slice(values, shape.as_slice(), &Device::Cpu)?)
    };
    let vars: Vec<Var> = inputs.iter().map(var).collect::<Result<_>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let mut found = Vec::new();
    let (_, gradients) = ops::gradients(|| {
        let y = computing_in(precision, || f(&tensors))?;
        found.push(y.clone());
        ops::scaled_mean(&ops::tanh(&y)?, y.elem_count() as f64)
    })?;
    found.extend(vars.iter().map(|v| gradients.gradient_of(v).unwrap().clone()));
    found.iter().map(|t| t.flatten_all()?.to_vec1()).collect()
}

/// Panics unless all elements lie within one bf16 step of the largest, and nine of ten within the error of f32. Sums in
/// another order are sometimes rounded differently.
#[track_caller]
fn close(case: &Case, gpu: &str, what: usize, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{gpu}, case {}", case.seed);
    let scale = expected.iter().fold(1.0f32, |most, v| most.max(v.abs()));
    let mut far = 0;
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let off = (f - e).abs() / scale;
        // Written so that NaN fails.
        let near = off <= 1.0 / 128.0;
        assert!(near, "{gpu}, case {}, {what}, element {i}: expected {e}, found {f}", case.seed);
        far += usize::from(off > 1e-5);
    }
    let most = (found.len() / 10).max(1);
    assert!(far <= most, "{gpu}, case {}, {what}: {far} of {} are off", case.seed, found.len());
}

/// Compares the operator on emulated GPUs with the operator on the CPU, in bf16.
#[track_caller]
fn compare(case: &mut Case, shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let inputs: Vec<(Vec<usize>, Vec<f32>)> =
        shapes.iter().map(|s| (s.to_vec(), case.floats(s.iter().product()))).collect();
    let expected = run(&inputs, Precision::Bf16, &f).unwrap();
    let ours = || EmulatedGpu(2 * case.seed);
    let gpus: [(&str, Rc<dyn Gpu>); 2] =
        [("our kernels", Rc::new(ours())), ("a library", Rc::new(Library(ours())))];
    for (name, gpu) in gpus {
        let found = cuda::stand_in(gpu, || run(&inputs, Precision::Bf16, &f)).unwrap();
        for (what, (found, expected)) in found.iter().zip(&expected).enumerate() {
            close(case, name, what, found, expected);
        }
    }
}

/// Runs `f` on some cases. The tests of the kernels have more.
fn some_cases(f: impl Fn(&mut Case)) {
    (0..24).for_each(|seed| f(&mut Case::new(seed)));
}

#[test]
fn convolutions_on_a_gpu_are_the_cpu_s() {
    some_cases(|case| {
        let (n, ci, co, k) = (case.size(4), case.size(6), case.size(6), case.pick(&[1, 3]));
        let (h, w) = (case.size(9), case.size(9));
        let (x, weight, bias) = ([n, ci, h, w], [co, ci, k, k], [co]);
        compare(case, &[&x, &weight, &bias], |t| ops::conv2d(&t[0], &t[1], Some(&t[2])));
        compare(case, &[&x, &weight], |t| ops::conv2d(&t[0], &t[1], None));
        let (stride, pad_h, pad_w) = (case.size(2), case.size(2), case.size(2) - 1);
        let geometry = ConvGeometry { stride, pad_h, pad_w };
        let large = [n, ci, h + 2, w + 2];
        compare(case, &[&large, &weight, &bias], |t| {
            conv2d_strided(&t[0], &t[1], Some(&t[2]), geometry)
        });
        let even = [n, ci, 2 * h, 2 * w];
        compare(case, &[&even, &weight, &bias], |t| {
            ops::conv2d_avg_pool2(&t[0], &t[1], Some(&t[2]))
        });
    });
}

#[test]
fn fused_convolutions_on_a_gpu_are_the_cpu_s() {
    some_cases(|case| {
        let x = [case.size(3) + 1, case.size(6), 2 * case.size(4) + 2, 2 * case.size(4) + 2];
        let (c, co) = (x[1], case.size(6));
        let (weight, bias) = ([co, c, 3, 3], [co]);
        for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
            compare(case, &[&x, &weight, &bias], |t| {
                Ok(ops::conv2d_fused(&t[0], Before::Relu, resize, &t[1], &t[2])?.y)
            });
            compare(case, &[&x, &weight, &bias, &[c], &[c]], |t| {
                let (weight, bias, statistics) = (&t[3], &t[4], Statistics::Own);
                let before = Before::BatchNorm { weight, bias, statistics, eps: 1e-5 };
                Ok(ops::conv2d_fused(&t[0], before, resize, &t[1], &t[2])?.y)
            });
        }
    });
}

/// The gradient of one input alone runs other code than the gradients of both.
#[test]
fn a_gradient_of_one_input_alone_is_that_of_both() {
    some_cases(|case| {
        let (n, ci, co) = (case.size(3), case.size(5), case.size(5));
        let shapes = [vec![n, ci, 6, 5], vec![co, ci, 3, 3]];
        let values = shapes.each_ref().map(|s| case.floats(s.iter().product()));
        let inputs: Vec<_> = shapes.into_iter().zip(values).collect();
        let constant = |i: usize| {
            let (shape, values) = &inputs[i];
            Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap()
        };
        let (x, w) = (constant(0), constant(1));
        let gpu = || -> Rc<dyn Gpu> { Rc::new(Library(EmulatedGpu(case.seed))) };
        let on_gpu = |inputs: &[_], f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
            cuda::stand_in(gpu(), || run(inputs, Precision::Bf16, f)).unwrap()
        };
        let both = on_gpu(&inputs, &|t| ops::conv2d(&t[0], &t[1], None));
        let of_x = on_gpu(&inputs[..1], &|t| ops::conv2d(&t[0], &w, None));
        let of_w = on_gpu(&inputs[1..], &|t| ops::conv2d(&x, &t[0], None));
        assert_eq!(both, [of_x[0].clone(), of_x[1].clone(), of_w[1].clone()]);
    });
}

#[test]
fn tf32_is_a_library_s_alone() {
    some_cases(|case| {
        let inputs: Vec<(Vec<usize>, Vec<f32>)> = [vec![2, 3, 5, 4], vec![4, 3, 3, 3], vec![4]]
            .map(|s| (s.clone(), case.floats(s.iter().product())))
            .into();
        let f = |t: &[Tensor]| ops::conv2d(&t[0], &t[1], Some(&t[2]));
        let ours = || EmulatedGpu(2 * case.seed);
        let refused = cuda::stand_in(Rc::new(ours()), || run(&inputs, Precision::Tf32, &f));
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("--features cuda,cudnn"), "{error}");
        let expected = run(&inputs, Precision::F32, &f).unwrap();
        for precision in [Precision::F32, Precision::Tf32] {
            let library = Rc::new(Library(ours()));
            let found = cuda::stand_in(library, || run(&inputs, precision, &f)).unwrap();
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                assert!((found - expected).abs() < 1e-5, "expected {expected}, found {found}");
            }
        }
    });
}
