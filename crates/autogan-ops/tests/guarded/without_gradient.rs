//! What has no gradient: steps of an optimizer, operators on bytes, and those of networks that are only evaluated.

use autogan_ops::{self as ops, ConvGeometry, PixelScale, ResizeRule};
use autogan_testing::paths::{cases, on_every_path};
use candle_core::{DType, Device, Tensor, Var};

use crate::common::{SIZES, assert_near, noise, values};

/// Bytes of an image.
fn bytes(n: usize, c: usize, h: usize, w: usize) -> Tensor {
    let data: Vec<u8> = (0..n * c * h * w).map(|i| (i * 37 % 256) as u8).collect();
    Tensor::from_vec(data, (n, c, h, w), &Device::Cpu).unwrap()
}

/// Pairs of a fast operator and its plain form.
fn pairs((n, c, h, w): (usize, usize, usize, usize)) -> Vec<(&'static str, Tensor, Tensor)> {
    let x = noise(1, (n, c, h + 2, w + 2), DType::F32);
    let even = noise(2, (n, c, 2 * h, 2 * w), DType::F32);
    let (kernel, bias) = (noise(3, (5, c, 3, 3), DType::F32), noise(4, 5, DType::F32));
    let g = ConvGeometry { stride: 2, pad_h: 1, pad_w: 0 };
    let relu = ops::conv2d_ref(&x, &kernel, Some(&bias), g).unwrap().relu().unwrap();
    let scale = PixelScale { center: 127.5, divide: 127.5, scale: 0.7, shift: -0.1 };
    let image = bytes(n, 3, h, w);
    let mut all = vec![
        ("conv2d_relu", ops::conv2d_relu(&x, &kernel, &bias, g).unwrap(), relu),
        ("max_pool3", ops::max_pool3(&even, 2, 1).unwrap(), {
            let low = even.affine(1.0, 10.0).unwrap();
            ops::max_pool3_ref(&low, 2, 1).unwrap().affine(1.0, -10.0).unwrap()
        }),
        ("avg_pool3", ops::avg_pool3(&x).unwrap(), ops::avg_pool3_ref(&x).unwrap()),
        (
            "space_to_depth",
            ops::space_to_depth(&even).unwrap(),
            ops::space_to_depth_ref(&even).unwrap(),
        ),
        (
            "bytes_to_floats",
            ops::bytes_to_floats(&image, 127.5, 127.5).unwrap(),
            ops::bytes_to_floats_ref(&image, 127.5, 127.5).unwrap(),
        ),
        (
            "floats_to_bytes",
            ops::floats_to_bytes(&x).unwrap(),
            ops::floats_to_bytes_ref(&x).unwrap(),
        ),
    ];
    for rule in [ResizeRule::Tf1, ResizeRule::HalfPixel] {
        let to = (2 * h + 1, w + 3);
        let plain = ops::resize_bilinear_ref(&image, to, rule, scale).unwrap();
        all.push((
            "resize_bilinear",
            ops::resize_bilinear(&image, to, rule, scale).unwrap(),
            plain,
        ));
    }
    all
}

#[test]
fn operators_of_networks_that_are_only_evaluated() {
    let sizes = cases(SIZES.to_vec());
    let found = on_every_path("operators without gradient", || {
        let pairs = sizes.iter().flat_map(|&size| pairs(size));
        pairs.map(|(name, fast, plain)| (name, values(&fast), values(&plain))).collect::<Vec<_>>()
    });
    for (unit, found) in &found {
        for (i, (name, fast, plain)) in found.iter().enumerate() {
            assert_near(fast, plain, 2e-5, || format!("{unit}, {name}, case {i}"));
        }
    }
}

/// Two steps of Adam and of a moving average on parameters of an odd length, and the weights of a power iteration.
fn steps(len: usize) -> Vec<Vec<f64>> {
    let config = ops::AdamConfig { lr: 0.1, beta1: 0.5, beta2: 0.9, eps: 1e-8 };
    let p = Var::from_tensor(&noise(1, len, DType::F32)).unwrap();
    let average = noise(2, len, DType::F32);
    let mut adam = ops::Adam::new(config);
    for _ in 0..2 {
        let grads = p.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        adam.step([("p", &p)], &grads).unwrap();
        ops::ema_update(&[(&average, p.as_tensor())], 0.75).unwrap();
    }
    let (w, u) = (noise(3, (len, 3, 3), DType::F32), noise(4, len, DType::F64));
    let (u, v) = ops::power_iterate(&w, &u).unwrap();
    vec![values(p.as_tensor()), values(&average), values(&u), values(&v)]
}

/// The same steps in plain f64.
fn plain_steps(len: usize) -> Vec<Vec<f64>> {
    let of = |seed: usize, len: usize| values(&noise(seed, len, DType::F32));
    let (mut p, mut average) = (of(1, len), of(2, len));
    let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
    for t in 1..=2 {
        for i in 0..len {
            let g = 2.0 * p[i];
            m[i] = 0.5 * m[i] + 0.5 * g;
            v[i] = 0.9 * v[i] + 0.1 * g * g;
            let spread: f64 = v[i] / (1.0 - 0.9f64.powi(t));
            p[i] -= 0.1 * m[i] / (1.0 - 0.5f64.powi(t)) / (spread.sqrt() + 1e-8);
            average[i] = 0.75 * average[i] + 0.25 * p[i];
        }
    }
    let (w, u) = (of(3, len * 9), of(4, len));
    let unit = |all: Vec<f64>| -> Vec<f64> {
        let norm = all.iter().map(|v| v * v).sum::<f64>().sqrt();
        all.iter().map(|v| v / norm).collect()
    };
    let right = unit((0..9).map(|j| (0..len).map(|i| w[i * 9 + j] * u[i]).sum()).collect());
    let left = unit((0..len).map(|i| (0..9).map(|j| w[i * 9 + j] * right[j]).sum()).collect());
    vec![p, average, left, right]
}

#[test]
fn steps_of_an_optimizer() {
    let lengths = cases(vec![1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 131]);
    let found =
        on_every_path("optimizer", || lengths.iter().map(|&len| steps(len)).collect::<Vec<_>>());
    for (unit, found) in &found {
        for (found, len) in found.iter().zip(&lengths) {
            for (r, (found, expected)) in found.iter().zip(plain_steps(*len)).enumerate() {
                assert_near(found, &expected, 2e-5, || format!("{unit}, {len} elements, {r}"));
            }
        }
    }
}
