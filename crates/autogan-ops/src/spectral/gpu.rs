//! This module computes spectral norm on a GPU (spectral.cu). The vectors and σ stay there.

use candle_core::{Result, Tensor};

use crate::cuda::{
    self, Doubles, Floats, Gpu, blocks_of, doubles, int, over_elements, over_groups,
};

/// Columns that a block of `spectral_columns` takes.
const COLUMNS: usize = 32;

/// Shares of the sum behind the gradient, at most: every thread adds them up again.
const SHARES: usize = 64;

type Sizes = (usize, usize);

/// `product [rows] = W v`.
fn rows_of(
    gpu: &dyn Gpu,
    (w, v): (Floats, Doubles),
    product: Doubles,
    (rows, cols): Sizes,
) -> Result<()> {
    let arguments = [w.read(), v.read(), product.write(), int(rows)?, int(cols)?];
    over_groups(gpu, "spectral_rows", rows, &[&arguments])
}

fn normalise(gpu: &dyn Gpu, vector: Doubles, count: usize) -> Result<()> {
    over_groups(gpu, "spectral_normalise", 1, &[&[vector.write(), int(count)?]])
}

/// Computes the next u and v.
pub(super) fn power_iterate(
    op: &'static str,
    w: &Tensor,
    u: &Tensor,
    (rows, cols): Sizes,
) -> Result<(Tensor, Tensor)> {
    let from_u = cuda::doubles_of(op, u)?;
    let (next_u, to_u) = cuda::new_doubles(op, w, rows)?;
    let (next_v, to_v) = cuda::new_doubles(op, w, cols)?;
    cuda::run(op, w, &[w], &[], |gpu, from, _| {
        let w = from[0];
        let arguments = [w.read(), from_u.read(), to_v.write(), int(rows)?, int(cols)?];
        over_groups(gpu, "spectral_columns", cols.div_ceil(COLUMNS), &[&arguments])?;
        normalise(gpu, to_v, cols)?;
        rows_of(gpu, (w, to_v), to_u, (rows, cols))?;
        normalise(gpu, to_u, rows)
    })?;
    Ok((next_u, next_v))
}

/// σ = uᵀ W v.
pub(super) fn sigma(
    op: &'static str,
    w: &Tensor,
    (u, v): (&Tensor, &Tensor),
    (rows, cols): Sizes,
) -> Result<Tensor> {
    let (u, v) = (cuda::doubles_of(op, u)?, cuda::doubles_of(op, v)?);
    let (sigma, to_sigma) = cuda::new_doubles(op, w, 1)?;
    cuda::run(op, w, &[w], &[], |gpu, from, _| {
        let product = doubles(gpu, rows)?;
        rows_of(gpu, (from[0], v), product.doubles(), (rows, cols))?;
        let arguments = [u.read(), product.doubles().read(), to_sigma.write(), int(rows)?];
        over_groups(gpu, "spectral_sigma", 1, &[&arguments])
    })?;
    Ok(sigma)
}

/// `out = w / σ`, of `count` values.
pub(super) fn divide(
    gpu: &dyn Gpu,
    (w, sigma): (Floats, Doubles),
    out: Floats,
    count: usize,
) -> Result<()> {
    let arguments = [w.read(), sigma.read(), out.write(), int(count)?];
    over_elements(gpu, "spectral_forward", count, &[&arguments])
}

/// `dW = dy / σ − (Σ dy·W / σ²) · u vᵀ`; `dw` is given `(w, dy)` and `(σ, u, v)`.
pub(super) fn gradient(
    gpu: &dyn Gpu,
    (w, dy): (Floats, Floats),
    (sigma, u, v): (Doubles, Doubles, Doubles),
    dw: Floats,
    (rows, cols): Sizes,
) -> Result<()> {
    let count = rows * cols;
    let parts = blocks_of(count).min(SHARES);
    let partial = doubles(gpu, parts)?;
    let arguments = [w.read(), dy.read(), partial.doubles().write(), int(count)?];
    over_groups(gpu, "spectral_along", parts, &[&arguments])?;
    let arguments = [
        dy.read(),
        u.read(),
        v.read(),
        sigma.read(),
        partial.doubles().read(),
        dw.write(),
        int(rows)?,
        int(cols)?,
        int(parts)?,
    ];
    over_elements(gpu, "spectral_backward", count, &[&arguments])
}
