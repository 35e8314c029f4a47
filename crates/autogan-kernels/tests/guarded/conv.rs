//! Convolutions with any kernel and stride, in f32, in bf16 and in f64, and both of their gradients.

use autogan_kernels::conv::{After, Kernels, Problem, bias_gradient, reference};
use autogan_kernels::precision::round;
use autogan_kernels::{Activation, ConvGeometry, Precision};
use autogan_testing::paths::on_every_path;

use crate::common::{
    Kind, Sizes, assert_near, assert_near_f64, assert_same_bits, noise, sizes, wide,
};

/// Convolutions of all kinds.
const KINDS: [Kind; 8] = [
    ((1, 1), 1, (0, 0)),
    ((3, 3), 1, (1, 1)),
    ((3, 3), 2, (1, 1)),
    ((5, 5), 1, (2, 2)),
    ((2, 3), 2, (1, 0)),
    ((1, 7), 1, (0, 3)),
    ((4, 4), 3, (3, 1)),
    ((7, 1), 1, (3, 0)),
];

/// The convolutions of all sizes that their kernel fits into.
fn problems() -> Vec<Problem> {
    let problem = |s: Sizes| {
        let ((kh, kw), stride, (pad_h, pad_w)) = KINDS[(s.number + s.number / 11) % KINDS.len()];
        let geometry = ConvGeometry { stride, pad_h, pad_w };
        Problem::new("test", &[s.n, s.ci, s.h, s.w], &[s.co, s.ci, kh, kw], geometry).ok()
    };
    let all = sizes();
    let fitting: Vec<Problem> = all.iter().copied().filter_map(problem).collect();
    assert!(fitting.len() * 10 > all.len() * 8, "{} of {}", fitting.len(), all.len());
    fitting
}

/// Image, weights, bias and gradient of the output.
fn numbers(p: &Problem) -> [Vec<f32>; 4] {
    let (x, w) = (p.n * p.image_in(), p.co * p.k());
    [noise(x, p.h), noise(w, p.w + 1), noise(p.co, 3), noise(p.n * p.image_out(), 4)]
}

/// Both gradients as the definition of a convolution gives them.
pub fn plain_gradients(p: &Problem, x: &[f64], w: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    let g = p.geometry;
    for (at, d) in dy.iter().enumerate() {
        let (n, o) = (at / p.image_out(), at / p.pixels() % p.co);
        let (i, j) = (at / p.wo % p.ho, at % p.wo);
        for tap in 0..p.k() {
            let (c, u, v) = (tap / (p.kh * p.kw), tap / p.kw % p.kh, tap % p.kw);
            let (row, column) = (i * g.stride + u, j * g.stride + v);
            let inside = |at: usize, pad: usize, side: usize| at >= pad && at - pad < side;
            if inside(row, g.pad_h, p.h) && inside(column, g.pad_w, p.w) {
                let pixel = ((n * p.ci + c) * p.h + row - g.pad_h) * p.w + column - g.pad_w;
                dx[pixel] += d * w[o * p.k() + tap];
                dw[o * p.k() + tap] += d * x[pixel];
            }
        }
    }
    (dx, dw)
}

/// Output with bias and ReLU, and the three gradients, as definitions give them.
fn plain(p: &Problem, [x, w, b, dy]: &[Vec<f64>; 4]) -> [Vec<f64>; 4] {
    let mut y = reference(p, x, w, Some(b));
    y.iter_mut().for_each(|v| *v = v.max(0.0));
    let (dx, dw) = plain_gradients(p, x, w, dy);
    let mut db = vec![0.0; p.co];
    for (plane, dy) in dy.chunks_exact(p.pixels()).enumerate() {
        db[plane % p.co] += dy.iter().sum::<f64>();
    }
    [y, dx, dw, db]
}

/// The same by the kernels.
fn fast<T: Kernels>(p: &Problem, precision: Precision, [x, w, b, dy]: &[Vec<T>; 4]) -> [Vec<T>; 4] {
    let after = After { bias: Some(b), activation: Activation::Relu };
    [
        T::forward(p, precision, (x, w), after),
        T::input_gradient(p, precision, (dy, w)),
        T::weight_gradient(p, precision, (x, dy)),
        bias_gradient(dy, p.n, p.co, p.pixels()),
    ]
}

const RESULTS: [&str; 4] = ["output", "input gradient", "weight gradient", "bias gradient"];

#[test]
fn in_f32() {
    let problems = problems();
    let found = on_every_path("convolution in f32", || {
        problems.iter().map(|p| fast(p, Precision::F32, &numbers(p))).collect::<Vec<_>>()
    });
    for (i, p) in problems.iter().enumerate() {
        let expected = plain(p, &numbers(p).map(|all| wide(&all)));
        for (unit, found) in &found {
            for r in 0..4 {
                assert_near(&found[i][r], &expected[r], || {
                    format!("{unit}, {}, {p:?}", RESULTS[r])
                });
            }
        }
    }
    // The weight gradient of the flat loops sums over lanes; all others add in one order on every path.
    let ordered = found.into_iter().map(|(unit, all)| {
        let ordered = |(p, [y, dx, dw, db]): (&Problem, [Vec<f32>; 4])| {
            let flat = !p.is_3x3_same() || p.ci <= 4;
            [y, dx, if flat { Vec::new() } else { dw }, db]
        };
        (unit, problems.iter().zip(all).flat_map(ordered).collect())
    });
    assert_same_bits("convolution in f32", &ordered.collect::<Vec<_>>());
}

#[test]
fn in_bf16() {
    let problems: Vec<Problem> = problems().into_iter().step_by(4).collect();
    let found = on_every_path("convolution in bf16", || {
        problems.iter().map(|p| fast(p, Precision::Bf16, &numbers(p))).collect::<Vec<_>>()
    });
    for (i, p) in problems.iter().enumerate() {
        let [x, w, b, dy] = numbers(p);
        let [dx, dw] = [&x, &w].map(|all| wide(&round(all)));
        let nothing = vec![0.0; p.co];
        let [_, to_x, to_w, _] = plain(p, &[dx.clone(), dw.clone(), nothing, wide(&round(&dy))]);
        let mut y = reference(p, &dx, &dw, None);
        for (plane, y) in y.chunks_exact_mut(p.pixels()).enumerate() {
            y.iter_mut().for_each(|v| *v = (*v + f64::from(b[plane % p.co])).max(0.0));
        }
        for (unit, found) in &found {
            for (r, expected) in [&y, &to_x, &to_w].into_iter().enumerate() {
                // A result is rounded to eight bits of fraction.
                let scale = expected.iter().fold(1.0f64, |most, v| most.max(v.abs()));
                for (f, e) in found[i][r].iter().zip(expected) {
                    let near = (f64::from(*f) - e).abs() <= scale / 128.0;
                    assert!(near, "{unit}, {}, {p:?}: {f}, expected {e}", RESULTS[r]);
                }
            }
        }
    }
}

#[test]
fn in_f64() {
    let problems: Vec<Problem> = problems().into_iter().step_by(3).collect();
    let double = |p: &Problem| numbers(p).map(|all| wide(&all));
    let found = on_every_path("convolution in f64", || {
        problems.iter().map(|p| fast(p, Precision::F32, &double(p))).collect::<Vec<_>>()
    });
    for (i, p) in problems.iter().enumerate() {
        let expected = plain(p, &double(p));
        for (unit, found) in &found {
            for r in 0..4 {
                let what = || format!("{unit}, {}, {p:?}", RESULTS[r]);
                assert_near_f64(&found[i][r], &expected[r], what);
            }
        }
    }
}
