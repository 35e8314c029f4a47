//! Bilinear resizing without antialiasing: TensorFlow 1's rule and the half-pixel rule.

/// Bilinear as TensorFlow 1 and torch-fidelity do it: output `i` reads at `i · from / to`, in
/// `f32`, and the last pixel repeats. Columns are interpolated first, then rows.
pub fn bilinear_tf1(source: &[f32], from: (usize, usize), out: &mut [f32], to: (usize, usize)) {
    let taps = |from: usize, to: usize| {
        let scale = (from as f64 / to as f64) as f32;
        let place = move |i: usize| i as f32 * scale;
        (0..to).map(|i| Tap::at(place(i), from)).collect::<Vec<_>>()
    };
    interpolate(source, from, out, &taps(from.0, to.0), &taps(from.1, to.1));
}

/// Bilinear with half-pixel centres, as PyTorch's `interpolate(align_corners=False)`: output `i`
/// reads at `(i + 0.5) · from / to − 0.5`, clamped to the image.
pub fn bilinear_half_pixel(
    source: &[f32],
    from: (usize, usize),
    out: &mut [f32],
    to: (usize, usize),
) {
    let taps = |from: usize, to: usize| {
        let scale = (from as f64 / to as f64) as f32;
        let place = move |i: usize| ((i as f32 + 0.5) * scale - 0.5).max(0.0);
        (0..to).map(|i| Tap::at(place(i), from)).collect::<Vec<_>>()
    };
    interpolate(source, from, out, &taps(from.0, to.0), &taps(from.1, to.1));
}

/// Two neighbouring pixels and the weight of the second.
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

impl Tap {
    fn at(place: f32, len: usize) -> Self {
        let low = (place as usize).min(len - 1);
        Tap { low, high: (low + 1).min(len - 1), weight: place - low as f32 }
    }
}

fn interpolate(
    source: &[f32],
    from: (usize, usize),
    out: &mut [f32],
    rows: &[Tap],
    columns: &[Tap],
) {
    let width = from.1;
    for (line, row) in out.chunks_exact_mut(columns.len()).zip(rows) {
        let upper = &source[row.low * width..][..width];
        let lower = &source[row.high * width..][..width];
        for (value, column) in line.iter_mut().zip(columns) {
            let across = |line: &[f32]| {
                let (a, b) = (line[column.low], line[column.high]);
                a + (b - a) * column.weight
            };
            let (top, bottom) = (across(upper), across(lower));
            *value = top + (bottom - top) * row.weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tf1_starts_at_the_first_pixel_and_repeats_the_last() {
        let mut out = [0f32; 4];
        bilinear_tf1(&[0., 8.], (1, 2), &mut out, (1, 4));
        assert_eq!(out, [0., 4., 8., 8.]);
        let mut down = [0f32; 2];
        bilinear_tf1(&[1., 2., 3., 4.], (4, 1), &mut down, (2, 1));
        assert_eq!(down, [1., 3.]);
    }

    #[test]
    fn half_pixel_is_symmetric() {
        let mut out = [0f32; 4];
        bilinear_half_pixel(&[0., 8.], (1, 2), &mut out, (1, 4));
        assert_eq!(out, [0., 2., 6., 8.]);
        let mut one = [0f32; 1];
        bilinear_half_pixel(&[1., 2., 3., 6.], (2, 2), &mut one, (1, 1));
        assert_eq!(one, [3.0]);
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let source: Vec<f32> = (0..35).map(|i| (i * i % 17) as f32).collect();
        for resize in [bilinear_tf1, bilinear_half_pixel] {
            let mut out = vec![0f32; 35];
            resize(&source, (5, 7), &mut out, (5, 7));
            assert_eq!(out, source);
        }
    }
}
