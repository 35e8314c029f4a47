//! This module interpolates position embeddings.

/// What Meta's code adds to the number of patches before it divides by the number that was trained with
/// (`interpolate_offset`).
const OFFSET: f64 = 0.1;

/// Interpolates embeddings `[from², width]` of a square of patches to `[to², width]`, as PyTorch's
/// `interpolate(scale_factor=(to + 0.1) / from, mode="bicubic")` does: without antialiasing, Keys' cubic with a = −0.75,
/// the border repeated. Nothing changes where the sides are equal.
pub(super) fn interpolate(embeddings: &[f32], from: usize, to: usize, width: usize) -> Vec<f32> {
    if from == to {
        return embeddings.to_vec();
    }
    let taps: Vec<[(usize, f64); 4]> = (0..to).map(|i| taps(i, from, to)).collect();
    let mut out = vec![0f32; to * to * width];
    let mut sums = vec![0f64; width];
    for (i, out) in out.chunks_exact_mut(width).enumerate() {
        sums.fill(0.0);
        for (row, down) in taps[i / to] {
            for (column, across) in taps[i % to] {
                let embedding = &embeddings[(row * from + column) * width..][..width];
                let weight = down * across;
                sums.iter_mut().zip(embedding).for_each(|(s, v)| *s += weight * f64::from(*v));
            }
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = *sum as f32);
    }
    out
}

/// The four source places of a target place, with their weights.
fn taps(i: usize, from: usize, to: usize) -> [(usize, f64); 4] {
    let place = (i as f64 + 0.5) * (from as f64 / (to as f64 + OFFSET)) - 0.5;
    let (low, t) = (place.floor(), place - place.floor());
    std::array::from_fn(|k| {
        let source = (low as isize + k as isize - 1).clamp(0, from as isize - 1) as usize;
        (source, cubic(t + 1.0 - k as f64))
    })
}

/// Keys' cubic with a = −0.75.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_equal_sizes_stay() {
        let out = interpolate(&[3.0; 37 * 37 * 2], 37, 16, 2);
        assert_eq!(out.len(), 16 * 16 * 2);
        assert!(out.iter().all(|v| (v - 3.0).abs() < 1e-6));
        let values: Vec<f32> = (0..18).map(|i| i as f32).collect();
        assert_eq!(interpolate(&values, 3, 3, 2), values);
    }

    #[test]
    fn rows_go_down_and_columns_across() {
        // The value of a place is 10 · row + column; what PyTorch gives for row 1, columns 2 and 3, and for row 2.
        let values: Vec<f32> = (0..81).map(|i| (10 * (i / 9) + i % 9) as f32).collect();
        let out = interpolate(&values, 9, 4, 1);
        for (found, expected) in out[6..9].iter().zip([32.4278, 34.6967, 50.3208]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}
