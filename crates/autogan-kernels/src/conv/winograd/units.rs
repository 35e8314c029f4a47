//! These tests check that every vector unit of the processor gives what the widest one gives, up to rounding. The
//! widest is compared with the plain form elsewhere.

use super::{After, Form, Pixel, Prologue, Winograd};
use crate::Activation;
use crate::testing::{assert_near, other_units};

/// Pixel functions with a floor and a different affine map for each plane.
fn uneven(images: usize, channels: usize) -> Vec<Pixel> {
    let pixel = |p: usize| {
        let (image, channel) = (p / channels, p % channels);
        Pixel { a: 1.0 + 0.1 * image as f32, b: 0.2 * channel as f32 - 0.3, floor: 0.0 }
    };
    (0..images * channels).map(pixel).collect()
}

fn noise(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step).sin()).collect()
}

#[test]
fn all_vector_units_agree() {
    // Few images and many, sides that fill vectors and sides that do not, channels beside the blocks and panels.
    let cases = [
        (2, (3, 5), (6, 6)),
        (17, (20, 7), (4, 8)),
        (16, (9, 50), (2, 2)),
        (1, (16, 17), (20, 34)),
    ];
    for form in [Form::Same, Form::Up, Form::Pool] {
        for (n, (co, ci), source) in cases {
            let widest = Winograd::new(form, n, (co, ci), source);
            let (h, w) = widest.output();
            let x = noise(n * ci * source.0 * source.1, 0.7);
            let weights = noise(co * ci * 9, 1.3);
            let dy = noise(n * co * h * w, 0.37);
            let bias = noise(co, 0.9);
            let after = || After { bias: Some(&bias), activation: Activation::Relu };
            let pixels = uneven(n, ci);
            let all = |w: &Winograd| {
                let prologue = Prologue::new(&pixels, ci);
                [
                    w.forward(&x, &weights, after(), prologue),
                    w.input_gradient(&dy, &weights),
                    w.weight_gradient(&x, &dy, prologue),
                ]
            };
            let expected = all(&widest);
            for unit in other_units() {
                let found = all(&Winograd { unit, ..widest });
                for (i, what) in ["forward", "input gradient", "weight gradient"].iter().enumerate()
                {
                    let what = format!("{unit:?}, {form:?}, {n} x {source:?}, {what}");
                    assert_near(&found[i], &expected[i], &what);
                }
            }
        }
    }
}
