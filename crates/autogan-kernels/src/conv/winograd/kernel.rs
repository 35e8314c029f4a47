//! This module computes the inner product of Winograd's algorithm: a block of output channels times one panel of tiles.

use pulp::Simd;

use super::tiles::PANEL;
use crate::memory::Unwritten;

/// `out[r][t] = Σ_q Σ_c weights[q][c][r] · v[q · plane + c · PANEL + t]` for all rows r of a block and t in a panel.
pub(super) struct Block<'a> {
    /// Weights `[planes][depth][rows]`.
    pub weights: &'a [f32],
    /// The panel's components.
    pub v: &'a Unwritten<f32>,
    /// Elements from one component of `v` to the next.
    pub plane: usize,
    /// Components that are summed over.
    pub planes: usize,
    /// Input channels.
    pub depth: usize,
    /// Lanes that are wanted; others may or may not be written.
    pub lanes: usize,
}

impl Block<'_> {
    /// Writes `out [rows][PANEL]`.
    ///
    /// # Safety
    /// Of each component and channel, the first `lanes` elements of `v`, rounded up to whole vectors, must be written.
    #[inline(always)]
    pub unsafe fn run<S: Simd, const ROWS: usize>(&self, simd: S, out: &mut [f32]) {
        assert!(self.weights.len() == self.planes * self.depth * ROWS && self.planes > 0);
        assert!((self.planes - 1) * self.plane + self.depth * PANEL <= self.v.len());
        assert!(ROWS * PANEL <= out.len());
        for at in (0..self.lanes.min(PANEL)).step_by(3 * S::F32_LANES) {
            // SAFETY: at `at`, as many vectors are read as are left, but no more than three; they are written.
            unsafe {
                match (self.lanes - at).div_ceil(S::F32_LANES) {
                    1 => self.tile::<S, ROWS, 1>(simd, at, out),
                    2 => self.tile::<S, ROWS, 2>(simd, at, out),
                    _ => self.tile::<S, ROWS, 3>(simd, at, out),
                }
            }
        }
    }

    /// # Safety
    /// Of each component and channel, `VECTORS` vectors of `v` from element `at` on must be written, and the checks in
    /// `run` must hold.
    #[inline(always)]
    unsafe fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        at: usize,
        out: &mut [f32],
    ) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for q in 0..self.planes {
            let weights = &self.weights[q * self.depth * ROWS..][..self.depth * ROWS];
            let v = &self.v[q * self.plane..];
            for (c, w) in weights.chunks_exact(ROWS).enumerate() {
                // SAFETY: c · PANEL + at + three vectors is within the component by the checks in `run`, since PANEL
                // is a multiple of three vectors; it is written; any bytes are f32; the read need not be aligned.
                let x: [S::f32s; VECTORS] = std::array::from_fn(|i| unsafe {
                    let from = v.as_ptr().add(c * PANEL + at + i * S::F32_LANES);
                    from.cast::<S::f32s>().read_unaligned()
                });
                for (sums, &w) in sums.iter_mut().zip(w) {
                    let w = simd.splat_f32s(w);
                    for (sum, &x) in sums.iter_mut().zip(&x) {
                        *sum = simd.mul_add_f32s(w, x, *sum);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (i, &sum) in sums.iter().enumerate() {
                // SAFETY: within `out` by the checks in `run`.
                unsafe {
                    let to = out.as_mut_ptr().add(r * PANEL + at + i * S::F32_LANES);
                    to.cast::<S::f32s>().write_unaligned(sum);
                }
            }
        }
    }
}
