//! These tests compare convolutions and pools with the plain form, on every vector unit and on odd shapes.

use pulp::Arch;

use super::{Convolution, Images, ImagesMut, Shape, average_pixels, average_pool3, max_pool3};
use crate::ConvGeometry;
use crate::conv::{Problem, reference};
use crate::testing::{assert_near, other_units};
use crate::units::arch;

fn units() -> impl Iterator<Item = Arch> {
    std::iter::once(arch()).chain(other_units())
}

fn noise(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step + 0.3).sin()).collect()
}

/// Pixels `[n, h, w, pitch]` with the channels from `first` on, and something else between them.
fn last(x: &[f32], shape: Shape, channels: usize, pitch: usize, first: usize) -> Vec<f32> {
    let mut out = vec![9.0; shape.pixels() * pitch];
    let pixels = shape.h * shape.w;
    for (plane, x) in x.chunks_exact(pixels).enumerate() {
        let (image, channel) = (plane / channels, plane % channels);
        for (p, &v) in x.iter().enumerate() {
            out[(image * pixels + p) * pitch + first + channel] = v;
        }
    }
    out
}

struct Case {
    from: Shape,
    kernel: (usize, usize),
    stride: usize,
    pad: (usize, usize),
}

fn cases() -> Vec<Case> {
    let case =
        |(n, h, w), kernel, stride, pad| Case { from: Shape { n, h, w }, kernel, stride, pad };
    vec![
        case((1, 6, 6), (3, 3), 1, (1, 1)),
        case((3, 5, 9), (3, 3), 1, (1, 1)),
        case((2, 11, 7), (3, 3), 1, (0, 0)),
        case((1, 4, 13), (5, 5), 1, (2, 2)),
        case((2, 6, 5), (3, 5), 1, (1, 2)),
        case((2, 7, 6), (5, 3), 1, (0, 1)),
        case((2, 6, 17), (1, 7), 1, (0, 3)),
        case((3, 17, 6), (7, 1), 1, (3, 0)),
        case((1, 8, 8), (1, 3), 1, (0, 1)),
        case((2, 3, 8), (3, 1), 1, (1, 0)),
        case((1, 9, 3), (5, 1), 1, (2, 0)),
        case((1, 2, 6), (1, 5), 1, (0, 2)),
        case((2, 13, 10), (1, 1), 1, (0, 0)),
        case((1, 9, 12), (3, 3), 2, (0, 0)),
        case((2, 6, 6), (3, 3), 2, (1, 1)),
        case((1, 8, 9), (7, 7), 1, (3, 3)),
        case((1, 1, 1), (3, 3), 1, (1, 1)),
    ]
}

#[test]
fn convolutions_equal_the_plain_form() {
    for Case { from, kernel: (kh, kw), stride, pad } in cases() {
        for (co, ci) in [(1, 1), (5, 3), (33, 17), (48, 32), (40, 20)] {
            let geometry = ConvGeometry { stride, pad_h: pad.0, pad_w: pad.1 };
            let x = noise(from.pixels() * ci, 0.7);
            let (w, b) = (noise(co * ci * kh * kw, 1.3), noise(co, 0.9));
            let shapes = ([from.n, ci, from.h, from.w], [co, ci, kh, kw]);
            let problem = Problem::new("test", &shapes.0, &shapes.1, geometry).unwrap();
            let mut with = reference(&problem, &x, &w, Some(&b));
            with.iter_mut().for_each(|v| *v = v.max(0.0));
            let without = reference(&problem, &x, &w, None);
            // Channels alone, and among others.
            for (before, after) in [(0, 0), (2, 5)] {
                let (from_pitch, to_pitch) = (before + ci + after, before + co + after);
                let source = last(&x, from, ci, from_pitch, before);
                for unit in units() {
                    for fast in [true, false] {
                        let conv = Convolution::on(unit, &w, &b, (co, ci, kh, kw), geometry, fast)
                            .unwrap();
                        let to = conv.output(from).unwrap();
                        let what = format!("{unit:?}, {from:?}, {kh}x{kw}, {ci} to {co}, {fast}");
                        let images = Images::new(&source, from, from_pitch, (before, ci)).unwrap();
                        for (relu, expected) in [(true, &with), (false, &without)] {
                            let mut y = vec![9.0; to.pixels() * to_pitch];
                            let out = ImagesMut::new(&mut y, to, to_pitch, (before, co)).unwrap();
                            let run = if relu { Convolution::relu } else { Convolution::linear };
                            run(&conv, images, out).unwrap();
                            assert_near(&y, &last(expected, to, co, to_pitch, before), &what);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_image_has_the_same_bits_alone_and_among_others_on_any_number_of_threads() {
    for Case { from, kernel: (kh, kw), stride, pad } in cases() {
        let (co, ci) = (37, 18);
        let geometry = ConvGeometry { stride, pad_h: pad.0, pad_w: pad.1 };
        let many = Shape { n: 9, ..from };
        let (w, b) = (noise(co * ci * kh * kw, 1.3), noise(co, 0.9));
        let conv = Convolution::new(&w, &b, (co, ci, kh, kw), geometry).unwrap();
        let x = noise(many.pixels() * ci, 0.7);
        let run = |x: &[f32], shape: Shape| {
            let to = conv.output(shape).unwrap();
            let mut y = vec![0.0; to.pixels() * co];
            let images = Images::new(x, shape, ci, (0, ci)).unwrap();
            conv.relu(images, ImagesMut::new(&mut y, to, co, (0, co)).unwrap()).unwrap();
            y
        };
        let alone: Vec<f32> = x
            .chunks_exact(from.h * from.w * ci)
            .flat_map(|x| run(x, Shape { n: 1, ..from }))
            .collect();
        for threads in 1..=4 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let together = pool.install(|| run(&x, many));
            assert!(alone == together, "{from:?}, {kh}x{kw}, {threads} threads");
        }
    }
}

#[test]
fn pools_by_hand() {
    let shape = Shape { n: 1, h: 3, w: 3 };
    // Two channels of nine pixels: 0..9, and its negative; one channel beside them.
    let x: Vec<f32> = (0..9).flat_map(|i| [i as f32, -(i as f32), 5.0]).collect();
    let images = Images::new(&x, shape, 3, (0, 2)).unwrap();
    let mut y = vec![7.0; 2];
    let one = Shape { n: 1, h: 1, w: 1 };
    max_pool3(images, ImagesMut::new(&mut y, one, 2, (0, 2)).unwrap(), 2, 0).unwrap();
    assert_eq!(y, [8.0, 0.0]);
    let mut y = vec![7.0; 18];
    max_pool3(images, ImagesMut::new(&mut y, shape, 2, (0, 2)).unwrap(), 1, 1).unwrap();
    assert_eq!(y[..4], [4.0, 0.0, 5.0, 0.0]);
    assert_eq!(y[16..], [8.0, -4.0]);
    let out = ImagesMut::new(&mut y, shape, 2, (0, 2)).unwrap();
    average_pool3(images, &[0.5, 3.0], out).unwrap();
    assert_eq!(y[..4], [2.5, 1.0, 3.0, 0.5]);
    assert_eq!(y[8..10], [4.5, 0.0]);
    assert_eq!(average_pixels(images), [4.0, -4.0]);
    let small = Images::new(&x, Shape { n: 1, h: 1, w: 9 }, 3, (0, 2)).unwrap();
    assert!(max_pool3(small, ImagesMut::new(&mut y, one, 2, (0, 2)).unwrap(), 2, 0).is_err());
}

#[test]
fn nan_passes_everything() {
    let shape = Shape { n: 1, h: 4, w: 4 };
    for at in 0..16 {
        let mut x = vec![1.0; 16];
        x[at] = f32::NAN;
        let images = Images::new(&x, shape, 1, (0, 1)).unwrap();
        let mut y = vec![0.0; 16];
        let near = |i: usize| (i / 4).abs_diff(at / 4) <= 1 && (i % 4).abs_diff(at % 4) <= 1;
        let check = |y: &[f32], what: &str| {
            for (i, y) in y.iter().enumerate() {
                assert!(!near(i) || y.is_nan(), "{what}: NaN at {at} is lost at {i}");
            }
        };
        max_pool3(images, ImagesMut::new(&mut y, shape, 1, (0, 1)).unwrap(), 1, 1).unwrap();
        check(&y, "maximum");
        average_pool3(images, &[0.0], ImagesMut::new(&mut y, shape, 1, (0, 1)).unwrap()).unwrap();
        check(&y, "average");
        let geometry = ConvGeometry { stride: 1, pad_h: 1, pad_w: 1 };
        let conv = Convolution::new(&[1.0; 9], &[0.0], (1, 1, 3, 3), geometry).unwrap();
        conv.relu(images, ImagesMut::new(&mut y, shape, 1, (0, 1)).unwrap()).unwrap();
        check(&y, "convolution");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let geometry = ConvGeometry { stride: 1, pad_h: 0, pad_w: 0 };
    assert!(Convolution::new(&[1.0; 8], &[0.0], (1, 1, 3, 3), geometry).is_err());
    assert!(Convolution::new(&[1.0; 9], &[0.0; 2], (1, 1, 3, 3), geometry).is_err());
    assert!(Convolution::new(&[], &[], (0, 1, 3, 3), geometry).is_err());
    let conv = Convolution::new(&[1.0; 9], &[0.0], (1, 1, 3, 3), geometry).unwrap();
    assert!(conv.output(Shape { n: 1, h: 2, w: 9 }).is_err());
    let shape = Shape { n: 1, h: 4, w: 4 };
    let (x, mut y) = (vec![0.0; 32], vec![0.0; 16]);
    assert!(Images::new(&x, shape, 3, (0, 2)).is_err());
    assert!(Images::new(&x, shape, 2, (1, 2)).is_err());
    let two = Images::new(&x, shape, 2, (0, 2)).unwrap();
    let small = Shape { n: 1, h: 2, w: 2 };
    assert!(conv.relu(two, ImagesMut::new(&mut y, small, 1, (0, 1)).unwrap()).is_err());
    let one = Images::new(&x, shape, 2, (0, 1)).unwrap();
    assert!(conv.relu(one, ImagesMut::new(&mut y, shape, 1, (0, 1)).unwrap()).is_err());
    conv.relu(one, ImagesMut::new(&mut y, small, 1, (0, 1)).unwrap()).unwrap();
}
