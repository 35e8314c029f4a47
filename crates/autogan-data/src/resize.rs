//! [`resize_plane`] resizes one 8-bit channel as Pillow's `Image.resize(size, BILINEAR)` does, bit for bit.
//!
//! The released code resizes with torchvision on PIL images, so shrinking is antialiased: the triangle filter is
//! widened by the scale. Pillow works in two passes, columns first, each with weights in fixed point (22 fractional
//! bits) and rounded to u8; a pass that changes nothing is left out. Golden values: `scripts/make_resize_golden.py`.

use std::ops::Range;

/// Fractional bits of a weight: 32 less 8 bits of pixel and 2 bits of head room.
const FRACTION_BITS: u32 = 32 - 8 - 2;

/// Half a unit: sums start there, so that dropping the fraction rounds to nearest.
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// The weights of one output pixel: inputs `first .. first + weights.len()`.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// Resizes one channel `[height, width]` from `(width, height)` to `(width, height)`, u8.
///
/// Channels are independent in Pillow, so an RGB image is three calls. Lengths that do not
/// match the sizes are cut to the shorter (nothing is read or written out of bounds); sizes of
/// zero write nothing.
pub fn resize_plane(plane: &[u8], from: (usize, usize), out: &mut [u8], to: (usize, usize)) {
    resize_part(plane, from, to, (0, 0), out, to);
}

/// Gives a part of what [`resize_plane`] gives, and computes no more than that: `size` pixels from `corner` on, each as
/// `(x, y)`. The part lies inside of `to`.
pub(crate) fn resize_part(
    plane: &[u8],
    from: (usize, usize),
    to: (usize, usize),
    corner: (usize, usize),
    out: &mut [u8],
    size: (usize, usize),
) {
    let (width, height) = size;
    if [from.0, from.1, to.0, to.1, width, height].contains(&0) {
        return;
    }
    let columns = windows(from.0, to.0, corner.0..corner.0 + width);
    let rows = windows(from.1, to.1, corner.1..corner.1 + height);
    // Only these lines are needed.
    let top = rows.iter().map(|row| row.first).min().unwrap_or(0);
    let end = rows.iter().map(|row| row.first + row.weights.len()).max().unwrap_or(0);
    let lines = plane.chunks(from.0).take(end).skip(top);
    let mut narrow = vec![0u8; width * (end - top)];
    for (line, out) in lines.zip(narrow.chunks_mut(width)) {
        if from.0 == to.0 {
            let line = line.get(corner.0..).unwrap_or_default();
            out.iter_mut().zip(line).for_each(|(o, &p)| *o = p);
            continue;
        }
        for (o, window) in out.iter_mut().zip(&columns) {
            let pixels = line.get(window.first..).unwrap_or_default();
            let mut sum = HALF;
            for (&pixel, &weight) in pixels.iter().zip(&window.weights) {
                sum += i32::from(pixel) * weight;
            }
            *o = round(sum);
        }
    }
    if from.1 == to.1 {
        out.iter_mut().zip(&narrow).for_each(|(o, &p)| *o = p);
        return;
    }
    let mut sums = vec![0i32; width];
    for (row, window) in out.chunks_mut(width).zip(&rows) {
        sums.fill(HALF);
        let lines = narrow.chunks(width).skip(window.first - top);
        for (line, &weight) in lines.zip(&window.weights) {
            for (sum, &pixel) in sums.iter_mut().zip(line) {
                *sum += i32::from(pixel) * weight;
            }
        }
        for (o, &sum) in row.iter_mut().zip(&sums) {
            *o = round(sum);
        }
    }
}

/// Drops the fractional bits of a sum that started at [`HALF`], and clamps to u8.
fn round(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

/// One window for each output pixel of `range` along an axis of `from` pixels resized to `to`.
fn windows(from: usize, to: usize, range: Range<usize>) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Growing keeps the filter at its natural width of one input pixel.
    let width = scale.max(1.0);
    range
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            // `as usize` truncates and takes negative values to 0, as wanted at the border.
            let first = (centre - width + 0.5) as usize;
            let end = ((centre + width + 0.5) as usize).min(from);
            let step = 1.0 / width;
            let raw: Vec<f64> =
                (first..end).map(|x| triangle((x as f64 - centre + 0.5) * step)).collect();
            let total: f64 = raw.iter().sum();
            let weights = raw.iter().map(|w| fixed(w / total)).collect();
            Window { first, weights }
        })
        .collect()
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// A weight (never negative for the triangle) in fixed point, rounded half up.
fn fixed(weight: f64) -> i32 {
    (0.5 + weight * f64::from(1u32 << FRACTION_BITS)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resized(plane: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
        let mut out = vec![0; to.0 * to.1];
        resize_plane(plane, from, &mut out, to);
        out
    }

    #[test]
    fn halving_weights_the_neighbours_one_three_three_one() {
        // Inner pixel of a row halved: weights 1/8, 3/8, 3/8, 1/8 over four inputs.
        let row = [0, 80, 160, 40, 0, 8, 16, 24];
        let out = resized(&row, (8, 1), (4, 1));
        assert_eq!(out[1], ((80 + 3 * 160 + 3 * 40) as f64 / 8.0).round() as u8);
        // The border renormalises what is left: 3/7, 3/7, 1/7.
        assert_eq!(out[0], ((3 * 80 + 160) as f64 / 7.0).round() as u8);
    }

    #[test]
    fn the_same_size_is_a_copy_and_a_constant_stays_constant() {
        let plane: Vec<u8> = (0..35).map(|i| (i * 7) as u8).collect();
        assert_eq!(resized(&plane, (7, 5), (7, 5)), plane);
        for value in [0u8, 1, 127, 254, 255] {
            for to in [(3, 3), (8, 4), (31, 2)] {
                let out = resized(&[value; 20 * 10], (20, 10), to);
                assert!(out.iter().all(|&p| p == value), "{value} {to:?}");
            }
        }
    }

    #[test]
    fn a_part_is_cut_out_of_the_whole() {
        let plane: Vec<u8> = (0..23 * 17).map(|i| (i * i % 251) as u8).collect();
        for to in [(23, 17), (23, 40), (9, 17), (50, 31), (8, 60)] {
            let whole = resized(&plane, (23, 17), to);
            for (corner, size) in [((0, 0), to), ((3, 2), (4, 9)), ((to.0 - 1, to.1 - 1), (1, 1))] {
                let mut part = vec![0; size.0 * size.1];
                resize_part(&plane, (23, 17), to, corner, &mut part, size);
                for (y, row) in part.chunks(size.0).enumerate() {
                    let start = (corner.1 + y) * to.0 + corner.0;
                    assert_eq!(row, &whole[start..start + size.0], "{to:?} {corner:?}");
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_do_not_panic() {
        let mut out = [9u8; 4];
        resize_plane(&[1, 2, 3], (4, 4), &mut out, (2, 2));
        resize_plane(&[], (0, 0), &mut out, (2, 2));
        resize_plane(&[1; 16], (4, 4), &mut out[..1], (2, 2));
    }
}
