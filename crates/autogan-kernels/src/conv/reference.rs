//! This module computes a convolution as its definition says; the fast forms are tested against it.

use super::Problem;
use crate::Real;

/// `y[n, o, i, j] = b[o] + Σ w[o, c, u, v] · x[n, c, i·stride + u − pad_h, j·stride + v − pad_w]`.
pub fn reference<T: Real>(p: &Problem, x: &[T], w: &[T], bias: Option<&[T]>) -> Vec<T> {
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
