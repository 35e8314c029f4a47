//! Whole operators as they run on a card: what they launch, in which order and on what memory, forward and backward.
//! The emulated kernels stand in for the CPU's own; what is expected comes from the CPU in f64.

use std::ffi::c_void;
use std::rc::Rc;

use autogan_ops::cuda::{self, Card, ConvSizes, Convolution, Launch, Room};
use autogan_ops::{self as ops, Activation, Before, GradientOf, Precision, Resize, Statistics};
use candle_core::{DType, Device, Result, Tensor, Var, bail};

use crate::case::Case;
use crate::conv::tiles;
use crate::library::{self, Argument};

/// Cases of each operator: its kernels have more of their own.
const CASES: u64 = 24;

/// Runs launches by the emulation, in the order of their blocks that a seed gives.
pub struct Emulated(pub u64);

impl Card for Emulated {
    fn launch(&self, launch: &Launch) -> Result<()> {
        let arguments: Vec<Argument> = launch.arguments.iter().map(Argument::from).collect();
        let seed = self.0 as u32;
        match library::launch(launch.kernel, launch.grid, launch.threads, &arguments, seed) {
            None => Ok(()),
            Some(error) => bail!("{}: {error}", launch.kernel),
        }
    }

    /// For odd seeds a library of its own for the forward pass, which knows neither bias nor ReLU.
    fn convolve(
        &self,
        which: Convolution,
        precision: Precision,
        sizes: &ConvSizes,
        (x, weight, y): (u64, u64, u64),
    ) -> Result<bool> {
        let known = (which, precision) == (Convolution::Forward, Precision::F32);
        if !known || self.0.is_multiple_of(2) {
            return Ok(false);
        }
        let [n, _, _, _, co, _, _, ho, wo, ..] = sizes.0;
        let arguments = vec![
            cuda::Argument::Floats(x),
            cuda::Argument::Floats(weight),
            cuda::Argument::Floats(0),
            cuda::Argument::FloatsOut(y),
            cuda::Argument::Conv(*sizes),
            cuda::Argument::Int(0),
        ];
        let grid = tiles(co as usize, (n * ho * wo) as usize, 1);
        self.launch(&Launch { kernel: "conv_forward", grid, threads: 256, arguments })?;
        Ok(true)
    }

    fn room(&self, bytes: usize) -> Result<Room> {
        let mut memory = vec![u64::MAX; bytes.div_ceil(8)];
        Ok(Room::new(memory.as_mut_ptr() as u64, memory))
    }

    fn upload(&self, bytes: &[u8]) -> Result<Room> {
        let room = self.room(bytes.len())?;
        // SAFETY: the room is as large, and nobody else has its address.
        unsafe { std::ptr::copy(bytes.as_ptr(), room.address() as *mut u8, bytes.len()) };
        Ok(room)
    }

    fn download(&self, from: &Room, bytes: &mut [u8]) -> Result<()> {
        // SAFETY: an operator reads as much as it asked room for; kernels have ended.
        unsafe { std::ptr::copy(from.address() as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }
}

impl From<&cuda::Argument> for Argument {
    fn from(from: &cuda::Argument) -> Self {
        use cuda::Argument as From;
        let pointer = |to: u64| Self::pointer(from.letter(), to as *const c_void);
        match *from {
            From::Floats(to) | From::FloatsOut(to) | From::Doubles(to) => pointer(to),
            From::DoublesOut(to) | From::Adam(to) | From::Ema(to) => pointer(to),
            From::Bf16(to) | From::Bf16Out(to) => pointer(to),
            From::Int(v) => Self::int(v),
            From::Float(v) => v.into(),
            From::Double(v) => v.into(),
            From::Conv(ConvSizes(sizes)) => Self::sizes(sizes),
        }
    }
}

fn cases(f: impl Fn(&mut Case)) {
    (0..CASES).for_each(|seed| f(&mut Case::new(seed)));
}

fn standing_in<R>(case: &Case, f: impl FnOnce() -> R) -> R {
    cuda::stand_in(Rc::new(Emulated(case.seed)), f)
}

type Values = Vec<Vec<f64>>;

/// The output of `f` and the gradients of its inputs behind a function that is not linear.
fn both_ways(
    inputs: &[(Vec<usize>, Vec<f32>)],
    dtype: DType,
    f: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) -> Values {
    let var = |(shape, values): &(Vec<usize>, Vec<f32>)| {
        let tensor = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap();
        Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
    };
    let vars: Vec<Var> = inputs.iter().map(var).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let mut found = Vec::new();
    let (_, gradients) = ops::gradients(|| {
        let y = f(&tensors)?;
        found.push(y.clone());
        ops::scaled_mean(&ops::tanh(&y)?, y.elem_count() as f64)
    })
    .unwrap();
    let gradient = |v: &Var| gradients.gradient_of(v).expect("a gradient for each input").clone();
    found.extend(vars.iter().map(gradient));
    found.iter().map(read).collect()
}

fn read(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn close(case: &Case, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "case {}", case.seed);
    let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let near = (f - e).abs() <= tolerance * scale;
        assert!(near, "case {}, element {i}: expected {e}, found {f}", case.seed);
    }
}

/// The operator by kernels against the operator on the CPU, on inputs of these shapes: outputs within 1e-5 of the
/// largest, gradients within `tolerance`.
#[track_caller]
fn compare(
    case: &mut Case,
    shapes: &[&[usize]],
    tolerance: f64,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let inputs: Vec<(Vec<usize>, Vec<f32>)> =
        shapes.iter().map(|s| (s.to_vec(), case.floats(s.iter().product()))).collect();
    let expected = both_ways(&inputs, DType::F64, &f);
    let found = standing_in(case, || both_ways(&inputs, DType::F32, &f));
    close(case, &found[0], &expected[0], 1e-5);
    for (found, expected) in found.iter().zip(&expected).skip(1) {
        close(case, found, expected, tolerance);
    }
}

/// An image of random sizes: images, channels, rows, columns.
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
        let run = |dtype| {
            let tensor = |i: usize| {
                let t = Tensor::from_slice(&values[i], shapes[i].as_slice(), &Device::Cpu).unwrap();
                t.to_dtype(dtype).unwrap()
            };
            read(&ops::conv2d_relu(&tensor(0), &tensor(1), &tensor(2), geometry).unwrap())
        };
        let expected = run(DType::F64);
        close(case, &standing_in(case, || run(DType::F32)), &expected, 1e-5);
    });
}

/// An image whose groups have enough values for a norm to mean something.
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
        let (mean, var) = (vec![0.1; c], vec![0.7; c]);
        compare(case, &[&x, &[c], &[c]], 1e-4, |t| {
            ops::batch_norm_eval(&t[0], &mean, &var, &t[1], &t[2], 1e-5, activation)
        });
    });
}

#[test]
fn statistics_of_a_batch() {
    cases(|case| {
        let shape = normal_image(case);
        let x = case.floats(shape.iter().product());
        let measure = |dtype| {
            let tensor = |values: &[f32], shape: &[usize]| {
                Tensor::from_slice(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
            };
            let ones = tensor(&vec![1.0; shape[1]], &[shape[1]]);
            let x = tensor(&x, &shape);
            let out = ops::batch_norm_train(&x, &ones, &ones, 1e-5, Activation::Linear).unwrap();
            (out.mean, out.var)
        };
        let (mean, var) = measure(DType::F64);
        let (found_mean, found_var) = standing_in(case, || measure(DType::F32));
        close(case, &found_mean, &mean, 1e-6);
        close(case, &found_var, &var, 1e-6);
    });
}

#[test]
fn fused_convolutions() {
    cases(|case| {
        let (x, co) = (normal_image(case), case.size(6));
        let c = x[1];
        let (mean, var) = (vec![0.1; c], vec![0.7; c]);
        for resize in [Resize::Keep, Resize::NearestUp, Resize::AveragePool] {
            let (weight, bias) = ([co, c, 3, 3], [co]);
            compare(case, &[&x, &weight, &bias], 1e-4, |t| {
                Ok(ops::conv2d_fused(&t[0], Before::Relu, resize, &t[1], &t[2])?.y)
            });
            compare(case, &[&x, &weight, &bias], 1e-4, |t| {
                let before = Before::InstanceNorm { eps: 1e-5 };
                Ok(ops::conv2d_fused(&t[0], before, resize, &t[1], &t[2])?.y)
            });
            for statistics in [Statistics::Own, Statistics::Given(&mean, &var)] {
                compare(case, &[&x, &weight, &bias, &[c], &[c]], 1e-4, |t| {
                    let (weight, bias) = (&t[3], &t[4]);
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
        let (rows, cols) = (shape[0], shape[1] * shape[2] * shape[3]);
        let values: Vec<f32> = case.floats(rows * cols).iter().map(|v| v + 0.3).collect();
        let weight = |dtype| {
            let w = Tensor::from_slice(&values, &shape, &Device::Cpu).unwrap();
            w.to_dtype(dtype).unwrap()
        };
        let start = vec![1.0; rows];
        let step = |dtype| ops::power_iterate(&weight(dtype), &start, &vec![0.0; cols]).unwrap();
        let (u, v) = step(DType::F64);
        let (found_u, found_v) = standing_in(case, || step(DType::F32));
        close(case, &found_u, &u, 1e-9);
        close(case, &found_v, &v, 1e-9);
        // Away from a largest singular value of nothing, where everything is rounding.
        compare(case, &[&shape], 1e-4, |t| {
            let lifted = ops::add(&t[0], &weight(t[0].dtype()))?;
            ops::spectral_normalize(&lifted, &u, &v)
        });
    });
}

#[test]
fn adam_and_the_moving_average() {
    cases(|case| {
        let sizes: Vec<usize> = (0..case.size(4)).map(|_| case.size(700)).collect();
        let values: Vec<Vec<f32>> = sizes.iter().map(|&n| case.floats(n)).collect();
        let targets: Vec<Vec<f32>> = sizes.iter().map(|&n| case.floats(n)).collect();
        let run = |dtype| {
            let tensor = |v: &Vec<f32>| {
                let t = Tensor::from_slice(v, v.len(), &Device::Cpu).unwrap();
                t.to_dtype(dtype).unwrap()
            };
            let vars: Vec<Var> =
                values.iter().map(|v| Var::from_tensor(&tensor(v)).unwrap()).collect();
            let average = tensor(&targets[0]);
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
                ops::ema_update(&average, &vars[0], 0.9).unwrap();
            }
            let mut all: Values = vars.iter().map(|v| read(v)).collect();
            all.push(read(&average));
            all.extend(adam.moments().values().flat_map(|kept| [read(&kept.m), read(&kept.v)]));
            all
        };
        let expected = run(DType::F64);
        let found = standing_in(case, || run(DType::F32));
        for (found, expected) in found.iter().zip(&expected) {
            close(case, found, expected, 1e-5);
        }
    });
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn what_is_not_f32_is_refused() {
    let x = Tensor::zeros((1, 1, 2, 2), DType::F64, &Device::Cpu).unwrap();
    let error = cuda::stand_in(Rc::new(Emulated(0)), || ops::relu(&x)).unwrap_err().to_string();
    assert!(error.contains("relu: expected f32 tensors on a card, found F64"), "{error}");
}
