//! Winograd's algorithm in its three forms: few images and many, with the functions before and after it.

use autogan_kernels::conv::winograd::{Form, Pixel, Prologue, Winograd};
use autogan_kernels::conv::{After, Problem, reference};
use autogan_kernels::{Activation, ConvGeometry};
use autogan_testing::paths::{cases, on_every_path};

use crate::common::{Sizes, assert_near, assert_same_bits, noise, sizes, wide};
use crate::conv::plain_gradients;

/// One convolution with its numbers.
struct Case {
    form: Form,
    sizes: Sizes,
    source: (usize, usize),
    /// Functions of pixels: none, one for each channel, or one for each plane.
    functions: usize,
}

fn all_cases() -> Vec<Case> {
    let mut all = sizes();
    // Sixteen small images and more are the lanes of vectors.
    let many = [15, 16, 17, 33]
        .into_iter()
        .flat_map(|n| [(1, 1), (2, 3), (5, 7), (8, 16), (9, 15)].map(|(h, w)| (n, h, w)));
    all.extend(cases(many.collect()).into_iter().enumerate().map(|(i, (n, h, w))| {
        let (ci, co) = ([1, 5, 17][i % 3], [3, 9, 33][i / 3 % 3]);
        Sizes { number: i, n, ci, co, h, w }
    }));
    // More input channels than a panel of the weight gradient holds.
    all.push(Sizes { number: 0, n: 2, ci: 50, co: 9, h: 3, w: 5 });
    let of = |sizes: Sizes| {
        [Form::Same, Form::Up, Form::Pool].map(|form| {
            let by = if form == Form::Pool { 2 } else { 1 };
            let source = (by * sizes.h, by * sizes.w);
            Case { form, sizes, source, functions: sizes.number % 3 }
        })
    };
    all.into_iter().flat_map(of).collect()
}

impl Case {
    fn kernel(&self) -> Winograd {
        let Sizes { n, ci, co, .. } = self.sizes;
        Winograd::new(self.form, n, (co, ci), self.source)
    }

    /// Image, weights, bias and gradient of the output.
    fn numbers(&self) -> [Vec<f32>; 4] {
        let (Sizes { n, ci, co, h, w, .. }, (rows, columns)) = (self.sizes, self.kernel().output());
        let x = noise(n * ci * self.source.0 * self.source.1, h);
        [x, noise(co * ci * 9, w + 1), noise(co, 3), noise(n * co * rows * columns, 5)]
    }

    fn pixels(&self) -> Vec<Pixel> {
        let Sizes { n, ci, .. } = self.sizes;
        let pixel = |p: usize| {
            let (image, channel) = ((p / ci) as f32, (p % ci) as f32);
            Pixel { a: 1.0 + 0.1 * image, b: 0.02 * channel - 0.3, floor: 0.0 }
        };
        (0..[0, ci, n * ci][self.functions]).map(pixel).collect()
    }

    /// Output, input gradient and weight gradient.
    fn run(&self) -> [Vec<f32>; 3] {
        let ([x, w, b, dy], pixels, kernel) = (self.numbers(), self.pixels(), self.kernel());
        let prologue = || Prologue::new(&pixels, self.sizes.ci);
        let after = After { bias: Some(&b), activation: Activation::Relu };
        [
            kernel.forward(&x, &w, after, prologue()),
            kernel.input_gradient(&dy, &w),
            kernel.weight_gradient(&x, &dy, prologue()),
        ]
    }

    /// The same as definitions give it, in f64.
    fn plain(&self) -> [Vec<f64>; 3] {
        let [mut x, w, b, dy] = self.numbers();
        let (Sizes { n, ci, co, .. }, (h, width)) = (self.sizes, self.source);
        let pixels = self.pixels();
        for (plane, x) in x.chunks_exact_mut(h * width).enumerate() {
            if let Some(f) = pixels.get(if self.functions == 1 { plane % ci } else { plane }) {
                x.iter_mut().for_each(|v| *v = (*v * f.a + f.b).max(f.floor));
            }
        }
        let (x, w, dy) = (wide(&x), wide(&w), wide(&dy));
        let up = self.form == Form::Up;
        let (x, sides) =
            if up { (doubled(&x, self.source), (2 * h, 2 * width)) } else { (x, self.source) };
        let geometry = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
        let shape = [n, ci, sides.0, sides.1];
        let p = Problem::new("test", &shape, &[co, ci, 3, 3], geometry).unwrap();
        let mut y = reference(&p, &x, &w, None);
        let mut full = dy;
        if self.form == Form::Pool {
            y = halved(&y, sides).iter().map(|sum| sum / 4.0).collect();
            full = doubled(&full, (sides.0 / 2, sides.1 / 2)).iter().map(|d| d / 4.0).collect();
        }
        let plane = y.len() / (n * co);
        for (i, v) in y.iter_mut().enumerate() {
            *v = (*v + f64::from(b[i / plane % co])).max(0.0);
        }
        let (dx, dw) = plain_gradients(&p, &x, &w, &full);
        [y, if up { halved(&dx, sides) } else { dx }, dw]
    }
}

/// Each pixel four times.
fn doubled(planes: &[f64], (h, w): (usize, usize)) -> Vec<f64> {
    let large = |plane: &[f64]| {
        (0..4 * h * w).map(|i| plane[i / (2 * w) / 2 * w + i % (2 * w) / 2]).collect::<Vec<_>>()
    };
    planes.chunks_exact(h * w).flat_map(large).collect()
}

/// Sums of four pixels.
fn halved(planes: &[f64], (h, w): (usize, usize)) -> Vec<f64> {
    let small = |plane: &[f64]| {
        let sum = |i: usize| {
            let at = i / (w / 2) * 2 * w + i % (w / 2) * 2;
            plane[at] + plane[at + 1] + plane[at + w] + plane[at + w + 1]
        };
        (0..h / 2 * (w / 2)).map(sum).collect::<Vec<_>>()
    };
    planes.chunks_exact(h * w).flat_map(small).collect()
}

#[test]
fn in_its_three_forms() {
    let cases = all_cases();
    let found = on_every_path("Winograd", || cases.iter().map(Case::run).collect::<Vec<_>>());
    for (i, case) in cases.iter().enumerate() {
        let expected = case.plain();
        for (unit, found) in &found {
            for (r, what) in ["output", "input gradient", "weight gradient"].iter().enumerate() {
                assert_near(&found[i][r], &expected[r], || {
                    format!("{unit}, {what}, {:?}, {:?}", case.form, case.sizes)
                });
            }
        }
    }
    // All but a weight gradient that flat loops compute.
    let ordered = found.into_iter().map(|(unit, all)| {
        let ordered = |(case, [y, dx, dw]): (&Case, [Vec<f32>; 3])| {
            let flat = case.form == Form::Same && case.functions == 0 && case.sizes.ci <= 4;
            [y, dx, if flat { Vec::new() } else { dw }]
        };
        (unit, cases.iter().zip(all).flat_map(ordered).collect())
    });
    assert_same_bits("Winograd", &ordered.collect::<Vec<_>>());
}
