//! Batch and instance norm with their gradients.

use autogan_kernels::norm::{Norm, Normaliser, statistics};
use autogan_kernels::{Activation, Real};
use autogan_testing::paths::on_every_path;

use crate::common::{Sizes, assert_near, assert_near_f64, assert_same_bits, noise, sizes, wide};

const EPS: f64 = 1e-2;

fn norm(s: &Sizes) -> Norm {
    let activation = if s.number.is_multiple_of(2) { Activation::Relu } else { Activation::Linear };
    let dims = (s.n, s.ci, s.h * s.w);
    Norm { dims, per_plane: s.number / 2 % 2 == 1, eps: EPS, own: true, activation }
}

/// Input, gradient of the output, weight and bias.
fn numbers(s: &Sizes) -> [Vec<f32>; 4] {
    let len = s.n * s.ci * s.h * s.w;
    [noise(len, s.h), noise(len, s.w + 5), noise(s.ci, 2), noise(s.ci, 3)]
}

/// Output and input gradient, with the statistics of the input.
fn run<T: Real>(s: &Sizes) -> [Vec<T>; 2] {
    let [x, dy, weight, bias] =
        numbers(s).map(|all| all.into_iter().map(|v| T::narrow(f64::from(v))).collect::<Vec<T>>());
    let norm = norm(s);
    let (mean, var) = statistics(&x, norm.dims, norm.per_plane);
    let normaliser = Normaliser::new(norm, mean, &var);
    let parameters = Some((&weight[..], &bias[..]));
    let (sum, dot) = normaliser.sums(&x, &dy, parameters);
    let y = normaliser.forward(&x, parameters);
    [y, normaliser.input_gradient(&x, dy, parameters, (&sum, &dot))]
}

/// The same as definitions give it.
fn plain(s: &Sizes) -> [Vec<f64>; 2] {
    let ([x, dy, weight, bias], norm) = (numbers(s).map(|all| wide(&all)), norm(s));
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let pixels = s.h * s.w;
    for group in 0..norm.groups() {
        let plane = |i: usize| i / pixels;
        let inside = |i: &usize| {
            if norm.per_plane { plane(*i) == group } else { plane(*i) % s.ci == group }
        };
        let places: Vec<usize> = (0..x.len()).filter(inside).collect();
        let mean_of = |f: &dyn Fn(usize) -> f64| {
            places.iter().map(|&i| f(i)).sum::<f64>() / places.len() as f64
        };
        let mean = mean_of(&|i| x[i]);
        let spread = (mean_of(&|i| (x[i] - mean).powi(2)) + EPS).sqrt();
        let hat = |i: usize| (x[i] - mean) / spread;
        let affine = |i: usize| hat(i) * weight[plane(i) % s.ci] + bias[plane(i) % s.ci];
        let relu = norm.activation == Activation::Relu;
        let open = |i: usize| if relu && affine(i) <= 0.0 { 0.0 } else { dy[i] };
        let (of_d, of_dot) = (mean_of(&open), mean_of(&|i| open(i) * hat(i)));
        for &i in &places {
            y[i] = if relu { affine(i).max(0.0) } else { affine(i) };
            dx[i] = weight[plane(i) % s.ci] / spread * (open(i) - of_d - hat(i) * of_dot);
        }
    }
    [y, dx]
}

#[test]
fn norms() {
    let cases = sizes();
    let single = on_every_path("norm in f32", || cases.iter().map(run::<f32>).collect::<Vec<_>>());
    let double = on_every_path("norm in f64", || cases.iter().map(run::<f64>).collect::<Vec<_>>());
    for (i, s) in cases.iter().enumerate() {
        let expected = plain(s);
        for ((unit, single), (_, double)) in single.iter().zip(&double) {
            for r in 0..2 {
                assert_near(&single[i][r], &expected[r], || format!("{unit}, {r}, {s:?}"));
                assert_near_f64(&double[i][r], &expected[r], || format!("{unit}, {r}, {s:?}"));
            }
        }
    }
    let flat = single.into_iter().map(|(unit, all)| (unit, all.into_iter().flatten().collect()));
    assert_same_bits("norm in f32", &flat.collect::<Vec<_>>());
}
