//! [`conv2d_avg_pool2`] is a convolution followed by 2x2 average pooling, computed as one convolution with stride 2.
//!
//! Averaging four neighbouring outputs of a k x k kernel is a (k+1) x (k+1) kernel with averaged taps, applied to
//! every second pixel: 16 products for one pooled output where the two steps take 36, for k = 3. Exact, borders
//! included: zero padding stays zero padding.

use autogan_kernels::ConvGeometry;
use candle_core::{Result, Tensor, bail};

use super::conv2d::{conv2d, conv2d_strided};
use crate::cuda::{Floats, Gpu, int, over_elements};
use crate::host::zeros;
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::pool::avg_pool2;
use crate::real::Real;

/// `avg_pool2(conv2d(x, w, b))`: `x [N, Ci, H, W]` with even sides, `w [Co, Ci, k, k]` with odd k, `b [Co]`
/// → `[N, Co, H/2, W/2]`.
///
/// # Errors
/// When a side is odd, k is even, or the shapes or element types do not fit each other.
pub fn conv2d_avg_pool2(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let (_, _, h, width) = x.dims4()?;
    let (co, ci, kh, kw) = w.dims4()?;
    if h % 2 != 0 || width % 2 != 0 {
        bail!("conv2d_avg_pool2: expected even sides, found {h}x{width}");
    }
    if kh != kw || kh % 2 == 0 {
        bail!("conv2d_avg_pool2: expected an odd square kernel, found {kh}x{kw}");
    }
    let averaged = apply([w], (co, ci, kh + 1, kh + 1), Averaging { kernels: co * ci, k: kh })?;
    let geometry = ConvGeometry { stride: 2, pad_h: kh / 2, pad_w: kw / 2 };
    conv2d_strided(x, &averaged, b, geometry)
}

/// [`conv2d_avg_pool2`] as the two steps that it replaces, with gradient.
///
/// # Errors
/// As [`conv2d_avg_pool2`].
pub fn conv2d_avg_pool2_ref(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    avg_pool2(&conv2d(x, w, b)?)
}

/// The averaged kernels, `[co, ci, k, k]` → `[co, ci, k+1, k+1]`: each tap spread over the four averaged pixels.
struct Averaging {
    kernels: usize,
    k: usize,
}

impl Averaging {
    /// Calls `f(tap, place)` for every tap of a kernel and each of its four places.
    fn places(k: usize, mut f: impl FnMut(usize, usize)) {
        for u in 0..k {
            for v in 0..k {
                for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    f(u * k + v, (u + a) * (k + 1) + v + b);
                }
            }
        }
    }
}

impl Operator<1> for Averaging {
    const NAME: &'static str = "conv2d_avg_pool2";
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [w]: [&[T]; 1]) -> Result<Vec<T>> {
        let (small, large) = (self.k * self.k, (self.k + 1) * (self.k + 1));
        let mut out = zeros(self.kernels * large);
        let quarter = T::from_f64(0.25);
        for (out, w) in out.chunks_exact_mut(large).zip(w.chunks_exact(small)) {
            Self::places(self.k, |tap, place| out[place] += w[tap] * quarter);
        }
        Ok(out)
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let (small, large) = (self.k * self.k, (self.k + 1) * (self.k + 1));
        let mut dw = zeros(self.kernels * small);
        let quarter = T::from_f64(0.25);
        for (dw, dy) in dw.chunks_exact_mut(small).zip(dy.chunks_exact(large)) {
            Self::places(self.k, |tap, place| dw[tap] += dy[place] * quarter);
        }
        Ok([Some(dw)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        let count = self.kernels * (self.k + 1) * (self.k + 1);
        let arguments = [x.read(), y.write(), int(self.kernels)?, int(self.k)?];
        over_elements(gpu, "averaged_forward", count, &[&arguments])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        let arguments = [at.dy.read(), dx[0].write(), int(self.kernels)?, int(self.k)?];
        over_elements(gpu, "averaged_backward", self.kernels * self.k * self.k, &[&arguments])
    }
}
