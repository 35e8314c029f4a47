//! Spectral norm (Miyato et al., 2018) divides a weight by an estimate of its largest singular value.
//!
//! The estimate is `σ = uᵀ W v` with vectors that persist from step to step and follow W by power iteration, as in
//! `torch.nn.utils.spectral_norm`. In the gradient u and v are constants.

use autogan_kernels::memory::{filled, write};
use candle_core::{Result, Tensor, bail};

use crate::cuda::{self, Floats, Gpu, doubles_of};
use crate::host::{check_doubles, dot, doubles, host, map, tensor, vectorised};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::{Real, dispatch};

mod gpu;

const OP: &str = "spectral_normalize";
const ITERATE: &str = "power_iterate";
const EPS: f64 = 1e-12;

/// Does one power iteration on `w`, read as a matrix `[rows, rest]`: `v = normalise(Wᵀ u)`, `u = normalise(W v)`. Takes
/// `u [rows]` and returns the new `(u [rows], v [rest])`, all f64 and beside `w`.
///
/// # Errors
/// When `u` does not fit `w` or is not f64.
pub fn power_iterate(w: &Tensor, u: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, cols) = sizes(ITERATE, w)?;
    check_doubles(ITERATE, "u", u, rows)?;
    let (w, u) = (w.contiguous()?, u.contiguous()?);
    if cuda::taken(&w) {
        return gpu::power_iterate(ITERATE, &w, &u, (rows, cols));
    }
    let u = doubles(ITERATE, &u)?;
    dispatch!(ITERATE, w.dtype(), T => {
        let view = host(ITERATE, &w)?;
        let w = view.slice::<T>()?;
        let mut next_v = vec![0.0; cols];
        vectorised(
            #[inline(always)]
            || add_rows(w, &u, &mut next_v),
        );
        normalise(&mut next_v);
        let mut next_u: Vec<f64> = (0..rows).map(|r| dot(&w[r * cols..][..cols], &next_v)).collect();
        normalise(&mut next_u);
        Ok((tensor(next_u, rows)?, tensor(next_v, cols)?))
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

/// `w / σ` with `σ = uᵀ W v`; any shape whose first dimension is the length of `u`. `u` and `v` are f64 and lie beside
/// `w`; in the gradient they are constants.
///
/// # Errors
/// When `u` and `v` do not fit `w`, are not f64, or lie elsewhere.
pub fn spectral_normalize(w: &Tensor, u: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (rows, cols) = sizes(OP, w)?;
    check_doubles(OP, "u", u, rows)?;
    check_doubles(OP, "v", v, cols)?;
    let (w, u, v) = (w.contiguous()?, u.contiguous()?, v.contiguous()?);
    let sigma = if cuda::taken(&w) {
        gpu::sigma(OP, &w, (&u, &v), (rows, cols))?
    } else {
        let (u, v) = (doubles(OP, &u)?, doubles(OP, &v)?);
        let sigma: f64 = dispatch!(OP, w.dtype(), T => {
            let view = host(OP, &w)?;
            let rows = view.slice::<T>()?.chunks_exact(cols);
            rows.zip(&u).map(|(row, u)| u * dot(row, &v)).sum()
        });
        tensor(vec![sigma], 1)?
    };
    apply([&w], w.dims(), SpectralNorm { sigma, u, v })
}

/// [`spectral_normalize`] from candle's elementary operators, with candle's gradient.
///
/// # Errors
/// As [`spectral_normalize`].
pub fn spectral_normalize_ref(w: &Tensor, u: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (rows, cols) = sizes(OP, w)?;
    check_doubles(OP, "u", u, rows)?;
    check_doubles(OP, "v", v, cols)?;
    let vector = |t: &Tensor, shape: (usize, usize)| t.reshape(shape)?.to_dtype(w.dtype());
    let sigma =
        vector(u, (1, rows))?.matmul(&w.reshape((rows, cols))?)?.matmul(&vector(v, (cols, 1))?)?;
    w.broadcast_div(&sigma.reshape(vec![1; w.rank()])?)
}

/// Rows and columns of a weight.
fn sizes(op: &str, w: &Tensor) -> Result<(usize, usize)> {
    let rows = w.dim(0)?;
    let cols = w.elem_count() / rows.max(1);
    if rows == 0 || cols == 0 {
        bail!("{op}: expected a weight with at least one value, found {:?}", w.dims());
    }
    Ok((rows, cols))
}

fn normalise(v: &mut [f64]) {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt().max(EPS);
    v.iter_mut().for_each(|x| *x /= norm);
}

/// The division by σ, which is one f64 value; all three lie beside the weight.
struct SpectralNorm {
    sigma: Tensor,
    u: Tensor,
    v: Tensor,
}

impl SpectralNorm {
    /// `dW = dy / σ − (Σ dy·W / σ²) · u vᵀ`.
    fn weight_gradient<T: Real>(&self, w: &[T], dy: &[T]) -> Result<Vec<T>> {
        let (sigma, u, v) = (self.sigma()?, doubles(OP, &self.u)?, doubles(OP, &self.v)?);
        let cols = v.len();
        let along = dot(w, dy) / (sigma * sigma);
        let inv = 1.0 / sigma;
        Ok(filled(
            w.len(),
            cols,
            #[inline(always)]
            |row, dw| {
                let u = along * u[row];
                let pairs = dy[row * cols..][..cols].iter().zip(&v);
                write(dw, pairs.map(|(d, v)| T::from_f64(d.to_f64() * inv - u * v)))
            },
        ))
    }

    /// σ on the CPU.
    fn sigma(&self) -> Result<f64> {
        Ok(doubles(OP, &self.sigma)?[0])
    }
}

impl Operator<1> for SpectralNorm {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, [w]: [&[T]; 1]) -> Result<Vec<T>> {
        let inv = 1.0 / self.sigma()?;
        Ok(map(
            w,
            #[inline(always)]
            |x| T::from_f64(x.to_f64() * inv),
        ))
    }

    fn backward<T: Real>(&self, Basis { x: [w], dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        Ok([Some(self.weight_gradient(w, dy)?)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [w]: [Floats; 1], y: Floats) -> Result<()> {
        let sigma = doubles_of(OP, &self.sigma)?;
        gpu::divide(gpu, (w, sigma), y, self.u.elem_count() * self.v.elem_count())
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let place = |t| doubles_of(OP, t);
        let constants = (place(&self.sigma)?, place(&self.u)?, place(&self.v)?);
        let sizes = (self.u.elem_count(), self.v.elem_count());
        gpu::gradient(gpu, (at.x[0], at.dy), constants, dx[0], sizes)
    }
}
