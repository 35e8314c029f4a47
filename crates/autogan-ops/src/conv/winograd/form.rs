//! The three forms of a 3x3 convolution, and their weights in the transformed domain.
//!
//! F(2x2, 3x3) of Lavin and Gray (*Fast Algorithms for Convolutional Neural Networks*, CVPR 2016) makes a 2x2 block of
//! outputs from sixteen products per channel pair in place of 36. When the image is a nearest upsampling, the third row
//! and column of the transformed tile are zero; when the outputs are averaged in 2x2 blocks, the third row and column
//! of the products drop out of the sum. Both need nine products then.

use crate::host::for_pieces;

/// What happens around the 3x3 convolution (stride 1, one zero around the image).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::conv) enum Form {
    /// `[h, w]` to `[h, w]`.
    Same,
    /// Nearest upsampling before it: `[h, w]` to `[2h, 2w]`.
    Up,
    /// 2x2 averages after it: `[2h, 2w]` to `[h, w]`.
    Pool,
}

/// One side of the weight transform, a row for each component; (g0, g1, g2) are a kernel's taps.
const SAME: [[f32; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
const UP: [[f32; 3]; 3] = [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]];
const POOL: [[f32; 3]; 3] = [[0.5, 0.0, 0.0], [0.5, 0.5, 0.5], [0.0, 0.0, -0.5]];

impl Form {
    /// Components along one side of a tile.
    pub fn side(self) -> usize {
        match self {
            Form::Same => SAME.len(),
            Form::Up | Form::Pool => UP.len(),
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

    /// All components of [`LANES`] 3x3 kernels side by side, `[components][LANES]`.
    #[inline(always)]
    pub fn transform(self, kernels: &[Lanes; 9]) -> [Lanes; 16] {
        match self {
            Form::Same => forth(&SAME, kernels),
            Form::Up => forth(&UP, kernels),
            Form::Pool => forth(&POOL, kernels),
        }
    }

    /// The gradient of kernels from that of their components; the adjoint of [`Self::transform`].
    #[inline(always)]
    pub fn transform_back(self, components: &[Lanes; 16]) -> [Lanes; 9] {
        match self {
            Form::Same => back(&SAME, components),
            Form::Up => back(&UP, components),
            Form::Pool => back(&POOL, components),
        }
    }
}

/// Kernels that are transformed at a time, and planes that are laid side by side.
pub(super) const LANES: usize = 16;

/// One value of each.
pub(super) type Lanes = [f32; LANES];

#[inline(always)]
fn forth<const SIDE: usize>(m: &[[f32; 3]; SIDE], kernels: &[Lanes; 9]) -> [Lanes; 16] {
    let mut out = [[0.0; LANES]; 16];
    for i in 0..SIDE {
        let row: [Lanes; 3] =
            std::array::from_fn(|v| mix(&m[i], [&kernels[v], &kernels[3 + v], &kernels[6 + v]]));
        for j in 0..SIDE {
            out[i * SIDE + j] = mix(&m[j], [&row[0], &row[1], &row[2]]);
        }
    }
    out
}

#[inline(always)]
fn back<const SIDE: usize>(m: &[[f32; 3]; SIDE], components: &[Lanes; 16]) -> [Lanes; 9] {
    let mut out = [[0.0; LANES]; 9];
    for i in 0..SIDE {
        for j in 0..SIDE {
            let d = &components[i * SIDE + j];
            for (k, out) in out.iter_mut().enumerate() {
                let factor = m[i][k / 3] * m[j][k % 3];
                for l in 0..LANES {
                    out[l] += factor * d[l];
                }
            }
        }
    }
    out
}

#[inline(always)]
fn mix(m: &[f32; 3], [a, b, c]: [&Lanes; 3]) -> Lanes {
    std::array::from_fn(|l| m[0] * a[l] + m[1] * b[l] + m[2] * c[l])
}

/// Weights in the transformed domain: `[block of output channels][component][input channel][rows]`.
pub(super) struct Packed {
    data: Vec<f32>,
    block: usize,
}

impl Packed {
    /// Packs the kernels `w [co, ci, 3, 3]` in blocks of `rows` output channels; zeros where the last
    /// block has no channel.
    pub fn forward(form: Form, w: &[f32], (co, ci): (usize, usize), rows: usize) -> Self {
        let parts = components(form, w, 1.0, false);
        let mut packed = Self::zeros(form, (co, ci), rows);
        for_pieces(&mut packed.data, packed.block, |b, out| {
            for (p, out) in out.chunks_exact_mut(ci * rows).enumerate() {
                for o in b * rows..((b + 1) * rows).min(co) {
                    let part = &parts[(p * co + o) * ci..][..ci];
                    for (out, &v) in out[o % rows..].iter_mut().step_by(rows).zip(part) {
                        *out = v;
                    }
                }
            }
        });
        packed
    }

    /// Packs the mirrored kernels of `w [co, ci, 3, 3]` for the way back, from `co` to `ci` channels.
    pub fn adjoint(
        form: Form,
        w: &[f32],
        (co, ci): (usize, usize),
        rows: usize,
        scale: f32,
    ) -> Self {
        let parts = components(form, w, scale, true);
        let mut packed = Self::zeros(form, (ci, co), rows);
        for_pieces(&mut packed.data, packed.block, |b, out| {
            let used = rows.min(ci - b * rows);
            for (p, out) in out.chunks_exact_mut(co * rows).enumerate() {
                for (o, out) in out.chunks_exact_mut(rows).enumerate() {
                    out[..used].copy_from_slice(&parts[(p * co + o) * ci + b * rows..][..used]);
                }
            }
        });
        packed
    }

    fn zeros(form: Form, (co, ci): (usize, usize), rows: usize) -> Self {
        let block = form.components() * ci * rows;
        Self { data: vec![0.0; co.div_ceil(rows) * block], block }
    }

    /// The blocks of output channels, each `[component][input channel][rows]`.
    pub fn blocks(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.block.max(1))
    }
}

/// The components of all kernels `w [kernels, 3, 3]`, perhaps mirrored: `[component][kernel]`.
fn components(form: Form, w: &[f32], scale: f32, mirrored: bool) -> Vec<f32> {
    let kernels = w.len() / 9;
    let groups = kernels.div_ceil(LANES);
    let mut grouped = vec![0.0; groups * 16 * LANES];
    for_pieces(&mut grouped, 16 * 16 * LANES, |i, out| {
        for (g, out) in out.chunks_exact_mut(16 * LANES).enumerate() {
            let w = &w[(i * 16 + g) * 9 * LANES..];
            let w = &w[..w.len().min(9 * LANES)];
            let mut taps = [[0.0; LANES]; 9];
            for (l, kernel) in w.chunks_exact(9).enumerate() {
                for (i, &v) in kernel.iter().enumerate() {
                    taps[if mirrored { 8 - i } else { i }][l] = scale * v;
                }
            }
            for (out, part) in out.chunks_exact_mut(LANES).zip(form.transform(&taps)) {
                out.copy_from_slice(&part);
            }
        }
    });
    let mut parts = vec![0.0; form.components() * kernels];
    for_pieces(&mut parts, kernels, |p, out| {
        for (g, out) in out.chunks_mut(LANES).enumerate() {
            out.copy_from_slice(&grouped[(g * 16 + p) * LANES..][..out.len()]);
        }
    });
    parts
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
