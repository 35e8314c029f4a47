//! [`Real`] stands for the two element types that the operators are written for.

use candle_core::{DType, Result, Tensor, WithDType, bail};

use autogan_kernels::conv::Kernels;
pub(crate) use autogan_kernels::{Mat, gemm};

/// `f32` or `f64`: what every operator on the CPU is generic over.
///
/// `f32` is what networks train in; `f64` is what gradients are checked in.
pub trait Real: WithDType + Kernels {
    /// The elements as f32, for kernels that take f32 alone.
    ///
    /// # Errors
    /// For f64.
    fn as_f32(elements: &[Self]) -> Result<&[f32]>;
    /// The inverse of [`Real::as_f32`].
    ///
    /// # Errors
    /// For f64.
    fn from_f32(elements: Vec<f32>) -> Result<Vec<Self>>;
}

impl Real for f32 {
    fn as_f32(elements: &[f32]) -> Result<&[f32]> {
        Ok(elements)
    }
    fn from_f32(elements: Vec<f32>) -> Result<Vec<f32>> {
        Ok(elements)
    }
}

impl Real for f64 {
    fn as_f32(_: &[f64]) -> Result<&[f32]> {
        bail!("expected f32 tensors, found F64")
    }
    fn from_f32(_: Vec<f32>) -> Result<Vec<f64>> {
        bail!("expected f32 tensors, found F64")
    }
}

/// Calls `$body` with `$T` bound to the element type of `$dtype`, or returns an error that names `$op`.
macro_rules! dispatch {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => candle_core::bail!("{}: expected f32 or f64 tensors, found {other:?}", $op),
        }
    };
}
pub(crate) use dispatch;

/// Checks that both tensors have the same element type.
pub(crate) fn same_dtype(op: &str, tensors: &[&Tensor]) -> Result<DType> {
    let first = tensors[0].dtype();
    for t in tensors {
        if t.dtype() != first {
            bail!("{op}: expected all tensors as {first:?}, found one as {:?}", t.dtype());
        }
    }
    Ok(first)
}
