//! [`conv2d_ref`] is the convolution written as its definition; the fast path is tested against it.

use candle_core::{Result, Tensor};

use autogan_kernels::ConvGeometry;
use autogan_kernels::conv::reference;

use super::conv2d::problem;
use crate::real::dispatch;

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
    let p = problem("conv2d_ref", x, w, geometry)?;
    dispatch!("conv2d_ref", x.dtype(), T => {
        let bias = b.map(|b| b.to_vec1::<T>()).transpose()?;
        let (xs, ws) = (x.flatten_all()?.to_vec1::<T>()?, w.flatten_all()?.to_vec1::<T>()?);
        let y = reference(&p, &xs, &ws, bias.as_deref());
        Tensor::from_vec(y, (p.n, p.co, p.ho, p.wo), x.device())
    })
}
