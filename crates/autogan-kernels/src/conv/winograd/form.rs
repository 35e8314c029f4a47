//! A [`Form`] is one of the three forms of a 3x3 convolution by Winograd's algorithm, and transforms its weights.
//!
//! F(2x2, 3x3) of Lavin and Gray (*Fast Algorithms for Convolutional Neural Networks*, CVPR 2016) makes a 2x2 block of
//! outputs from sixteen products per channel pair in place of 36. When the image is a nearest upsampling, the third row
//! and column of the transformed tile are zero; when the outputs are averaged in 2x2 blocks, the third row and column
//! of the products drop out of the sum. Both need nine products then.

use std::mem::MaybeUninit;

use crate::memory::{Unwritten, filled_by};
use crate::slices::for_pieces;

/// How a 3x3 convolution (stride 1, one zero around the image) changes the sides of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The sides stay: `[h, w]` to `[h, w]`.
    Same,
    /// Nearest upsampling comes before it: `[h, w]` to `[2h, 2w]`.
    Up,
    /// 2x2 averages come after it: `[2h, 2w]` to `[h, w]`.
    Pool,
}

impl Form {
    /// Components along one side of a tile.
    pub fn side(self) -> usize {
        match self {
            Form::Same => 4,
            Form::Up | Form::Pool => 3,
        }
    }

    /// Components of a tile.
    pub fn components(self) -> usize {
        self.side() * self.side()
    }

    /// The form of the input gradient, and the factor that comes with it: the adjoint of upsampling sums where pooling
    /// averages.
    pub fn adjoint(self) -> (Form, f32) {
        match self {
            Form::Same => (Form::Same, 1.0),
            Form::Up => (Form::Pool, 4.0),
            Form::Pool => (Form::Up, 0.25),
        }
    }

    /// All components of `LANES` 3x3 kernels side by side, `[components][LANES]`.
    #[inline(always)]
    pub fn transform(self, kernels: &[Lanes; 9]) -> [Lanes; 16] {
        match self {
            Form::Same => forth(kernels, same),
            Form::Up => forth(kernels, up),
            Form::Pool => forth(kernels, pool),
        }
    }

    /// The gradient of kernels from that of their components; the adjoint of [`Self::transform`].
    #[inline(always)]
    pub fn transform_back(self, components: &[Lanes; 16]) -> [Lanes; 9] {
        match self {
            Form::Same => back(components, same_back),
            Form::Up => back(components, up_back),
            Form::Pool => back(components, pool_back),
        }
    }
}

/// Kernels that are transformed at a time, and planes that are laid side by side.
pub(super) const LANES: usize = 16;

/// One value of each of the [`LANES`] kernels or planes.
pub(super) type Lanes = [f32; LANES];

/// Turns a kernel's three taps into components: one side of the weight transform.
#[inline(always)]
fn same([a, b, c]: [f32; 3]) -> [f32; 4] {
    let outer = a + c;
    [a, 0.5 * (outer + b), 0.5 * (outer - b), c]
}

#[inline(always)]
fn up([a, b, c]: [f32; 3]) -> [f32; 3] {
    [a, a + b + c, c]
}

#[inline(always)]
fn pool([a, b, c]: [f32; 3]) -> [f32; 3] {
    [0.5 * a, 0.5 * (a + b + c), -0.5 * c]
}

/// The adjoint of `same`; those of `up` and `pool` follow.
#[inline(always)]
fn same_back([a, b, c, d]: [f32; 4]) -> [f32; 3] {
    let sum = 0.5 * (b + c);
    [a + sum, 0.5 * (b - c), sum + d]
}

#[inline(always)]
fn up_back([a, b, c]: [f32; 3]) -> [f32; 3] {
    [a + b, b, b + c]
}

#[inline(always)]
fn pool_back([a, b, c]: [f32; 3]) -> [f32; 3] {
    [0.5 * (a + b), 0.5 * b, 0.5 * (b - c)]
}

/// Applies `f` along both sides of all kernels.
#[inline(always)]
fn forth<const SIDE: usize>(
    kernels: &[Lanes; 9],
    f: impl Fn([f32; 3]) -> [f32; SIDE],
) -> [Lanes; 16] {
    let mut rows = [[[0.0; LANES]; SIDE]; 3];
    for (u, row) in rows.iter_mut().enumerate() {
        along(&kernels[3 * u..3 * u + 3], row, &f);
    }
    let mut out = [[0.0; LANES]; 16];
    for j in 0..SIDE {
        let mut column = [[0.0; LANES]; SIDE];
        along(&[rows[0][j], rows[1][j], rows[2][j]], &mut column, &f);
        for (i, part) in column.iter().enumerate() {
            out[i * SIDE + j] = *part;
        }
    }
    out
}

/// Applies `f` along both sides of all components.
#[inline(always)]
fn back<const SIDE: usize>(
    components: &[Lanes; 16],
    f: impl Fn([f32; SIDE]) -> [f32; 3],
) -> [Lanes; 9] {
    let mut rows = [[[0.0; LANES]; 3]; SIDE];
    for (i, row) in rows.iter_mut().enumerate() {
        along(&components[SIDE * i..SIDE * (i + 1)], row, &f);
    }
    let mut out = [[0.0; LANES]; 9];
    for v in 0..3 {
        let mut from = [[0.0; LANES]; SIDE];
        for (from, row) in from.iter_mut().zip(&rows) {
            *from = row[v];
        }
        let mut column = [[0.0; LANES]; 3];
        along(&from, &mut column, &f);
        for (u, part) in column.iter().enumerate() {
            out[u * 3 + v] = *part;
        }
    }
    out
}

/// Applies `f` in every lane.
#[inline(always)]
fn along<const IN: usize, const OUT: usize>(
    from: &[Lanes],
    to: &mut [Lanes; OUT],
    f: impl Fn([f32; IN]) -> [f32; OUT],
) {
    for l in 0..LANES {
        let mut values = [0.0; IN];
        for (value, from) in values.iter_mut().zip(from) {
            *value = from[l];
        }
        for (to, value) in to.iter_mut().zip(f(values)) {
            to[l] = value;
        }
    }
}

/// Weights in the transformed domain: `[block of output channels][component][input channel][rows]`.
pub(super) struct PackedWeights {
    data: Vec<f32>,
    block: usize,
}

impl PackedWeights {
    /// Packs the kernels `w [co, ci, 3, 3]` in blocks of `rows` output channels; zeros where the last
    /// block has no channel.
    pub fn forward(form: Form, w: &[f32], (co, ci): (usize, usize), rows: usize) -> Self {
        let kernel = |o: usize, c: usize| &w[(o * ci + c) * 9..][..9];
        Self::new(form, (co, ci), rows, kernel, |tap| tap, 1.0)
    }

    /// Packs the mirrored kernels of `w [co, ci, 3, 3]`, times `scale`, for the backward pass: `co` to `ci` channels.
    pub fn adjoint(
        form: Form,
        w: &[f32],
        (co, ci): (usize, usize),
        rows: usize,
        scale: f32,
    ) -> Self {
        let kernel = |c: usize, o: usize| &w[(o * ci + c) * 9..][..9];
        Self::new(form, (ci, co), rows, kernel, |tap| 8 - tap, scale)
    }

    /// Packs kernels from `ins` to `outs` channels; `kernel(out, in)` is the kernel of a pair of channels.
    fn new<'a>(
        form: Form,
        (outs, ins): (usize, usize),
        rows: usize,
        kernel: impl Fn(usize, usize) -> &'a [f32] + Sync,
        place: impl Fn(usize) -> usize + Sync,
        scale: f32,
    ) -> Self {
        let block = form.components() * ins * rows;
        // Some input channels times a block of output channels fill the lanes, in the order of the result.
        let per = LANES / rows;
        let fill = |data: &mut Unwritten<f32>| {
            for_pieces(
                data,
                block,
                #[inline(always)]
                |b, out| {
                    let used = rows.min(outs - b * rows);
                    for first in (0..ins).step_by(per) {
                        let count = per.min(ins - first);
                        let mut taps = [[0.0; LANES]; 9];
                        // By index, for it says the channel and the row as well.
                        #[allow(clippy::needless_range_loop)]
                        for lane in 0..count * rows {
                            let (c, r) = (lane / rows, lane % rows);
                            if r < used {
                                let kernel = kernel(b * rows + r, first + c);
                                for tap in 0..9 {
                                    taps[place(tap)][lane] = scale * kernel[tap];
                                }
                            }
                        }
                        let parts = form.transform(&taps);
                        for (p, part) in parts.iter().take(form.components()).enumerate() {
                            let out = &mut out[(p * ins + first) * rows..];
                            match out.first_chunk_mut::<LANES>() {
                                Some(out) if count == per => *out = part.map(MaybeUninit::new),
                                _ => {
                                    out[..count * rows].write_copy_of_slice(&part[..count * rows]);
                                }
                            }
                        }
                    }
                },
            )
        };
        // SAFETY: each block is a piece, of which all rows of each component and input channel are written.
        let data = unsafe { filled_by(outs.div_ceil(rows) * block, fill) };
        Self { data, block }
    }

    /// The blocks of output channels, each `[component][input channel][rows]`.
    pub fn blocks(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.block.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <T k, d> = <k, T* d> for the transform and what is called its adjoint.
    #[test]
    fn transform_back_is_the_adjoint() {
        for form in [Form::Same, Form::Up, Form::Pool] {
            let kernel = std::array::from_fn(|i| [(i as f32 * 1.7).sin(); LANES]);
            let mut d = [[0.0; LANES]; 16];
            for (i, d) in d.iter_mut().take(form.components()).enumerate() {
                *d = [(i as f32 * 0.9).cos(); LANES];
            }
            let dot = |a: &[Lanes], b: &[Lanes]| -> f32 {
                a.iter().zip(b).map(|(a, b)| a[3] * b[3]).sum()
            };
            let left = dot(&form.transform(&kernel), &d);
            let right = dot(&form.transform_back(&d), &kernel);
            assert!((left - right).abs() < 1e-5, "{form:?}: {left} and {right}");
        }
    }
}
