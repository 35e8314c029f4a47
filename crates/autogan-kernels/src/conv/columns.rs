//! Column matrices: made of images (im2col), and added back to images (col2im).

use super::problem::Problem;
use crate::Real;

/// The place of columns inside a matrix of `stride` columns a row: they start at column `at`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub stride: usize,
    pub at: usize,
}

/// Range of output columns whose input column `ox * stride + k - pad` lies inside `0..w`.
fn inside(k: usize, pad: usize, stride: usize, w: usize, wo: usize) -> (usize, usize) {
    let lo = pad.saturating_sub(k).div_ceil(stride).min(wo);
    let hi = if w + pad > k { ((w + pad - k - 1) / stride + 1).min(wo) } else { 0 };
    (lo, hi.max(lo))
}

/// Writes the columns of output rows `rows` of one image: row `(c, ky, kx)`, column `(oy - rows.start) * wo + ox`.
pub(super) fn im2col<T: Real>(
    p: &Problem,
    image: &[T],
    rows: std::ops::Range<usize>,
    dst: &mut [T],
    place: Place,
) {
    let g = p.geometry;
    for c in 0..p.ci {
        let plane = &image[c * p.h * p.w..][..p.h * p.w];
        for ky in 0..p.kh {
            for kx in 0..p.kw {
                let row = (c * p.kh + ky) * p.kw + kx;
                let (lo, hi) = inside(kx, g.pad_w, g.stride, p.w, p.wo);
                for (i, oy) in rows.clone().enumerate() {
                    let out = &mut dst[row * place.stride + place.at + i * p.wo..][..p.wo];
                    let iy = oy * g.stride + ky;
                    if iy < g.pad_h || iy - g.pad_h >= p.h || lo == hi {
                        out.fill(T::zero());
                        continue;
                    }
                    let src = &plane[(iy - g.pad_h) * p.w..][..p.w];
                    out[..lo].fill(T::zero());
                    out[hi..].fill(T::zero());
                    let first = lo * g.stride + kx - g.pad_w;
                    if g.stride == 1 {
                        out[lo..hi].copy_from_slice(&src[first..first + hi - lo]);
                    } else {
                        for (o, &x) in
                            out[lo..hi].iter_mut().zip(src[first..].iter().step_by(g.stride))
                        {
                            *o = x;
                        }
                    }
                }
            }
        }
    }
}

/// Adds the columns of output rows `rows` back to the image that they were read from.
pub(super) fn col2im<T: Real>(
    p: &Problem,
    columns: &[T],
    rows: std::ops::Range<usize>,
    image: &mut [T],
    place: Place,
) {
    let g = p.geometry;
    for c in 0..p.ci {
        let plane = &mut image[c * p.h * p.w..][..p.h * p.w];
        for ky in 0..p.kh {
            for kx in 0..p.kw {
                let row = (c * p.kh + ky) * p.kw + kx;
                let (lo, hi) = inside(kx, g.pad_w, g.stride, p.w, p.wo);
                for (i, oy) in rows.clone().enumerate() {
                    let iy = oy * g.stride + ky;
                    if iy < g.pad_h || iy - g.pad_h >= p.h || lo == hi {
                        continue;
                    }
                    let src = &columns[row * place.stride + place.at + i * p.wo..][lo..hi];
                    let first = lo * g.stride + kx - g.pad_w;
                    let dst = &mut plane[(iy - g.pad_h) * p.w..][..p.w][first..];
                    for (d, &s) in dst.iter_mut().step_by(g.stride).zip(src) {
                        *d += s;
                    }
                }
            }
        }
    }
}
