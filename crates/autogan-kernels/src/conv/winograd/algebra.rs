//! This module applies the transforms of Winograd's F(2x2, 3x3) along one side of a tile; [`both_sides`] applies one to
//! both sides.

use pulp::Simd;

use crate::Activation;

/// Turns four pixels of a tile into components.
#[inline(always)]
pub(super) fn source_same<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(c, b), simd.sub_f32s(b, d)]
}

/// Turns four pixels of a tile into components for pooled outputs, which need no third one.
#[inline(always)]
pub(super) fn source_pool<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 3] {
    [simd.sub_f32s(a, c), simd.add_f32s(b, c), simd.sub_f32s(b, d)]
}

/// Turns three pixels of a small image into components; upsampling doubles the middle one.
#[inline(always)]
pub(super) fn source_up<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 3] {
    [simd.sub_f32s(a, b), b, simd.sub_f32s(b, c)]
}

/// Turns four products into two outputs.
#[inline(always)]
pub(super) fn output_same<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    let (sum, difference) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    [simd.add_f32s(a, sum), simd.sub_f32s(difference, d)]
}

/// Turns three products into two outputs, where the third of four is zero.
#[inline(always)]
pub(super) fn output_up<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 2] {
    [simd.add_f32s(a, b), simd.sub_f32s(b, c)]
}

/// The adjoint of [`output_same`], for the middle two of four pixels.
#[inline(always)]
pub(super) fn gradient_same<S: Simd>(simd: S, [_, a, b, _]: [S::f32s; 4]) -> [S::f32s; 4] {
    [a, simd.add_f32s(a, b), simd.sub_f32s(a, b), simd.neg_f32s(b)]
}

/// The adjoint of [`output_up`], for the middle two of four pixels.
#[inline(always)]
pub(super) fn gradient_up<S: Simd>(simd: S, [_, a, b, _]: [S::f32s; 4]) -> [S::f32s; 3] {
    [a, simd.add_f32s(a, b), simd.neg_f32s(b)]
}

/// Applies `f` along both sides of tiles: `load(row, column)` of `IN x IN` values, `take(number, value)` of `OUT x OUT`,
/// row by row.
#[inline(always)]
pub(super) fn both_sides<S: Simd, const IN: usize, const OUT: usize>(
    simd: S,
    f: impl Fn(S, [S::f32s; IN]) -> [S::f32s; OUT],
    load: impl Fn(usize, usize) -> S::f32s,
    mut take: impl FnMut(usize, S::f32s),
) {
    let mut columns = [[simd.splat_f32s(0.0); OUT]; IN];
    for (c, column) in columns.iter_mut().enumerate() {
        *column = f(simd, std::array::from_fn(|r| load(r, c)));
    }
    let rows: [[S::f32s; IN]; OUT] =
        std::array::from_fn(|i| std::array::from_fn(|c| columns[c][i]));
    for (i, row) in rows.into_iter().enumerate() {
        let row = f(simd, row);
        for (j, &value) in row.iter().enumerate() {
            take(i * OUT + j, value);
        }
    }
}

/// Adds the bias to a vector of outputs and applies the activation.
#[inline(always)]
pub(super) fn finish<S: Simd>(
    simd: S,
    value: S::f32s,
    bias: S::f32s,
    activation: Activation,
) -> S::f32s {
    activation.lanes(simd, simd.add_f32s(value, bias))
}
