//! Spectral norm (Miyato et al., 2018): a weight divided by an estimate of its largest singular value.
//!
//! The estimate is `σ = uᵀ W v` with vectors that persist from step to step and follow W by power iteration, as in
//! `torch.nn.utils.spectral_norm`. In the gradient u and v are constants.

use candle_core::{Result, Shape, Tensor, WithDType, bail};

use crate::host::{host, map, zeros};
use crate::real::{Real, dispatch};
use crate::tape::Keep;
use crate::unary::{Unary, apply};

const EPS: f64 = 1e-12;

/// One power iteration on `w`, read as a matrix `[rows, rest]`: `v = normalise(Wᵀ u)`, `u = normalise(W v)`.
/// Returns the new `(u [rows], v [rest])`.
///
/// # Errors
/// When the lengths of `u` and `v` do not fit `w`, or `w` is not on the CPU.
pub fn power_iterate(w: &Tensor, u: &[f64], v: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
    let (rows, cols) = sizes(w, u, v)?;
    let w = w.contiguous()?;
    dispatch!("power_iterate", w.dtype(), T => {
        let view = host("power_iterate", &w)?;
        let w = view.slice::<T>()?;
        let mut next_v = vec![0.0; cols];
        for (row, &u) in w.chunks_exact(cols).zip(u) {
            for (v, &x) in next_v.iter_mut().zip(row) {
                *v += x.to_f64() * u;
            }
        }
        normalise(&mut next_v);
        let mut next_u: Vec<f64> = (0..rows).map(|r| dot(&w[r * cols..][..cols], &next_v)).collect();
        normalise(&mut next_u);
        Ok((next_u, next_v))
    })
}

/// `w / σ` with `σ = uᵀ W v`; any shape whose first dimension is the length of `u`.
///
/// # Errors
/// When the lengths of `u` and `v` do not fit `w`.
pub fn spectral_normalize(w: &Tensor, u: &[f64], v: &[f64]) -> Result<Tensor> {
    sizes(w, u, v)?;
    apply(w, SpectralNorm { shape: w.shape().clone(), u: u.to_vec(), v: v.to_vec() })
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
    let mut lanes = [0f64; 8];
    for (r, v) in row.chunks(8).zip(v.chunks(8)) {
        for ((lane, &x), &v) in lanes.iter_mut().zip(r).zip(v) {
            *lane += x.to_f64() * v;
        }
    }
    lanes.iter().sum()
}

fn normalise(v: &mut [f64]) {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(EPS);
    v.iter_mut().for_each(|x| *x /= norm);
}

struct SpectralNorm {
    shape: Shape,
    u: Vec<f64>,
    v: Vec<f64>,
}

impl SpectralNorm {
    fn sigma<T: Real>(&self, w: &[T]) -> f64 {
        w.chunks_exact(self.v.len()).zip(&self.u).map(|(row, u)| u * dot(row, &self.v)).sum()
    }
}

impl Unary for SpectralNorm {
    const NAME: &'static str = "spectral_normalize";
    const KEEP: Keep = Keep::INPUTS;

    fn shape(&self) -> Shape {
        self.shape.clone()
    }

    fn forward<T: Real>(&self, w: &[T]) -> Vec<T> {
        let inv = 1.0 / self.sigma(w);
        map(w, |x| T::from_f64(x.to_f64() * inv))
    }

    /// `dW = dy / σ − (Σ dy·W / σ²) · u vᵀ`.
    fn backward<T: Real>(&self, w: &[T], _y: &[T], dy: &[T]) -> Vec<T> {
        let sigma = self.sigma(w);
        let along: f64 =
            w.iter().zip(dy).map(|(w, d)| w.to_f64() * d.to_f64()).sum::<f64>() / (sigma * sigma);
        let mut dw = zeros(w.len());
        let cols = self.v.len();
        for ((out, dy), u) in dw.chunks_exact_mut(cols).zip(dy.chunks_exact(cols)).zip(&self.u) {
            for ((o, d), v) in out.iter_mut().zip(dy).zip(&self.v) {
                *o = T::from_f64(d.to_f64() / sigma - along * u * v);
            }
        }
        dw
    }
}
