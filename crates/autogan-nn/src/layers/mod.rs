//! This module holds the layers that the networks are built of.
//!
//! A layer holds its variables and no mode: the arguments of a forward pass say what it does. Each layer is made with a
//! [`autogan_weights::ParamsBuilder`] and computes with the operators of `autogan-ops`, whose gradients are tested.
//!
//! They are candle's modules, too. [`Conv2d`], [`Deconv`] and [`Linear`] are [`candle_core::Module`]s. [`BatchNorm`],
//! [`SpectralConv`] and [`SpectralLinear`] compute differently in training, so they are [`candle_core::ModuleT`]s, as
//! batch norm in `candle-nn` is.

mod conv;
mod norm;
mod spectral;

pub use conv::{Conv2d, Deconv, Linear};
pub use norm::BatchNorm;
pub(crate) use norm::EPS;
pub use spectral::{SpectralConv, SpectralLinear};
pub(crate) use spectral::{SpectralWeight, Vectors};

use candle_core::{DType, Tensor, Var};

use crate::Result;

/// Whether a forward pass leads gradients to the network's own parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grad {
    /// Parameters receive gradients.
    Tracked,
    /// Parameters are constants; gradients still pass through to a tracked input. Without one,
    /// nothing is kept for a backward pass.
    Frozen,
}

impl Grad {
    /// The variable's value as this pass sees it.
    pub(crate) fn value(self, var: &Var) -> Tensor {
        match self {
            Self::Tracked => var.as_tensor().clone(),
            Self::Frozen => var.as_detached_tensor(),
        }
    }
}

/// A copy of a variable as f64, where it lies.
fn doubles(var: &Var) -> Result<Tensor> {
    let value = var.as_detached_tensor();
    // A conversion to the same type would share the memory, which later steps change.
    Ok(if value.dtype() == DType::F64 { value.copy()? } else { value.to_dtype(DType::F64)? })
}
