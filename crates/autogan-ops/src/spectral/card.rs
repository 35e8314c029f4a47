//! Spectral norm on a card: spectral.cu. The vectors go through the host, where their owner keeps them.

use candle_core::{Result, Tensor};

use super::SpectralNorm;
use crate::cuda::{
    self, Card, Doubles, Floats, blocks_of, doubles, download, int, over_elements, over_groups,
    upload,
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
    u: &[f64],
    (rows, cols): Sizes,
) -> Result<(Vec<f64>, Vec<f64>)> {
    cuda::run("power_iterate", w, &[w], &[], |card, from, _| {
        let (w, u, v) = (from[0], upload(card, u)?, doubles(card, cols)?);
        let arguments = [w.read(), u.doubles().read(), v.doubles().write(), int(rows)?, int(cols)?];
        over_groups(card, "spectral_columns", cols.div_ceil(COLUMNS), &arguments)?;
        normalise(card, v.doubles(), cols)?;
        rows_of(card, (w, v.doubles()), u.doubles(), (rows, cols))?;
        normalise(card, u.doubles(), rows)?;
        Ok((download(card, &u, rows)?, download(card, &v, cols)?))
    })
}

/// σ = uᵀ W v.
pub(super) fn sigma(w: &Tensor, u: &[f64], v: &[f64], (rows, cols): Sizes) -> Result<f64> {
    cuda::run("spectral_normalize", w, &[w], &[], |card, from, _| {
        let (u, v) = (upload(card, u)?, upload(card, v)?);
        let (product, sigma) = (doubles(card, rows)?, doubles(card, 1)?);
        rows_of(card, (from[0], v.doubles()), product.doubles(), (rows, cols))?;
        let arguments =
            [u.doubles().read(), product.doubles().read(), sigma.doubles().write(), int(rows)?];
        over_groups(card, "spectral_sigma", 1, &arguments)?;
        Ok(download(card, &sigma, 1)?[0])
    })
}

impl SpectralNorm {
    pub(super) fn divide(&self, card: &dyn Card, w: Floats, out: Floats) -> Result<()> {
        let (sigma, count) = (upload(card, &[self.sigma])?, self.u.len() * self.v.len());
        let arguments = [w.read(), sigma.doubles().read(), out.write(), int(count)?];
        over_elements(card, "spectral_forward", count, &arguments)
    }

    pub(super) fn gradient(
        &self,
        card: &dyn Card,
        (w, dy): (Floats, Floats),
        dw: Floats,
    ) -> Result<()> {
        let (rows, cols) = (self.u.len(), self.v.len());
        let count = rows * cols;
        let (u, v, sigma) =
            (upload(card, &self.u)?, upload(card, &self.v)?, upload(card, &[self.sigma])?);
        let parts = blocks_of(count).min(SHARES);
        let partial = doubles(card, parts)?;
        let arguments = [w.read(), dy.read(), partial.doubles().write(), int(count)?];
        over_groups(card, "spectral_along", parts, &arguments)?;
        let arguments = [
            dy.read(),
            u.doubles().read(),
            v.doubles().read(),
            sigma.doubles().read(),
            partial.doubles().read(),
            dw.write(),
            int(rows)?,
            int(cols)?,
            int(parts)?,
        ];
        over_elements(card, "spectral_backward", count, &arguments)
    }
}
