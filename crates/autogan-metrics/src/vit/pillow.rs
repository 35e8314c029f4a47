//! This module resizes bytes bicubically as Pillow does, with the same bits.

use crate::inception::resize::{Filter, filters};

/// Fractional bits of a weight: 32 less 8 bits of pixel and 2 bits of head room.
const FRACTION_BITS: u32 = 32 - 8 - 2;

/// Half a unit: sums start there, so that dropping the fraction rounds to nearest.
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// The weights of the source pixels from `first` on, in fixed point.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

/// The resize of planes of one size to another, (height, width) each.
pub(super) struct Bicubic {
    from: (usize, usize),
    to: (usize, usize),
    /// None where a pass would change nothing, which is then left out.
    columns: Option<Vec<Window>>,
    rows: Option<Vec<Window>>,
}

impl Bicubic {
    pub fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        let pass = |from: usize, to: usize| {
            (from != to).then(|| filters(from, to).iter().map(Window::new).collect())
        };
        Self { from, to, columns: pass(from.1, to.1), rows: pass(from.0, to.0) }
    }

    /// Resizes one plane: columns first, then rows, each rounded to bytes. Source: Pillow's `Resample.c`
    /// (`ImagingResampleHorizontal_8bpc`, `ImagingResampleVertical_8bpc`).
    pub fn resize(&self, plane: &[u8]) -> Vec<u8> {
        let wide = match &self.columns {
            None => plane.to_vec(),
            Some(windows) => {
                let across = |row: &[u8]| {
                    let pixel = |window: &Window| {
                        let pixels = row[window.first..].iter().zip(&window.weights);
                        round(pixels.map(|(p, w)| i32::from(*p) * w).sum::<i32>() + HALF)
                    };
                    windows.iter().map(pixel).collect::<Vec<u8>>()
                };
                plane.chunks_exact(self.from.1).flat_map(across).collect()
            }
        };
        let Some(windows) = &self.rows else { return wide };
        let mut out = Vec::with_capacity(self.to.0 * self.to.1);
        let mut sums = vec![0; self.to.1];
        for window in windows {
            sums.fill(HALF);
            let rows = wide.chunks_exact(self.to.1).skip(window.first);
            for (row, weight) in rows.zip(&window.weights) {
                sums.iter_mut().zip(row).for_each(|(sum, p)| *sum += i32::from(*p) * weight);
            }
            out.extend(sums.iter().map(|sum| round(*sum)));
        }
        out
    }
}

impl Window {
    /// Weights rounded to nearest, halves away from zero.
    fn new(filter: &Filter) -> Self {
        let one = f64::from(1u32 << FRACTION_BITS);
        let weights = filter.weights.iter().map(|w| (w * one).round() as i32);
        Self { first: filter.first, weights: weights.collect() }
    }
}

/// Drops the fractional bits of a sum that started at [`HALF`], and clamps to bytes.
fn round(sum: i32) -> u8 {
    (sum >> FRACTION_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_equal_sizes_stay() {
        for (from, to) in [((5, 7), (9, 3)), ((40, 31), (14, 14)), ((1, 1), (4, 2))] {
            for grey in [0, 1, 200, 255] {
                let out = Bicubic::new(from, to).resize(&vec![grey; from.0 * from.1]);
                assert_eq!(out, vec![grey; to.0 * to.1]);
            }
        }
        let plane: Vec<u8> = (0..35).map(|i| (i * 7) as u8).collect();
        assert_eq!(Bicubic::new((5, 7), (5, 7)).resize(&plane), plane);
    }

    #[test]
    fn an_edge_overshoots_and_is_clamped() {
        // Doubling: the weights at a quarter are (-9, 111, 29, -3) / 128 (Keys, a = -0.5).
        let out = Bicubic::new((1, 6), (1, 12)).resize(&[0, 0, 0, 128, 128, 128]);
        assert_eq!(out[4..8], [0, 29 - 3, 111 - 9, 111 + 29 - 3]);
        let out = Bicubic::new((1, 6), (1, 12)).resize(&[0, 0, 0, 255, 255, 255]);
        assert_eq!((out[4], out[7]), (0, 255));
    }
}
