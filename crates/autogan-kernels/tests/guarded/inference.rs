//! Convolutions and pools with the channels last, alone in a pixel and among other channels.

use autogan_kernels::ConvGeometry;
use autogan_kernels::conv::{Problem, reference};
use autogan_kernels::inference::{
    Convolution, Images, ImagesMut, Shape, average_pixels, average_pool3, max_pool3,
    max_pool3_output,
};
use autogan_testing::paths::on_every_path;

use crate::common::{Kind, Sizes, assert_near, assert_same_bits, noise, sizes, wide};

/// Convolutions of all kinds: first those that have a fast algorithm.
const KINDS: [Kind; 11] = [
    ((3, 3), 1, (1, 1)),
    ((5, 5), 1, (2, 2)),
    ((3, 5), 1, (1, 2)),
    ((1, 7), 1, (0, 3)),
    ((7, 1), 1, (3, 0)),
    ((1, 3), 1, (0, 1)),
    ((5, 1), 1, (2, 0)),
    ((1, 1), 1, (0, 0)),
    ((3, 3), 2, (0, 0)),
    ((3, 3), 2, (1, 1)),
    ((2, 2), 1, (1, 1)),
];

/// What lies between the channels that a kernel may write.
const BESIDE: f32 = 9.0;

/// Channels before and after those of an image.
fn beside(s: &Sizes) -> (usize, usize) {
    [(0, 0), (2, 5), (0, 1)][s.number % 3]
}

/// Planes `[n, channels, h, w]` as pixels `[n, h, w, pitch]`.
fn last<T: Copy>(
    planes: &[T],
    shape: Shape,
    channels: usize,
    around: (usize, usize),
    fill: T,
) -> Vec<T> {
    let (pixels, pitch) = (shape.h * shape.w, around.0 + channels + around.1);
    let mut out = vec![fill; shape.pixels() * pitch];
    for (plane, x) in planes.chunks_exact(pixels).enumerate() {
        for (p, &v) in x.iter().enumerate() {
            out[(plane / channels * pixels + p) * pitch + around.0 + plane % channels] = v;
        }
    }
    out
}

fn shape(s: &Sizes) -> Shape {
    Shape { n: s.n, h: s.h, w: s.w }
}

/// The image `[n, ci, h, w]`.
fn planes(s: &Sizes) -> Vec<f32> {
    noise(s.n * s.ci * s.h * s.w, s.h)
}

struct Case {
    s: Sizes,
    problem: Problem,
}

fn convolutions() -> Vec<Case> {
    let case = |s: Sizes| {
        let ((kh, kw), stride, (pad_h, pad_w)) = KINDS[(s.number + s.number / 11) % KINDS.len()];
        let geometry = ConvGeometry { stride, pad_h, pad_w };
        let shapes = ([s.n, s.ci, s.h, s.w], [s.co, s.ci, kh, kw]);
        let problem = Problem::new("test", &shapes.0, &shapes.1, geometry).ok()?;
        Some(Case { s, problem })
    };
    let all = sizes();
    let fitting: Vec<Case> = all.iter().copied().filter_map(case).collect();
    assert!(fitting.len() * 10 > all.len() * 8, "{} of {}", fitting.len(), all.len());
    fitting
}

impl Case {
    fn weights(&self) -> (Vec<f32>, Vec<f32>) {
        (noise(self.s.co * self.problem.k(), self.s.w + 1), noise(self.s.co, 3))
    }

    /// Outputs with bias and ReLU, and without.
    fn run(&self) -> [Vec<f32>; 2] {
        let (Self { s, problem: p }, around, (w, b)) = (self, beside(&self.s), self.weights());
        let (from, to) = (shape(s), Shape { n: p.n, h: p.ho, w: p.wo });
        let x = last(&planes(s), from, s.ci, around, BESIDE);
        let conv = Convolution::new(&w, &b, (s.co, s.ci, p.kh, p.kw), p.geometry).unwrap();
        let (from_pitch, to_pitch) = (x.len() / from.pixels(), around.0 + s.co + around.1);
        [Convolution::relu, Convolution::linear].map(|run| {
            let mut y = vec![BESIDE; to.pixels() * to_pitch];
            let x = Images::new(&x, from, from_pitch, (around.0, s.ci)).unwrap();
            run(&conv, x, ImagesMut::new(&mut y, to, to_pitch, (around.0, s.co)).unwrap()).unwrap();
            y
        })
    }

    fn plain(&self) -> [Vec<f64>; 2] {
        let (Self { s, problem: p }, (w, b)) = (self, self.weights());
        let (x, w, b) = (wide(&planes(s)), wide(&w), wide(&b));
        let mut with = reference(p, &x, &w, Some(&b));
        with.iter_mut().for_each(|v| *v = v.max(0.0));
        let to = Shape { n: p.n, h: p.ho, w: p.wo };
        [with, reference(p, &x, &w, None)].map(|y| last(&y, to, s.co, beside(s), f64::from(BESIDE)))
    }
}

#[test]
fn convolutions_with_fixed_weights() {
    let cases = convolutions();
    let found =
        on_every_path("inference, convolution", || cases.iter().map(Case::run).collect::<Vec<_>>());
    for (i, case) in cases.iter().enumerate() {
        let expected = case.plain();
        for (unit, found) in &found {
            for r in 0..2 {
                assert_near(&found[i][r], &expected[r], || format!("{unit}, {:?}", case.problem));
            }
        }
    }
    let flat = found.into_iter().map(|(unit, all)| (unit, all.into_iter().flatten().collect()));
    assert_same_bits("inference, convolution", &flat.collect::<Vec<_>>());
}

/// Strides and padding of maximum pools.
const POOLS: [(usize, usize); 4] = [(2, 0), (1, 1), (2, 1), (3, 2)];

/// Maximum pool, average pool and average of all pixels; nothing where a pool does not fit.
fn pools(s: &Sizes) -> [Vec<f32>; 3] {
    let ((stride, pad), around, from) = (POOLS[s.number % POOLS.len()], beside(s), shape(s));
    let (data, bias) = (last(&planes(s), from, s.ci, around, BESIDE), noise(s.ci, 3));
    let pitch = data.len() / from.pixels();
    let x = Images::new(&data, from, pitch, (around.0, s.ci)).unwrap();
    let largest = max_pool3_output(from, stride, pad).map(|to| {
        let mut y = vec![BESIDE; to.pixels() * pitch];
        let out = ImagesMut::new(&mut y, to, pitch, (around.0, s.ci)).unwrap();
        max_pool3(x, out, stride, pad).unwrap();
        y
    });
    let mut averages = vec![BESIDE; data.len()];
    let out = ImagesMut::new(&mut averages, from, pitch, (around.0, s.ci)).unwrap();
    average_pool3(x, &bias, out).unwrap();
    [largest.unwrap_or_default(), averages, average_pixels(x)]
}

/// The same as definitions give it.
fn plain_pools(s: &Sizes) -> [Vec<f64>; 3] {
    let ((stride, pad), from, x) = (POOLS[s.number % POOLS.len()], shape(s), wide(&planes(s)));
    let window = |plane: usize, at: (usize, usize), (stride, pad): (usize, usize)| {
        let mut seen = Vec::new();
        for (u, v) in (0..9).map(|tap| (tap / 3, tap % 3)) {
            let (row, column) = (at.0 * stride + u, at.1 * stride + v);
            if row >= pad && column >= pad && row - pad < s.h && column - pad < s.w {
                seen.push(x[(plane * s.h + row - pad) * s.w + column - pad]);
            }
        }
        seen
    };
    let over = |to: Shape, f: &dyn Fn(usize, usize, usize) -> f64| {
        let planes: Vec<f64> = (0..to.pixels() * s.ci)
            .map(|i| f(i / (to.h * to.w), i / to.w % to.h, i % to.w))
            .collect();
        last(&planes, to, s.ci, beside(s), f64::from(BESIDE))
    };
    let largest = max_pool3_output(from, stride, pad).map(|to| {
        over(to, &|plane, i, j| {
            window(plane, (i, j), (stride, pad)).into_iter().fold(f64::NEG_INFINITY, f64::max)
        })
    });
    let bias = wide(&noise(s.ci, 3));
    let averages = over(from, &|plane, i, j| {
        let seen = window(plane, (i, j), (1, 1));
        (seen.iter().sum::<f64>() / seen.len() as f64 + bias[plane % s.ci]).max(0.0)
    });
    let pixels = (s.h * s.w) as f64;
    let means = x.chunks_exact(s.h * s.w).map(|plane| plane.iter().sum::<f64>() / pixels);
    [largest.unwrap_or_default(), averages, means.collect()]
}

#[test]
fn pools_with_the_channels_last() {
    let cases = sizes();
    let found = on_every_path("inference, pools", || cases.iter().map(pools).collect::<Vec<_>>());
    for (i, s) in cases.iter().enumerate() {
        let expected = plain_pools(s);
        for (unit, found) in &found {
            for (r, what) in ["maximum", "average", "all pixels"].iter().enumerate() {
                assert_near(&found[i][r], &expected[r], || format!("{unit}, {what}, {s:?}"));
            }
        }
    }
    let flat = found.into_iter().map(|(unit, all)| (unit, all.into_iter().flatten().collect()));
    assert_same_bits("inference, pools", &flat.collect::<Vec<_>>());
}
