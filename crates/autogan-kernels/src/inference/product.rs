//! [`Product`] is the inner loop of all convolutions with the channels last: rows of pixels times a panel of weights.

use pulp::{Arch, Simd};

use crate::units::lanes_of;

/// Vectors of output channels in a full panel.
pub(super) const VECTORS: usize = 2;

/// `sum[p] = Σ_run Σ_k x[bases[p] + runs[run] + k] · weights[run][k]`, a panel of outputs for each p.
///
/// Each sum is taken in the order of its terms, alone: it does not depend on what else is computed beside it.
pub(super) struct Product<'a> {
    pub x: &'a [f32],
    /// Where each row reads.
    pub bases: &'a [usize],
    /// Where each run of a row begins, relative to its base.
    pub runs: &'a [usize],
    /// Elements of a run.
    pub len: usize,
    /// Weights `[runs][len][vectors of outputs]`.
    pub weights: &'a [f32],
    /// Vectors of outputs: 1 or [`VECTORS`].
    pub vectors: usize,
}

impl Product<'_> {
    /// Calls `take(row, vector, sum)` for all rows and vectors.
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, take: impl FnMut(usize, usize, S::f32s)) {
        let most = |of: &[usize]| of.iter().max().copied().unwrap_or(0);
        assert!(most(self.bases) + most(self.runs) + self.len <= self.x.len());
        assert!(self.weights.len() == self.runs.len() * self.len * self.vectors * S::F32_LANES);
        match (S::REGISTER_COUNT >= 32, self.vectors) {
            (true, 1) => self.rows::<S, 12, 8, 4, 1>(simd, take),
            (true, _) => self.rows::<S, 12, 8, 4, VECTORS>(simd, take),
            (false, 1) => self.rows::<S, 6, 4, 2, 1>(simd, take),
            (false, _) => self.rows::<S, 6, 4, 2, VECTORS>(simd, take),
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const A: usize, const B: usize, const C: usize, const V: usize>(
        &self,
        simd: S,
        mut take: impl FnMut(usize, usize, S::f32s),
    ) {
        assert!(self.vectors == V);
        let mut at = 0;
        while at < self.bases.len() {
            let left = self.bases.len() - at;
            if left <= C {
                self.tile::<S, C, V>(simd, at, &mut take);
            } else if left <= B {
                self.tile::<S, B, V>(simd, at, &mut take);
            } else {
                self.tile::<S, A, V>(simd, at, &mut take);
            }
            at += A;
        }
    }

    /// Computes up to `R` rows; a short tile computes its last row more than once.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        first: usize,
        take: &mut impl FnMut(usize, usize, S::f32s),
    ) {
        let last = self.bases.len() - 1;
        let bases: [usize; R] = std::array::from_fn(|r| self.bases[(first + r).min(last)]);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let mut w = self.weights.as_ptr();
        for &run in self.runs {
            // SAFETY: base + run + k is below the length of `x`, and the weights hold V vectors for each k of each
            // run, by the checks in `run`; any bytes are f32; reads need not be aligned.
            unsafe {
                let x: [*const f32; R] =
                    std::array::from_fn(|r| self.x.as_ptr().add(bases[r] + run));
                for k in 0..self.len {
                    let weights: [S::f32s; V] = std::array::from_fn(|v| {
                        w.add(v * S::F32_LANES).cast::<S::f32s>().read_unaligned()
                    });
                    for r in 0..R {
                        let x = simd.splat_f32s(*x[r].add(k));
                        for v in 0..V {
                            sums[r][v] = simd.mul_add_f32s(x, weights[v], sums[r][v]);
                        }
                    }
                    w = w.add(V * S::F32_LANES);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate().take(self.bases.len() - first) {
            for (v, &sum) in sums.iter().enumerate() {
                take(first + r, v, sum);
            }
        }
    }
}

/// Weights as panels of output channels: `[panel][k][vectors of outputs]`, zeros where there is no channel.
pub(super) struct Panels {
    data: super::Buffer,
    k: usize,
    co: usize,
    lanes: usize,
}

impl Panels {
    /// Packs `weight(o, k)` of `co` outputs and `k` terms.
    pub fn new(unit: Arch, co: usize, k: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = lanes_of(unit);
        let mut panels =
            Self { data: super::Buffer::zeros(co.next_multiple_of(lanes) * k), k, co, lanes };
        for p in 0..panels.len() {
            let (outputs, width) = (panels.outputs(p), panels.width(p));
            let data = &mut panels.data[outputs.start * k..][..k * width];
            for (k, data) in data.chunks_exact_mut(width).enumerate() {
                for (data, o) in data.iter_mut().zip(outputs.clone()) {
                    *data = weight(o, k);
                }
            }
        }
        panels
    }

    /// Number of panels.
    pub fn len(&self) -> usize {
        self.co.div_ceil(VECTORS * self.lanes)
    }

    /// Output channels of a panel.
    pub fn outputs(&self, panel: usize) -> std::ops::Range<usize> {
        let width = VECTORS * self.lanes;
        panel * width..((panel + 1) * width).min(self.co)
    }

    /// Columns of a panel, whole vectors.
    pub fn width(&self, panel: usize) -> usize {
        self.outputs(panel).len().next_multiple_of(self.lanes)
    }

    /// Weights `[k][width]` of a panel.
    pub fn weights(&self, panel: usize) -> &[f32] {
        &self.data[self.outputs(panel).start * self.k..][..self.k * self.width(panel)]
    }
}
