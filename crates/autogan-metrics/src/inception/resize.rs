//! These functions resize planes of floats, as known scorers do it.
//!
//! Sizes are (height, width); a source plane is `from.0 · from.1` values, row after row.

use autogan_ops::ResizeRule;

/// Resizes planes `[C, H, W]` to `[C, h, w]` bilinearly without antialiasing, with the bits of
/// [`autogan_ops::resize_bilinear`]: places are computed in `f32`, columns are mixed first, then rows.
pub fn bilinear(
    source: &[f32],
    from: (usize, usize),
    out: &mut [f32],
    to: (usize, usize),
    rule: ResizeRule,
) {
    let (rows, columns) = (taps(from.0, to.0, rule), taps(from.1, to.1, rule));
    let planes = source.chunks_exact(from.0 * from.1);
    for (plane, out) in planes.zip(out.chunks_exact_mut(to.0 * to.1)) {
        for (line, &(upper, lower, down)) in out.chunks_exact_mut(to.1).zip(&rows) {
            let (upper, lower) = (&plane[upper * from.1..], &plane[lower * from.1..]);
            for (value, &(left, right, across)) in line.iter_mut().zip(&columns) {
                let a = upper[left] + (upper[right] - upper[left]) * across;
                let b = lower[left] + (lower[right] - lower[left]) * across;
                *value = a + (b - a) * down;
            }
        }
    }
}

/// The two source pixels of each output pixel, and the weight of the second.
fn taps(from: usize, to: usize, rule: ResizeRule) -> Vec<(usize, usize, f32)> {
    let scale = (from as f64 / to as f64) as f32;
    let tap = |i: usize| {
        let place = match rule {
            ResizeRule::Tf1 => i as f32 * scale,
            ResizeRule::HalfPixel => ((i as f32 + 0.5) * scale - 0.5).max(0.0),
        };
        let low = (place as usize).min(from - 1);
        (low, (low + 1).min(from - 1), place - low as f32)
    };
    (0..to).map(tap).collect()
}

/// Half-width of the filter at scale 1.
const SUPPORT: f64 = 2.0;

/// Resizes one plane as Pillow resizes a float image (mode `F`) bicubically; clean-fid does it for each channel. Values
/// may leave the range of the source.
///
/// Antialiased: downwards the filter is widened by the scale. Source: Pillow's `Resample.c` (coefficients normalised in
/// `f64`, columns first, an `f32` image between the passes), filter parameter a = −0.5.
pub fn bicubic_pillow(source: &[f32], from: (usize, usize), out: &mut [f32], to: (usize, usize)) {
    let mut wide = vec![0f32; from.0 * to.1];
    if from.1 == to.1 {
        wide.copy_from_slice(source);
    } else {
        across(source, from.1, &mut wide, to.1);
    }
    if from.0 == to.0 {
        out.copy_from_slice(&wide);
    } else {
        down(&wide, to.1, out, &filters(from.0, to.0));
    }
}

/// Resizes each row from `from` to `to` values.
fn across(source: &[f32], from: usize, out: &mut [f32], to: usize) {
    let filters = filters(from, to);
    for (line, row) in out.chunks_exact_mut(to).zip(source.chunks_exact(from)) {
        for (value, filter) in line.iter_mut().zip(&filters) {
            let seen = &row[filter.first..][..filter.weights.len()];
            let sum: f64 = seen.iter().zip(&filter.weights).map(|(v, w)| f64::from(*v) * w).sum();
            *value = sum as f32;
        }
    }
}

/// Resizes columns; rows hold `width` values.
fn down(source: &[f32], width: usize, out: &mut [f32], filters: &[Filter]) {
    let mut sums = vec![0f64; width];
    for (line, filter) in out.chunks_exact_mut(width).zip(filters) {
        sums.fill(0.0);
        for (i, weight) in filter.weights.iter().enumerate() {
            let row = &source[(filter.first + i) * width..][..width];
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += f64::from(*v) * weight;
            }
        }
        for (value, sum) in line.iter_mut().zip(&sums) {
            *value = *sum as f32;
        }
    }
}

/// The weights of the source pixels from `first` on, which add up to 1.
pub(crate) struct Filter {
    pub first: usize,
    pub weights: Vec<f64>,
}

/// The filters of all output pixels along an axis.
pub(crate) fn filters(from: usize, to: usize) -> Vec<Filter> {
    let scale = from as f64 / to as f64;
    let widened = scale.max(1.0);
    let support = SUPPORT * widened;
    (0..to)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weight = |x: usize| cubic((x as f64 - center + 0.5) / widened);
            let mut weights: Vec<f64> = (first..end).map(weight).collect();
            let total: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= total);
            Filter { first, weights }
        })
        .collect()
}

/// Keys' cubic with a = −0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::ResizeRule::{HalfPixel, Tf1};
    use super::*;

    #[test]
    fn constants_stay_and_weights_add_up() {
        for (from, to) in [(5, 17), (17, 5), (3, 299), (600, 299), (1, 4)] {
            for filter in filters(from, to) {
                assert!((filter.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                assert!(filter.first + filter.weights.len() <= from);
            }
        }
        let mut out = vec![0f32; 7 * 3];
        bicubic_pillow(&[42.0; 20], (4, 5), &mut out, (7, 3));
        assert!(out.iter().all(|v| (v - 42.0).abs() < 1e-4));
    }

    #[test]
    fn bicubic_to_the_same_size_changes_nothing() {
        let source: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut out = vec![0f32; 12];
        bicubic_pillow(&source, (3, 4), &mut out, (3, 4));
        assert_eq!(out, source);
    }

    #[test]
    fn bilinear_by_hand() {
        // Tf1 starts at the first pixel and repeats the last; half-pixel centres are symmetric: outputs 0 to 4 of 2 lie
        // at −0.25, 0.25, 0.75 and 1.25.
        for (source, from, to, rule, expected) in [
            (&[0., 8.][..], (1, 2), (1, 4), Tf1, &[0., 4., 8., 8.][..]),
            (&[1., 2., 3., 4.], (4, 1), (2, 1), Tf1, &[1., 3.]),
            (&[0., 8.], (1, 2), (1, 4), HalfPixel, &[0., 2., 6., 8.]),
            (&[1., 2., 3., 6.], (2, 2), (1, 1), HalfPixel, &[3.]),
        ] {
            let mut out = vec![0f32; expected.len()];
            bilinear(source, from, &mut out, to, rule);
            assert_eq!(out, expected, "{rule:?}");
        }
    }

    #[test]
    fn bilinear_to_the_same_size_changes_nothing() {
        let source: Vec<f32> = (0..35).map(|i| (i * i % 17) as f32).collect();
        for rule in [Tf1, HalfPixel] {
            let mut out = vec![0f32; 35];
            bilinear(&source, (5, 7), &mut out, (5, 7), rule);
            assert_eq!(out, source);
        }
    }
}
