//! This module holds the two inner loops of the flat convolution, on the vector unit that is chosen at run time.

use pulp::{Arch, Simd, WithSimd};

/// Elements that a loop may read beyond the positions it was asked for: one tile of the widest vectors.
pub(super) const SLACK: usize = 64;

/// Output channels that packed weights come in, for the widest tile of a vector unit.
pub(super) fn block_rows(unit: Arch) -> usize {
    struct Rows;
    impl WithSimd for Rows {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
        }
    }
    unit.dispatch(Rows)
}

/// `out[r][p] = Σ_k weights[k][r] · x[p + offsets[k]]` for all rows r of a block and positions p in `0..len`.
pub(super) struct Correlate<'a> {
    /// Weights `[k][rows]`, rows as [`block_rows`] says.
    pub weights: &'a [f32],
    /// Where each k reads, relative to the position.
    pub offsets: &'a [usize],
    /// The image, readable up to the largest offset plus `len` plus [`SLACK`].
    pub x: &'a [f32],
    /// Positions.
    pub len: usize,
    /// Outputs `[rows][stride]`, stride at least `len` plus [`SLACK`].
    pub out: &'a mut [f32],
    /// Elements from one row of `out` to the next.
    pub stride: usize,
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, 8, 3>(simd);
        } else {
            self.run::<S, 4, 3>(simd);
        }
    }
}

impl Correlate<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(mut self, simd: S) {
        let step = VECTORS * S::F32_LANES;
        assert!(step <= SLACK && self.weights.len() == self.offsets.len() * ROWS);
        let reach = self.offsets.iter().max().map_or(0, |o| o + self.len + SLACK);
        assert!(reach <= self.x.len() && self.len + SLACK <= self.stride);
        assert!(ROWS * self.stride <= self.out.len());
        let mut p = 0;
        while p < self.len {
            let left = (self.len - p).div_ceil(S::F32_LANES);
            match left {
                1 => self.tile::<S, ROWS, 1>(simd, p),
                2 => self.tile::<S, ROWS, 2>(simd, p),
                _ => self.tile::<S, ROWS, VECTORS>(simd, p),
            }
            p += step;
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(&mut self, simd: S, p: usize) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (w, &offset) in self.weights.chunks_exact(ROWS).zip(self.offsets) {
            // SAFETY: p + offset + one tile is at most the largest offset + len + SLACK, within `x` by the check in
            // `run`; any bytes are a vector of f32, and the read does not need alignment.
            let x: [S::f32s; VECTORS] = std::array::from_fn(|v| unsafe {
                let at = self.x.as_ptr().add(p + offset + v * S::F32_LANES);
                at.cast::<S::f32s>().read_unaligned()
            });
            for (sums, &w) in sums.iter_mut().zip(w) {
                let w = simd.splat_f32s(w);
                for (sum, &x) in sums.iter_mut().zip(&x) {
                    *sum = simd.mul_add_f32s(w, x, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                // SAFETY: r · stride + p + one tile is within `out` by the checks in `run`.
                unsafe {
                    let at = self.out.as_mut_ptr().add(r * self.stride + p + v * S::F32_LANES);
                    at.cast::<S::f32s>().write_unaligned(sum);
                }
            }
        }
    }
}

/// `sums[r][k] += Σ_i Σ_p a_i[r][p] · x_i[p + offsets[k]]` over images i and positions p in `0..len`.
///
/// Positions come in whole vectors: `a` must be 0 from `len` to `len` + [`SLACK`].
pub(super) struct Products<'a> {
    /// The first factor, image after image: `[rows][a_stride]`.
    pub a: &'a [f32],
    /// Rows of an image in `a`, a multiple of [`PRODUCT_ROWS`].
    pub rows: usize,
    /// Elements from one row of `a` to the next.
    pub a_stride: usize,
    /// The second factor, image after image.
    pub x: &'a [f32],
    /// Elements from one image of `x` to the next.
    pub x_stride: usize,
    /// Where each k reads.
    pub offsets: &'a [usize],
    /// Images.
    pub images: usize,
    /// Positions.
    pub len: usize,
    /// The sums `[rows][offsets]`.
    pub sums: &'a mut [f32],
}

/// Rows of `a` that one tile of [`Products`] holds.
pub(super) const PRODUCT_ROWS: usize = 4;

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.run::<S, 6>(simd) } else { self.run::<S, 2>(simd) }
    }
}

impl Products<'_> {
    #[inline(always)]
    fn run<S: Simd, const COLUMNS: usize>(self, simd: S) {
        let steps = self.len.div_ceil(S::F32_LANES);
        let reach = steps * S::F32_LANES;
        let largest = self.offsets.iter().max().copied().unwrap_or(0);
        assert!(self.rows.is_multiple_of(PRODUCT_ROWS) && reach <= self.a_stride);
        assert!(self.images * self.rows * self.a_stride <= self.a.len());
        assert!(
            self.images == 0 || (self.images - 1) * self.x_stride + largest + reach <= self.x.len()
        );
        assert!(self.sums.len() == self.rows * self.offsets.len());
        for row in (0..self.rows).step_by(PRODUCT_ROWS) {
            for column in (0..self.offsets.len()).step_by(COLUMNS) {
                // A short last block repeats its last column; the surplus is dropped.
                let last = self.offsets.len() - 1;
                let offsets: [usize; COLUMNS] =
                    std::array::from_fn(|c| self.offsets[(column + c).min(last)]);
                let sums = self.tile::<S, COLUMNS>(simd, row, offsets, steps);
                let used = COLUMNS.min(self.offsets.len() - column);
                for (r, sums) in sums.iter().enumerate() {
                    let out = &mut self.sums[(row + r) * self.offsets.len() + column..][..used];
                    for (o, &sum) in out.iter_mut().zip(sums) {
                        *o += simd.reduce_sum_f32s(sum);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const COLUMNS: usize>(
        &self,
        simd: S,
        row: usize,
        offsets: [usize; COLUMNS],
        steps: usize,
    ) -> [[S::f32s; COLUMNS]; PRODUCT_ROWS] {
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; PRODUCT_ROWS];
        for image in 0..self.images {
            let a = (image * self.rows + row) * self.a_stride;
            let x = image * self.x_stride;
            for step in 0..steps {
                let p = step * S::F32_LANES;
                // SAFETY: both reads end within their slices by the checks in `run`; any bytes are a vector of f32.
                let load = |from: &[f32], at: usize| unsafe {
                    from.as_ptr().add(at).cast::<S::f32s>().read_unaligned()
                };
                let a: [S::f32s; PRODUCT_ROWS] =
                    std::array::from_fn(|r| load(self.a, a + r * self.a_stride + p));
                for c in 0..COLUMNS {
                    let x = load(self.x, x + offsets[c] + p);
                    for r in 0..PRODUCT_ROWS {
                        sums[r][c] = simd.mul_add_f32s(a[r], x, sums[r][c]);
                    }
                }
            }
        }
        sums
    }
}
