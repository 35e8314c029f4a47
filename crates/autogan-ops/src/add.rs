//! The sum of two tensors of one shape, in parallel (shortcuts and skips).

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::cuda::{self, Card, Floats, int, over_elements};
use crate::host::{slice, zip};
use crate::real::{dispatch, same_dtype, storage};
use crate::tape::{Keep, apply2, tracked};

const OP: &str = "add";

/// `a + b`, both of one shape.
///
/// # Errors
/// When the shapes or element types differ.
pub fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_dtype(OP, &[a, b])?;
    if a.dims() != b.dims() {
        bail!("{OP}: expected two tensors of one shape, found {:?} and {:?}", a.dims(), b.dims());
    }
    apply2(&a.contiguous()?, &b.contiguous()?, Add, Keep::NOTHING)
}

struct Add;

impl Add {
    /// The program that adds tensors of this shape.
    fn program(shape: &Shape) -> impl cuda::Program<1> {
        let count = shape.elem_count();
        move |card: &dyn Card, from: &[Floats], [sum]: [Floats; 1]| {
            let arguments = [from[0].read(), from[1].read(), sum.write(), int(count)?];
            over_elements(card, "add_forward", count, &arguments)
        }
    }
}

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (inputs, shape) = ([(a, la), (b, lb)], la.shape());
        if let Some(sum) = cuda::emulated(OP, &inputs, shape.clone(), Self::program(shape)) {
            return sum;
        }
        dispatch!(OP, a.dtype(), T => {
            let sum = zip(
                slice::<T>(OP, a, la)?,
                slice::<T>(OP, b, lb)?,
                #[inline(always)]
                |a, b| a + b,
            );
            Ok(storage(sum, la.shape().clone()))
        })
    }

    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        la: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let shape = la.shape();
        cuda::forward(OP, &[(a, la), (b, lb)], shape.clone(), Self::program(shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _sum: &Tensor,
        d: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let to = |t: &Tensor| tracked(t).then(|| d.clone());
        Ok((to(a), to(b)))
    }
}
