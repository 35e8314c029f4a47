//! [`resize_plane`] resizes one 8-bit channel as Pillow's `Image.resize(size, BILINEAR)` does, bit for bit.
//!
//! The released code resizes with torchvision on PIL images, so shrinking is antialiased: the triangle filter is
//! widened by the scale. Pillow works in two passes, columns first, each with weights in fixed point (22 fractional
//! bits) and rounded to u8; a pass that changes nothing is left out. Golden values: `scripts/make_resize_golden.py`.

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
    let ((from_w, from_h), (to_w, to_h)) = (from, to);
    if from_w == 0 || from_h == 0 || to_w == 0 || to_h == 0 {
        return;
    }
    let narrow: std::borrow::Cow<'_, [u8]> = if from_w == to_w {
        plane.into()
    } else {
        let windows = windows(from_w, to_w);
        let mut rows = vec![0u8; to_w * from_h];
        for (row, out) in plane.chunks(from_w).zip(rows.chunks_mut(to_w)) {
            for (o, window) in out.iter_mut().zip(&windows) {
                let pixels = row.get(window.first..).unwrap_or_default();
                let mut sum = HALF;
                for (&pixel, &weight) in pixels.iter().zip(&window.weights) {
                    sum += i32::from(pixel) * weight;
                }
                *o = round(sum);
            }
        }
        rows.into()
    };
    if from_h == to_h {
        out.iter_mut().zip(narrow.iter()).for_each(|(o, &p)| *o = p);
        return;
    }
    let mut sums = vec![0i32; to_w];
    for (row, window) in out.chunks_mut(to_w).zip(&windows(from_h, to_h)) {
        sums.fill(HALF);
        let lines = narrow.chunks(to_w).skip(window.first);
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

/// One window per output pixel along an axis of `from` pixels resized to `to`.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Growing keeps the filter at its natural width of one input pixel.
    let width = scale.max(1.0);
    (0..to)
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
    fn wrong_lengths_do_not_panic() {
        let mut out = [9u8; 4];
        resize_plane(&[1, 2, 3], (4, 4), &mut out, (2, 2));
        resize_plane(&[], (0, 0), &mut out, (2, 2));
        resize_plane(&[1; 16], (4, 4), &mut out[..1], (2, 2));
    }
}
