//! Spectral norm on a card: spectral.cu. The vectors and σ stay there.

use candle_core::{Result, Tensor};

use super::{ITERATE, OP, SpectralNorm};
use crate::cuda::{
    self, Card, Doubles, Floats, blocks_of, doubles, int, over_elements, over_groups,
};

/// Columns that a block of `spectral_columns` takes.
const COLUMNS: usize = 32;

/// Shares of the sum behind the gradient, at most: every thread adds them up again.
const SHARES: usize = 64;

type Sizes = (usize, usize);

/// `product [rows] = W v`.
fn rows_of(
    card: &dyn Card,
    (w, v): (Floats, Doubles),
    product: Doubles,
    (rows, cols): Sizes,
) -> Result<()> {
    let arguments = [w.read(), v.read(), product.write(), int(rows)?, int(cols)?];
    over_groups(card, "spectral_rows", rows, &arguments)
}

fn normalise(card: &dyn Card, vector: Doubles, count: usize) -> Result<()> {
    over_groups(card, "spectral_normalise", 1, &[vector.write(), int(count)?])
}

/// The next u and v.
pub(super) fn power_iterate(
    w: &Tensor,
    u: &Tensor,
    (rows, cols): Sizes,
) -> Result<(Tensor, Tensor)> {
    let from_u = cuda::doubles_of(ITERATE, u)?;
    let (next_u, to_u) = cuda::new_doubles(ITERATE, w, rows)?;
    let (next_v, to_v) = cuda::new_doubles(ITERATE, w, cols)?;
    cuda::run(ITERATE, w, &[w], &[], |card, from, _| {
        let w = from[0];
        let arguments = [w.read(), from_u.read(), to_v.write(), int(rows)?, int(cols)?];
        over_groups(card, "spectral_columns", cols.div_ceil(COLUMNS), &arguments)?;
        normalise(card, to_v, cols)?;
        rows_of(card, (w, to_v), to_u, (rows, cols))?;
        normalise(card, to_u, rows)
    })?;
    Ok((next_u, next_v))
}

/// σ = uᵀ W v.
pub(super) fn sigma(w: &Tensor, (u, v): (&Tensor, &Tensor), (rows, cols): Sizes) -> Result<Tensor> {
    let (u, v) = (cuda::doubles_of(OP, u)?, cuda::doubles_of(OP, v)?);
    let (sigma, to_sigma) = cuda::new_doubles(OP, w, 1)?;
    cuda::run(OP, w, &[w], &[], |card, from, _| {
        let product = doubles(card, rows)?;
        rows_of(card, (from[0], v), product.doubles(), (rows, cols))?;
        let arguments = [u.read(), product.doubles().read(), to_sigma.write(), int(rows)?];
        over_groups(card, "spectral_sigma", 1, &arguments)
    })?;
    Ok(sigma)
}

impl SpectralNorm {
    pub(super) fn divide(&self, card: &dyn Card, w: Floats, out: Floats) -> Result<()> {
        let count = self.u.elem_count() * self.v.elem_count();
        let sigma = cuda::doubles_of(OP, &self.sigma)?;
        let arguments = [w.read(), sigma.read(), out.write(), int(count)?];
        over_elements(card, "spectral_forward", count, &arguments)
    }

    pub(super) fn gradient(
        &self,
        card: &dyn Card,
        (w, dy): (Floats, Floats),
        dw: Floats,
    ) -> Result<()> {
        let (rows, cols) = (self.u.elem_count(), self.v.elem_count());
        let count = rows * cols;
        let (u, v) = (cuda::doubles_of(OP, &self.u)?, cuda::doubles_of(OP, &self.v)?);
        let sigma = cuda::doubles_of(OP, &self.sigma)?;
        let parts = blocks_of(count).min(SHARES);
        let partial = doubles(card, parts)?;
        let arguments = [w.read(), dy.read(), partial.doubles().write(), int(count)?];
        over_groups(card, "spectral_along", parts, &arguments)?;
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
        over_elements(card, "spectral_backward", count, &arguments)
    }
}
