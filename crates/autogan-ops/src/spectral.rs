//! Spectral norm (Miyato et al., 2018): a weight divided by an estimate of its largest singular value.
//!
//! The estimate is `σ = uᵀ W v` with vectors that persist from step to step and follow W by power iteration, as in
//! `torch.nn.utils.spectral_norm`. In the gradient u and v are constants.

use candle_core::{Result, Shape, Tensor, bail};

use crate::cuda::{self, Card, Floats};
use crate::host::{CHUNK, for_pieces, fresh, host, map, sum_by_pairs, vectorised};
use crate::real::{Real, dispatch};
use crate::tape::Keep;
use crate::unary::{Given, Unary, apply};

mod card;

const EPS: f64 = 1e-12;

/// One power iteration on `w`, read as a matrix `[rows, rest]`: `v = normalise(Wᵀ u)`, `u = normalise(W v)`.
/// Returns the new `(u [rows], v [rest])`.
///
/// # Errors
/// When the lengths of `u` and `v` do not fit `w`.
pub fn power_iterate(w: &Tensor, u: &[f64], v: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (rows, cols) = sizes(w, u, v)?;
    let w = w.contiguous()?;
    if cuda::taken(&w) {
        return card::power_iterate(&w, u, (rows, cols));
    }
    dispatch!("power_iterate", w.dtype(), T => {
        let view = host("power_iterate", &w)?;
        let w = view.slice::<T>()?;
        let mut next_v = vec![0.0; cols];
        vectorised(
            #[inline(always)]
            || add_rows(w, u, &mut next_v),
        );
        normalise(&mut next_v);
        let mut next_u: Vec<f64> = (0..rows).map(|r| dot(&w[r * cols..][..cols], &next_v)).collect();
        normalise(&mut next_u);
        Ok((next_u, next_v))
    })
}

/// `sums += Wᵀ u`.
#[inline(always)]
fn add_rows<T: Real>(w: &[T], u: &[f64], sums: &mut [f64]) {
    for (row, &u) in w.chunks_exact(sums.len()).zip(u) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += x.to_f64() * u;
        }
    }
}

/// `w / σ` with `σ = uᵀ W v`; any shape whose first dimension is the length of `u`.
///
/// # Errors
/// When the lengths of `u` and `v` do not fit `w`.
pub fn spectral_normalize(w: &Tensor, u: &[f64], v: &[f64]) -> Result<Tensor> {
    let (rows, cols) = sizes(w, u, v)?;
    let w = w.contiguous()?;
    let sigma: f64 = if cuda::taken(&w) {
        card::sigma(&w, u, v, (rows, cols))?
    } else {
        dispatch!("spectral_normalize", w.dtype(), T => {
            let view = host("spectral_normalize", &w)?;
            let rows = view.slice::<T>()?.chunks_exact(cols);
            rows.zip(u).map(|(row, u)| u * dot(row, v)).sum()
        })
    };
    apply(&w, SpectralNorm { shape: w.shape().clone(), sigma, u: u.to_vec(), v: v.to_vec() })
}

/// [`spectral_normalize`] from candle's elementary operators, with candle's gradient.
///
/// # Errors
/// As [`spectral_normalize`].
pub fn spectral_normalize_ref(w: &Tensor, u: &[f64], v: &[f64]) -> Result<Tensor> {
    let (rows, cols) = sizes(w, u, v)?;
    let vector = |data: &[f64], shape: (usize, usize)| {
        Tensor::from_slice(data, shape, w.device())?.to_dtype(w.dtype())
    };
    let sigma =
        vector(u, (1, rows))?.matmul(&w.reshape((rows, cols))?)?.matmul(&vector(v, (cols, 1))?)?;
    w.broadcast_div(&sigma.reshape(vec![1; w.rank()])?)
}

fn sizes(w: &Tensor, u: &[f64], v: &[f64]) -> Result<(usize, usize)> {
    let rows = w.dim(0)?;
    let cols = w.elem_count() / rows.max(1);
    if u.len() != rows || v.len() != cols || rows == 0 || cols == 0 {
        bail!(
            "spectral norm: a weight {:?} takes u of length {rows} and v of length {cols}, found {} and {}",
            w.dims(),
            u.len(),
            v.len()
        );
    }
    Ok((rows, cols))
}

fn dot<T: Real>(row: &[T], v: &[f64]) -> f64 {
    sum_by_pairs(
        row,
        v,
        #[inline(always)]
        |x, v| x * v,
    )
}

fn normalise(v: &mut [f64]) {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(EPS);
    v.iter_mut().for_each(|x| *x /= norm);
}

struct SpectralNorm {
    shape: Shape,
    sigma: f64,
    u: Vec<f64>,
    v: Vec<f64>,
}

impl Unary for SpectralNorm {
    const NAME: &'static str = "spectral_normalize";
    const KEEP: Keep = Keep::INPUTS;

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn forward<T: Real>(&self, w: &[T]) -> Vec<T> {
        let inv = 1.0 / self.sigma;
        map(
            w,
            #[inline(always)]
            |x| T::from_f64(x.to_f64() * inv),
        )
    }

    /// `dW = dy / σ − (Σ dy·W / σ²) · u vᵀ`.
    fn backward<T: Real>(&self, w: &[T], _y: &[T], dy: &[T]) -> Vec<T> {
        let (sigma, cols) = (self.sigma, self.v.len());
        let product = sum_by_pairs(
            w,
            dy,
            #[inline(always)]
            |w, d| w * d,
        );
        let along = product / (sigma * sigma);
        let inv = 1.0 / sigma;
        let mut dw = fresh(w.len());
        // Whole rows in each piece.
        let rows = (CHUNK / cols).max(1);
        for_pieces(
            &mut dw,
            rows * cols,
            #[inline(always)]
            |i, dw| {
                let (dy, u) = (&dy[i * rows * cols..], &self.u[i * rows..]);
                let dy = dy.chunks_exact(cols);
                for ((out, dy), u) in dw.chunks_exact_mut(cols).zip(dy).zip(u) {
                    let u = along * u;
                    for ((o, d), v) in out.iter_mut().zip(dy).zip(&self.v) {
                        *o = T::from_f64(d.to_f64() * inv - u * v);
                    }
                }
            },
        );
        dw
    }

    fn launch_forward(&self, card: &dyn Card, x: Floats, y: Floats) -> Result<()> {
        self.divide(card, x, y)
    }

    fn launch_backward(&self, card: &dyn Card, given: Given, dx: Floats) -> Result<()> {
        self.gradient(card, (given.x, given.dy), dx)
    }
}
