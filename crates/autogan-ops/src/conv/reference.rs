//! The convolution written as its definition: what the fast path is tested against.

use candle_core::{Result, Tensor};

use super::problem::{ConvGeometry, Problem};
use crate::real::{Real, dispatch};

/// `y[n, o, i, j] = b[o] + Σ w[o, c, u, v] · x[n, c, i·stride + u − pad_h, j·stride + v − pad_w]`, forward only.
///
/// # Errors
/// When the shapes do not fit each other or the element type is neither f32 nor f64.
pub fn conv2d_ref(
    x: &Tensor,
    w: &Tensor,
    b: Option<&Tensor>,
    geometry: ConvGeometry,
) -> Result<Tensor> {
    let p = Problem::new("conv2d_ref", x, w, geometry)?;
    dispatch!("conv2d_ref", x.dtype(), T => {
        let bias = b.map(|b| b.to_vec1::<T>()).transpose()?;
        let (xs, ws) = (x.flatten_all()?.to_vec1::<T>()?, w.flatten_all()?.to_vec1::<T>()?);
        let y = direct(&p, &xs, &ws, bias.as_deref());
        Tensor::from_vec(y, (p.n, p.co, p.ho, p.wo), x.device())
    })
}

fn direct<T: Real>(p: &Problem, x: &[T], w: &[T], bias: Option<&[T]>) -> Vec<T> {
    let mut y = Vec::with_capacity(p.n * p.image_out());
    for n in 0..p.n {
        for o in 0..p.co {
            for i in 0..p.ho {
                for j in 0..p.wo {
                    let b = bias.map_or(T::zero(), |b| b[o]);
                    y.push(b + pixel(p, x, w, (n, o, i, j)));
                }
            }
        }
    }
    y
}

fn pixel<T: Real>(p: &Problem, x: &[T], w: &[T], at: (usize, usize, usize, usize)) -> T {
    let (n, o, i, j) = at;
    let g = p.geometry;
    let mut sum = T::zero();
    for c in 0..p.ci {
        for u in 0..p.kh {
            for v in 0..p.kw {
                let (yy, xx) = (i * g.stride + u, j * g.stride + v);
                if yy < g.pad_h || xx < g.pad_w || yy - g.pad_h >= p.h || xx - g.pad_w >= p.w {
                    continue;
                }
                let pixel = ((n * p.ci + c) * p.h + yy - g.pad_h) * p.w + xx - g.pad_w;
                sum += w[((o * p.ci + c) * p.kh + u) * p.kw + v] * x[pixel];
            }
        }
    }
    sum
}
